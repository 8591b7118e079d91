"""What ends a command early, with its exit status."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit statuses of every command."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


class Stop(Exception):
    """A command cannot go on; the text is a sentence or two for the person at the keyboard."""

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(text)
        self.code = code


class UsageError(Stop):
    """The command was called in a way that cannot work (exit status 2)."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Exit.USAGE)


class EnvironmentTrouble(Stop):
    """The machine lacks something or refuses something (exit status 3)."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Exit.ENVIRONMENT)

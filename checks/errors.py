"""The ways in which judging an item can end early."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A spot in the learner's project: `file` relative to it, `line` counted from 1."""

    file: str
    line: int | None = None
    symbol: str = ""

    def __str__(self) -> str:
        spot = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{spot}, {self.symbol}" if self.symbol else spot


class NotYet(Exception):
    """The learner's news: the project does not do this yet.

    `found` is what was observed, `expected` what the item asks for, `look_at` where to
    look, `todo` the next thing to do. The same instance raised twice is one root cause:
    the runner fails the first item that meets it and blocks the later ones.
    """

    def __init__(
        self,
        found: str,
        *,
        expected: str = "",
        look_at: Place | None = None,
        todo: str = "",
    ) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.look_at = look_at
        self.todo = todo

    @property
    def message(self) -> str:
        """The parts, one a line, each behind its label."""
        parts = (
            ("expected", self.expected),
            ("found", self.found),
            ("look at", str(self.look_at or "")),
            ("next", self.todo),
        )
        return "\n".join(f"{label:<9}{_hang(text)}" for label, text in parts if text)


class EnvironmentFault(Exception):
    """Not the learner's fault: a port, a missing service, an interpreter that is not there."""

    def __init__(self, found: str, *, todo: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.todo = todo

    @property
    def message(self) -> str:
        text = f"found    {_hang(self.found)}"
        return f"{text}\nnext     {_hang(self.todo)}" if self.todo else text


class Blocked(Exception):
    """This item cannot be judged until the item named `by` passes."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


class LeftOut(Exception):
    """This item cannot be judged from outside in this project; the text says why."""


def _hang(text: str) -> str:
    """Indent every line but the first by the width of a label."""
    return text.strip("\n").replace("\n", "\n" + " " * 9)

"""What a watch keeps warm between two runs: started interpreters and a migrated database."""

from __future__ import annotations

from pathlib import Path

from checks.processes import Process
from checks.sandbox import Sandbox


class Spares:
    """Keeps nothing: the spares of a single check. A watch uses WarmSpares."""

    def prepare(self, sandbox: Sandbox) -> None:
        """A run over this copy of the project is about to begin."""

    def take(self, argv: list[str], env: dict[str, str]) -> Process | None:
        """An interpreter that is already running these arguments, if there is one."""
        return None

    def refill(self, env: dict[str, str]) -> None:
        """The run is over; this is the environment that its processes had."""

    def reuse_database(self, path: Path) -> bool:
        """Put the kept database at `path`; False if there is none that still fits."""
        return False

    def keep_database(self, path: Path) -> None:
        """Remember the freshly migrated database at `path`."""

    def close(self) -> None:
        """End the interpreters that nobody took."""

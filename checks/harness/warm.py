"""What a watch keeps warm between two runs: started interpreters and a migrated database."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from checks.harness.sandbox import Sandbox
from course.processes import Process

_WAITING_SCRIPT = Path(__file__).parent.parent / "probes" / "warm_interpreter.py"
# What a migrated database depends on. A watch trusts these names; a check trusts nothing.
_SHAPES_DATABASE = re.compile(r"migrations|models|settings|apps\.py|requirements|\.env")


class Interpreters:
    """Keeps nothing: the interpreters of a single check. A watch uses WarmInterpreters."""

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


class WarmInterpreters(Interpreters):
    """Interpreters that have imported the libraries and wait for the learner's code.

    Each is used once, so every run still gets processes that never saw the project before.
    """

    def __init__(self, count: int = 2) -> None:
        self._count = count
        self._waiting: list[Process] = []
        self._sandbox: Sandbox | None = None
        self._database: Path | None = None

    def prepare(self, sandbox: Sandbox) -> None:
        if sandbox is not self._sandbox or _reshapes(sandbox.changed):
            self._database = None
        if sandbox is not self._sandbox:
            self.close()
        self._sandbox = sandbox

    def refill(self, env: dict[str, str]) -> None:
        """Start interpreters up to the count; call it when a run is over."""
        if self._sandbox is None:
            return
        env = env | {"NUMENEON_WARM": "1"}
        project = self._sandbox.project
        while len(self._waiting) < self._count:
            argv = [project.python, _WAITING_SCRIPT]
            self._waiting.append(Process(argv, cwd=project.backend, env=env))

    def take(self, argv: list[str], env: dict[str, str]) -> Process | None:
        known = argv[0] == "manage.py" or argv[:2] == ["-m", "daphne"]
        while known and self._waiting:
            process = self._waiting.pop(0)
            if process.exit_code is None:
                process.say(json.dumps({"argv": argv, "env": env}))
                return process
        return None

    def reuse_database(self, path: Path) -> bool:
        if self._database is None or not self._database.is_file():
            return False
        shutil.copyfile(self._database, path)
        return True

    def keep_database(self, path: Path) -> None:
        if self._sandbox and path.is_file():
            kept = self._sandbox.folder / "migrated.sqlite3"
            shutil.copyfile(path, kept)
            self._database = kept

    def close(self) -> None:
        for process in self._waiting:
            process.kill()
        self._waiting.clear()


def _reshapes(changed: set[str]) -> bool:
    return any(_SHAPES_DATABASE.search(name) for name in changed)

"""Starts the project's programs, and what a watch keeps warm between two of its runs.

Nothing of the learner's is ever kept in memory: what is warm has imported libraries only, and
each process is used once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import threading
from pathlib import Path

from checks.harness.forks import ForkServer, NoAnswer, can_fork
from checks.harness.project import Project
from checks.harness.sandbox import Sandbox
from course import contract
from course.processes import Process

PROBES = Path(__file__).parent.parent / "probes"
_WAITING_SCRIPT = PROBES / "warm_interpreter.py"
# What a migrated database depends on. A watch trusts these names; a check trusts nothing.
_SHAPES_DATABASE = re.compile(r"migrations|models|settings|apps\.py|requirements|\.env")


def environment(**plan: object) -> dict[str, str]:
    """The environment of a Python that the guard protects, with this plan (probes/guard)."""
    return contract.without_steering(os.environ) | {
        "NUMENEON_CHECK": json.dumps(plan),
        "PYTHONPATH": os.pathsep.join([str(PROBES / "guard"), str(PROBES)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }


class Interpreters:
    """Starts each program in an interpreter of its own that nothing was done to before."""

    def start(self, sandbox: Sandbox, argv: list[str], env: dict[str, str]) -> Process:
        """Run the project's Python with these arguments, in its backend folder.

        Raises OSError if there is no such Python.
        """
        python, backend = sandbox.project.python, sandbox.project.backend
        return Process([python, *argv], cwd=backend, env=env)

    def refill(self, sandbox: Sandbox, env: dict[str, str]) -> None:
        """The run is over; this is the environment that its processes had."""

    def close(self) -> None:
        """End what nobody took."""


class ForkedInterpreters(Interpreters):
    """Forks an interpreter that has imported the libraries, once for all programs."""

    def __init__(self) -> None:
        self._python: Path | None = None
        self._server: ForkServer | None = None
        self._lock = threading.Lock()

    def start(self, sandbox: Sandbox, argv: list[str], env: dict[str, str]) -> Process:
        if _imports_the_libraries(argv, env):
            with contextlib.suppress(NoAnswer):
                return self._forked(sandbox.project, argv, env)
        return super().start(sandbox, argv, env)

    def _forked(self, project: Project, argv: list[str], env: dict[str, str]) -> Process:
        server = self._serving(project.python)
        if _is_awaited_by_all(argv) and not server.ready:
            raise NoAnswer("it is still importing")
        command = [str(project.python), *argv]
        return Process(command, cwd=project.backend, env=env, start=server.start)

    def _serving(self, python: Path) -> ForkServer:
        """The fork server of that Python; items in other threads may be asking for it too."""
        with self._lock:
            if not (self._server and self._server.usable and self._python == python):
                self._end()
                env = environment() | {"NUMENEON_WARM": "1"}
                self._python, self._server = python, ForkServer(python, env)
            return self._server

    def close(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._server:
            self._server.close()
            self._server = None


class WarmInterpreters(Interpreters):
    """Where nothing can be forked: starts interpreters while nothing else is to be done."""

    def __init__(self, count: int = 2) -> None:
        self._count = count
        self._waiting: list[Process] = []
        self._backend: Path | None = None

    def start(self, sandbox: Sandbox, argv: list[str], env: dict[str, str]) -> Process:
        if self._backend != sandbox.project.backend:
            self.close()
        while self._waiting and _imports_the_libraries(argv, env):
            process = self._waiting.pop(0)
            if process.exit_code is None:
                process.say(json.dumps({"argv": argv, "env": env}))
                return process
        return super().start(sandbox, argv, env)

    def refill(self, sandbox: Sandbox, env: dict[str, str]) -> None:
        self._backend = sandbox.project.backend
        argv = [str(_WAITING_SCRIPT)]
        while len(self._waiting) < self._count:
            self._waiting.append(super().start(sandbox, argv, env | {"NUMENEON_WARM": "1"}))

    def close(self) -> None:
        for process in self._waiting:
            process.kill()
        self._waiting.clear()


def for_a_check() -> Interpreters:
    """What starts the programs of a single run."""
    return ForkedInterpreters() if can_fork() else Interpreters()


def for_a_watch() -> Interpreters:
    """What starts the programs of run after run."""
    return ForkedInterpreters() if can_fork() else WarmInterpreters()


def _is_awaited_by_all(argv: list[str]) -> bool:
    """Whether everything else waits for this program: it imports the libraries itself, beside
    a fork server that is importing them, on another processor."""
    return argv[:2] == ["manage.py", "migrate"]


def _imports_the_libraries(argv: list[str], env: dict[str, str]) -> bool:
    """Whether this program would import them anyway, from where ours were imported."""
    plan = json.loads(env.get("NUMENEON_CHECK", "{}"))
    known = argv[0] == "manage.py" or argv[:2] == ["-m", "daphne"]
    return known and "packages" not in plan and not _differs(env)


def _differs(env: dict[str, str]) -> bool:
    """Whether Python itself would start in another way with this environment."""
    ours = environment()
    names = {name for name in env.keys() | ours.keys() if name.startswith("PYTHON")}
    return any(env.get(name) != ours.get(name) for name in names)


class NoDatabases:
    """Keeps no database: each run migrates its own."""

    def reuse(self, sandbox: Sandbox, path: Path) -> bool:
        """Put the kept database at `path`; False if there is none that still fits."""
        return False

    def keep(self, sandbox: Sandbox, path: Path) -> None:
        """Remember the freshly migrated database at `path`."""


class MigratedDatabases(NoDatabases):
    """Keeps the newest migrated database, for projects whose tables come out the same."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where it is kept."""
        self._kept = folder / "migrated.sqlite3"
        self._digest = ""

    def reuse(self, sandbox: Sandbox, path: Path) -> bool:
        if self._digest != _digest(sandbox) or not self._kept.is_file():
            return False
        shutil.copyfile(self._kept, path)
        return True

    def keep(self, sandbox: Sandbox, path: Path) -> None:
        if path.is_file():
            shutil.copyfile(path, self._kept)
            self._digest = _digest(sandbox)


def _digest(sandbox: Sandbox) -> str:
    """A digest of all files that say which tables there are."""
    project = sandbox.project
    digest = hashlib.sha256(str(project.python).encode())
    for name in sorted(filter(_SHAPES_DATABASE.search, sandbox.files)):
        digest.update(f"\n{name}\n".encode())
        digest.update((project.root / name).read_bytes())
    return digest.hexdigest()

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
from collections.abc import Collection
from pathlib import Path

from checks.harness.forks import ForkServer, NoAnswer, can_fork
from checks.harness.project import Project
from checks.harness.sandbox import Sandbox
from course import contract
from course.processes import Process

PROBES = Path(__file__).parent.parent / "probes"
_WAITING_SCRIPT = PROBES / "warm_interpreter.py"
# Probes that set Django up and report. What stands ready on systems that do not
# fork has a reactor as well, which is not for them.
_PROBES_WITH_DJANGO = frozenset(
    str(PROBES / f"check_{name}.py") for name in ("layer", "settings", "view")
)
# What a migrated database depends on. A watch trusts these names; a check trusts nothing.
_SHAPES_DATABASE = re.compile(r"migrations|models|settings|apps\.py|requirements|\.env")
# So many a watch remembers: somebody tries a line of the settings, and takes it back.
_MOST_DATABASES = 8


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

    def start(
        self,
        sandbox: Sandbox,
        argv: list[str],
        env: dict[str, str],
        cwd: Path | None = None,
    ) -> Process:
        """Run the project's Python with these arguments, in its backend folder or in `cwd`.

        Raises OSError if there is no such Python.
        """
        project = sandbox.project
        return Process([project.python, *argv], cwd=cwd or project.backend, env=env)

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

    def start(
        self,
        sandbox: Sandbox,
        argv: list[str],
        env: dict[str, str],
        cwd: Path | None = None,
    ) -> Process:
        if _imports_the_libraries(argv, env, _PROBES_WITH_DJANGO):
            with contextlib.suppress(NoAnswer):
                return self._forked(sandbox.project, argv, env, cwd)
        return super().start(sandbox, argv, env, cwd)

    def _forked(
        self, project: Project, argv: list[str], env: dict[str, str], cwd: Path | None
    ) -> Process:
        server = self._serving(project.python)
        if _is_awaited(argv) and not server.ready:
            raise NoAnswer("it is still importing")
        command = [str(project.python), *argv]
        return Process(command, cwd=cwd or project.backend, env=env, start=server.start)

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

    def start(
        self,
        sandbox: Sandbox,
        argv: list[str],
        env: dict[str, str],
        cwd: Path | None = None,
    ) -> Process:
        if cwd is not None:  # they wait in the backend folder
            return super().start(sandbox, argv, env, cwd)
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


def _is_awaited(argv: list[str]) -> bool:
    """Whether somebody waits for the end of this program: it imports the libraries itself,
    beside a fork server that is importing them, on another processor."""
    return argv[:2] == ["manage.py", "migrate"] or argv[0] in _PROBES_WITH_DJANGO


def _imports_the_libraries(
    argv: list[str], env: dict[str, str], more: Collection[str] = ()
) -> bool:
    """Whether this program would import them anyway, from where ours were imported.

    `more` are scripts that do so besides manage.py and daphne.
    """
    plan = json.loads(env.get("NUMENEON_CHECK", "{}"))
    known = Path(argv[0]).name == "manage.py" or argv[:2] == ["-m", "daphne"]
    return (known or argv[0] in more) and "packages" not in plan and not _differs(env)


def _differs(env: dict[str, str]) -> bool:
    """Whether Python itself would start in another way with this environment."""
    ours = environment()
    names = {name for name in env.keys() | ours.keys() if name.startswith("PYTHON")}
    names.discard("PYTHON_VERSION")  # Render's, which no Python reads
    return any(env.get(name) != ours.get(name) for name in names)


class NoDatabases:
    """Keeps no database: each run migrates its own."""

    def reuse(self, sandbox: Sandbox, path: Path) -> bool:
        """Put the kept database at `path`; False if there is none that still fits."""
        return False

    def keep(self, sandbox: Sandbox, path: Path) -> None:
        """Remember the freshly migrated database at `path`."""


class MigratedDatabases(NoDatabases):
    """Keeps the newest migrated databases, for projects whose tables come out the same."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where they are kept."""
        self._folder = folder
        self._kept: dict[str, Path] = {}  # by what the tables depend on, the newest last

    def reuse(self, sandbox: Sandbox, path: Path) -> bool:
        kept = self._kept.get(_digest(sandbox))
        if kept is None or not kept.is_file():
            return False
        shutil.copyfile(kept, path)
        return True

    def keep(self, sandbox: Sandbox, path: Path) -> None:
        if not path.is_file():
            return
        digest = _digest(sandbox)
        self._kept[digest] = self._folder / f"migrated-{digest}.sqlite3"
        shutil.copyfile(path, self._kept[digest])
        if len(self._kept) > _MOST_DATABASES:
            self._kept.pop(next(iter(self._kept))).unlink(missing_ok=True)


def _digest(sandbox: Sandbox) -> str:
    """A digest of all files that say which tables there are."""
    project = sandbox.project
    digest = hashlib.sha256(str(project.python).encode())
    for name in sorted(filter(_SHAPES_DATABASE.search, sandbox.files)):
        digest.update(f"\n{name}\n".encode())
        digest.update((project.root / name).read_bytes())
    return digest.hexdigest()

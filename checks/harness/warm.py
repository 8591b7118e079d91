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
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path

from checks.harness.desk import Desk
from checks.harness.forks import ForkServer, NoAnswer, can_fork
from checks.harness.project import Project
from checks.harness.sandbox import Sandbox
from course import contract, scratch
from course.processes import Child, Process

PROBES = Path(__file__).parent.parent / "probes"
_WAITING_SCRIPT = PROBES / "warm_interpreter.py"
# Probes that set Django up and report. What stands ready on systems that do not
# fork has a reactor as well, which is not for them.
_PROBES_WITH_DJANGO = frozenset(
    str(PROBES / f"check_{name}.py")
    for name in ("burst", "command", "layer", "plans", "settings", "view")
)
# What a migrated database depends on. A watch trusts these names; a check trusts nothing.
_SHAPES_DATABASE = re.compile(r"migrations|models|settings|apps\.py|requirements|\.env")
# What tells which fork server fits: its Python, and the names of all packages that it sees,
# None for those that the Python has.
_Sight = tuple[Path, frozenset[str] | None]
_MOST_SERVERS = 2
# So many a watch remembers: somebody tries a line of the settings, and takes it back.
_MOST_DATABASES = 8
_KEPT_DATABASE = "migrated-{}.sqlite3"


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

    def desk(self) -> Path | None:
        """Where the Python programs of shell commands ask for a process (see desk.py)."""
        return None

    def refill(self, sandbox: Sandbox, env: dict[str, str]) -> None:
        """The run is over; this is the environment that its processes had."""

    def close(self) -> None:
        """End what nobody took."""


class ForkedInterpreters(Interpreters):
    """Forks an interpreter that has imported the libraries, once for all programs.

    For those that see only what a build has installed there is another one, which sees the
    same: it has imported nothing else.
    """

    def __init__(self) -> None:
        self._servers: dict[_Sight, ForkServer] = {}  # the last used comes last
        self._lock = threading.Lock()
        self._desk: Desk | None = None
        self._folder: Path | None = None

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

    def desk(self) -> Path | None:
        with self._lock:
            if self._desk is None:
                try:
                    self._desk = Desk(self._fork)
                except OSError:  # then each program imports the libraries itself
                    return None
            return self._desk.address

    def _fork(
        self, argv: list[str], cwd: Path, env: dict[str, str], descriptors: list[int]
    ) -> Child:
        if not _imports_the_libraries(argv[1:], env):
            raise NoAnswer("it is not known to import the libraries")
        server = self._serving(Path(argv[0]), _packages_in(env))
        return server.begin(argv, cwd, env, descriptors)

    def _forked(
        self, project: Project, argv: list[str], env: dict[str, str], cwd: Path | None
    ) -> Process:
        server = self._serving(project.python, _packages_in(env))
        if _is_awaited(argv) and not server.ready:
            raise NoAnswer("it is still importing")
        command = [str(project.python), *argv]
        return Process(command, cwd=cwd or project.backend, env=env, start=server.start)

    def _serving(self, python: Path, packages: Path | None) -> ForkServer:
        """The fork server of that Python; items in other threads may be asking for it too."""
        seen = python, frozenset(os.listdir(packages)) if packages else None
        with self._lock:
            server = self._servers.pop(seen, None)
            if not (server and server.usable):
                if server or len(self._servers) == _MOST_SERVERS:
                    (server or self._servers.pop(next(iter(self._servers)))).close()
                server = ForkServer(python, self._environment(packages))
            self._servers[seen] = server
            return server

    def _environment(self, packages: Path | None) -> dict[str, str]:
        """That of a fork server; it outlives the run, so the links it sees are its own."""
        if packages is None:
            return environment() | {"NUMENEON_WARM": "1"}
        self._folder = self._folder or scratch.make(scratch.CHECK)
        own = self._folder / str(len(os.listdir(self._folder)))
        shutil.copytree(packages, own, symlinks=True)
        return environment(packages=str(own)) | {"NUMENEON_WARM": "1"}

    def close(self) -> None:
        with self._lock:
            if self._desk:
                self._desk.close()
            while self._servers:
                self._servers.popitem()[1].close()
            if self._folder:
                scratch.remove(self._folder)
            self._desk = self._folder = None


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
        while self._waiting and _imports_the_libraries(argv, env) and not _packages_in(env):
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
    """Whether this program would import them anyway, in a Python like ours.

    `more` are scripts that do so besides manage.py and the servers.
    """
    module = argv[:1] == ["-m"]
    name = "".join(argv[1:2]) if module else Path("".join(argv[:1])).name
    known = name in {"daphne", "uvicorn"} or (name == "manage.py" and not module)
    return (known or argv[0] in more) and not _differs(env)


def _packages_in(env: dict[str, str]) -> Path | None:
    """The only folder that a program sees packages in, if there is one (probes/guard)."""
    packages = json.loads(env.get("NUMENEON_CHECK", "{}")).get("packages")
    if packages is None or Path(f"{packages}.everything").exists():
        return None
    return Path(packages)


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
    """Keeps the newest migrated databases, for projects whose tables come out the same.

    Several processes may share a folder: a database is there as a whole or not at all.
    """

    def __init__(self, folder: Path, most: int = _MOST_DATABASES) -> None:
        """`folder` is where they are kept, and `most` how many."""
        self._folder = folder
        self._most = most

    def reuse(self, sandbox: Sandbox, path: Path) -> bool:
        try:
            shutil.copyfile(self._place_of(sandbox), path)
        except FileNotFoundError:
            return False
        return True

    def keep(self, sandbox: Sandbox, path: Path) -> None:
        if not path.is_file():
            return
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as copy:
            copy.write(path.read_bytes())
        os.replace(copy.name, self._place_of(sandbox))
        kept = sorted(self._folder.glob(_KEPT_DATABASE.format("*")), key=_changed_at)
        for old in kept[: -self._most]:
            old.unlink(missing_ok=True)

    def _place_of(self, sandbox: Sandbox) -> Path:
        return self._folder / _KEPT_DATABASE.format(_digest(sandbox))


def _changed_at(file: Path) -> int:
    """When it was changed; what is not there any more comes first."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _digest(sandbox: Sandbox) -> str:
    """A digest of all files that say which tables there are."""
    project = sandbox.project
    digest = hashlib.sha256(str(project.python).encode())
    for name in sorted(filter(_SHAPES_DATABASE.search, sandbox.files)):
        digest.update(f"\n{name}\n".encode())
        digest.update((project.root / name).read_bytes())
    return digest.hexdigest()

"""How what a page has people type is started: as a terminal does, or from what is warm.

What lessons share are interpreters that have imported libraries, migrated databases, and
browsers for the items of a check: nothing that remembers what was done before. A project that
has passed a check is not judged again as long as it stays the same: lessons often begin with the
check at the end of the lesson before them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import os
import pickle
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import course
from checks.harness.forks import ForkServer, NoAnswer, can_fork
from checks.results import Report, Status
from checks.runner import OnResult, Session
from course import contract
from course.files import tree_to_judge
from course.processes import Child, Process, supervised
from workshop import cli
from workshop.errors import Exit
from workshop.home import Home

_SCRIPT = Path(__file__).with_name("fork_server.py")
_FORKED = (["manage.py"], ["-m", "daphne"], ["-m", "pytest"], ["-m", "uvicorn"])
_CHECK = ["-m", "workshop", "check"]


@dataclass(frozen=True)
class Told:
    """A command that has ended already: its exit status and all that it printed."""

    exit_code: int
    printed: str

    def wait(self, seconds: float) -> int:
        return self.exit_code

    def log(self) -> str:
        return self.printed

    def ask_to_end(self) -> None:
        """There is nothing left to end."""

    kill = ask_to_end


Started = Process | Told


class Cold:
    """Starts each command in a process of its own, as a terminal does."""

    def start(
        self, argv: list[str], folder: Path, env: Mapping[str, str], root: Path
    ) -> Started:
        """Start a command of the tutorial in `root`; it ends when we do, however we end."""
        return supervised(argv, cwd=folder, env=env)

    def close(self) -> None:
        """End what was kept."""


class Remembering(Session):
    """Judges nothing twice that has passed, as long as no byte of the project changes."""

    def __init__(self, passed: Path, *project: Any, **shared: Any) -> None:
        """`passed` is a folder for the reports, which other processes may use as well."""
        super().__init__(*project, **shared)
        self._passed = passed

    def run(self, step: int, *, on_result: OnResult | None = None, **how: Any) -> Report:
        """As Session.run(); tells a remembered report in the same way."""
        file = self._passed / self._key(step, how)
        if file.exists():
            report: Report = pickle.loads(file.read_bytes())
            if on_result:
                for result in report.items:
                    on_result(result)
            return dataclasses.replace(report, project=str(self.directory))
        report = super().run(step, on_result=on_result, **how)
        if report.status is Status.PASSED:
            # Somebody else may read it at this moment: it is there as a whole or not at all.
            whole = file.with_suffix(f".{os.getpid()}")
            whole.write_bytes(pickle.dumps(report))
            whole.replace(file)
        return report

    def _key(self, step: int, how: Mapping[str, Any]) -> str:
        """A digest of the question, the environment, and all that a check reads of a project.
        Where the project is, and its README, make no difference."""
        variables = contract.without_steering(os.environ)  # as for all that a check starts
        asked = repr((step, how, sorted(variables.items())))
        digest = hashlib.sha256(asked.replace(str(self.directory), "").encode())
        for folder, names in tree_to_judge(self.directory):
            for file in (folder, *(folder / name for name in names)):
                path = file.relative_to(self.directory).as_posix()
                if path != "README.md":
                    digest.update(f"{path} {file.lstat().st_mode}\0".encode())
                    digest.update(b"" if file is folder else file.read_bytes())
        return digest.hexdigest()


class Warm(Cold):
    """Forks the project's programs where the system can, and checks within this process."""

    def __init__(
        self, env: dict[str, str], shared: Mapping[str, Any], passed: Path
    ) -> None:
        """`shared` is what checks of different projects share: arguments of Session. `passed`
        is a folder for what they remember."""
        self._env = env
        self._session = functools.partial(Remembering, passed, **shared)
        self._servers: list[ForkServer] = []  # the last one is asked

    def start(
        self, argv: list[str], folder: Path, env: Mapping[str, str], root: Path
    ) -> Started:
        if argv[1:4] == _CHECK:
            return self._checked(argv[3:], folder, env, root)
        if can_fork() and _is_forked(argv) and not self._differs(env):
            with contextlib.suppress(NoAnswer):
                return Process(argv, cwd=folder, env=env, start=self._fork)
        return super().start(argv, folder, env, root)

    def _checked(
        self, argv: Sequence[str], folder: Path, env: Mapping[str, str], root: Path
    ) -> Told:
        """What `tutorial.py check` prints: in this process, with what is shared."""
        home = Home(root, course.steps(), session=self._session)
        said = io.StringIO()
        with contextlib.ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, env, clear=True))
            stack.enter_context(contextlib.chdir(folder))
            stack.enter_context(contextlib.redirect_stdout(said))
            stack.enter_context(contextlib.redirect_stderr(said))
            status = cli.main(argv, home)
        if status == Exit.INTERRUPTED:
            raise KeyboardInterrupt
        return Told(status, said.getvalue())

    def _fork(
        self, argv: list[str], cwd: Path, env: dict[str, str], stdin: int, output: int
    ) -> Child:
        if not (self._servers and self._servers[-1].usable):
            # What the one before has started goes on.
            self._servers.append(ForkServer(Path(sys.executable), self._env, _SCRIPT))
        return _Typed(self._servers[-1].start(argv, cwd, env, stdin, output))

    def _differs(self, env: Mapping[str, str]) -> bool:
        """Whether Python itself would start in another way with this environment."""
        names = {
            name for name in env.keys() | self._env.keys() if name.startswith("PYTHON")
        }
        return any(env.get(name) != self._env.get(name) for name in names)

    def close(self) -> None:
        while self._servers:
            self._servers.pop().close()


def _is_forked(argv: Sequence[str]) -> bool:
    return any(list(argv[1 : 1 + len(first)]) == first for first in _FORKED)


@dataclass(frozen=True)
class _Typed:
    """A program that was forked, and is asked to end with Ctrl-C, as the supervisor does."""

    child: Child

    @property
    def pid(self) -> int:
        return self.child.pid

    def poll(self) -> int | None:
        return self.child.poll()

    def wait(self, timeout: float) -> int:
        return self.child.wait(timeout)

    def terminate(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGINT)

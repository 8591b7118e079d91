"""What a page has people type behaves the same whether it is started cold or from what is warm."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.harness.forks import can_fork
from checks.results import ItemResult, Report, Status
from checks.runner import OnResult, Session
from course.processes import Process, prints
from tools.player import warm
from tools.player.scratch import environment
from tools.player.warm import Cold, Warm

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("player-commands")]
SECONDS = 60
forks = pytest.mark.skipif(not can_fork(), reason="programs are not forked on this system")


@pytest.fixture(scope="module")
def shared_by_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """One for all programs of this file, as for the pages."""
    passed = tmp_path_factory.mktemp("passed")
    made = Warm(environment(), {}, passed)
    yield made
    made.close()


def begun(
    commands: Cold, folder: Path, script: str, *args: str, named: str = "manage.py"
) -> Process:
    """`python manage.py ...` on a page, or `python -m NAME ...`: what it runs is this script."""
    module = named.removesuffix(".py")
    (folder / f"{module}.py").write_text(script)
    argv = [sys.executable, *([named] if module != named else ["-m", named]), *args]
    process = commands.start(argv, folder, environment(), folder)
    assert isinstance(process, Process)
    return process


def told(process: Process) -> str:
    """What it printed, once it has ended."""
    assert process.wait(SECONDS) is not None
    return process.log()


FACTS = r"""
import os, signal, sys, threading
variables = {k: v for k, v in os.environ.items() if k not in ("NUMENEON_PIPE", "_")}
print(
    sys.argv, os.getcwd(), sys.path, sorted(variables.items()), __name__, __file__,
    sys.stdin.read(), sys.flags, signal.getsignal(signal.SIGINT), sys.stdout.encoding,
    threading.active_count(), sys.stdout.write_through,
    any(type(finder).__module__ == "sitecustomize" for finder in sys.meta_path),
    sep="\n",
)
raise ValueError("the end")
"""


@forks
@pytest.mark.parametrize("named", ["manage.py", "uvicorn"])
def test_forked_program_meets_what_it_meets_in_a_terminal(
    named: str, shared_by_pages: Warm, tmp_path: Path
) -> None:
    """Its arguments, folder, path, variables and streams, no guard of a check; the traceback of
    its end."""
    forked = begun(shared_by_pages, tmp_path, FACTS, "one", "two", named=named)
    typed = begun(Cold(), tmp_path, FACTS, "one", "two", named=named)

    assert told(forked) == told(typed)
    assert forked.exit_code == typed.exit_code == 1


ASKED = """
import time
try:
    print("up")
    time.sleep(600)
except KeyboardInterrupt:
    print("asked")
"""


@pytest.mark.parametrize("kind", ["cold", pytest.param("warm", marks=forks)])
def test_server_is_asked_with_ctrl_c(
    kind: str, shared_by_pages: Warm, tmp_path: Path
) -> None:
    """And may print its last words."""
    commands = shared_by_pages if kind == "warm" else Cold()
    process = begun(commands, tmp_path, ASKED)
    assert prints(process, "up", seconds=SECONDS)

    process.ask_to_end()

    assert told(process).splitlines() == ["up", "asked"]


CHANGES = """
import os, pathlib, sys
print(os.environ.get("RUN_MAIN"), sys.argv[1:], os.environ.setdefault("KEY", str(os.getpid())))
changed = pathlib.Path("changed")
if not changed.exists():
    changed.touch()
    sys.exit(3)
sys.exit(4)
"""


@forks
def test_changed_server_is_started_anew(shared_by_pages: Warm, tmp_path: Path) -> None:
    """The forked `runserver` is what Django's autoreloader would start, as often as it does; what
    settings put into the environment stays there."""
    process = begun(shared_by_pages, tmp_path, CHANGES, "runserver", "8000")

    first, second = told(process).splitlines()
    assert first.startswith("true ['runserver', '8000'] ")
    assert first == second
    assert process.exit_code == 4


@forks
@pytest.mark.parametrize("args", [[], ["runserver"]])
def test_forked_program_ends_with_the_player(args: list[str], tmp_path: Path) -> None:
    """The system ends it, with what the autoreloader has started."""
    commands = Warm(environment(), {}, tmp_path)
    process = begun(commands, tmp_path, ASKED, *args)
    assert prints(process, "up", seconds=SECONDS)

    commands.close()

    assert told(process).splitlines() == ["up"]  # all is printed: nobody holds the pipe


def test_project_that_has_passed_is_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte, another question or another variable make it be judged again; another place and
    another README do not. What failed is always judged again."""
    runs: list[int] = []
    status = Status.PASSED

    def run(self: Session, step: int, *, on_result: OnResult, **how: object) -> Report:
        runs.append(step)
        on_result(ItemResult("a", "A.", status))
        return Report(step, str(self.directory), [ItemResult("a", "A.", status)])

    monkeypatch.setattr(Session, "run", run)
    (tmp_path / "passed").mkdir()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(name)
        (tmp_path / name / "a.py").write_text("a = 1\n")

    def judge(step: int, name: str = "here", **how: object) -> None:
        told: list[ItemResult] = []
        with warm.Remembering(tmp_path / "passed", tmp_path / name) as session:
            report = session.run(step, on_result=told.append, **how)
        assert report.step == step
        assert report.project == str(tmp_path / name)
        assert told == report.items

    judge(1)
    judge(1)
    judge(1, "there")
    assert runs == [1]
    (tmp_path / "here/a.py").write_text("a = 2\n")
    judge(1)
    judge(1, only=["x"])
    monkeypatch.setenv("SECRET_KEY", "which no check reads")
    judge(1, only=["x"])
    monkeypatch.setenv("NAME", "new")
    judge(1)
    judge(2)
    assert runs == [1, 1, 1, 1, 2]
    status = Status.FAILED
    judge(3)
    judge(3)

    assert runs[5:] == [3, 3]

"""Whoever ends a check, and whenever: no process and no file stays behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import course
from course.processes import wait_until

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        not Path("/proc").is_dir(), reason="finds leftover processes in /proc"
    ),
]


def processes_in(folder: Path) -> list[str]:
    """The command lines of the processes whose working folder lies in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(entry / "cwd")).is_relative_to(folder):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it ended while we looked
            continue
    return found


@pytest.fixture
def check(tmp_path):
    """Starts `check 5` in a process whose scratch files lie in their own folder."""
    project, scratch = tmp_path / "project", tmp_path / "scratch"
    shutil.copytree(course.step(5).folder, project)
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "workshop", "check", "5", "--project", project],
        cwd=course.ROOT,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.scratch = scratch
    yield process
    process.kill()
    process.communicate()


MOMENTS = {
    "the scratch copy": lambda scratch: any(scratch.glob("numeneon-check-*")),
    "the first process": lambda scratch: processes_in(scratch),
    "the third process": lambda scratch: len(processes_in(scratch)) > 2,
    "the settings": lambda scratch: any(scratch.glob("*/run-1/facts/*.json")),
    "the database": lambda scratch: any(scratch.glob("*/run-1/db.sqlite3")),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"]
)
def test_ended_check_leaves_nothing(moment, number, check):
    """As soon as that is there, the check is ended: it takes everything with it."""
    assert wait_until(lambda: bool(MOMENTS[moment](check.scratch)), seconds=20)

    check.send_signal(number)
    _, error = check.communicate(timeout=20)

    assert check.returncode in (130, 143)
    assert "Traceback" not in error
    assert processes_in(check.scratch) == []
    assert list(check.scratch.iterdir()) == []


def test_killed_check_leaves_no_process(check):
    """Even when it has no chance to clean up, what it started ends."""
    assert wait_until(lambda: len(processes_in(check.scratch)) > 2, seconds=20)

    check.kill()

    assert wait_until(lambda: not processes_in(check.scratch), seconds=10)

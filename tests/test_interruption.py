"""Whoever ends a check, and whenever: no process and no file stays behind."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import course
from course.deadline import patient
from course.processes import wait_until
from tests.browser import checkout
from workshop import cli

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


# A socket that is never accepted: each moment of the check lasts long enough to be seen.
NEVER_ACCEPTED = """

import asyncio


async def _connect(self):
    await asyncio.Event().wait()


NotificationConsumer.connect = _connect
"""


@pytest.fixture
def check_with(tmp_path):
    """Starts `check 5` behind these words; its scratch files lie in their own folder."""
    project, scratch = tmp_path / "project", tmp_path / "scratch"
    shutil.copytree(course.step(5).folder, project)
    consumers = project / "backend" / "notifications" / "consumers.py"
    with consumers.open("a", encoding="utf-8") as file:
        file.write(NEVER_ACCEPTED)
    scratch.mkdir()
    started = []

    def start(*before):
        process = subprocess.Popen(
            [
                *(*before, sys.executable, "-m", "workshop", "check", "asgi"),
                *("--project", project),
            ],
            cwd=course.ROOT,
            env=os.environ | {"TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.scratch = scratch
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def check(check_with):
    """A running `check 5`."""
    return check_with()


@pytest.fixture
def check_under_nohup(check_with):
    """A check that was told to ignore that its terminal is closed."""
    check = check_with("nohup")
    assert wait_until(
        lambda: any(check.scratch.glob("numeneon-check-*")), seconds=patient(20)
    )
    return check


# Makes the terminal that is its input its own, as a shell has one, and becomes a program.
ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

MOMENTS = {
    "the scratch copy": lambda scratch: any(scratch.glob("numeneon-check-*")),
    "the first process": lambda scratch: processes_in(scratch),
    "the server": lambda scratch: len(processes_in(scratch)) > 1,
    "the settings": lambda scratch: any(scratch.glob("*/run-1/facts/*.json")),
    "the database": lambda scratch: any(scratch.glob("*/run-1/db.sqlite3")),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"]
)
def test_ended_check_leaves_nothing(moment, number, check):
    """As soon as that is there, the check is ended: it takes everything with it."""
    assert wait_until(lambda: bool(MOMENTS[moment](check.scratch)), seconds=patient(20))

    check.send_signal(number)
    _, error = check.communicate(timeout=20)

    assert check.returncode in (130, 143)
    assert "Traceback" not in error
    assert processes_in(check.scratch) == []
    assert list(check.scratch.iterdir()) == []


def test_killed_check_leaves_nothing_after_the_next_start(check, monkeypatch, capsys):
    """Even when it has no chance to clean up: its processes end, the next start does the rest."""
    assert wait_until(lambda: len(processes_in(check.scratch)) > 1, seconds=patient(20))

    check.kill()
    check.wait()
    assert any(check.scratch.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(check.scratch))
    assert cli.main(["check", "0", "--project", str(check.scratch / "none")]) == 2

    assert list(check.scratch.iterdir()) == []
    assert wait_until(lambda: not processes_in(check.scratch), seconds=10)


@pytest.mark.parametrize("moment", MOMENTS)
def test_two_signals_end_it_as_one_does(moment, check):
    """The second one comes while the first is at work, and again and again."""
    assert wait_until(lambda: bool(MOMENTS[moment](check.scratch)), seconds=patient(20))

    check.send_signal(signal.SIGTERM)
    while check.poll() is None:
        check.send_signal(signal.SIGHUP)
    _, error = check.communicate(timeout=20)

    assert check.returncode in (129, 143)  # both may be there before Python looks
    assert "Stopping ..." in error
    assert "Traceback" not in error
    assert processes_in(check.scratch) == []
    assert list(check.scratch.iterdir()) == []


# A command that takes a lock and keeps it, and so hangs for good when it is interrupted.
STUCK = """
import signal, sys, threading
from course import scratch
from workshop import cli, interruption

def stuck(argv):
    lock = threading.Lock()
    with scratch.scratch_folder(scratch.CHECK):
        try:
            print("ready", flush=True)
            signal.pause()
        finally:
            lock.acquire()
            lock.acquire()

cli.main = stuck
interruption.PATIENCE, interruption.IMPATIENCE = map(float, sys.argv[1:])
with interruption.last_act(lambda: print("terminal restored", flush=True)):
    sys.exit(interruption.main([]))
"""


@pytest.fixture
def stuck(tmp_path):
    """Starts such a command with (PATIENCE, IMPATIENCE), its scratch files in `tmp_path`."""
    started = []

    def start(*patience):
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", STUCK, *map(str, patience)],
                cwd=course.ROOT,
                env=os.environ | {"TMPDIR": str(tmp_path)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_process_that_hangs_is_ended_by_the_second_signal(stuck, tmp_path):
    """Its folder is removed and its terminal put back, by the watchdog."""
    process = stuck(600, 0)

    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline() == "Stopping ...\n"
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=20)

    assert process.returncode == 130
    assert said == "terminal restored\n"
    assert error == "Stopped.\n"
    assert list(tmp_path.iterdir()) == []


def test_process_that_hangs_is_ended_in_the_end(stuck, tmp_path):
    """Without a second signal, when its time is over."""
    process = stuck(0.1, 600)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []


def test_ignored_signal_stays_ignored(check_under_nohup):
    """`nohup` says that a closed terminal is no reason to end."""
    check_under_nohup.send_signal(signal.SIGHUP)
    check_under_nohup.send_signal(signal.SIGTERM)
    check_under_nohup.communicate(timeout=20)

    assert check_under_nohup.returncode == 143


def test_closed_terminal_ends_the_watch(tmp_path):
    """The window is closed: no process, no folder, no word that nobody could read."""
    root = checkout(tmp_path / "tutorial")
    shutil.copytree(root / "steps" / "00-rest-api", root / "workspace")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, sys.executable, "-m", "workshop", "watch"],
        cwd=root,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    try:
        assert wait_until(lambda: len(processes_in(scratch)) > 1, seconds=patient(30))
        os.close(outer)
        process.wait(20)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 129
    assert processes_in(scratch) == []
    assert list(scratch.iterdir()) == []
    assert not (root / ".tutorial" / "error.log").exists()

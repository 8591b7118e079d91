"""`run`: a backend with demo people, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.processes import listening, wait_until
from tests.small import read_tree
from workshop import cli
from workshop.commands import run
from workshop.home import Home, here

pytestmark = pytest.mark.server

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


class Started:
    """The command, running: its output so far, and how to stop it."""

    def __init__(self, scratch: Path, *argv: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workshop", "run", *argv],
            cwd=here().root,
            env=os.environ | {"TMPDIR": str(scratch)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.alarm = threading.Timer(180, self.process.kill)
        self.alarm.start()

    def until(self, text: str) -> str:
        """Read until a line holds `text`; everything read so far."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return "".join(self.lines)
        pytest.fail(f"it ended without saying {text!r}:\n" + "".join(self.lines))

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait; its exit status."""
        self.process.send_signal(number)
        assert self.process.stdout
        self.lines += self.process.stdout
        self.alarm.cancel()
        return self.process.wait()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where the command puts its copies: short, for the sake of sockets in it."""
    with tempfile.TemporaryDirectory(prefix="numeneon-test-") as folder:
        yield Path(folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A learner's project as after step 05, in a folder with a space and Cyrillic."""
    copy = tmp_path / "мой project"
    shutil.copytree(here().root / "steps" / "05-asgi", copy)
    return copy


@POSIX
def test_printed_logins_and_page_work(scratch: Path, project: Path) -> None:
    """Alice can log in as printed, and the page that is named is there."""
    before = read_tree(project)
    started = Started(scratch, "mine", "--project", str(project))
    said = started.until("Its log:")
    page = re.search(r"browser +(http://127\.0\.0\.1:(\d+)/demo/)", said)
    login = re.search(r"(alice@example.com) +password (demo-\w+)", said)
    assert page and login

    assert run.access_token(int(page[2]), *login.groups())
    with urllib.request.urlopen(page[1], timeout=10) as answer:
        assert "new WebSocket" in answer.read().decode()

    assert started.stop() == 0
    assert re.search(r"bob@example.com +password demo-", said)
    assert read_tree(project) == before
    assert not list(scratch.glob("numeneon-run-*"))


@POSIX
def test_client_of_part_two_is_named(scratch: Path) -> None:
    """From step 7 on there is a better page than the demo."""
    started = Started(scratch, "final")

    assert "/app/" in started.until("Its log:")
    assert started.stop() == 0


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_nothing(number: int, scratch: Path) -> None:
    """No process on the port and no copy, however it is asked to end."""
    started = Started(scratch, "0")
    said = started.until("Running at")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", said)[1])  # type: ignore[index]

    code = started.stop(number)

    assert code == (0 if number == signal.SIGINT else 128 + number)
    assert not list(scratch.glob("numeneon-run-*"))
    assert not listening(port)


@POSIX
def test_killed_command_takes_its_server_along(scratch: Path) -> None:
    """Even when it cannot clean up: the server sees that nobody holds its input any more."""
    started = Started(scratch, "0")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", started.until("Running at"))[1])  # type: ignore[index]

    started.process.kill()

    assert wait_until(lambda: not listening(port), seconds=20)
    started.stop()


@POSIX
def test_learners_own_data_are_not_reached(scratch: Path, project: Path) -> None:
    """Neither DATABASE_URL nor a database named in the settings is used."""
    settings = project / "backend" / "numeneon" / "settings.py"
    own = project / "own.sqlite3"
    own.write_bytes(b"")
    with settings.open("a", encoding="utf-8") as file:
        file.write(f"\nDATABASES['default']['NAME'] = {str(own)!r}\n")

    started = Started(
        scratch,
        "mine",
        "--project",
        str(project),
        DATABASE_URL="postgres://nobody@127.0.0.1:1/none",
    )
    started.until("Running at")

    assert started.stop() == 0
    assert own.read_bytes() == b""


def test_broken_project_is_told(
    scratch: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What its own command said is shown, not a traceback of ours."""
    settings = project / "backend" / "numeneon" / "settings.py"
    settings.write_text("INSTALLED_APPS = [\n")

    assert cli.main(["run", "mine", "--project", str(project)]) == 1

    said = capsys.readouterr().err
    assert "`manage.py migrate` failed:" in said
    assert "SyntaxError" in said


def test_folder_without_a_project_is_told(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There has to be a manage.py."""
    (workspace / "backend" / "manage.py").unlink()

    assert cli.main(["run", "mine"], home) == 1
    assert "no manage.py" in capsys.readouterr().err


def test_busy_port_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """--port with one in use is the environment's fault; without it another is taken."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        assert cli.main(["run", "0", "--port", str(port)]) == 3
        assert f"Port {port} is in use" in capsys.readouterr().err
        assert run.choose_port(None) != port


@POSIX
def test_two_at_once_get_their_own_ports(scratch: Path) -> None:
    """Both would take 8000: each ends up with a server of its own, and says which."""
    first, second = Started(scratch, "0"), Started(scratch, "0")

    ports = [
        re.search(r"http://127\.0\.0\.1:(\d+)", started.until("Running at"))[1]  # type: ignore[index]
        for started in (first, second)
    ]

    assert first.stop() == second.stop() == 0
    assert ports[0] != ports[1]


def test_shell_does_not_steer_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that lead to real data are not handed on."""
    monkeypatch.setenv("REDIS_URL", "redis://real")
    monkeypatch.setenv("SECRET_KEY", "real")

    handed = run.environment()

    assert "REDIS_URL" not in handed and "SECRET_KEY" not in handed
    assert handed["DJANGO_SETTINGS_MODULE"] == run.SETTINGS

"""The command without arguments: the workspace, the one screen."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course import Step, files
from tests.needs import needs
from tests.small import after, read_tree
from workshop import cli, instance
from workshop.commands import start
from workshop.home import Home
from workshop.progress import load


def test_first_start_makes_the_workspace(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The project is step 00, and the screen says where it is and what to do next."""
    assert cli.main([], home) == 0

    said = capsys.readouterr().out
    made = {name: data.decode() for name, data in read_tree(home.workspace).items()}
    assert made == after("00-start")
    assert "created from step 0" in said
    assert "You are at step 0, Start (10 minutes)." in said
    assert "00-start" in said
    assert "tutorial.py check" in said


def test_second_start_leaves_the_workspace_alone(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the learner wrote stays."""
    (workspace / "backend" / "manage.py").write_text("mine")

    assert cli.main([], home) == 0

    assert (workspace / "backend" / "manage.py").read_text() == "mine"
    assert "created from step 0" not in capsys.readouterr().out


def test_interrupted_start_leaves_no_half_workspace(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the workspace is made: there is none, and no leftovers."""
    copied = []

    def copy_one(source: Path, target: Path) -> None:
        if copied:
            raise KeyboardInterrupt
        copied.append(target)
        original(source, target)

    original = files.copy_file
    monkeypatch.setattr(files, "copy_file", copy_one)

    assert cli.main([], home) == 130

    assert copied
    assert sorted(path.name for path in home.root.iterdir()) == ["steps"]


def test_file_in_the_way_is_told(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A file called workspace is not overwritten."""
    home.workspace.write_text("mine")

    assert cli.main([], home) == 3

    assert "is in the way" in capsys.readouterr().err
    assert home.workspace.read_text() == "mine"


def test_executable_files_stay_so(home: Home) -> None:
    """A copied build.sh can be run."""
    files.copy_tree(home.folder(home.steps[2]), home.root / "copy")

    assert files.is_executable(home.root / "copy" / "build.sh") == files.is_executable(
        home.folder(home.steps[2]) / "build.sh"
    )


@pytest.fixture
def on_a_terminal(
    home: Home, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[tuple[str, ...]]]:
    """The start as on a terminal; what it would serve and watch is noted instead."""
    watched: list[tuple[str, ...]] = []

    class Served:
        address = "http://127.0.0.1:8765/"
        network_address = None

        def page(self, step: Step) -> str:
            return f"{self.address}{step.slug}/"

    @contextlib.contextmanager
    def serving(
        home: Home, progress: object, host: str | None, port: int | None
    ) -> Iterator[Served]:
        watched.append((str(host), str(port)))
        served = Served()
        if host:
            served.network_address = f"http://{host}:8765/"
        yield served

    monkeypatch.setattr(start, "is_live", lambda stream: True)
    monkeypatch.setattr("workshop.pages.live.serving", serving)
    monkeypatch.setattr("workshop.commands.watch.watch_workspace", lambda *_: 0)
    return watched


def test_second_start_says_where_the_first_runs(
    home: Home,
    on_a_terminal: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Address and process; nothing else is served or watched. Afterwards the folder is free."""
    said = []

    def watch(*_: object) -> int:
        capsys.readouterr()
        monkeypatch.setattr("workshop.commands.watch.watch_workspace", lambda *_: 0)
        assert cli.main([], home) == 0
        said.append(capsys.readouterr().out)
        return 0

    monkeypatch.setattr("workshop.commands.watch.watch_workspace", watch)
    assert cli.main([], home) == 0

    assert f"already runs in this folder, as process {os.getpid()}." in said[0]
    assert "The pages are at http://127.0.0.1:8765/" in said[0]
    assert len(on_a_terminal) == 1
    assert cli.main([], home) == 0
    assert len(on_a_terminal) == 2


def test_start_that_is_not_ready_yet_is_named(home: Home, tmp_path: Path) -> None:
    """A second start a moment after the first does not tell an old address."""
    with instance.sole(home):
        instance.note(home, "http://127.0.0.1:1/")
    with instance.sole(home) as first, instance.sole(home) as second:
        assert (first, second) == (True, False)
        assert "is being started" in instance.where(home)


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_port_that_is_none_is_told(
    port: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is made."""
    assert cli.main([f"--port={port}"], home) == 2
    assert "is not a port" in capsys.readouterr().err
    assert not home.workspace.exists()


@pytest.mark.usefixtures("workspace")
def test_port_and_host_are_handed_on(
    home: Home, on_a_terminal: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The screen has the address for others, and says what they can read there."""
    assert cli.main(["--port", "9000", "--host", "192.168.1.5"], home) == 0

    said = capsys.readouterr().out
    assert on_a_terminal == [("192.168.1.5", "9000")]
    assert "on your network: http://192.168.1.5:8765/" in said
    assert "everybody on the network can read what the checks find" in said


def test_address_is_drawn_for_a_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A QR code where the terminal can show one: not in ASCII, and never an error."""
    needs("segno")
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", out)
    drawn = start.qr_code("http://192.168.1.5:8765/", colour=False)
    coloured = start.qr_code("http://192.168.1.5:8765/", colour=True)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))

    assert len({len(row) for row in drawn if row}) == 1
    assert len(drawn) < 22
    assert coloured[1] == f"  \x1b[97;40m{drawn[1].strip()}\x1b[0m"
    assert start.qr_code("http://192.168.1.5:8765/", colour=False) == []


def test_finished_course_still_has_the_address(
    home: Home, on_a_terminal: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no next step to read, but the pages are served."""
    load(home).catch_up(home.steps[-1])

    assert cli.main([], home) == 0
    assert "read   http://127.0.0.1:8765/" in capsys.readouterr().out

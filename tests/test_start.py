"""The command without arguments: the workspace, the one screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from course import files
from tests.small import after, read_tree
from workshop import cli
from workshop.home import Home


def test_first_start_makes_the_workspace(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The project is step 00, and the screen says where it is and what to do next."""
    assert cli.main([], home) == 0

    said = capsys.readouterr().out
    made = {name: data.decode() for name, data in read_tree(home.workspace).items()}
    assert made == after("00-start")
    assert "made from step 00" in said
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
    assert "made from step 00" not in capsys.readouterr().out


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

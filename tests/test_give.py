"""`give`: the files of a step that nobody has to type, put in place without losing anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.small import STEPS, read_tree, write_tree
from workshop import cli
from workshop.home import Home

VIEWS = "backend/notes/views.py"
OLD = "backend/site/old.py"


def said(home: Home, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What `give` prints; it ends with 0."""
    assert cli.main(["give", *argv], home) == 0
    return capsys.readouterr().out


def test_given_files_are_put_in_place(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New ones come, what the step takes away goes; the rest is named and left alone."""
    before = read_tree(workspace)

    words = said(home, capsys, "1")

    after = read_tree(workspace)
    assert f"  new          {VIEWS}" in words and f"  removed      {OLD}" in words
    assert "You write the rest of this step yourself:\n  backend/site/settings.py" in words
    assert after.pop(VIEWS) == STEPS["01-middle"][VIEWS].encode()
    assert after == {name: text for name, text in before.items() if name != OLD}


def test_second_run_changes_nothing(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It makes no backup either."""
    said(home, capsys, "1")
    there = read_tree(workspace), sorted((home.state / "backups").iterdir())

    words = said(home, capsys, "1")

    assert "nothing was changed" in words
    assert (read_tree(workspace), sorted((home.state / "backups").iterdir())) == there


def test_what_is_replaced_is_backed_up(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of the learner's own at that place is in the backup, as it was."""
    write_tree(workspace, {VIEWS: "mine\n"})
    before = read_tree(workspace)

    words = said(home, capsys, "1")

    [saved] = (home.state / "backups").iterdir()
    assert f"  changed      {VIEWS}" in words and saved.name in words
    assert read_tree(saved).items() >= before.items()


def test_dry_run_changes_nothing(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says the same, and that it was one."""
    before = read_tree(workspace)

    words = said(home, capsys, "1", "--dry-run")

    assert f"  new          {VIEWS}" in words and "dry run" in words
    assert read_tree(workspace) == before
    assert not home.state.exists()


def test_step_that_gives_nothing(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is said, not refused."""
    steps = tuple(replace(step, given=()) for step in home.steps)

    assert "provides no files" in said(replace(home, steps=steps), capsys, "1")


def test_link_out_of_the_project_is_refused(
    home: Home, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing outside the workspace is ever written."""
    elsewhere = tmp_path / "elsewhere"
    (workspace / "backend" / "notes").symlink_to(elsewhere, target_is_directory=True)

    assert cli.main(["give", "1"], home) == 3

    assert "change files outside the project" in capsys.readouterr().err
    assert read_tree(elsewhere) == {}


def test_without_a_workspace_it_says_how_to_make_one(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage, in words."""
    assert cli.main(["give", "1"], home) == 2

    assert "There is no workspace yet" in capsys.readouterr().err

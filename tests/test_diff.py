"""`diff`: what changes between two steps, or a step and the learner's own project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small import write_tree
from workshop import cli
from workshop.commands.diff import painted
from workshop.home import Home


def said(home: Home, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What `diff` prints; it always ends with 0."""
    assert cli.main(["diff", *argv], home) == 0
    return capsys.readouterr().out


def test_steps_are_compared(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Changed, new and deleted files are shown; READMEs are not the lesson."""
    shown = said(home, capsys, "0", "1")

    assert "-G = 7\n+G = 'seven'\n" in shown
    assert "--- (no file)\n+++ 01-middle/backend/notes/views.py" in shown
    assert "--- 00-start/backend/site/old.py\n+++ (no file)" in shown
    assert "README" not in shown


def test_one_step_is_compared_with_the_one_before(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """`diff 1` shows what step 1 changes."""
    assert said(home, capsys, "1") == said(home, capsys, "0", "1")
    assert said(home, capsys, "final") == said(home, capsys, "1", "2")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("0", "Nothing comes before step 0. Name two"),
        ("mine", "python3 tutorial.py diff 4 mine"),
    ],
)
def test_what_has_nothing_before_it_asks_for_a_second(
    name: str, words: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence has an example, not the name of an argument."""
    assert cli.main(["diff", name], home) == 2
    assert words in capsys.readouterr().err


def test_own_files_are_no_difference(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project has a README and a .gitignore, which no snapshot has."""
    write_tree(workspace, {".gitignore": "mine", "README.md": "mine"})

    assert said(home, capsys, "0", "mine") == "No difference between 00-start and mine.\n"
    assert "+mine" in said(home, capsys, "0", "mine", ".gitignore")


def test_named_readme_is_shown(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks for it gets it."""
    assert "-# Step 00" in said(home, capsys, "0", "1", "README.md")


@pytest.mark.parametrize(
    "path", ["backend/notes", "backend/notes/", "views.py", "*/views.py"]
)
def test_paths_narrow_it_down(
    path: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder, a file's name or a pattern."""
    shown = said(home, capsys, "start", "middle", path)

    assert "views.py" in shown
    assert "settings.py" not in shown


def test_final_is_the_last_step(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """`final` works with and without the folder final/."""
    assert "No difference between 02-end and 02-end." in said(home, capsys, "2", "final")


def test_no_difference_is_said(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty answer would leave doubts."""
    assert said(home, capsys, "0", "mine") == "No difference between 00-start and mine.\n"


def test_what_is_no_source_is_not_compared(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Databases, caches, environments and Windows line endings are no difference."""
    write_tree(
        workspace,
        {
            "backend/db.sqlite3": "x",
            "backend/__pycache__/a.pyc": "x",
            "my-env/pyvenv.cfg": "x",
            "my-env/lib/a.py": "x",
            ".git/config": "x",
            "backend/site/settings.py": (workspace / "backend/site/settings.py")
            .read_text()
            .replace("\n", "\r\n"),
        },
    )

    assert said(home, capsys, "0", "mine") == "No difference between 00-start and mine.\n"


def test_binary_and_mode_are_told(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be shown as lines is said in words."""
    (workspace / "logo.png").write_bytes(b"\0\1")

    assert "(not a text file; the contents differ)" in said(home, capsys, "0", "mine")


def test_colour_repeats_what_the_sign_says() -> None:
    """Without colour the line is the same text."""
    assert painted("+new", True) == "\033[32m+new\033[0m"
    assert painted("+new", False) == "+new"

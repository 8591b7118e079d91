"""`catch-up`: in place in one command, and nothing lost."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.small import after, read_tree, write_tree
from workshop import cli
from workshop.commands import catch_up
from workshop.home import Home
from workshop.progress import load


def backups(home: Home) -> list[Path]:
    """The backups there are, oldest first."""
    folder = home.state / "backups"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def texts(folder: Path) -> dict[str, str]:
    """The files of a folder as text, without its databases."""
    found = {name: data for name, data in read_tree(folder).items() if "sqlite" not in name}
    return {name: data.decode() for name, data in found.items()}


def make_database(path: Path, *, wal: bool = False) -> sqlite3.Connection:
    """A database with one row, its connection still open."""
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE note (text)")
    connection.execute("INSERT INTO note VALUES ('kept')")
    connection.commit()
    return connection


def test_state_after_a_step_is_put_in_place(home: Home, workspace: Path) -> None:
    """New files come, changed ones change, files of other steps go."""
    assert cli.main(["catch-up", "1"], home) == 0

    assert texts(workspace) == after("01-middle")


def test_before_means_the_step_before(home: Home, workspace: Path) -> None:
    """`catch-up 2 --before` is where step 2 begins."""
    assert cli.main(["catch-up", "2", "--before"], home) == 0

    assert texts(workspace) == after("01-middle")
    assert load(home).current() == home.steps[2]


def test_backup_holds_everything_as_it_was(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changed files, own files and the database are in it, and it is named."""
    write_tree(
        workspace, {"backend/site/settings.py": "broken(", "backend/mine.py": "mine"}
    )
    make_database(workspace / "backend/db.sqlite3").close()
    before = texts(workspace)

    assert cli.main(["catch-up", "2"], home) == 0

    (backup,) = backups(home)
    assert texts(backup) == before
    assert backup.name in capsys.readouterr().out
    with closing(sqlite3.connect(backup / "backend/db.sqlite3")) as copy:
        assert copy.execute("SELECT text FROM note").fetchall() == [("kept",)]


def test_database_in_use_is_copied_whole(home: Home, workspace: Path) -> None:
    """What a running server has not yet moved into the main file is in the copy too."""
    connection = make_database(workspace / "backend/db.sqlite3", wal=True)

    with closing(connection):
        assert cli.main(["catch-up", "1"], home) == 0

    with closing(sqlite3.connect(backups(home)[0] / "backend/db.sqlite3")) as copy:
        assert copy.execute("SELECT text FROM note").fetchall() == [("kept",)]


def test_own_things_are_left_alone(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Added files, the database, environments and .git stay; only files are mentioned."""
    own = {
        "backend/mine.py": "mine",
        ".venv/pyvenv.cfg": "x",
        ".venv/lib/big.py": "x",
        "other-env/pyvenv.cfg": "x",
        ".git/HEAD": "ref: main",
        ".env": "SECRET=1",
    }
    write_tree(workspace, own)
    make_database(workspace / "backend/db.sqlite3").close()
    database = (workspace / "backend/db.sqlite3").read_bytes()

    assert cli.main(["catch-up", "2"], home) == 0

    assert own.items() <= texts(workspace).items()
    assert (workspace / "backend/db.sqlite3").read_bytes() == database
    assert "yours, kept  backend/mine.py" in capsys.readouterr().out
    saved = texts(backups(home)[0])
    assert "backend/mine.py" in saved and ".env" in saved
    assert not [name for name in saved if "env/" in name or name.startswith(".git/")]


def test_second_run_changes_nothing(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, and makes no second backup."""
    cli.main(["catch-up", "2"], home)
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}

    assert cli.main(["catch-up", "2"], home) == 0

    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before
    assert len(backups(home)) == 1
    assert "nothing was changed" in capsys.readouterr().out


def test_backups_of_one_second_are_kept_apart(
    home: Home, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No backup replaces another."""
    monkeypatch.setattr("time.strftime", lambda form: "2030-01-01_00-00-00")

    for number in ("1", "2", "1"):
        cli.main(["catch-up", number], home)

    assert len(backups(home)) == 3


def test_dry_run_writes_nothing(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names what would be new, changed and removed."""
    before = read_tree(home.root)

    assert cli.main(["catch-up", "1", "--dry-run"], home) == 0

    said = capsys.readouterr().out
    assert read_tree(home.root) == before
    assert "new          backend/notes/views.py" in said
    assert "changed      backend/site/settings.py" in said
    assert "removed      backend/site/old.py" in said


def test_missing_workspace_is_made(home: Home) -> None:
    """Somebody who comes late has no workspace yet."""
    assert cli.main(["catch-up", "1"], home) == 0

    assert texts(home.workspace) == after("01-middle")
    assert not backups(home)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left", "x")])
def test_interrupted_half_way_has_a_complete_backup(
    stop: BaseException,
    home: Home,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The backup was complete before the first write; the same command again finishes."""
    before = texts(workspace)
    original = catch_up.copy_file
    written: list[Path] = []

    def copy_one(source: Path, target: Path) -> None:
        if len(written) == 2:
            raise stop
        written.append(target)
        original(source, target)

    monkeypatch.setattr(catch_up, "copy_file", copy_one)
    code = cli.main(["catch-up", "2"], home)
    monkeypatch.setattr(catch_up, "copy_file", original)

    assert code == (130 if isinstance(stop, KeyboardInterrupt) else 3)
    assert texts(backups(home)[0]) == before
    assert backups(home)[0].name in capsys.readouterr().err
    assert cli.main(["catch-up", "2"], home) == 0
    assert texts(workspace) == after("02-end")


def test_interrupted_backup_changes_nothing(
    home: Home, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a complete backup there is none, and no write."""
    before = read_tree(home.root)

    def stopped(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(catch_up, "_save", stopped)

    assert cli.main(["catch-up", "2"], home) == 130
    assert read_tree(home.root) == before


def test_package_that_hides_a_module_goes(home: Home, workspace: Path) -> None:
    """Python would take `notes/views/` for the step's `notes/views.py`: it is in the backup."""
    write_tree(
        workspace, {"backend/notes/views/__init__.py": "", "backend/notes/views/a.py": ""}
    )

    assert cli.main(["catch-up", "1"], home) == 0

    assert texts(workspace) == after("01-middle")
    assert "backend/notes/views/a.py" in texts(backups(home)[0])


def test_folder_and_file_can_change_places(home: Home, workspace: Path) -> None:
    """A file where the step needs a folder, and a folder where it needs a file."""
    write_tree(workspace, {"backend/notes": "a file", "build.sh/inside": "a folder"})

    assert cli.main(["catch-up", "2"], home) == 0

    assert texts(workspace) == after("02-end")
    assert texts(backups(home)[0])["build.sh/inside"] == "a folder"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_link_is_replaced_not_followed(home: Home, workspace: Path, tmp_path: Path) -> None:
    """A linked file is outside the project: it stays as it is."""
    outside = tmp_path / "outside.py"
    outside.write_text("outside")
    (workspace / "backend/manage.py").unlink()
    (workspace / "backend/manage.py").symlink_to(outside)

    assert cli.main(["catch-up", "1"], home) == 0

    assert outside.read_text() == "outside"
    assert texts(workspace) == after("01-middle")
    assert (backups(home)[0] / "backend/manage.py").readlink() == outside


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_linked_folder_is_refused(
    home: Home, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Writing through a linked folder would change files outside the project."""
    (tmp_path / "outside").mkdir()
    (workspace / "backend/notes").symlink_to(tmp_path / "outside")

    assert cli.main(["catch-up", "1"], home) == 3

    assert "is a link to" in capsys.readouterr().err
    assert not any((tmp_path / "outside").iterdir())
    assert not backups(home)


def test_read_only_file_is_replaced(home: Home, workspace: Path) -> None:
    """A file without the right to write is no obstacle in a folder that has it."""
    (workspace / "backend/site/settings.py").chmod(0o444)

    assert cli.main(["catch-up", "1"], home) == 0

    assert texts(workspace) == after("01-middle")


def test_read_only_folder_is_told_before_anything(
    home: Home,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No backup and no write where the end cannot be reached."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "site")

    assert cli.main(["catch-up", "1"], home) == 3

    assert "cannot be written to" in capsys.readouterr().err
    assert not backups(home)


@pytest.mark.parametrize("folder", [".", "steps", "steps/00-start", ".tutorial"])
def test_tutorials_own_folders_are_refused(
    folder: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """--project with one of ours would destroy the course."""
    (home.root / folder).mkdir(exist_ok=True)

    assert cli.main(["catch-up", "1", "--project", str(home.root / folder)], home) == 2
    assert "tutorial's own folder" in capsys.readouterr().err


def test_folder_of_something_else_is_refused(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A home folder named by mistake is not backed up file by file, nor filled."""
    write_tree(tmp_path / "letters", {"to-grandmother.txt": "Dear ..."})

    assert cli.main(["catch-up", "1", "--project", str(tmp_path / "letters")], home) == 2
    assert "does not look like this course's project" in capsys.readouterr().err


def test_empty_folder_is_filled(home: Home, tmp_path: Path) -> None:
    """--project may name a new, empty folder."""
    (tmp_path / "new").mkdir()

    assert cli.main(["catch-up", "1", "--project", str(tmp_path / "new")], home) == 0
    assert texts(tmp_path / "new") == after("01-middle")


def test_going_back_forgets_later_steps(home: Home, workspace: Path) -> None:
    """The current step is the one after the state that was put in place."""
    cli.main(["catch-up", "2"], home)
    assert load(home).current() is None

    cli.main(["catch-up", "0"], home)

    assert load(home).current() == home.steps[1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bit")
def test_executable_bit_comes_along(home: Home, workspace: Path) -> None:
    """build.sh can be run, and a lost bit is put back."""
    cli.main(["catch-up", "2"], home)
    (workspace / "build.sh").chmod(0o644)

    cli.main(["catch-up", "2"], home)

    assert os.access(workspace / "build.sh", os.X_OK)

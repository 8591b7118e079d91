"""`reset` and `restore`: begin again, and get everything back; a new workspace is new."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.small import STEPS, after, read_tree, write_tree
from workshop import cli
from workshop.commands import catch_up, restore
from workshop.home import Home
from workshop.progress import load

OWN = {
    "README.md": "# Mine\n",
    "backend/mine.py": "mine",
    "backend/site/settings.py": "G = 'other'\n",
    ".env": "SECRET=1",
}


def texts(folder: Path) -> dict[str, str]:
    """The files of a folder as text, without its databases."""
    found = {name: data for name, data in read_tree(folder).items() if "sqlite" not in name}
    return {name: data.decode() for name, data in found.items()}


def backups(home: Home) -> list[str]:
    """The names of the backups there are, oldest first."""
    folder = home.state / "backups"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def rows(database: Path) -> list[tuple[str]]:
    """What the table of a database holds."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT text FROM note").fetchall()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each backup is a second later than the one before, however fast the tests are."""
    seconds = iter(range(60))
    monkeypatch.setattr(
        "time.strftime", lambda form: f"2030-01-01_00-00-{next(seconds):02}"
    )


@pytest.fixture
def used(home: Home, workspace: Path) -> Path:
    """A workspace that was worked in: own files, a database in use, progress and hints."""
    cli.main(["check", "0"], home)
    cli.main(["hint", "notes.view"], home)
    write_tree(workspace, OWN | {".git/HEAD": "x", ".venv/pyvenv.cfg": "x"})
    with closing(sqlite3.connect(workspace / "backend/db.sqlite3")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE note (text)")
        connection.execute("INSERT INTO note VALUES ('kept')")
        connection.commit()
    return workspace


def test_reset_makes_the_workspace_as_new(home: Home, used: Path) -> None:
    """Nothing of the learner's is left but what was not put there by hand, nor any record."""
    assert cli.main(["reset"], home) == 0

    assert texts(used) == after("00-start") | {".git/HEAD": "x", ".venv/pyvenv.cfg": "x"}
    assert not (used / "backend/db.sqlite3").exists()
    assert load(home).is_empty()


def test_restore_takes_a_reset_back(
    home: Home, used: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files, database, progress and hints are as they were; the name was told."""
    before = texts(used)
    cli.main(["reset"], home)
    [backup] = backups(home)
    assert f"restore {backup}" in capsys.readouterr().out

    assert cli.main(["restore"], home) == 0

    assert texts(used) == before
    assert rows(used / "backend/db.sqlite3") == [("kept",)]
    progress = load(home)
    assert progress.current() == home.steps[1]
    assert progress.hints == {"notes.view": 1}


def test_second_run_changes_nothing(
    home: Home, used: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither command makes a backup of what it has just made."""
    cli.main(["reset"], home)
    assert cli.main(["reset"], home) == 0
    assert "already new: nothing was changed" in capsys.readouterr().out
    assert len(backups(home)) == 1

    cli.main(["restore"], home)
    before = {path: path.stat().st_mtime_ns for path in used.rglob("*")}
    assert cli.main(["restore"], home) == 0

    assert "nothing was changed" in capsys.readouterr().out
    assert len(backups(home)) == 2
    assert {path: path.stat().st_mtime_ns for path in used.rglob("*")} == before


def test_restore_can_be_taken_back_by_name(home: Home, used: Path) -> None:
    """What was there before it is in a backup too, which only its name leads to."""
    cli.main(["reset"], home)
    write_tree(used, {"backend/later.py": "later"})
    cli.main(["restore"], home)
    [_, made_by_restore] = backups(home)
    assert made_by_restore.endswith(restore.LABEL)

    assert cli.main(["restore", made_by_restore], home) == 0

    assert (used / "backend/later.py").read_text() == "later"
    assert not (used / "backend/mine.py").exists()


@pytest.mark.parametrize("command", [["reset"], ["reset", "--progress"], ["restore"]])
def test_dry_run_writes_nothing(
    command: list[str], home: Home, used: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what would happen."""
    cli.main(["catch-up", "2"], home)
    before = read_tree(home.root)

    assert cli.main([*command, "--dry-run"], home) == 0

    assert read_tree(home.root) == before
    assert "dry run" in capsys.readouterr().out


def test_only_the_record_can_be_forgotten(home: Home, used: Path) -> None:
    """--progress changes no file of the project, and makes no backup."""
    before = read_tree(used)

    assert cli.main(["reset", "--progress"], home) == 0

    assert read_tree(used) == before
    assert load(home).is_empty()
    assert not backups(home)


def test_restore_makes_a_workspace_that_is_gone(home: Home, used: Path) -> None:
    """Deleted by mistake: the newest backup is all there is."""
    cli.main(["catch-up", "1"], home)
    saved = texts(home.state / "backups" / backups(home)[0])
    shutil.rmtree(used)

    assert cli.main(["restore"], home) == 0

    assert texts(used) == saved
    assert len(backups(home)) == 1


def test_backup_is_found_by_how_its_name_begins(
    home: Home, used: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole name, its beginning, or the path that was printed."""
    for number in ("1", "2"):
        cli.main(["catch-up", number], home)
    first, second = backups(home)
    path = home.state / "backups" / first
    capsys.readouterr()

    assert cli.main(["restore", "--list"], home) == 0
    assert capsys.readouterr().out.split() == [first, second]
    assert cli.main(["restore", "2030"], home) == 2
    assert f"Several backups begin with '2030'. There are:\n  {first}" in (
        capsys.readouterr().err
    )
    assert cli.main(["restore", "1999"], home) == 2
    assert "No backup begins with '1999'" in capsys.readouterr().err
    assert cli.main(["restore", f"{path}/"], home) == 0
    assert (used / "README.md").read_text() == "# Mine\n"
    assert "G = 'other'" in (used / "backend/site/settings.py").read_text()


def test_backups_of_another_project_are_not_taken(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--project has its own, and without any the sentence says who makes them."""
    other = home.root / "other"
    write_tree(other, STEPS["00-start"])
    cli.main(["catch-up", "1", "--project", str(other)], home)
    capsys.readouterr()

    assert cli.main(["restore"], home) == 2
    assert "There is no backup of workspace" in capsys.readouterr().err
    assert cli.main(["restore", "--project", str(other)], home) == 0
    assert texts(other) == STEPS["00-start"]


def test_link_comes_back_as_a_link(home: Home, workspace: Path, tmp_path: Path) -> None:
    """What it leads to is neither copied nor changed."""
    outside = tmp_path / "outside.py"
    outside.write_text("outside")
    (workspace / "backend/manage.py").unlink()
    (workspace / "backend/manage.py").symlink_to(outside)
    cli.main(["catch-up", "1"], home)

    assert cli.main(["restore"], home) == 0

    assert (workspace / "backend/manage.py").readlink() == outside
    assert outside.read_text() == "outside"
    assert cli.main(["restore"], home) == 0
    assert len(backups(home)) == 2


def test_interrupted_restore_is_finished_by_the_next(
    home: Home, used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped half way, the same command goes on with the same backup."""
    before = texts(used)
    cli.main(["reset"], home)
    original = catch_up.copy_file
    written: list[Path] = []

    def copy_one(source: Path, target: Path) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(target)
        original(source, target)

    monkeypatch.setattr(catch_up, "copy_file", copy_one)
    assert cli.main(["restore"], home) == 130
    monkeypatch.setattr(catch_up, "copy_file", original)

    assert cli.main(["restore"], home) == 0
    assert texts(used) == before


@pytest.mark.parametrize("command", [["reset"], ["restore"]])
def test_tutorials_own_folders_are_refused(
    command: list[str], home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """--project with one of ours would destroy the course."""
    folder = str(home.root / "steps" / "00-start")

    assert cli.main([*command, "--project", folder], home) == 2
    assert "tutorial's own folder" in capsys.readouterr().err


def test_project_that_is_gone_has_no_progress(home: Home, workspace: Path) -> None:
    """The record comes back with the folder, and not with a new one that is made."""
    cli.main(["catch-up", "1"], home)
    workspace.rename(home.root / "away")
    assert load(home).current() == home.steps[0]

    (home.root / "away").rename(workspace)
    assert load(home).current() == home.steps[2]

    shutil.rmtree(workspace)
    cli.main([], home)
    assert workspace.is_dir()
    assert load(home).current() == home.steps[0]


def test_catch_up_into_a_new_workspace_is_noted(home: Home, used: Path) -> None:
    """Only what catch-up put in place counts, not what had passed in the old one."""
    cli.main(["check", "1"], home)
    cli.main(["check", "2"], home)
    shutil.rmtree(used)

    cli.main(["catch-up", "0"], home)

    assert load(home).current() == home.steps[1]
    assert not load(home).verdicts


def test_watch_does_not_bring_back_what_was_forgotten(home: Home, workspace: Path) -> None:
    """A record that was read an hour ago is read again before it is written."""
    cli.main(["catch-up", "2"], home)
    watching = load(home)
    cli.main(["reset", "--progress"], home)

    with home.session(workspace, None) as session:
        watching.record(session.run(0, on_result=lambda result: None))

    assert load(home).current() == home.steps[1]


def test_own_readme_and_gitignore_stay(home: Home, workspace: Path) -> None:
    """A snapshot's README gives way to the project's own; what the learner wrote stays."""
    own = {name: file.read_text("utf-8") for name, file in catch_up.TEMPLATES.items()}
    assert (workspace / "README.md").read_text() == STEPS["00-start"]["README.md"]

    cli.main(["catch-up", "1"], home)
    assert own.items() <= texts(workspace).items()

    written = {"README.md": "# Mine\n", ".gitignore": "mine\n"}
    write_tree(workspace, written)
    cli.main(["catch-up", "2"], home)
    assert written.items() <= texts(workspace).items()


def test_what_a_run_leaves_behind_is_ignored_by_git(tmp_path: Path) -> None:
    """The database, caches, environments and secrets; not the code, not an example."""
    git = shutil.which("git")
    assert git, "the tests need git"
    shutil.copy(catch_up.TEMPLATES[".gitignore"], tmp_path / ".gitignore")
    ignored = {
        "backend/db.sqlite3": "",
        "backend/db.sqlite3-wal": "",
        "backend/notes/__pycache__/a.pyc": "",
        "backend/staticfiles/a.css": "",
        "backend/.pytest_cache/a": "",
        ".venv/pyvenv.cfg": "",
        "venv/pyvenv.cfg": "",
        ".env": "",
    }
    kept = {"backend/manage.py": "", ".env.example": "", "build.sh": ""}
    write_tree(tmp_path, ignored | kept)
    subprocess.run([git, "init", "-q", tmp_path], check=True)

    seen = subprocess.run(
        [git, "-C", tmp_path, "ls-files", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    assert sorted(seen) == sorted([".gitignore", *kept])

"""What belongs to a project: for a backup, for a save, and for the scratch copy of a check."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.harness.project import find
from checks.harness.sandbox import Sandbox
from course.files import files_of, is_source
from tests.small import read_tree, write_tree

MANAGE = {"backend/manage.py": "print('manage')\n"}


@pytest.mark.parametrize(
    "name",
    [
        "backend/__pycache__/views.cpython-311.pyc",
        "backend/db.sqlite3",
        "backend/db.sqlite3-journal",
        ".git/index",
        ".venv/lib/site.py",
        "my-env/lib/site.py",
        "backend/.views.py.swp",
        "backend/debug.log",
        "backend/debug.log.1",
        "backend/staticfiles/admin/base.css",
        "backend/views.py~",
        "backend/.DS_Store",
    ],
)
def test_noise_is_not_a_save(name: str, tmp_path: Path) -> None:
    """What servers, editors, Git and pip write does not start a check."""
    write_tree(tmp_path, {"my-env/pyvenv.cfg": ""})

    assert not is_source(tmp_path, str(tmp_path / name))


@pytest.mark.parametrize(
    "name",
    ["backend/views.py", "requirements.txt", ".env", "render.yaml", "backend/logs/log.py"],
)
def test_sources_are_saves(name: str, tmp_path: Path) -> None:
    """Code and settings do."""
    assert is_source(tmp_path, str(tmp_path / name))


def test_another_folder_is_no_save(tmp_path: Path) -> None:
    """Something outside the project cannot change its verdict."""
    assert not is_source(tmp_path / "workspace", str(tmp_path / "notes.py"))


def test_backup_holds_logs_and_databases_where_asked(tmp_path: Path) -> None:
    """A log is a learner's own file; a database is wanted in a backup only."""
    write_tree(tmp_path, {"logs/django.log": "", "db.sqlite3": "", "staticfiles/a.css": ""})

    assert files_of(tmp_path) == ["logs/django.log"]
    assert files_of(tmp_path, databases=True) == ["db.sqlite3", "logs/django.log"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a manage.py, to be copied."""
    root = tmp_path / "project"
    write_tree(root, MANAGE)
    return root


@pytest.fixture
def sandbox(project: Path):
    """Its scratch copy."""
    made = Sandbox(find(project))
    yield made
    made.close()


def copied(sandbox: Sandbox) -> set[str]:
    """Every file of the scratch copy."""
    return set(read_tree(sandbox.project.root))


def test_copy_has_neither_databases_nor_logs_but_their_folders(
    project: Path, sandbox: Sandbox
) -> None:
    """A FileHandler finds the folder into which it writes."""
    write_tree(
        project,
        {
            "backend/logs/django.log": "x",
            "backend/logs/django.log.1": "x",
            "backend/db.sqlite3": "x",
            "backend/staticfiles/staticfiles.json": "{}",
            ".venv/lib/site.py": "x",
        },
    )
    (project / "backend/media").mkdir()

    sandbox.refresh()

    assert copied(sandbox) == {*MANAGE, "backend/staticfiles/staticfiles.json"}
    assert (sandbox.project.root / "backend/logs").is_dir()
    assert (sandbox.project.root / "backend/media").is_dir()
    assert not (sandbox.project.root / ".venv").exists()


def test_copy_follows_what_was_renamed(project: Path, sandbox: Sandbox) -> None:
    """A removed app leaves no folder behind; a file and a folder may swap their names."""
    write_tree(project, {"backend/notes/views.py": "1", "backend/tools": "1"})
    assert sandbox.refresh() == {"backend/notes/views.py", "backend/tools"}

    (project / "backend/notes/views.py").unlink()
    (project / "backend/notes").rmdir()
    (project / "backend/tools").unlink()
    write_tree(project, {"backend/notes": "2", "backend/tools/a.py": "2"})
    assert sandbox.refresh() == {
        "backend/notes/views.py",
        "backend/notes",
        "backend/tools",
        "backend/tools/a.py",
    }

    assert copied(sandbox) == {*MANAGE, "backend/notes", "backend/tools/a.py"}
    assert sandbox.refresh() == set()


def test_copy_follows_links_inside_the_project(
    project: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    """An app may be a link to a folder of the project; circles and the rest are left out."""
    write_tree(project, {"shared/views.py": "1"})
    write_tree(tmp_path, {"elsewhere/secret.py": "1"})
    (project / "backend/shared").symlink_to(project / "shared", target_is_directory=True)
    (project / "shared/up").symlink_to(project, target_is_directory=True)
    (project / "backend/away").symlink_to(tmp_path / "elsewhere", target_is_directory=True)

    sandbox.refresh()

    assert copied(sandbox) == {*MANAGE, "shared/views.py", "backend/shared/views.py"}

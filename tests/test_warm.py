"""What is kept from one run to the next, and when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.harness.project import Project
from checks.harness.sandbox import Sandbox
from checks.harness.warm import MigratedDatabases

SETTINGS = "site/settings.py"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The scratch copy of a project that consists of its settings."""
    root = tmp_path / "project"
    (root / "site").mkdir(parents=True)
    (root / SETTINGS).write_text("A = 1\n")
    made = Sandbox(Project(root, root, Path("python"), "site.settings"))
    yield made
    made.close()


@pytest.fixture
def databases(tmp_path: Path) -> MigratedDatabases:
    """Where no database is kept yet."""
    (tmp_path / "kept").mkdir()
    return MigratedDatabases(tmp_path / "kept")


def change(sandbox: Sandbox, text: str) -> None:
    """Save other settings, as a learner does between two runs."""
    (sandbox.original.root / SETTINGS).write_text(text)
    sandbox.refresh()


def test_line_that_is_taken_back_costs_no_migration(
    sandbox: Sandbox, databases: MigratedDatabases, tmp_path: Path
) -> None:
    """Each state of the project has its own database, and finds it again."""
    database = tmp_path / "db.sqlite3"
    assert not databases.reuse(sandbox, database)
    database.write_text("first")
    databases.keep(sandbox, database)

    change(sandbox, "A = 1\nB = 22\n")
    assert not databases.reuse(sandbox, database)
    database.write_text("second")
    databases.keep(sandbox, database)
    change(sandbox, "A = 1\n")

    assert databases.reuse(sandbox, database)
    assert database.read_text() == "first"


def test_only_the_newest_databases_are_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """A watch of many hours does not fill the disk; another process finds what is kept."""
    (tmp_path / "kept").mkdir()
    databases, others = (MigratedDatabases(tmp_path / "kept", most=2) for _ in range(2))
    database = tmp_path / "db.sqlite3"
    database.write_text("migrated")

    for number in range(3):
        change(sandbox, "A = 1\n" * (number + 1))
        databases.keep(sandbox, database)

    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert others.reuse(sandbox, database)
    change(sandbox, "A = 1\n")
    assert not databases.reuse(sandbox, database)


def test_compiled_file_is_never_older_than_its_source(sandbox: Sandbox) -> None:
    """A save within the same second, of the same length, is what the next program runs."""
    sandbox.compile()
    settings = sandbox.project.root / SETTINGS
    [compiled] = settings.parent.glob("__pycache__/settings.*.pyc")
    before = settings.stat()
    script = f"import sys; sys.path.insert(0, {str(settings.parent)!r}); import settings; "
    script += "print(settings.A, settings.__cached__)"

    def told() -> list[str]:
        command = [sys.executable, "-B", "-c", script]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.split()

    assert told() == ["1", str(compiled)]
    change(sandbox, "A = 2\n")
    os.utime(settings, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert told() == ["2", str(compiled)]


def test_files_with_the_same_source_keep_their_own_names(sandbox: Sandbox) -> None:
    """They are compiled once, and a traceback names the one that it comes from."""
    for name in ("one.py", "two.py"):
        (sandbox.original.root / "site" / name).write_text("def fails():\n    1 / 0\n")
    sandbox.refresh()
    sandbox.compile()
    folder = sandbox.project.root / "site"
    script = f"import sys; sys.path.insert(0, {str(folder)!r}); import one, two; "
    script += "print(one.__cached__, two.__cached__); two.fails()"

    done = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True
    )

    compiled = [
        str(file) for name in ("one", "two") for file in folder.rglob(f"{name}.*.pyc")
    ]
    assert done.stdout.split() == compiled
    assert str(folder / "two.py") in done.stderr
    assert str(folder / "one.py") not in done.stderr


def test_file_that_cannot_be_compiled_is_left_to_the_programs(
    sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """It stops nothing and prints nothing here; corrected, it is compiled at the next time."""
    pattern = "*/__pycache__/settings.*.pyc"
    change(sandbox, "A = (\n")
    sandbox.compile()
    assert not list(sandbox.project.root.glob(pattern))

    change(sandbox, 'A = "\\d" is 1\n')
    sandbox.compile()

    assert list(sandbox.project.root.glob(pattern))
    assert capfd.readouterr() == ("", "")

"""`propagate`: one change reaches every later step, or nothing is written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.small import LETTERS, STEPS, read_tree, write_tree
from workshop import cli
from workshop import propagation as propagate
from workshop.home import Home


def git(root: Path, *arguments: str) -> str:
    """Run git in the small tutorial's own repository."""
    done = subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def repository(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The small tutorial, committed, its final/ in place."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    write_tree(home.final, STEPS["02-end"])
    (home.final / "build.sh").chmod(0o755)
    git(home.root, "init", "--quiet")
    git(home.root, "add", "--all")
    git(home.root, "commit", "--quiet", "-m", "start")
    return home


def text(home: Home, name: str) -> str:
    """A file of the small tutorial."""
    return (home.root / name).read_text("utf-8")


def change(home: Home, name: str, old: str, new: str) -> None:
    """Edit a file of the small tutorial."""
    assert old in text(home, name)
    (home.root / name).write_text(text(home, name).replace(old, new), "utf-8")


SETTINGS = "backend/site/settings.py"


def test_one_line_reaches_every_later_step(
    repository: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the later step changed other lines of the file; final/ follows."""
    change(repository, f"steps/00-start/{SETTINGS}", "B = 2", "B = 'two'")

    assert cli.main(["propagate", "0"], repository) == 0

    changed = LETTERS.replace("B = 2", "B = 'two'")
    assert text(repository, f"steps/01-middle/{SETTINGS}") == changed + "G = 'seven'\n"
    assert text(repository, f"steps/02-end/{SETTINGS}") == changed + "G = 'seven'\nH = 8\n"
    assert read_tree(repository.final) == read_tree(repository.root / "steps/02-end")
    said = capsys.readouterr().out
    assert "steps/01-middle: 1 file changed" in said
    assert "tutorial.py test" in said


def test_second_run_changes_nothing(
    repository: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything has it already."""
    change(repository, f"steps/00-start/{SETTINGS}", "B = 2", "B = 'two'")
    write_tree(repository.root, {"steps/00-start/new.py": "new"})
    (repository.root / "steps/00-start/backend/site/old.py").unlink()
    cli.main(["propagate", "0"], repository)
    before = read_tree(repository.root)

    assert cli.main(["propagate", "0"], repository) == 0

    assert read_tree(repository.root) == before
    assert "nothing was written" in capsys.readouterr().out


def test_conflict_writes_nothing(
    repository: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sides are shown with file and line; not even the steps without conflict change."""
    change(repository, f"steps/00-start/{SETTINGS}", "G = 7", "G = 'sieben'")
    change(repository, "steps/00-start/requirements.txt", "5.2", "5.3")
    before = read_tree(repository.root)

    assert cli.main(["propagate", "0"], repository) == 1

    said = capsys.readouterr().err
    assert read_tree(repository.root) == before
    assert f"Conflict at steps/01-middle/{SETTINGS}:7" in said
    assert "G = 'seven'" in said and "G = 'sieben'" in said
    assert "Nothing was written" in said


def test_way_out_of_a_conflict(repository: Home) -> None:
    """Carry up to the step before, edit, carry on from there: as the message says."""
    change(repository, f"steps/00-start/{SETTINGS}", "A = 1", "A = 'eins'")
    change(repository, f"steps/02-end/{SETTINGS}", "A = 1", "A = 'un'")
    git(repository.root, "commit", "--quiet", "-m", "last", "--", "steps/02-end")
    assert cli.main(["propagate", "0"], repository) == 1

    assert cli.main(["propagate", "0", "--to", "1"], repository) == 0
    change(repository, f"steps/02-end/{SETTINGS}", "A = 'un'", "A = 'eins'")
    assert cli.main(["propagate", "2"], repository) == 0

    for step in ("steps/01-middle", "steps/02-end", "final"):
        assert "A = 'eins'" in text(repository, f"{step}/{SETTINGS}")


def test_new_file_is_carried(repository: Home) -> None:
    """An untracked file counts; an ignored one does not."""
    write_tree(repository.root, {".gitignore": "*.log\n", "steps/00-start/a/b.py": "b"})
    write_tree(repository.root, {"steps/00-start/run.log": "noise"})

    assert cli.main(["propagate", "0"], repository) == 0

    assert text(repository, "steps/02-end/a/b.py") == "b"
    assert text(repository, "final/a/b.py") == "b"
    assert not (repository.root / "steps/01-middle/run.log").exists()


def test_new_file_that_a_later_step_has_otherwise_is_a_conflict(
    repository: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files of one name with nothing in common."""
    write_tree(repository.root, {"steps/00-start/build.sh": "#!/bin/bash\n"})

    assert cli.main(["propagate", "0"], repository) == 1
    assert "Conflict at steps/02-end/build.sh" in capsys.readouterr().err
    assert not (repository.root / "steps/01-middle/build.sh").exists()


def test_deleted_file_is_deleted_later(repository: Home) -> None:
    """With the folders that are empty then."""
    (repository.root / "steps/01-middle/backend/notes/views.py").unlink()
    write_tree(
        repository.root,
        {
            "steps/02-end/backend/notes/views.py": STEPS["01-middle"][
                "backend/notes/views.py"
            ]
        },
    )
    git(repository.root, "commit", "--quiet", "-m", "same", "--", "steps/02-end")

    assert cli.main(["propagate", "1"], repository) == 0

    assert not (repository.root / "steps/02-end/backend/notes").exists()
    assert not (repository.final / "backend/notes").exists()


def test_file_deleted_here_and_changed_there_is_a_conflict(
    repository: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which of the two is meant only a person can say."""
    (repository.root / "steps/01-middle/backend/notes/views.py").unlink()

    assert cli.main(["propagate", "1"], repository) == 1
    assert "deleted in the one, changed in the other" in capsys.readouterr().err


def test_file_that_a_later_step_deleted_is_said(
    repository: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change of a file that is gone later ends there."""
    change(repository, "steps/00-start/backend/site/old.py", "True", "False")

    assert cli.main(["propagate", "0"], repository) == 0

    assert "backend/site/old.py (this step has deleted it)" in capsys.readouterr().out
    assert not (repository.root / "steps/01-middle/backend/site/old.py").exists()


def test_renamed_file_keeps_the_later_steps_lines(repository: Home) -> None:
    """The later step's own changes move along with the file."""
    root = repository.root
    (root / f"steps/00-start/{SETTINGS}").rename(
        root / "steps/00-start/backend/site/conf.py"
    )
    change(repository, "steps/00-start/backend/site/conf.py", "B = 2", "B = 'two'")

    assert cli.main(["propagate", "0"], repository) == 0

    moved = text(repository, "steps/02-end/backend/site/conf.py")
    assert "B = 'two'" in moved and "H = 8" in moved
    assert not (root / f"steps/02-end/{SETTINGS}").exists()
    before = read_tree(root)
    assert cli.main(["propagate", "0"], repository) == 0
    assert read_tree(root) == before


def test_binary_file_is_carried_whole(repository: Home) -> None:
    """A picture that later steps have unchanged is replaced."""
    root = repository.root
    for folder in ("steps/00-start", "steps/01-middle", "steps/02-end"):
        (root / folder / "logo.png").write_bytes(b"\0one")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "logo")
    (root / "steps/00-start/logo.png").write_bytes(b"\0two")

    assert cli.main(["propagate", "0"], repository) == 0
    assert (root / "steps/02-end/logo.png").read_bytes() == b"\0two"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bit")
def test_mode_is_carried(repository: Home) -> None:
    """A file that became executable becomes so later, whatever else it holds there."""
    (repository.root / "steps/00-start/backend/manage.py").chmod(0o755)

    assert cli.main(["propagate", "0"], repository) == 0
    assert os.access(repository.root / "steps/02-end/backend/manage.py", os.X_OK)
    assert os.access(repository.final / "backend/manage.py", os.X_OK)


def test_names_need_not_be_latin(repository: Home) -> None:
    """Neither do they have to be without spaces."""
    write_tree(repository.root, {"steps/00-start/Ж и.txt": "да"})

    assert cli.main(["propagate", "0"], repository) == 0
    assert text(repository, "steps/02-end/Ж и.txt") == "да"


def test_repository_itself_is_only_read(repository: Home) -> None:
    """Neither the index nor the object store changes."""
    change(repository, f"steps/00-start/{SETTINGS}", "B = 2", "B = 'two'")
    before = read_tree(repository.root / ".git")

    cli.main(["propagate", "0"], repository)

    assert read_tree(repository.root / ".git") == before


def test_clean_step_is_said(repository: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to carry."""
    assert cli.main(["propagate", "0"], repository) == 0
    assert "steps/00-start has no uncommitted changes" in capsys.readouterr().out


def test_last_step_refreshes_final(home: Home) -> None:
    """Without any later step no Git is needed; what final/ has too much goes."""
    write_tree(home.final, {"too/much.py": "x"})

    assert cli.main(["propagate", "2"], home) == 0
    assert read_tree(home.final) == read_tree(home.root / "steps/02-end")


def test_no_checkout_is_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A downloaded archive has no history to compare with."""
    assert cli.main(["propagate", "0"], home) == 3
    assert "is not a Git checkout" in capsys.readouterr().err


def test_no_commit_is_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A fresh repository neither."""
    git(home.root, "init", "--quiet")

    assert cli.main(["propagate", "0"], home) == 3
    assert "There is no commit yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("a\nb\n", "a\nnew\nb\n", "a\nB\n", "a\nnew\nB\n"),
        ("a\nb\n", "a\nB\n", "a\nnew\nb\n", "a\nnew\nB\n"),
        ("a\nb\nc\n", "a\nb\nnew\nc\n", "a\nB\nc\n", "a\nB\nnew\nc\n"),
        ("a\nb\n", "a\nnew\nB\n", "a\nB\n", "a\nnew\nB\n"),
    ],
)
def test_neighbours_are_no_conflict(base: str, ours: str, theirs: str, merged: str) -> None:
    """A line changed here and one added beside it there go together, a second time too."""
    sides = (propagate.Version(side.encode()) for side in (base, ours, theirs))

    assert propagate.merge(*sides, "file").content.decode() == merged


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("a\nb\n", "a\nB\n", "a\nb!\n"),
        ("a\nb\n", "b\nb\nnew\n", "a\nB\n"),
        ("a\n", "a\nours\n", "a\ntheirs\n"),
        ("ab\nb\n", "new\nab\nx\n", "ab\nB\n"),
    ],
)
def test_what_is_no_neighbour_stays_a_conflict(base: str, ours: str, theirs: str) -> None:
    """The same line changed twice, two additions in one place, or a line that stands twice."""
    sides = (propagate.Version(side.encode()) for side in (base, ours, theirs))

    with pytest.raises(propagate.Conflict):
        propagate.merge(*sides, "file")

"""Scratch folders: gone at the end, at exit, or with the next start; nobody else's is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from course import ROOT, scratch
from tests.small import write_tree

MAKER = """
import sys, pathlib
from course import scratch
folder = scratch.make(scratch.CHECK, pathlib.Path(sys.argv[1]))
(folder / "deep" / "er").mkdir(parents=True)
(folder / "deep" / "er" / "file").write_text("left")
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def maker(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Starts a process that makes a folder, says which, and ends when its input closes."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", MAKER, tmp_path],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def folder_of(process: subprocess.Popen[str]) -> Path:
    """The folder that such a process has made."""
    return Path(process.stdout.readline().strip())


def test_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    """With all that is in it, an error or not."""
    with pytest.raises(KeyError), scratch.scratch_folder("made-", tmp_path) as folder:
        write_tree(folder, {"a/b": "c"})
        assert folder.is_dir()
        raise KeyError

    assert list(tmp_path.iterdir()) == []


def test_folder_is_removed_at_exit(maker: Callable, tmp_path: Path) -> None:
    """A process that forgets its folder does not leave it behind."""
    process = maker()
    folder = folder_of(process)
    assert folder.is_dir()
    process.communicate()

    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_killed_process_is_swept(maker: Callable, tmp_path: Path) -> None:
    """SIGKILL leaves it; the next sweep removes it. One in use stays."""
    killed, alive = maker(), maker()
    left, used = folder_of(killed), folder_of(alive)
    killed.kill()
    killed.wait()

    assert scratch.sweep(parent=tmp_path) == [left]
    assert list(tmp_path.iterdir()) == [used]


def test_own_folders_are_not_swept(tmp_path: Path) -> None:
    """A sweep in the middle of a run takes nothing away from it."""
    with scratch.scratch_folder(scratch.RUN, tmp_path) as folder:
        assert scratch.sweep(parent=tmp_path) == []
        assert folder.is_dir()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """No owner's file, one with content, a link, another name: all of it stays."""
    other = tmp_path / "other"
    write_tree(
        tmp_path,
        {
            "numeneon-check-a/file": "no owner",
            "numeneon-check-b/.owner": "somebody's text",
            "other/.owner": "",
            "numeneon-checked/.owner": "",
            "nnpg-file": "a file",
        },
    )
    (tmp_path / "numeneon-run-link").symlink_to(other)
    before = sorted(path for path in tmp_path.rglob("*"))

    assert scratch.sweep(parent=tmp_path) == []
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="only root can give files away"
)
def test_folder_of_another_user_stays(tmp_path: Path) -> None:
    """Even where we could remove it."""
    write_tree(tmp_path, {"numeneon-check-a/.owner": ""})
    os.chown(tmp_path / "numeneon-check-a" / ".owner", 65534, 65534)

    assert scratch.sweep(parent=tmp_path) == []


def test_removal_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """Killed between the last two lines of a removal, or the first two of making."""
    (tmp_path / "numeneon-check-a").mkdir()

    assert scratch.sweep(parent=tmp_path) == [tmp_path / "numeneon-check-a"]


def test_sweep_between_two_lines_of_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another start may remove the folder that has no owner yet: it is made again."""
    opened = Path.open
    swept: list[list[Path]] = []

    def sweep_first(path: Path, mode: str = "r") -> object:
        if mode == "xb" and not swept:
            monkeypatch.setattr(scratch, "_held", {})
            swept.append(scratch.sweep(parent=tmp_path))
            monkeypatch.undo()
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", sweep_first)
    with scratch.scratch_folder(scratch.CHECK, tmp_path) as folder:
        assert (folder / scratch.OWNER).exists()
    assert len(swept[0]) == 1
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Said with the system's own error, not tried for ever."""
    with pytest.raises(OSError):
        scratch.make(scratch.CHECK, tmp_path / "nowhere")


def test_interrupted_making_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after any instruction of make(): what it has made by then is removed at exit."""
    monkeypatch.setattr(scratch, "_held", {})
    step, whole = 0, False
    while not whole:
        whole = made_until(step, tmp_path)
        scratch.remove_all()
        assert list(tmp_path.iterdir()) == [], f"interrupted after {step} instructions"
        step += 1

    assert step > 50


def made_until(instructions: int, parent: Path) -> bool:
    """Make a folder, interrupted after so many instructions; whether it was made in full."""
    left = instructions

    def trace(frame: FrameType, event: str, argument: object) -> object:
        nonlocal left
        if frame.f_code.co_filename != scratch.__file__:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left < 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        scratch.make(scratch.CHECK, parent)
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(before)
    return True

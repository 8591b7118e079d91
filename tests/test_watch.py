"""`watch`: a check at each save, and nothing else by itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.results import Status
from tests.small import FakeSession, write_tree
from workshop import cli
from workshop.commands import watch
from workshop.home import Home
from workshop.progress import load


class NoKeys(watch.Keys):
    """No terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.live = False


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens while it watches, in order; then Ctrl-C."""
    happens: list[str] = []

    def events(project: Path, keys: watch.Keys) -> Iterator[str]:
        yield from happens
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "events", events)
    monkeypatch.setattr(watch, "Keys", NoKeys)
    return happens


def steps_judged(sessions: list[FakeSession]) -> list[int]:
    """The steps of all runs, in order."""
    return [run["step"] for session in sessions for run in session.runs]


@pytest.mark.usefixtures("workspace")
def test_each_save_is_judged_in_one_session(
    home: Home, script: list[str], sessions: list[FakeSession]
) -> None:
    """One session stays open, so what is warm stays warm."""
    script += ["saved", "saved"]

    assert cli.main(["watch"], home) == 0

    assert len(sessions) == 1
    assert steps_judged(sessions) == [0, 0, 0]


@pytest.mark.usefixtures("workspace")
def test_it_never_moves_on_by_itself(
    home: Home, script: list[str], sessions: list[FakeSession]
) -> None:
    """A finished step stays until n is pressed."""
    script += ["saved", "n"]

    cli.main(["watch"], home)

    assert steps_judged(sessions) == [0, 0, 1]


@pytest.mark.usefixtures("workspace")
def test_unfinished_step_is_not_left(
    home: Home,
    script: list[str],
    verdicts: dict[str, Status],
    sessions: list[FakeSession],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """n is refused while something fails; h gives a hint for it."""
    verdicts["start.tested"] = Status.FAILED
    script += ["n", "h"]

    cli.main(["watch"], home)

    said = capsys.readouterr().out
    assert steps_judged(sessions) == [0]
    assert "Step 0 is not finished yet." in said
    assert "Who asks?" in said


@pytest.mark.usefixtures("workspace")
def test_verdicts_are_remembered(home: Home, script: list[str]) -> None:
    """What watch finds counts like what check finds."""
    cli.main(["watch"], home)

    assert load(home).current() == home.steps[1]


@pytest.mark.parametrize("polling", ["0", "1"])
def test_real_save_is_noticed(
    polling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's news of changed files, and by looking at them."""
    monkeypatch.setenv("NUMENEON_POLLING", polling)
    write_tree(tmp_path, {"views.py": "old"})
    stop = threading.Event()

    def save() -> None:
        for number in range(600):
            if stop.wait(0.05):
                return
            (tmp_path / "views.py").write_text(f"new {number}")

    saver = threading.Thread(target=save)
    saver.start()
    try:
        assert next(watch.events(tmp_path, NoKeys())) == "saved"
    finally:
        stop.set()
        saver.join()


@pytest.mark.parametrize(("named", "expected"), [("1", True), ("0", False), ("no", False)])
def test_polling_can_be_asked_for(
    named: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NUMENEON_POLLING decides over everything else."""
    monkeypatch.setenv("NUMENEON_POLLING", named)

    assert watch.polling(tmp_path) is expected


def test_shared_folder_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of another system, as containers mount it, does not tell of changes."""
    monkeypatch.delenv("NUMENEON_POLLING", raising=False)
    monkeypatch.setattr(watch, "file_system", lambda folder: "9p")

    assert watch.polling(tmp_path) is True


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
def test_keys_typed_during_a_check_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed while nothing listens is forgotten; the terminal is put back at the end."""
    import pty
    import termios

    outer, inner = pty.openpty()
    with os.fdopen(inner, "r") as stream, os.fdopen(outer, "wb", buffering=0) as typist:
        monkeypatch.setattr("sys.stdin", stream)
        before = termios.tcgetattr(stream)
        with watch.Keys() as keys:
            typist.write(b"nnn")
            keys.drop()
            assert keys.pressed() == ""
            typist.write(b"Q")
            assert keys.pressed() == "q"
        assert termios.tcgetattr(stream) == before

"""`watch`: a check at each save, and nothing else by itself."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pytest

import course
from checks.results import Report, Status
from checks.runner import Session
from course import files
from course.processes import wait_until
from tests.small import FakeSession, write_tree
from workshop import cli
from workshop.commands import watch
from workshop.events import Event, Key, Saved
from workshop.home import Home
from workshop.progress import load


class NoKeys(watch.Keys):
    """No terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.live = False


SAVED = Saved((PurePosixPath("backend/site/settings.py"),), datetime(2026, 1, 1, 11, 14, 3))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What happens while it watches, in order; then Ctrl-C."""
    happens: list[Event] = []

    def events(news: object, keys: watch.Keys, observer: watch.Observer) -> Iterator[Event]:
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
    home: Home, script: list[Event], sessions: list[FakeSession]
) -> None:
    """One session stays open, so what is warm stays warm."""
    script += [SAVED, SAVED]

    assert cli.main(["watch"], home) == 0

    assert len(sessions) == 1
    assert steps_judged(sessions) == [0, 0, 0]


@pytest.mark.usefixtures("workspace")
def test_it_never_moves_on_by_itself(
    home: Home, script: list[Event], sessions: list[FakeSession]
) -> None:
    """A finished step stays until n is pressed."""
    script += [SAVED, Key("n")]

    cli.main(["watch"], home)

    assert steps_judged(sessions) == [0, 0, 1]


@pytest.mark.usefixtures("workspace")
def test_it_follows_a_catch_up(
    home: Home, monkeypatch: pytest.MonkeyPatch, sessions: list[FakeSession]
) -> None:
    """What another terminal has put in place is judged under the step that comes next."""

    def events(news: object, keys: watch.Keys, observer: watch.Observer) -> Iterator[Event]:
        yield SAVED
        assert cli.main(["catch-up", "1"], home) == 0
        yield SAVED
        yield SAVED
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "events", events)
    monkeypatch.setattr(watch, "Keys", NoKeys)

    cli.main(["watch"], home)

    assert steps_judged(sessions) == [0, 0, 2, 2]


@pytest.mark.usefixtures("workspace")
def test_unfinished_step_is_not_left(
    home: Home,
    script: list[Event],
    verdicts: dict[str, Status],
    sessions: list[FakeSession],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """n is refused while something fails; h gives a hint for it."""
    verdicts["start.tested"] = Status.FAILED
    script += [Key("n"), Key("h")]

    cli.main(["watch"], home)

    said = capsys.readouterr().out
    assert steps_judged(sessions) == [0]
    assert "Step 0 is not finished yet." in said
    assert "Who asks?" in said


@pytest.mark.usefixtures("workspace")
def test_verdicts_are_remembered(home: Home, script: list[Event]) -> None:
    """What watch finds counts like what check finds."""
    cli.main(["watch"], home)

    assert load(home).current() == home.steps[1]


@pytest.mark.usefixtures("workspace")
def test_save_is_named(
    home: Home, script: list[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    """Which file and when: before its check, and while the next one is waited for."""
    script += [SAVED]

    cli.main(["watch"], home)

    said = capsys.readouterr().out
    assert "\nsite/settings.py saved 2026-01-01 11:14, checking step 0, Start ...\n" in said
    assert "Waiting for the next save (site/settings.py saved 2026-01-01 11:14)." in said


@pytest.mark.usefixtures("workspace")
def test_last_save_is_named_from_the_start(
    home: Home, script: list[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    """A person who forgot to save sees which save was the last one."""
    newest = home.workspace / "backend" / "manage.py"
    others = [path for path in home.workspace.rglob("*") if path != newest]

    def saved() -> bool:
        newest.write_text("saved")
        return all(watch.saved_at(newest) > watch.saved_at(path) for path in others)

    assert wait_until(saved, seconds=10)  # the file system's clock may tick slowly

    cli.main(["watch"], home)

    assert re.search(
        r"Waiting for the next save \(backend/manage\.py saved \d\d:\d\d:\d\d\)",
        capsys.readouterr().out,
    )


def test_several_files_at_once(tmp_path: Path) -> None:
    """A checkout of Git or a search and replace saves many: the newest is named."""
    write_tree(tmp_path, {"a/old.py": "", "a/new.py": ""})
    (tmp_path / "a" / "new.py").touch()
    saved = watch.save_of(tmp_path, [tmp_path / "a" / "old.py", tmp_path / "a" / "new.py"])

    assert re.fullmatch(r"a/new\.py and 1 more saved \d\d:\d\d:\d\d", str(saved))


def test_temporary_names_are_not_told(tmp_path: Path) -> None:
    """Whoever writes a file under another name first has saved one file."""
    write_tree(tmp_path, {"a/new.py": ""})
    both = [tmp_path / "a" / ".new.py.x1_y", tmp_path / "a" / "new.py"]

    assert re.fullmatch(
        r"a/new\.py saved \d\d:\d\d:\d\d", str(watch.save_of(tmp_path, both))
    )


def test_removed_file_is_saved_now(tmp_path: Path) -> None:
    """A file that has gone has no time of its own."""
    before = datetime.now()

    assert watch.save_of(tmp_path, [tmp_path / "gone.py"]).at >= before


@pytest.mark.parametrize("polling", ["0", "1"])
def test_saves_in_quick_succession_are_noticed(
    polling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the same length within a second, by the system's news and by looking at the files."""
    monkeypatch.setenv("NUMENEON_POLLING", polling)
    write_tree(tmp_path, {"views.py": "old"})
    with contextlib.closing(watch.saves(tmp_path)) as news:
        next(news)
        (tmp_path / "views.py").write_text("new")

        first = next(filter(None, itertools.islice(news, 100)))
        (tmp_path / "views.py").write_text("two")
        second = next(filter(None, itertools.islice(news, 100)))

    assert first.paths == second.paths == (PurePosixPath("views.py"),)


class SavingSession(FakeSession):
    """Saves a file at random moments of its runs, from another thread, as an editor does."""

    chance = random.Random(6)
    seen: ClassVar[list[str]] = []
    saves = 0

    def run(self, step: int, **options: Any) -> Report:
        """A run that copies the file at a random moment before, between or after saves."""
        source = self.directory / "backend" / "site" / "settings.py"
        moments = sorted(self.chance.uniform(0, 0.02) for _ in range(3))

        def save() -> None:
            SavingSession.saves += 1
            source.write_text(f"NUMBER = {SavingSession.saves}\n")

        editor = None
        if SavingSession.saves < 25:
            editor = threading.Timer(moments[self.chance.randrange(3)], save)
            editor.start()
        threading.Event().wait(moments[1])
        self.seen.append(source.read_text())
        if editor:
            editor.join()
        return super().run(step, **options)


@pytest.mark.slow
@pytest.mark.parametrize("polling", ["0", "1"])
def test_save_at_any_moment_of_a_check_is_checked(
    polling: str,
    home: Home,
    workspace: Path,
    verdicts: dict[str, Status],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """25 runs, the first included, each with a save in it: the last state is always judged.

    The sessions are fake, the watcher is the real one.
    """
    SavingSession.saves = 0
    SavingSession.seen.clear()
    wanted = "NUMBER = 25\n"

    class UntilJudged(NoKeys):
        waited = 0

        def pressed(self) -> str:
            self.waited += 1
            done = SavingSession.seen[-1] == wanted or self.waited > 50
            return "q" if done else ""

        def drop(self) -> None:
            self.waited = 0

    monkeypatch.setenv("NUMENEON_POLLING", polling)
    monkeypatch.setattr(watch, "Keys", UntilJudged)
    session = SavingSession(workspace, None, home.items_of, verdicts)
    saving = dataclasses.replace(home, session=lambda *_, **__: session)

    assert cli.main(["watch"], saving) == 0
    assert SavingSession.saves == 25
    assert SavingSession.seen[-1] == wanted


@pytest.mark.server
def test_save_during_the_real_first_check(tmp_path: Path) -> None:
    """The real thing: what is broken while the first check runs is found by the second."""
    project = tmp_path / "project"
    files.copy_tree(course.step(1).folder, project)
    process = subprocess.Popen(
        [sys.executable, "-m", "workshop", "watch", "1", "--project", project],
        cwd=course.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    alarm = threading.Timer(180, process.kill)
    alarm.start()
    said = ""
    try:
        assert process.stdout
        for line in process.stdout:
            said += line
            if line.startswith("Step 1, Installation: checking"):
                (project / "requirements.txt").write_text("Django==5.2\n")
            if "Waiting for the next save" in line and ", checking step 1" in said:
                break
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        alarm.cancel()

    saved = (
        r"\nrequirements\.txt saved \d\d:\d\d:\d\d, checking step 1, Installation \.\.\.\n"
    )
    assert re.search(saved, said)
    assert "1 failed" in said.partition(", checking step 1")[2]


def test_fake_session_is_called_like_the_real_one() -> None:
    """A changed signature is noticed."""
    real = inspect.signature(Session.run).parameters
    fake = inspect.signature(FakeSession.run).parameters

    assert real.keys() <= fake.keys()
    assert fake.keys() - real.keys() <= {"reached"}


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

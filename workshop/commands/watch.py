"""`watch`: check again at every save, until told to stop."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from course import Step
from course.files import files_of, is_source
from course.terminal import has_colour, is_live, paint, say
from workshop.arguments import project_options
from workshop.commands import check, hint
from workshop.errors import Exit, UsageError
from workshop.events import CheckAsked, Event, Key, PageOpened, Saved
from workshop.home import Home
from workshop.interruption import last_act
from workshop.progress import Progress, load

if TYPE_CHECKING:
    from checks.results import ItemResult, Report

# How long a key waits, and the first check for its watcher. Seconds.
_MOMENT = 0.1
_MOMENTS_PER_LOOK = 5
# A save is over once nothing has changed for that long: an editor writes more than once in
# it, at intervals far below a millisecond. Milliseconds.
_SETTLED_MS = 10

SHARED_FILE_SYSTEMS = {
    "9p",
    "cifs",
    "drvfs",
    "fakeowner",
    "fuse.grpcfuse",
    "fuse.osxfs",
    "fuse.sshfs",
    "fuse.vmhgfs-fuse",
    "nfs",
    "nfs4",
    "prl_fs",
    "smb3",
    "vboxsf",
}


HELP = "check again at every save"
MORE = (
    "Keys: Enter checks again, h gives a hint for the first failing item, n goes on to "
    "the next step, q quits (as Ctrl-C does; the exit status is 0). Where the system does "
    "not report changed files (some containers, network drives, WSL), set "
    "NUMENEON_POLLING=1 to check the files twice a second instead."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument(
        "step", metavar="STEP", nargs="?", help="default: the first unfinished one"
    )
    project_options(parser, python=True)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Check a step at each save. Returns 0 when stopped with q or Ctrl-C."""
    project = home.project(arguments.project)
    progress = load(home, project)
    step = check.chosen_step(home, progress, arguments.step, (), live=False)
    check.require_items(home, step, ())
    python = check.interpreter(arguments.python)
    return Watch(home, project, progress, step).run(python)


def watch_workspace(home: Home, observer: Observer | None = None) -> int:
    """Watch the workspace from its first unfinished step on."""
    progress = load(home)
    step = check.chosen_step(home, progress, None, (), live=False)
    return Watch(home, home.workspace, progress, step, observer).run(None)


class Observer:
    """Is told what a watch does, and may ask for something; this one does neither."""

    def started(self, step: Step) -> None:
        """A run over a step's checklist begins."""

    def verdict(self, result: ItemResult) -> None:
        """One item has been judged."""

    def finished(self, report: Report, progress: Progress) -> None:
        """The run is over, and its verdicts are noted in `progress`."""

    def moved(self, step: Step) -> None:
        """From now on this step is judged."""

    def asked(self) -> CheckAsked | PageOpened | None:
        """What a page asks for, if one does."""
        return None


class Watch:
    """One project under watch; it stays at its step until the person moves on, or catches up."""

    def __init__(
        self,
        home: Home,
        project: Path,
        progress: Progress,
        step: Step,
        observer: Observer | None = None,
    ) -> None:
        self.home = home
        self.project = project
        self.progress = progress
        self.step = step
        self.observer = observer or Observer()
        self.report: Report | None = None
        self.saved: Saved | None = None
        self._caught_up = progress.caught_up

    def run(self, python: str | None) -> int:
        """Check now, then at each save. Ends at q, Ctrl-C, or when the folder has gone."""
        try:
            with (
                Keys() as keys,
                contextlib.closing(saves(self.project)) as news,
                self.home.session(self.project, python, warm=True) as session,
            ):
                # From here on the system notes each save: one during the first check counts.
                next(news)
                self.saved = last_save(self.project)
                self.judge(session)
                self.invite(keys)
                for event in events(news, keys, self.observer):
                    if event == Key("q"):
                        break
                    if self.answer(event, session):
                        self.invite(keys)
                    keys.drop()
        except KeyboardInterrupt:
            pass
        say("", "Stopped watching.")
        return Exit.PASSED

    def answer(self, event: Event, session: Any) -> bool:
        """Do what an event asks for; whether it was anything at all."""
        match event:
            case Saved():
                self.saved = event
                self.catch_up()
                self.judge(session, event)
            case CheckAsked(step):
                self.step = step
                self.judge(session)
            case PageOpened(step):
                return self.follow(step)
            case Key("\r" | "\n"):
                self.judge(session)
            case Key("h"):
                self.hint()
            case Key("n"):
                self.move_on(session)
            case _:
                return False
        return True

    def catch_up(self) -> None:
        """Go where `catch-up` or `reset` has put the project, if another terminal ran one."""
        self.progress.refresh()
        if self.progress.caught_up == self._caught_up:
            return
        self._caught_up = self.progress.caught_up
        self.step = check.chosen_step(self.home, self.progress, None, (), live=False)
        self.observer.moved(self.step)

    def follow(self, step: Step) -> bool:
        """Move to the step whose page was opened; whether anything was done.

        A page moves the watch only as `n` does: from a finished step to the next. What is
        there is judged at the next save, or when the page asks for it.
        """
        if not self.progress.is_done(self.step) or step != self.home.after(self.step):
            return False
        self.step = step
        self.observer.moved(step)
        say("", *check.what_next(self.home, step))
        return True

    def show(self, result: ItemResult) -> None:
        """Tell one verdict, on the terminal and to whoever else listens."""
        self.observer.verdict(result)
        check.show(result)

    def judge(self, session: Any, saved: Saved | None = None) -> None:
        """Run the checklist once, because of a save or not, and print it."""
        what = f"step {self.step.label}, {self.step.heading}"
        if saved:
            say("", f"{saved}, checking {what} ...")
        else:
            say("", f"S{what[1:]}: checking {self.home.shown(self.project)} ...")
        self.observer.started(self.step)
        only = self.home.items_of_part(self.step)
        reached = max(self.step.number, self.progress.reached())
        report = session.run(
            self.step.number, reached=reached, only=only, on_result=self.show
        )
        self.report = report
        self.progress.record(report)
        self.observer.finished(report, self.progress)
        lines = check.closing(
            self.home, self.progress, self.step, report, partly=True, url=None
        )
        say(*lines)
        session.tidy()

    def hint(self) -> None:
        """The next hint for the first item that failed."""
        say("")
        hint.give(self.home, self.progress)

    def move_on(self, session: Any) -> None:
        """Go to the next step, if this one is finished."""
        following = self.home.after(self.step)
        if not self.progress.is_done(self.step):
            say(f"Step {self.step.number} is not finished yet.")
        elif following is None:
            say(*check.the_end(self.home))
        else:
            check.require_items(self.home, following, ())
            self.step = following
            say("", *check.what_next(self.home, following))
            self.judge(session)

    def invite(self, keys: Keys) -> None:
        """Say what was saved last, what happens next and which keys there are."""
        last = f" ({self.saved})" if self.saved else ""
        text = f"Waiting for the next save{last}. Ctrl-C stops."
        if keys.live:
            done = self.progress.is_done(self.step) and self.home.after(self.step)
            more = "n next step, " if done else "h hint, "
            text = (
                f"Waiting for the next save{last}.\nKeys: Enter check again, {more}q quit."
            )
        say(paint(text, "faint", colour=has_colour()))


def events(news: Iterable[Saved | None], keys: Keys, observer: Observer) -> Iterator[Event]:
    """Each save, each key and each request of a page, in the order of their coming.

    What is saved while a check runs comes when it has ended.
    """
    for saved in news:
        if saved:
            yield saved
        elif name := keys.pressed():
            yield Key(name)
        elif asked := observer.asked():
            yield asked


def saves(project: Path) -> Generator[Saved | None, None, None]:
    """Each save below the project, and None whenever there was none for a moment.

    The system notes saves from the first next() on, whatever the caller does between two
    of them. Raises UsageError if the folder goes away.
    """
    for paths in looked_for(project) if polling(project) else reported(project):
        if not project.is_dir():
            raise UsageError(
                f"The folder {project} was removed; there is nothing left to watch."
            )
        yield save_of(project, paths) if paths else None


def reported(project: Path) -> Iterator[list[Path]]:
    """The files that were saved, as the system reports them; [] if none was for a moment."""
    from watchfiles import watch as changes

    for seen in changes(
        project,
        watch_filter=lambda _, path: is_source(project, path),
        debounce=400,
        step=_SETTLED_MS,
        rust_timeout=int(_MOMENT * 1000),
        yield_on_timeout=True,
        raise_interrupt=True,
        force_polling=False,
        ignore_permission_denied=True,
    ):
        yield [Path(path) for _, path in seen]


def looked_for(project: Path) -> Iterator[list[Path]]:
    """The same, found by looking at all files.

    watchfiles could do that, but knows the time of a save in whole seconds only: the second
    one of a second, as a formatter makes it, would be lost.
    """
    known = _states(project)
    while True:
        for _ in range(_MOMENTS_PER_LOOK - 1):
            yield []
            time.sleep(_MOMENT)  # the interval of a poll
        before, known = known, _states(project)
        names = before.keys() | known.keys()
        changed = [project / name for name in names if before.get(name) != known.get(name)]
        yield [path for path in changed if is_source(project, str(path))]


def _states(project: Path) -> dict[str, tuple[int, int, int]]:
    """What tells one state of each file from another, without reading it."""
    states = {}
    for name in files_of(project):
        with contextlib.suppress(OSError):  # removed a moment ago
            status = (project / name).lstat()
            states[name] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return states


def save_of(project: Path, paths: Sequence[Path]) -> Saved:
    """The save of these files: the one that was saved last comes first.

    A hidden file that has gone was another one's temporary name, as editors and we write.
    """
    there = [path for path in paths if path.exists() or not path.name.startswith(".")]
    ordered = sorted(((saved_at(path), path) for path in there or paths), reverse=True)
    names = (path.relative_to(project).as_posix() for _, path in ordered)
    return Saved(tuple(map(PurePosixPath, names)), datetime.fromtimestamp(ordered[0][0]))


def saved_at(path: Path) -> float:
    """When a file was saved; now, if it is not there any more."""
    now = time.time()
    try:
        status = path.lstat()
    except OSError:
        return now
    # A file that was moved here keeps its st_mtime. On Windows st_ctime is its making.
    changed = status.st_mtime if os.name == "nt" else max(status.st_mtime, status.st_ctime)
    return min(changed, now)


def last_save(project: Path) -> Saved | None:
    """The newest file of a project as it is now; None if there is none at all."""
    files = sorted((project / name for name in files_of(project)), key=saved_at)
    sources = (path for path in reversed(files) if is_source(project, str(path)))
    newest = next(sources, None)
    return save_of(project, [newest]) if newest else None


def polling(project: Path) -> bool:
    """Whether to look at the files instead of waiting for the system to report changes.

    NUMENEON_POLLING=1 or 0 decides; else yes in WSL and for folders shared from another
    system, whose changes are often not reported.
    """
    named = os.environ.get("NUMENEON_POLLING", "").strip().lower()
    if named:
        return named not in {"0", "no", "false", "off"}
    if "microsoft-standard" in platform.uname().release.lower():
        return True
    return file_system(project) in SHARED_FILE_SYSTEMS


def file_system(folder: Path) -> str:
    """The type of the file system that holds a folder, '' where that is not known."""
    try:
        mounts = Path("/proc/mounts").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    resolved, best = folder.resolve(), ("", "")
    for _, point, kind, *_ in (line.split() for line in mounts if line.count(" ") >= 3):
        point = point.replace("\\040", " ")
        if resolved.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


class Keys:
    """Single key presses from a terminal; nothing at all where there is none."""

    def __init__(self) -> None:
        self.live = is_live(sys.stdin)
        self._before: list[Any] | None = None
        self._acts = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self.live and os.name != "nt":
            import termios

            self._before = termios.tcgetattr(sys.stdin)
            # A process that has to be ended the hard way leaves the terminal as it was, too.
            self._acts.enter_context(last_act(self._restore))
            quiet = termios.tcgetattr(sys.stdin)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()
        self._acts.close()

    def _restore(self) -> None:
        if self._before is None:
            return
        import termios

        with contextlib.suppress(termios.error):
            # Not TCSADRAIN: to a terminal that was halted the output never gets through.
            termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)

    def pressed(self) -> str:
        """The key pressed since the last time, in lower case; '' if none was."""
        if not self.live:
            return ""
        if sys.platform == "win32":
            import msvcrt

            return msvcrt.getwch().lower() if msvcrt.kbhit() else ""
        import select

        if not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        typed = os.read(sys.stdin.fileno(), 64).decode(errors="replace")
        return typed[:1].lower() if typed else "q"  # nothing to read: the terminal has gone

    def drop(self) -> None:
        """Forget what was typed while a check ran."""
        if self.live and os.name != "nt":
            import termios

            with contextlib.suppress(termios.error):
                termios.tcflush(sys.stdin, termios.TCIFLUSH)
        elif self.live:
            while self.pressed():
                pass

"""`watch`: check again at each save, until told to stop."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from course import Step
from course.files import is_source
from course.terminal import has_colour, is_live, paint, say
from workshop.arguments import project_options
from workshop.commands import check, hint
from workshop.errors import Exit, UsageError
from workshop.home import Home
from workshop.progress import Progress, load

if TYPE_CHECKING:
    from checks.results import ItemResult, Report

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


HELP = "check again at each save"
MORE = (
    "Keys: Enter checks again, h gives a hint for the first failing item, n goes on to "
    "the next step, q quits (as Ctrl-C does; the exit status is 0). Where the system does "
    "not report changed files (some containers, network drives, WSL), set "
    "NUMENEON_POLLING=1 to look at the files twice a second instead."
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

    def asked(self) -> str:
        """What is asked for: `check 5` or `page 5` (its page was opened); '' if nothing is."""
        return ""


class Watch:
    """One project under watch; it stays at its step until the person moves on."""

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

    def run(self, python: str | None) -> int:
        """Check now, then at each save. Ends at q, Ctrl-C, or when the folder has gone."""
        try:
            with (
                Keys() as keys,
                self.home.session(self.project, python, warm=True) as session,
            ):
                keys.asked = self.observer.asked
                self.judge(session)
                self.invite(keys)
                for key in events(self.project, keys):
                    if key == "q":
                        break
                    if self.answer(key, session):
                        self.invite(keys)
                    keys.drop()
        except KeyboardInterrupt:
            pass
        say("", "Stopped watching.")
        return Exit.PASSED

    def answer(self, key: str, session: Any) -> bool:
        """Do what a key or a save (`saved`) asks for; whether it was anything at all."""
        if key in {"saved", "\r", "\n"}:
            self.judge(session)
        elif key == "h":
            self.hint()
        elif key == "n":
            self.move_on(session)
        else:
            return self.turn_to(key, session)
        return True

    def turn_to(self, request: str, session: Any) -> bool:
        """Do what a page asks for, `check 5` or `page 5`; whether anything was done.

        A page that was opened moves the watch only as `n` does: from a finished step to
        the next. What is there is judged at the next save, or when the page asks for it.
        """
        wish, _, number = request.partition(" ")
        step = next((step for step in self.home.steps if str(step.number) == number), None)
        if step is None or not self.home.checklist(step):
            return False
        if wish == "check":
            self.step = step
            self.judge(session)
            return True
        done = self.progress.is_done(self.step)
        if wish != "page" or not done or step != self.home.after(self.step):
            return False
        self.step = step
        self.observer.moved(step)
        say("", *check.what_next(self.home, step))
        return True

    def show(self, result: ItemResult) -> None:
        """Tell one verdict, on the terminal and to whoever else listens."""
        self.observer.verdict(result)
        check.show(result)

    def judge(self, session: Any) -> None:
        """Run the checklist once and print it."""
        where = self.home.shown(self.project)
        say("", f"Step {self.step.label}, {self.step.heading}: checking {where} ...")
        self.observer.started(self.step)
        only = self.home.items_of_part(self.step)
        report = session.run(self.step.number, only=only, on_result=self.show)
        self.report = report
        self.progress.record(report)
        self.observer.finished(report, self.progress)
        lines = check.closing(
            self.home, self.progress, self.step, report, partly=True, url=None
        )
        say(*lines)

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
        """Say what happens next and which keys there are."""
        text = "Waiting for a save. Ctrl-C stops."
        if keys.live:
            done = self.progress.is_done(self.step) and self.home.after(self.step)
            more = "n next step, " if done else "h hint, "
            text = f"Waiting for a save. Keys: Enter check again, {more}q quit."
        say(paint(text, "faint", colour=has_colour()))


def events(project: Path, keys: Keys) -> Iterator[str]:
    """`saved` after each save below the project, or the key that was pressed.

    A save while a check runs is noticed when it has ended. Raises UsageError if the
    folder goes away.
    """
    from watchfiles import watch as changes

    for seen in changes(
        project,
        watch_filter=lambda _, path: is_source(project, path),
        debounce=400,
        step=40,
        rust_timeout=200,
        yield_on_timeout=True,
        raise_interrupt=True,
        force_polling=polling(project),
        poll_delay_ms=500,
        ignore_permission_denied=True,
    ):
        if not project.is_dir():
            raise UsageError(f"The folder {project} has gone; nothing is left to watch.")
        if seen:
            yield "saved"
        elif key := keys.pressed() or keys.asked():
            yield key


def polling(project: Path) -> bool | None:
    """Whether to look at the files instead of waiting for the system to tell of changes.

    NUMENEON_POLLING=1 or 0 decides; else yes for folders shared from another system, whose
    changes are often not told, and None, for watchfiles to decide (WSL), everywhere else.
    """
    named = os.environ.get("NUMENEON_POLLING", "").strip().lower()
    if named:
        return named not in {"0", "no", "false", "off"}
    return True if file_system(project) in SHARED_FILE_SYSTEMS else None


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
        self.asked: Callable[[], str] = lambda: ""
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if self.live and os.name != "nt":
            import termios

            self._before = termios.tcgetattr(sys.stdin)
            quiet = termios.tcgetattr(sys.stdin)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            import termios

            with contextlib.suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def pressed(self) -> str:
        """The key pressed since the last time, in lower case; '' if none was."""
        if not self.live:
            return ""
        if os.name == "nt":
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

"""Plays the pages of the site as a learner would, in a scratch copy of the tutorial.

    python -m tools.player [PAGE...]         for example: 05-asgi, or docs/start.md

A page's blocks are followed in their order: the edits that it shows are made, its commands
run, its servers started and stopped, its JavaScript pasted into browser windows; what comes
is compared with what the page shows. No block stays unread: each is played, or code that is
only shown, or skipped with a reason that the page gives.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import course
from course import ROOT, Step
from course.deadline import patient
from course.outline import page_of
from course.processes import Process, listening, wait_until
from tools.player import scratch as play_scratch
from tools.player.browser import NoBrowser, Windows, chromium
from tools.player.edits import Edits
from tools.player.matching import ELLIPSIS, contains, matches
from tools.player.scratch import Scratch
from tools.player.warm import Cold, Started
from tools.site.blocks import give_command
from tools.site.facts import page_text
from tools.site.listings import BadReference
from tools.site.pages import OWN_CODE, Block, Directive, Fence, parse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# These only end what hangs, so they suit a machine that is slow and busy: the check of step 6
# builds the project and starts a PostgreSQL, which takes a minute, and several there.
COMMAND_SECONDS = 600.0
SERVER_SECONDS = 120.0
LOG_SECONDS = 60.0
# How long a person takes from a shell to the terminal of a server, at least: a socket that the
# shell has closed is forgotten meanwhile.
_HAND_SECONDS = 0.5
# How long a server may take to end by itself.
STOP_SECONDS = 10.0
PROMPT = "$ "
_KEPT_LINES = 40
# What typist.py prints at the end of each block, with how it went.
_TYPED = "-- typed: "


class NotAsShown(Exception):
    """A page says one thing and another happens; the text begins with page:line."""


@dataclass(frozen=True)
class Source:
    """A page: what it is called in messages, its text, the step it teaches if it does.

    `step.part` is set if it is the page of one part of the step.
    """

    name: str
    text: str
    step: Step | None = None

    @property
    def ends_step(self) -> bool:
        """Whether the workspace is the step's snapshot once the page has been followed."""
        step = self.step
        return bool(step and step.part == (step.parts[-1] if step.parts else None))


@dataclass
class Score:
    """What was done with the blocks of a page; each is counted once.

    `edits` are the times that a file was edited; `skipped` and `unplayed` hold the line and
    the reason. Unplayed is what this machine could not play.
    """

    page: str
    played: int = 0
    shown: int = 0
    edits: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    unplayed: list[tuple[int, str]] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        return self.played + self.shown + len(self.skipped) + len(self.unplayed)

    def __str__(self) -> str:
        """One line of the table."""
        parts = [f"{self.played} played", f"{self.edits} edits"]
        if self.shown:
            parts.append(f"{self.shown} only shown")
        parts.append(f"{len(self.skipped)} skipped{_reasons(self.skipped)}")
        if self.unplayed:
            parts.append(f"{len(self.unplayed)} not played{_reasons(self.unplayed)}")
        return f"{self.page}: {', '.join(parts)}"


def _reasons(found: Sequence[tuple[int, str]]) -> str:
    reasons = dict.fromkeys(reason for _, reason in found)
    return f": {'; '.join(reasons)}" if reasons else ""


@dataclass(frozen=True)
class Command:
    """One `$ ` line of a block with the output that the page shows below it."""

    text: str
    shown: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class RunOptions:
    """What the `@run` lines above a block say about it."""

    words: frozenset[str]
    values: dict[str, str]


def run_options(fence: Fence) -> RunOptions:
    """The words and values of all `@run` lines above a block."""
    lines = [above for above in fence.above if above.name == "run"]
    return RunOptions(
        frozenset(word for line in lines for word in line.words),
        {key: value for line in lines for key, value in line.values.items()},
    )


def commands(fence: Fence) -> list[Command]:
    """The commands of a console block, each with its output."""
    starts = [n for n, line in enumerate(fence.lines) if line.startswith(PROMPT)]
    ends = [*starts[1:], len(fence.lines)]
    return [
        Command(
            fence.lines[start].removeprefix(PROMPT),
            fence.lines[start + 1 : end],
            fence.line + start + 1,
        )
        for start, end in zip(starts, ends, strict=False)
    ]


class Player:
    """One page being played; `browser` is None if there is none, and `why_not` says so."""

    def __init__(
        self,
        page: Source,
        scratch: Scratch,
        browser: Browser | None,
        why_not: str,
        edits: Edits | None = None,
    ) -> None:
        """`edits` are those of the parts of the step before this page."""
        self.page = page
        self.scratch = scratch
        self.score = Score(page.name)
        self._why_not = why_not
        self._windows = (
            Windows(browser, scratch.port, scratch.second_port) if browser else None
        )
        self._edits = edits
        if page.step and edits is None:
            self._edits = Edits(page.step, scratch.workspace)
        self._folder = scratch.workspace if page.step else scratch.root
        self._servers: dict[int, Started] = {}  # by their ports, the last one started last
        self._beside: list[Started] = []
        self._shell: Process | None = None  # the last one that was typed into
        self._variables: dict[str, str] = {}  # what the page has exported
        self._output: list[str] | None = None  # of the last command
        self._judged: dict[str, dict[str, bytes]] = {}  # the project that each check passed
        self._pasted: str | None = None  # the window that the last block was pasted into

    def play(self) -> Score:
        """Follow the page from its top to its end.

        Raises NotAsShown at the first thing that is not as the page says.
        """
        blocks = parse(self.page.text)
        self._insist_on_use(blocks)
        for block in blocks:
            with self._located(block):
                if isinstance(block, Directive):
                    self._follow(block)
                elif isinstance(block, Fence):
                    self._play(block)
        self._compare_end()
        return self.score

    def close(self) -> None:
        """End all that the page has started."""
        with contextlib.ExitStack() as stack:  # goes on where one of them fails
            for helper in self._beside:
                stack.callback(helper.kill)
            stack.callback(self._leave_shell)
            if self._windows:
                stack.callback(self._windows.close)
            for _ in self._servers:
                stack.callback(self._stop)

    @contextlib.contextmanager
    def _located(self, block: Block) -> Iterator[None]:
        """Errors of other modules, with the page and line where they came up."""
        try:
            yield
        except (BadReference, ValueError) as error:
            self._fail(block.line, str(error))

    def _fail(self, line: int, what: str) -> None:
        raise NotAsShown(f"{self.page.name}:{line}: {what}")

    def _insist_on_use(self, blocks: Sequence[Block]) -> None:
        """Every `@run`, `@wrong` and the like speaks of a block, except for `@run stop`."""
        used = {a.line for b in blocks if isinstance(b, Fence) for a in b.above}
        names = {"run", *OWN_CODE}
        marks = [b for b in blocks if isinstance(b, Directive) and b.name in names]
        for mark in marks:
            if mark.line not in used and "stop" not in mark.words:
                self._fail(mark.line, f"{mark.text} is above no block")

    def _follow(self, directive: Directive) -> None:
        if directive.name == "run" and "stop" in directive.words:
            if not self._servers:
                self._fail(directive.line, "there is no server to stop")
            self._stop()
        elif self._edits and directive.name in {"code", "diff", "tests"}:
            self.score.edits += self._edits.follow(directive)
        elif self._edits and directive.name == "given":
            self._give(directive)

    def _play(self, fence: Fence) -> None:
        """Do with a block what it is there for, and count it."""
        how = run_options(fence)
        if "skip" in how.words:
            if not how.values.get("reason", "").strip():
                self._fail(fence.line, "a block is skipped without a reason")
            self.score.skipped.append((fence.line, how.values["reason"]))
            self._output = None
        elif fence.has(*OWN_CODE):
            self._attempt(fence)
        elif fence.language == "console":
            self._run(fence, how)
            self.score.played += 1
        elif "save" in how.values:
            self._save(fence, how)
            self.score.played += 1
        elif fence.language == "pycon":
            self._type_in_shell(fence, how)
            self.score.played += 1
        elif fence.language in {"js", "form"} and "browser" in how.words:
            self._use_window(fence, how)
        elif fence.language == "text":
            self._look(fence, how)
        elif how.words:
            self._fail(fence.line, f"@run says nothing about a block of {fence.language!r}")
        else:
            self._only_show(fence)

    def _give(self, directive: Directive) -> None:
        """Run the command that a page shows for given files; it must put all in place."""
        assert self._edits
        text = give_command(self._edits.step)
        command = Command(text, (ELLIPSIS,), directive.line)
        self._command(command, self.scratch.root, fails=False)
        given, wrong = self._edits.accept(directive)
        if wrong:
            self._fail(directive.line, f"`{text}` leaves {', '.join(wrong)} otherwise")
        self.score.edits += len(given)

    # Code

    def _attempt(self, fence: Fence) -> None:
        directive = fence.mark(*OWN_CODE)
        assert directive
        if self._edits and "path" in directive.values:
            if directive.name == "throwaway":
                self._edits.throw_in(directive, fence)
            else:
                self._edits.attempt(directive, fence)
            self.score.played += 1
            self.score.edits += 1
        else:
            self._only_show(fence)

    def _only_show(self, fence: Fence) -> None:
        """A block that nobody runs: not on a page that teaches a step. It can be read."""
        if self.page.step:
            self._fail(fence.line, f"nothing says what to do with this {fence.language!r}")
        try:
            if fence.language == "python":
                ast.parse("\n".join(fence.lines))
            elif fence.language == "json":
                json.loads("\n".join(fence.lines))
        except (SyntaxError, ValueError) as error:
            self._fail(fence.line, f"this is not valid {fence.language}: {error}")
        self.score.shown += 1

    def _save(self, fence: Fence, how: RunOptions) -> None:
        """Write a block to the file that its page tells people to save it in."""
        file = (self._where(how) / how.values["save"]).resolve()
        if not file.is_relative_to(self.scratch.root):
            self._fail(fence.line, f"{how.values['save']} is outside of the tutorial")
        file.write_text("\n".join(fence.lines) + "\n", "utf-8")

    # Commands

    def _run(self, fence: Fence, how: RunOptions) -> None:
        self._pasted = None
        found = commands(fence)
        if not found or fence.lines[0] != PROMPT + found[0].text:
            self._fail(
                fence.line, f"a console block begins with a command after {PROMPT!r}"
            )
        if "workspace" in how.words:
            self._folder = self.scratch.workspace
        for command in found:
            if command.text.startswith("cd "):
                self._change_folder(command)
            elif command.text.startswith(("export ", "unset ")):
                self._set_variable(command)
            elif "beside" in how.words and command is found[-1]:
                self._serve_beside(command)
            elif "server" in how.words and command is found[-1]:
                self._serve(command)
            else:
                fails = "fails" in how.words and command is found[-1]
                self._command(command, self._where(how), fails=fails)

    def _type_in_shell(self, fence: Fence, how: RunOptions) -> None:
        """Type a block into `manage.py shell`, a new one or the one before, and compare."""
        if "same" not in how.words:
            self._leave_shell()
            self._shell = self.scratch.shell(self._folder, self._variables)
        elif self._shell is None:
            self._fail(fence.line, "there is no shell yet that could be the same")
        shell = self._shell
        assert shell
        before = shell.printed
        session = self.scratch.root / "session.txt"
        typed = "\n".join([*fence.lines, ""])
        session.write_text(self.scratch.rewritten(typed), "utf-8")
        shell.say(session.as_posix())

        def verdict() -> str:
            lines = shell.log_since(before).splitlines()
            said = [line for line in lines if line.startswith(_TYPED)]
            return said[-1].removeprefix(_TYPED) if said else ""

        wait_until(
            lambda: bool(verdict()),
            seconds=COMMAND_SECONDS,
            alive=lambda: shell.exit_code is None,
        )
        if verdict() != "as shown":
            what = "the shell does not print what the page shows"
            self._fail(fence.line, what + _beside(fence.lines, self.scratch.said(shell)))

    def _leave_shell(self) -> None:
        shell, self._shell = self._shell, None
        if shell:
            shell.kill()

    def _where(self, how: RunOptions) -> Path:
        return self.scratch.root if "root" in how.words else self._folder

    def _change_folder(self, command: Command) -> None:
        folder = (self._folder / command.text.removeprefix("cd ").strip()).resolve()
        if not folder.is_relative_to(self.scratch.root) or not folder.is_dir():
            self._fail(command.line, f"`{command.text}`: there is no such folder")
        self._folder = folder

    def _set_variable(self, command: Command) -> None:
        """`export NAME=value` or `unset NAME`, for all that the page starts from here on."""
        what, text = self.scratch.rewritten(command.text).split(" ", 1)
        name, _, value = shlex.split(text)[0].partition("=")
        if what == "export":
            self._variables[name] = value
        else:
            self._variables.pop(name, None)

    def _start(self, command: Command, folder: Path) -> Started:
        return self.scratch.start(command.text, folder, self._variables)

    def _command(self, command: Command, folder: Path, *, fails: bool) -> None:
        """Run a command to its end and compare its output and its exit status."""
        process = self._start(command, folder)
        try:
            status = process.wait(COMMAND_SECONDS)
            self._output = self.scratch.said(process)
        finally:
            process.kill()
        if status is None:
            self._fail(command.line, f"`{command.text}` has not finished in time")
        if bool(status) != fails:
            wanted = "it should fail" if fails else "it should succeed"
            what = f"`{command.text}` exited with status {status}, and {wanted}"
            self._fail(command.line, what + _beside(command.shown, self._output))
        self._compare(command, self._output)
        if command.text in self._checks():
            self._judged[command.text] = play_scratch.contents(self.scratch.workspace)

    def _checks(self) -> list[str]:
        """The commands that judge all items of the page's step, or of its part."""
        step = self.page.step
        names = dict.fromkeys([step.label, str(step.number)]) if step else ()
        return [f"python3 tutorial.py check {name}" for name in names]

    def _compare(self, command: Command, came: Sequence[str]) -> None:
        if not matches(command.shown, came):
            what = f"`{command.text}` does not print what the page shows"
            self._fail(command.line, what + _beside(command.shown, came))

    def _serve(self, command: Command) -> None:
        """Start a server and wait until it answers and has printed what the page shows."""
        port = self.scratch.port_of(command.text)
        if port in self._servers:
            self._fail(command.line, "another server is still running")
        server = self._servers[port] = self._start(command, self._folder)

        def ready() -> bool:
            said = self.scratch.said(server)
            return matches(command.shown, said) and listening(port)

        answers = wait_until(
            ready, seconds=SERVER_SECONDS, alive=lambda: server.exit_code is None
        )
        said = self.scratch.said(server)
        if server.exit_code is not None:
            what = f"`{command.text}` exited with status {server.exit_code}"
            self._fail(command.line, what + _beside(command.shown, said))
        self._compare(command, said)
        if not answers:
            self._fail(command.line, f"`{command.text}` does not answer")

    def _serve_beside(self, command: Command) -> None:
        """Start what the page's server needs, such as a Redis; it runs until the page ends."""
        helper = self._start(command, self._folder)
        self._beside.append(helper)
        wait_until(
            lambda: matches(command.shown, self.scratch.said(helper)),
            seconds=SERVER_SECONDS,
            alive=lambda: helper.exit_code is None,
        )
        self._compare(command, self.scratch.said(helper))

    def _stop(self) -> None:
        """End the server that was started last as Ctrl-C does, and by force if it stays."""
        _, server = self._servers.popitem()
        if self._shell:
            time.sleep(patient(_HAND_SECONDS))
        server.ask_to_end()
        try:
            server.wait(STOP_SECONDS)
        finally:
            server.kill()

    # What is seen elsewhere

    def _use_window(self, fence: Fence, how: RunOptions) -> None:
        """Paste JavaScript into a window's console, or fill in the form on its page."""
        window = how.values.get("window", "the only one")
        self._pasted = window if fence.language == "js" else None
        if self._windows is None:
            self.score.unplayed.append((fence.line, self._why_not))
            return
        if not self._servers:
            self._fail(fence.line, "no server is running for a browser to visit")
        try:
            if "page" in how.values:
                self._windows.open(window, how.values["page"])
            follow = self._windows.run if fence.language == "js" else self._windows.fill_in
            follow(window, fence.lines)
        except Exception as error:  # noqa: BLE001 - playwright is not there to be named
            self._fail(fence.line, f"the browser says: {error}")
        self.score.played += 1

    def _look(self, fence: Fence, how: RunOptions) -> None:
        """Compare a block of text with what printed it: a window, the server, a command."""
        window = how.values.get("window") or self._pasted
        self._pasted = None
        if window and "server" not in how.words:
            self._look_at(window, fence, how)
            return
        if self._servers:
            server = list(self._servers.values())[-1]
            wait_until(
                lambda: contains(fence.lines, self.scratch.said(server)),
                seconds=LOG_SECONDS,
            )
            self._insist(
                fence, self.scratch.said(server), "the server has not printed this"
            )
        elif self._output is not None:
            self._insist(fence, self._output, "the last command has not printed this")
        else:
            self._only_show(fence)
            return
        self.score.played += 1

    def _look_at(self, window: str, fence: Fence, how: RunOptions) -> None:
        if self._windows is None:
            self.score.unplayed.append((fence.line, self._why_not))
            return
        if "page" in how.values:
            self._windows.open(window, how.values["page"])
        if "sees" in how.words:
            came = self._windows.seen(window, fence.lines)
            what = f"the window {window!r} does not show what the page says"
        else:
            came = self._windows.printed(window, fence.lines)
            what = (
                f"the console of the window {window!r} does not print what the page shows"
            )
        if not matches(fence.lines, came):
            self._fail(fence.line, what + _beside(fence.lines, came))
        self.score.played += 1

    def _insist(self, fence: Fence, came: Sequence[str], what: str) -> None:
        if not contains(fence.lines, came):
            self._fail(fence.line, what + _beside(fence.lines, came))

    def _compare_end(self) -> None:
        """The project is now the step's, and no window has said what the page hides."""
        last = len(self.page.text.splitlines())
        if self._windows and (unread := self._windows.unread()):
            self._fail(last, f"a window printed what no block shows: {' | '.join(unread)}")
        if self.page.step and self.page.step.part:
            self._prove_part(last)
        if self.page.step and self.page.ends_step:
            wrong = play_scratch.unlike(self.page.step, self.scratch.workspace)
            if wrong:
                what = f"the workspace is not as steps/{self.page.step.slug}"
                self._fail(last, "\n  ".join([what, *wrong]))
            self._prove(self._checks()[-1:], last)

    def _prove_part(self, line: int) -> None:
        """A project is whole after each part: it loads, and the part's items pass."""
        check = Command("python manage.py check", (ELLIPSIS,), line)
        self._command(check, self.scratch.workspace / "backend", fails=False)
        self._prove(self._checks(), line)

    def _prove(self, checks: Sequence[str], line: int) -> None:
        """One of these passed after the page's last edit, or the first of them passes now."""
        now = play_scratch.contents(self.scratch.workspace)
        if not any(self._judged.get(check) == now for check in checks):
            judge = Command(checks[0], (ELLIPSIS,), line)
            self._command(judge, self.scratch.root, fails=False)


def _beside(shown: Sequence[str], came: Sequence[str]) -> str:
    """What a page shows above what came, for a message."""
    lines = ["", "  the page shows:", *(f"    {line}" for line in shown), "  what came:"]
    if len(came) > _KEPT_LINES:
        lines.append("    ...")
    return "\n".join([*lines, *(f"    {line}" for line in came[-_KEPT_LINES:])])


def play(
    page: Source, folder: Path, browser: Browser | None, why_not: str = "no browser"
) -> Score:
    """Play one page in a scratch copy in `folder`; as play_in_turn() does."""
    return play_in_turn([page], folder, browser, why_not)[0]


def play_in_turn(
    pages: Sequence[Source],
    folder: Path,
    browser: Browser | None,
    why_not: str = "no browser",
    commands: Cold | None = None,
) -> list[Score]:
    """Play a page, or the pages of a step's parts, in a scratch copy in `folder`.

    `folder` must not exist; `commands` starts what they have people type. Raises NotAsShown,
    and PageError if a page cannot be read. All that they start has ended by then.
    """
    step = pages[0].step
    scratch = play_scratch.make(folder, step, commands or Cold())
    edits = Edits(step, scratch.workspace) if step else None
    scores = []
    for page in pages:
        player = Player(page, scratch, browser, why_not, edits)
        try:
            scores.append(player.play())
        finally:
            player.close()
    return scores


def sources() -> list[Source]:
    """Every page of the site that has blocks: the steps' first, in their order."""
    docs = ROOT / "docs"
    steps = {
        docs / f"{page_of(step, part)}.md": replace(step, part=part)
        for step in course.steps()
        for part in ((None, *step.parts))
    }
    others = sorted(path for path in docs.rglob("*.md") if path not in steps)
    found = [_source(path, steps.get(path)) for path in [*steps, *others]]
    return [page for page in found if fences(page)]


def lessons() -> list[list[Source]]:
    """The pages as they are played: those of the parts of a step one after the other."""
    return [
        list(pages)
        for _, pages in itertools.groupby(
            sources(), lambda page: page.step.slug if page.step else page.name
        )
    ]


def _source(path: Path, step: Step | None) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), page_text(path), step)


def fences(page: Source) -> list[Fence]:
    """The blocks of a page."""
    return [block for block in parse(page.text) if isinstance(block, Fence)]


def main(names: Sequence[str]) -> int:
    """Play the pages whose names hold one of these, or all; 0 if all were as they say."""
    chosen = [
        pages
        for pages in lessons()
        if not names or any(name in page.name for name in names for page in pages)
    ]
    failed = not chosen
    with contextlib.ExitStack() as stack:
        browser, why_not = None, ""
        try:
            browser = stack.enter_context(chromium())
        except NoBrowser as missing:
            why_not = str(missing)
        for pages in chosen:
            with tempfile.TemporaryDirectory(prefix="numeneon-play-") as folder:
                try:
                    scores = play_in_turn(pages, Path(folder, "tutorial"), browser, why_not)
                    print(*scores, sep="\n", flush=True)
                except NotAsShown as news:
                    failed = True
                    print(news, flush=True)
    return int(failed)

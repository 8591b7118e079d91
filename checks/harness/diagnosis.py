"""Finds out why an event was not heard, and which line of the project has to change.

What happened is known by then; the source is read only to say where.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checks.errors import Place
from checks.harness.client import Socket
from checks.harness.events import place_of_kind
from checks.harness.project import read
from course.source import parse

if TYPE_CHECKING:
    from checks.harness.stage import Stage

_NO_HANDLER = re.compile(r"No handler for message type (\S+)")
# What Channels calls on a consumer besides the handlers of events.
_NOT_HANDLERS = {"connect", "disconnect", "receive", "receive_json", "websocket_connect"}
_NOT_HANDLERS |= {"websocket_disconnect", "websocket_receive", "decode_json", "encode_json"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Frame:
    """A frame of the learner's on the way to an event; `signalled` if a signal called it."""

    file: str
    line: int
    function: str
    signalled: bool


@dataclass(frozen=True)
class Journal:
    """What one request, or one call of send_notification(), did (see probes/check_journal).

    `groups` are those it sent to, `messages` what; `commits` and `sends` the learner's
    frames, outermost first, where something was put off until the commit, or was sent.
    """

    errors: list[str] = field(default_factory=list)
    unawaited: list[dict[str, Any]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    commits: list[list[Frame]] = field(default_factory=list)
    sends: list[list[Frame]] = field(default_factory=list)

    @classmethod
    def of(cls, told: dict[str, Any]) -> Journal:
        """The journal that a probe has answered with."""
        stacks = {
            kind: [[Frame(*frame) for frame in stack] for stack in told[kind]]
            for kind in ("commits", "sends")
        }
        return cls(**{**told, **stacks})


@dataclass(frozen=True)
class Cause:
    """Why something failed: the words for it, the line to change, the next thing to do.

    Failures of one `root` are one failure; by default those with the same words and line.
    """

    text: str
    place: Place | None
    todo: str = ""
    root: str = ""


def cause_of_silence(stage: Stage, socket: Socket, journal: Journal) -> Cause | None:
    """Why a socket did not hear what was sent; None if there is nothing to go by."""
    return (
        socket_error(stage, socket)
        or never_awaited(stage, journal.unawaited)
        or logged_error(stage, journal)
        or wrong_group(stage, socket, journal)
    )


def socket_error(stage: Stage, socket: Socket) -> Cause | None:
    """The exception that ended this socket's consumer or middleware, or what it never awaited.

    A call that is not awaited does nothing, and the exception comes up in a later line that
    relies on it: send_json() without accept(). The line to change is the first one.
    """
    told = stage.control("socket", number=stage.number_of(socket))
    unawaited = never_awaited(stage, told["unawaited"])
    if not (errors := stage.errors_of(socket)):
        return unawaited
    words = stage.last_words(errors[0])
    text = f"the server's log: {words}"
    if unawaited:
        return replace(unawaited, text=f"{text}\n{unawaited.text}")
    if match := _NO_HANDLER.search(words):
        return _no_handler(stage, match[1].replace(".", "_"), text)
    return Cause(text, stage.harness.place_in(errors[0]))


def never_awaited(stage: Stage, unawaited: list[dict[str, Any]]) -> Cause | None:
    """The coroutine that was made and never run, as Python itself says it."""
    for warning in unawaited:
        frame = Frame(warning["file"], warning["line"], "", signalled=False)
        if place := place_of_frame(stage, frame):
            return Cause(
                f"Python warns: {warning['text']}",
                place,
                "a coroutine runs only when it is awaited: `await` it in an async "
                "function, or call async_to_sync(function)(...) in a synchronous one",
            )
    return None


def unfinished(
    stage: Stage, tasks: list[list[list[Any]]], journal: dict[str, Any]
) -> Cause | None:
    """Why nothing had been sent when the event loop ended; `tasks` are the learner's frames
    that made those which had not finished by then."""
    if cause := never_awaited(stage, journal["unawaited"]):
        return cause
    for frames in tasks:
        place = place_of_frame(stage, Frame(*frames[-1])) if frames else None
        if place:
            return Cause(
                "the task that this line starts had not run when the event loop stopped",
                place,
                "await the sending function instead of starting a task for it: "
                "async_to_sync() runs the loop only until its own function returns",
            )
    return None


def logged_error(stage: Stage, journal: Journal) -> Cause | None:
    """The exception that was logged and did not fail the request."""
    for trace in journal.errors:
        words = stage.last_words(trace)
        return Cause(f"the server's log: {words}", stage.harness.place_in(trace))
    return None


def wrong_group(stage: Stage, socket: Socket, journal: Journal) -> Cause | None:
    """The group that was sent to is not one that the socket is in, or there is none."""
    told = stage.control("socket", number=stage.number_of(socket))
    joined, sent = told["groups"], journal.groups
    if not joined:
        return Cause(
            "the socket is not in any group of the channel layer",
            stage.place("consumer"),
            "join one in connect(), before accept(): "
            "await self.channel_layer.group_add(group, self.channel_name)",
        )
    if not sent:
        return Cause("nothing was sent to any group", stage.place("sender"))
    if not set(joined) & set(sent):
        text = f"the event was sent to the group {', '.join(sent[:3])}; the socket is in "
        return Cause(text + ", ".join(joined[:3]), stage.place("sender"))
    return None


def _no_handler(stage: Stage, name: str, text: str) -> Cause:
    """The consumer has no method of that name: it is elsewhere, or the type is wrong."""
    consumer = stage.place("consumer")
    if consumer is None:
        return Cause(text, None)
    tree = _tree(_path(stage, consumer))
    classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    own = next((c for c in classes if c.name == consumer.symbol), None)
    inside = {id(node) for node in own.body} if own else set()
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name == name and id(node) not in inside:
            place = Place(consumer.file, node.lineno, name)
            todo = f"indent it: {name}() has to be a method of {consumer.symbol}"
            return Cause(text, place, todo)
    if handlers := list(_handlers(own)):
        todo = f'the event\'s "type" names a method of {consumer.symbol}, which has '
        return Cause(text, stage.place("sender"), f"{todo}{', '.join(handlers)}")
    todo = f"give {consumer.symbol} a method `async def {name}(self, event)`"
    return Cause(text, consumer, todo)


def _handlers(consumer: ast.ClassDef | None) -> Iterator[str]:
    """The methods of a consumer that take an event, written as calls."""
    for node in consumer.body if consumer else []:
        if not isinstance(node, Function) or node.name in _NOT_HANDLERS:
            continue
        if len(node.args.args) == len(("self", "event")):
            yield f"{node.name}()"


# Where the project decides to send


def place_of_frame(stage: Stage, frame: Frame) -> Place | None:
    """A frame as a place in the learner's project; None outside of it."""
    text = f'File "{frame.file}", line {frame.line}'
    if frame.function.isidentifier():
        text += f", in {frame.function}"
    return stage.harness.place_in(text)


def sending_line(stage: Stage, journal: Journal) -> Place | None:
    """The line that called send_notification(), whenever that was."""
    sender = stage.place("sender")
    for stack in journal.sends:
        for frame in reversed(stack):
            place = place_of_frame(stage, frame)
            if place and (sender is None or place.file != sender.file):
                return place
    return None


def committing_line(stage: Stage, journal: Journal) -> Place | None:
    """The line that called transaction.on_commit()."""
    return place_of_frame(stage, journal.commits[-1][-1]) if journal.commits else None


def deciding_line(stage: Stage, journal: Journal, kind: str) -> Place | None:
    """The line without which this event would not have been sent.

    That is the call of the function that makes the event, or the receiver of a signal.
    """
    for stack in [*journal.commits, *journal.sends]:
        frames = [f for f in stack if place_of_frame(stage, f)]
        for caller, frame in zip([None, *frames], frames, strict=False):
            made_here = frame.signalled or _names_kind(frame, kind)
            if kind in frame.function and not frame.signalled:
                return place_of_frame(stage, caller or frame)
            if made_here:
                return place_of_frame(stage, frame)
    return place_of_kind(stage.harness, kind)


def saving_function(stage: Stage, journal: Journal, kind: str) -> Place | None:
    """The function that caused the event, if it gives nothing back to who called it."""
    for stack in [*journal.commits, *journal.sends]:
        for caller, frame in itertools.pairwise(stack):
            function = _function_at(caller)
            if kind in frame.function and function and not _returns_something(function):
                line = Frame(caller.file, function.lineno, function.name, signalled=False)
                return place_of_frame(stage, line)
    return None


def uncalled_function(stage: Stage, kind: str) -> Place | None:
    """The function that would send events of this kind, if no line of the project calls it."""
    if (home := place_of_kind(stage.harness, kind)) is None or home.line is None:
        return None
    frame = Frame(str(_path(stage, home)), home.line, "", signalled=False)
    function = _function_at(frame)
    if function is None or function.decorator_list or kind not in function.name:
        return None
    if any(_refers_to(node, function.name) for node in _nodes(stage)):
        return None
    return Place(home.file, function.lineno, function.name)


def _refers_to(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.alias):  # known by another name from here on
        return node.name == name and node.asname is not None
    return getattr(node, "attr", getattr(node, "id", None)) == name


def _nodes(stage: Stage) -> Iterator[ast.AST]:
    for path in sorted(stage.harness.project.backend.rglob("*.py")):
        parts = path.relative_to(stage.harness.project.backend).parts
        if not any(part.startswith("test") for part in parts):
            yield from ast.walk(_tree(path))


def _path(stage: Stage, place: Place) -> Path:
    return stage.harness.project.root / place.file


def _tree(path: Path) -> ast.Module:
    try:
        return parse(read(path))
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _function_at(frame: Frame) -> Function | None:
    """The innermost function around a line of a file."""
    around = [
        node
        for node in ast.walk(_tree(Path(frame.file)))
        if isinstance(node, Function)
        and node.lineno <= frame.line <= (node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda node: node.lineno, default=None)


def _names_kind(frame: Frame, kind: str) -> bool:
    function = _function_at(frame)
    texts = ast.walk(function) if function else ()
    return any(isinstance(node, ast.Constant) and node.value == kind for node in texts)


def _returns_something(function: Function) -> bool:
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    return any(node.value is not None for node in returns)

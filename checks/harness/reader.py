"""A client that shows each event once and in order, and asks for what it lacks.

It does what the page's own client does, so that a project may heal a gap in either way:
send what is missing by itself, or let the client notice and resume.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any, Self

from checks.errors import NotYet
from checks.harness.client import Socket, shorten
from checks.harness.people import Person
from checks.harness.stage import Stage
from course.contract import PING, PONG, RESUME, RESUMED, STORED_EVENTS
from course.deadline import patient

# How long nothing has to arrive until a client pings, and until it gives up. Seconds.
_SILENCE = patient(1)
_ATTEMPTS = 4


@dataclass
class Reader:
    """An open socket, the position that has been reached on it, and what was shown."""

    stage: Stage
    person: Person
    socket: Socket
    epoch: Any
    seen: int
    shown: list[Any] = field(default_factory=list)
    _resuming: bool = False

    @classmethod
    def of(cls, stage: Stage, person: Person) -> Self:
        """A new client of that person: it begins where the greeting says."""
        socket = stage.greeted(person)
        try:
            epoch, seen = position_in(stage, socket)
        except NotYet:
            socket.close()
            raise
        return cls(stage, person, socket, epoch, seen)

    def again(self) -> Reader:
        """The same client with a new socket, which continues where the old one was."""
        self.socket.close()
        socket = self._back()
        found = Reader(self.stage, self.person, socket, self.epoch, self.seen, self.shown)
        found.resume()
        return found

    def _back(self) -> Socket:
        """A new socket; a server whose Redis was down may refuse the first attempts."""
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(NotYet):
                return self.stage.greeted(self.person)
        return self.stage.greeted(self.person)

    def resume(self) -> None:
        """Ask for what is missing, unless that is on its way."""
        if not self._resuming:
            self._resuming = True
            ask_to_resume(self.socket, self.epoch, self.seen)

    def read(self, count: int, patience: float = patient(10)) -> list[Any]:
        """What is shown once `count` events are, or when nothing more comes.

        A socket that is silent is pinged, as a page does it.
        """
        end = time.monotonic() + patience
        while len(self.shown) < count and time.monotonic() < end:
            frame = self.socket.receive(_SILENCE)
            if frame is not None:
                self._take(frame)
            elif self.socket.ended or not self.socket.send({"type": PING}):
                break
        return self.shown

    def read_rest(self) -> list[Any]:
        """What is shown when all has arrived that was on its way."""
        self.socket.send({"type": PING})
        while (frame := self.socket.receive(_SILENCE)) is not None:
            self._take(frame)
            if _type(frame) == PONG and not self._resuming:
                break
        return self.shown

    def _take(self, frame: Any) -> None:
        kind = _type(frame)
        if kind == PONG:
            if _number(frame.get("last_seq")) > self.seen:
                self.resume()
        elif kind == RESUMED:
            self._resuming = False
            if frame.get("recovered") is not True:
                raise self.news(f"it was answered with {shorten(frame)}", "recovered: true")
        elif kind in STORED_EVENTS:
            self._show(frame)

    def _show(self, frame: Any) -> None:
        number = frame.get("seq")
        if not isinstance(number, int):
            raise self.news(f"an event has no number: {shorten(frame)}", '"seq": a number')
        if number > self.seen + 1:
            self.resume()
        elif number == self.seen + 1:
            self.seen = number
            self.shown.append(frame)

    def news(self, found: str, expected: str, todo: str = "") -> NotYet:
        """What went wrong on this socket."""
        position = f"{self.person.username}'s client was at {self.seen}"
        return self.stage.news(
            f"{position}; {found}",
            expected=expected,
            part="consumer",
            socket=self.socket,
            todo=todo,
        )


def position_in(stage: Stage, socket: Socket) -> tuple[Any, int]:
    """The epoch and the last number in the greeting of a socket; else NotYet."""
    greeting = socket.frames[0]
    epoch, last = greeting.get("epoch"), greeting.get("last_seq")
    if not epoch or not isinstance(last, int):
        raise stage.news(
            f"the greeting is {shorten(greeting)}",
            expected='"epoch" and "last_seq" in it: how far this user\'s events are numbered',
            part="consumer",
            socket=socket,
        )
    return epoch, last


def ask_to_resume(socket: Socket, epoch: Any, seq: Any) -> None:
    """Say what was seen last, so that the rest can follow."""
    socket.send({"type": RESUME, "epoch": epoch, "seq": seq})


def _type(frame: Any) -> Any:
    return frame.get("type") if isinstance(frame, dict) else None


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0

"""A client of Server-Sent Events, which reads beside the check."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from checks.errors import NotYet
from checks.harness.client import shorten
from checks.harness.servers import LOCAL, Server
from course.contract import STREAM_PATH
from course.deadline import Deadline, at_most, patient

_PATIENCE = patient(8)


@dataclass(frozen=True)
class Event:
    """One event: its id (None if it has none), its name, and what is in `data`."""

    id: str | None
    name: str
    frame: dict[str, Any]


@dataclass
class Stream:
    """An answer that goes on; `events` holds what has been read."""

    status: int
    content_type: str
    body: str = ""
    events: list[Event] = field(default_factory=list)
    heard: int = 0  # how many lines have been read, comments too
    _lines: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)
    _over: bool = False

    def __str__(self) -> str:
        if self.status != 200:
            return f"GET {STREAM_PATH} answered {self.status} {shorten(self.body)}".rstrip()
        shown = [f"{each.name} (id {each.id})" for each in self.events[-6:]]
        return f"a stream with {', '.join(shown) or 'no events'}"

    def next(self, seconds: float = _PATIENCE) -> Event | None:
        """The next event, None if there comes none in that time."""
        deadline = Deadline.after(at_most(seconds))
        fields: dict[str, str] = {}
        while not self._over:
            try:
                line = self._lines.get(timeout=max(deadline.left, 0.001))
            except queue.Empty:
                return None
            if line is None:
                self._over = True
                return None
            self.heard += 1
            if line and not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "data" and name in fields:
                    value = f"{fields[name]}\n{value}"
                fields[name] = value
            elif not line and "data" in fields:
                return self._noted(fields)
        return None

    def _noted(self, fields: dict[str, str]) -> Event:
        try:
            frame = json.loads(fields["data"])
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            raise NotYet(
                f"an event of the stream has data: {shorten(fields['data'])}",
                expected="JSON, as in the frames of the socket",
            )
        event = Event(fields.get("id"), fields.get("event", "message"), frame)
        self.events.append(event)
        return event

    def until(self, kind: str, seconds: float = _PATIENCE) -> Event:
        """The next event whose frame has that type. Raises NotYet if it does not come."""
        deadline = Deadline.after(at_most(seconds))
        while (event := self.next(deadline.left)) is not None:
            if event.frame.get("type") == kind:
                return event
        raise NotYet(str(self), expected=f"a {kind} event in the stream")

    def says_something(self, seconds: float) -> bool:
        """Whether anything comes in that time, be it a comment."""
        deadline, heard = Deadline.after(seconds), self.heard
        while self.heard == heard and not self._over and deadline.left > 0:
            self.next(0.2)
        return self.heard > heard

    def ends(self, seconds: float = _PATIENCE) -> bool:
        """Whether the server ends it in that time."""
        deadline = Deadline.after(at_most(seconds))
        while not self._over and deadline.left > 0:
            self.next(deadline.left)
        return self._over

    def _read(self, response: http.client.HTTPResponse) -> None:
        try:
            for line in response:
                self._lines.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        # ValueError, AttributeError: it is closed while it is read.
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        self._lines.put(None)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def stream(server: Server, token: str | None, place: str | None = None) -> Iterator[Stream]:
    """Open a stream; `place` is the id of the last event that was read."""
    headers = {
        "Accept": "text/event-stream",
        "Host": server.address,
        **server.proxy_headers,
    }
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if place:
        headers["Last-Event-ID"] = place
    connection = http.client.HTTPConnection(LOCAL, server.port, timeout=at_most(_PATIENCE))
    try:
        try:
            connection.request("GET", STREAM_PATH, headers=headers)
            sock = connection.sock  # getresponse() may give it away
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            what = str(error) or type(error).__name__
            raise NotYet(
                f"GET {STREAM_PATH} got no answer: {what}", expected="a stream of events"
            ) from error
        kind = response.headers.get("Content-Type", "")
        if response.status != 200 or not kind.startswith("text/event-stream"):
            raw = response.read(2000) if response.headers.get("Content-Length") else b""
            yield Stream(response.status, kind, raw.decode("utf-8", "replace"))
            return
        found = Stream(response.status, kind)
        sock.settimeout(None)
        reader = threading.Thread(target=found._read, args=[response], daemon=True)
        reader.start()
        try:
            yield found
        finally:
            _shut(sock)
            reader.join(_PATIENCE)
    finally:
        connection.close()

"""Writes down what the client of an item says and hears, for whoever reads the verdict.

The recorder of an item belongs to its thread, as its deadline does: items run side by side
and share servers, and each is shown its own exchange only. Nothing here decides anything.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.errors import NotYet
from checks.exchange import Departure, Event, Exchange, Secrets

# The first and the last events of an item that is a talker; what is between is counted.
_MOST_FIRST = 60
_MOST_LAST = 40
# What is kept of one text, and what is shown of it once its secrets are masked.
_KEPT = 64 * 1024
_SHOWN = 240
_SHOWN_HEADER = 160


@dataclass
class _Entry:
    """An event as it happened, its secrets still in it."""

    at: float
    kind: str
    sender: str
    receiver: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()
    server: int = 1
    socket: int | None = None
    ours: bool = False


@dataclass
class Line:
    """One connection's part of an exchange; without a recorder it forgets all it is told."""

    recorder: Recorder | None = None
    server: int = 1
    socket: int | None = None
    _latest: _Entry | None = None

    def sent(self, kind: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Note what the client sent."""
        self._note(kind, "client", "server", text, headers)

    def heard(self, kind: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Note what the server sent."""
        self._note(kind, "server", "client", text, headers)

    def _note(
        self,
        kind: str,
        sender: str,
        receiver: str,
        text: str,
        headers: Mapping[str, str] | None,
    ) -> None:
        if self.recorder is None:
            return
        self._latest = _Entry(
            time.time(),
            kind,
            sender,
            receiver,
            text[:_KEPT],
            tuple((headers or {}).items()),
            self.server,
            self.socket,
        )
        self.recorder.keep(self._latest)

    def take_back(self) -> None:
        """The latest event was the tool's own doing, no part of what the learner reads."""
        if self._latest is not None:
            self._latest.ours = True

    def guard(self, secret: str) -> None:
        """Never show that text whole."""
        if self.recorder is not None:
            self.recorder.secrets.add(secret)

    def follow(self, log: Path, number: str) -> None:
        """What the channel layer did for this number is in that log (see Stage)."""
        if self.recorder is not None:
            self.recorder.follow(log, number, self)


@dataclass
class Recorder:
    """Everything that one item's client said and heard."""

    secrets: Secrets = field(default_factory=Secrets)
    _start: float = field(default_factory=time.time)
    _first: list[_Entry] = field(default_factory=list)
    _last: deque[_Entry] = field(default_factory=lambda: deque(maxlen=_MOST_LAST))
    _count: int = 0
    _sockets: int = 0
    _servers: dict[tuple[str, int], int] = field(default_factory=dict)
    _followed: dict[Path, dict[str, Line]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def line(self, host: str, port: int, *, socket: bool) -> Line:
        """A new connection to that address."""
        with self._lock:
            server = self._servers.setdefault((host, port), len(self._servers) + 1)
            self._sockets += socket
            return Line(self, server, self._sockets if socket else None)

    def keep(self, entry: _Entry) -> None:
        """Write one event down, whichever thread of the item it comes from."""
        with self._lock:
            self._count += 1
            (self._first if self._count <= _MOST_FIRST else self._last).append(entry)

    def follow(self, log: Path, number: str, line: Line) -> None:
        """See Line.follow()."""
        with self._lock:
            self._followed.setdefault(log, {})[number] = line

    def exchange(self, error: BaseException | None = None) -> Exchange | None:
        """What happened so far, None if nothing did; `error` is what the item ended with."""
        with self._lock:
            first, last, count = list(self._first), list(self._last), self._count
            followed = {log: dict(lines) for log, lines in self._followed.items()}
        if not first:
            return None
        left_out = count - len(first) - len(last)
        gap = last[0].at if left_out else None
        layer = [entry for log, lines in followed.items() for entry in _layer(log, lines)]
        entries = [e for e in [*first, *layer[:_MOST_FIRST], *last] if not e.ours]
        entries.sort(key=lambda entry: entry.at)
        events = tuple(map(self._event, entries))
        before = [e for e in entries if gap is not None and e.at < gap]
        return Exchange(events, self._departure(error, events), left_out, len(before) - 1)

    def _event(self, entry: _Entry) -> Event:
        return Event(
            max(0, round((entry.at - self._start) * 1000)),
            entry.kind,
            entry.sender,
            entry.receiver,
            self._readable(entry.text, _SHOWN),
            tuple(
                (name, self._readable(value, _SHOWN_HEADER))
                for name, value in entry.headers
            ),
            entry.server,
            entry.socket,
        )

    def _departure(
        self, error: BaseException | None, events: tuple[Event, ...]
    ) -> Departure | None:
        """A client that has seen enough closes: the last thing before that was the news."""
        if not isinstance(error, NotYet):
            return None
        after = len(events) - 1
        while after > 0 and (events[after].kind, events[after].sender) == _CLOSING:
            after -= 1
        return Departure(
            after,
            self._readable(error.expected, _SHOWN),
            self._readable(error.found, _SHOWN),
        )

    def _readable(self, text: str, length: int) -> str:
        """On one line and short, masked before it is cut: half a secret would go unseen."""
        text = self.secrets.masked(text[:_KEPT])[: length * 4]
        text = " ".join(text.split())
        if not text.isprintable():
            text = "".join(
                c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
            )
        return text if len(text) <= length else text[: length - 3] + "..."


_CLOSING = ("close", "client")

_current: contextvars.ContextVar[Recorder | None] = contextvars.ContextVar(
    "recorder", default=None
)


@contextlib.contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """What this thread's clients say and hear inside is written down there."""
    token = _current.set(recorder)
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """What happens inside only prepares an item: it is shown if it is what fails."""
    if (item := _current.get()) is None:
        yield
        return
    preparing = Recorder(item.secrets, _servers=item._servers)
    try:
        with recording(preparing):
            yield
    except Exception:
        for entry in [*preparing._first, *preparing._last]:
            item.keep(entry)
        raise


def current() -> Recorder | None:
    """The recorder of the item that this thread judges; None if it judges none."""
    return _current.get()


def line_to(host: str, port: int, *, socket: bool = False) -> Line:
    """A new connection of this thread's, written down if an item is being judged."""
    recorder = _current.get()
    return recorder.line(host, port, socket=socket) if recorder else Line()


def _layer(log: Path, lines: Mapping[str, Line]) -> Iterator[_Entry]:
    """What a server's channel layer did for these numbers (see probes/check_layer_log)."""
    try:
        rows = log.read_text("utf-8").splitlines()
    except OSError:
        return
    for row in rows:
        with contextlib.suppress(ValueError, TypeError):
            at, number, text = json.loads(row)
            if line := lines.get(number):
                yield _Entry(
                    float(at),
                    "layer",
                    "server",
                    "layer",
                    str(text)[:_KEPT],
                    server=line.server,
                    socket=line.socket,
                )

"""An item's exchange as a sequence on a terminal: client, server and layer, arrows between."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from checks.exchange import Departure, Event, Exchange
from course.terminal import paint, width

_TWO = 2
_TIMES = 7  # columns in front of the first lane, for the milliseconds
_LABEL = 10  # columns of "expected" and "seen"


@dataclass(frozen=True)
class _Lanes:
    """Who takes part: client, server and layer as far as they are known, or two servers."""

    names: tuple[str, ...]
    sockets: bool
    servers: bool

    @classmethod
    def of(cls, exchange: Exchange) -> _Lanes:
        parties = {party for e in exchange.events for party in (e.sender, e.receiver)}
        sockets = {event.socket for event in exchange.events} - {None}
        servers = sorted({event.server for event in exchange.events})
        layer = "layer" in parties
        if len(servers) == _TWO and not layer:
            names = ("client", *(f"server {number}" for number in servers))
            return cls(names, len(sockets) > 1, servers=False)
        names = ("client", "server", "layer") if layer else ("client", "server")
        return cls(names, len(sockets) > 1, len(servers) > 1)

    def index(self, party: str, event: Event) -> int:
        """The number of the lane of a sender or receiver."""
        return self.names.index(party if party in self.names else f"{party} {event.server}")

    def ends(self, event: Event) -> tuple[int, int]:
        """The lanes between which a message goes."""
        return self.index(event.sender, event), self.index(event.receiver, event)

    def label(self, event: Event) -> str:
        """`socket 2, server 1: `, as far as there are several that have no lane."""
        parts = []
        if self.sockets and event.socket is not None:
            parts.append(f"socket {event.socket}")
        if self.servers:
            parts.append(f"server {event.server}")
        return f"{', '.join(parts)}: " if parts else ""


@dataclass(frozen=True)
class _Paper:
    """The columns in which the lanes are drawn."""

    columns: tuple[int, ...]

    @classmethod
    def fitting(cls, lanes: _Lanes) -> _Paper:
        """What a client and a server say is longer than the name of a group."""
        last = width() - 1
        middle = (_TIMES + (last - _TIMES) * 3 // 5,) if len(lanes.names) > _TWO else ()
        return cls((_TIMES, *middle, last))

    def heading(self, names: tuple[str, ...]) -> str:
        """The lanes' names; the last one ends where its lane is, and comes first in need."""
        line = "ms".rjust(_TIMES - 2)
        for name, column in zip(names[:-1], self.columns, strict=False):
            line = line.ljust(column) + name
        start = self.columns[-1] + 1 - len(names[-1])
        return line[: start - 1].ljust(start) + names[-1]

    def row(self, inside: str = "", lane: int = 0, ms: str = "") -> str:
        """The lanes, with text at the right of one of them, which may cross others."""
        line = ms.rjust(_TIMES - 2)
        for number, column in enumerate(self.columns):
            line = f"{line[:column]:<{column}}|{line[column + 1 :]}"
            line += inside if number == lane else ""
        return line

    def room(self, left: int, right: int) -> int:
        """How many columns are between two lanes."""
        return self.columns[right] - self.columns[left] - 1


def drawn(exchange: Exchange, colour: bool = False) -> list[str]:
    """The lines of the whole sequence, in plain ASCII, as wide as the terminal."""
    lanes = _Lanes.of(exchange)
    paper = _Paper.fitting(lanes)
    lines = [paper.heading(lanes.names), paper.row()]
    for number, event in enumerate(exchange.events):
        lines += _arrow(paper, lanes, event)
        if exchange.left_out and number == exchange.left_after:
            lines += [paper.row(f" ... {exchange.left_out} more are left out"), paper.row()]
        if exchange.departure and number == exchange.departure.after:
            marked = _mark(exchange.departure)
            lines += [paint(line, "bold", "red", colour=colour) for line in marked]
    return [line.rstrip() for line in lines]


def _arrow(paper: _Paper, lanes: _Lanes, event: Event) -> Iterator[str]:
    """One message: its text, wrapped, and below it the arrow from lane to lane."""
    start, end = lanes.ends(event)
    left = min(start, end)
    texts = [
        lanes.label(event) + event.text,
        *(f"{name}: {value}" for name, value in event.headers),
    ]
    ms = str(event.ms)
    for text in texts:
        room = max(paper.room(left, left + 1) - 2, 1)
        for line in textwrap.wrap(_ascii(text), room, subsequent_indent="  "):
            yield paper.row(f" {line}", left, ms)
            ms = ""
    length = paper.room(left, max(start, end))
    yield paper.row(_shaft(event, length, to_the_right=start < end), left)


def _shaft(event: Event, length: int, *, to_the_right: bool) -> str:
    if event.kind == "silence":
        return (". " * length)[:length]
    return "-" * (length - 1) + ">" if to_the_right else "<" + "-" * (length - 1)


def _mark(departure: Departure) -> Iterator[str]:
    """What was expected in this place, and what was seen instead, across all lanes."""
    line = "== it left the expected path "
    yield line.ljust(width(), "=")
    for label, text in (("expected", departure.expected), ("seen", departure.seen)):
        if text:
            yield from textwrap.wrap(
                _ascii(text),
                width(),
                initial_indent=f"   {label:<{_LABEL}}",
                subsequent_indent=" " * (_LABEL + 3),
            )
    yield "=" * width()


def _ascii(text: str) -> str:
    """Every terminal can show it, and one character is one column."""
    return text.encode("ascii", "backslashreplace").decode()

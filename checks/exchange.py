"""What went over the wire while one item was judged: data for reports and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Shorter texts are no secrets: "1" and "a.b.c" are sent to see them refused.
_SHORTEST_SECRET = 16
_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}")


@dataclass(frozen=True)
class Event:
    """One message, or a silence in its place, `ms` after the item began.

    `kind` is handshake, request, answer, frame, close, silence, call (the check calls
    send_notification() inside the server) or layer; `sender` and `receiver` are client,
    server or layer. Connections are numbered as they begin: `server` is the process,
    `socket` the WebSocket, None for a plain request.
    """

    ms: int
    kind: str
    sender: str
    receiver: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()
    server: int = 1
    socket: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The published form: what is empty is left out."""
        told: dict[str, Any] = {
            "ms": self.ms,
            "kind": self.kind,
            "from": self.sender,
            "to": self.receiver,
            "text": self.text,
            "server": self.server,
        }
        if self.socket is not None:
            told["socket"] = self.socket
        if self.headers:
            told["headers"] = dict(self.headers)
        return told


@dataclass(frozen=True)
class Departure:
    """Where an exchange left the expected path: behind the event number `after`, from 0."""

    after: int
    expected: str
    seen: str


@dataclass(frozen=True)
class Exchange:
    """All events of one item in order; `left_out` were too many, behind the one `left_after`."""

    events: tuple[Event, ...]
    departure: Departure | None = None
    left_out: int = 0
    left_after: int = -1

    def as_dict(self) -> dict[str, Any]:
        """The published form (`--json`)."""
        told: dict[str, Any] = {"events": [event.as_dict() for event in self.events]}
        if self.left_out:
            told |= {"left_out": self.left_out, "left_after": self.left_after}
        if self.departure:
            told["departure"] = vars(self.departure).copy()
        return told


class Secrets:
    """The tokens and passwords of a run, none of which is ever shown whole."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        for secret in known:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this text from now on; what is too short to be a secret stays readable."""
        if len(secret) >= _SHORTEST_SECRET:
            self._known.add(secret)

    def masked(self, text: str) -> str:
        """The text with only the two ends of each secret, and of whatever looks like a JWT."""
        for secret in sorted(self._known.copy(), key=len, reverse=True):
            text = text.replace(secret, _ends(secret))
        return _JWT.sub(lambda found: _ends(found[0]), text)


def _ends(secret: str) -> str:
    """Enough to tell two tokens apart: a JWT begins with its header, the same in all."""
    return f"{secret[:6]}...{secret[-4:]}"

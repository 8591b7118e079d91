"""The learner's project seen from outside: plain HTTP requests and real WebSockets."""

from __future__ import annotations

import functools
import html
import http.client
import io
import json
import re
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from checks.errors import Place
from checks.harness.recorder import Line, line_to
from course.contract import (
    TICKET_SUBPROTOCOL,
    TOKEN_SUBPROTOCOL,
    TOKEN_WAYS,
    is_greeting,
    is_presence,
)
from course.deadline import Deadline, at_most, patient, waiting_for

if TYPE_CHECKING:
    from ssl import SSLContext

    from checks.harness.together import Gate

# Long enough for a slow laptop; every wait says what it waited for. Seconds.
PATIENCE = patient(10.0)
# The bounds of what a project may send, far above what a correct one does: an HTTP answer
# with its headers, one frame, all frames of one socket, and how many those are.
MOST_BYTES = 8 * 1024 * 1024
_MOST_FRAME_BYTES = 1024 * 1024
_MOST_FRAMES = 1_000
_SHOWN_FRAMES = 5
# A wait that is shorter is the end of one: no news to anybody who reads the exchange.
_SHORTEST_SILENCE = 0.05
# What the probes are asked by; everything else is the learner's own.
OWN_PATHS = "/__check__/"
# JSON that is nested deeper than this is text to us: whatever walks it would break.
_DEEPEST = 50


class NoAnswer(Exception):
    """The server gave no HTTP answer; the text says what was asked and what happened."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is parsed JSON where it is JSON, else text.

    `error` and `place` say which exception a failed request ended with and where in the
    learner's code, if the server printed it.
    """

    request: str
    status: int
    headers: dict[str, str]
    body: Any
    error: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.request} answered {self.status} {shorten(self.body)}".rstrip()

    @property
    def rows(self) -> list[Any]:
        """The rows of a list, whether it is paginated or not; [] if it is no list."""
        rows = self.body.get("results") if isinstance(self.body, dict) else self.body
        return rows if isinstance(rows, list) else []

    def get(self, *path: str) -> Any:
        """A value deep in the JSON body, None where the path leads nowhere."""
        value = self.body
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def request(
    port: int,
    method: str,
    path: str,
    *,
    body: Any = None,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    host: str = "127.0.0.1",
    patience: float = PATIENCE,
    tls: bool = False,
    source: str | None = None,
) -> Answer:
    """One HTTP request with an optional JSON body and access token.

    `source` is the address of this machine to connect from, if not the usual one.

    `patience` is for the answer as a whole. Raises NoAnswer if it does not come in time,
    is too long, or is not HTTP.
    """
    sent = {"Accept": "application/json", **(headers or {})}
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    if token:
        sent["Authorization"] = f"Bearer {token}"
    line = _line_of_request(host, port, method, path, token)
    deadline = Deadline.after(at_most(patience))
    make = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = make(
        host,
        port,
        timeout=max(deadline.left, 0.001),
        source_address=(source, 0) if source else None,
    )
    connection.response_class = functools.partial(  # type: ignore[assignment]
        _BoundedResponse, deadline=deadline
    )
    try:
        with waiting_for(f"the answer to {method} {path}"):
            connection.request(method, path, body=payload, headers=sent)
            response = connection.getresponse()
            raw = response.read()
    except TimeoutError as error:
        line.heard("silence", f"no answer within {patience:g} s")
        raise NoAnswer(f"{method} {path} got no answer within {patience:g} s") from error
    # ValueError: a token or an id of the project's that no request can hold.
    except (OSError, http.client.HTTPException, ValueError) as error:
        what = str(error) or type(error).__name__
        line.heard("silence", f"no answer: {what}")
        raise NoAnswer(f"{method} {path} got no answer: {what}") from error
    finally:
        connection.close()
    line.heard("answer", _status_line(response.status))
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(f"{method} {path}", response.status, found, parsed(raw))


def _line_of_request(
    host: str, port: int, method: str, path: str, token: str | None
) -> Line:
    """Write a request down, unless it is one that the tool asks its own probes."""
    if path.startswith(OWN_PATHS):
        return Line()
    line = line_to(host, port)
    line.guard(token or "")
    line.sent(
        "request",
        f"{method} {path}",
        {"Authorization": f"Bearer {token}"} if token else None,
    )
    return line


def _status_line(status: int) -> str:
    """`403 Forbidden`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


class _BoundedResponse(http.client.HTTPResponse):
    """An answer that is read until a deadline at the latest, and up to MOST_BYTES.

    A time-out of the socket alone starts anew with each byte that arrives.
    """

    def __init__(
        self, sock: socket.socket, *args: Any, deadline: Deadline, **options: Any
    ) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedReader(sock, deadline))


class _BoundedReader(io.RawIOBase):
    """What a socket receives."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self._bytes = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self._left = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left
        if not left:
            raise TimeoutError
        self._socket.settimeout(left)
        count = self._bytes.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            raise OSError(f"it is longer than {MOST_BYTES // 1024 // 1024} MB")
        return count

    def close(self) -> None:
        self._bytes.close()
        super().close()


def parsed(raw: bytes) -> Any:
    """JSON as Python values, anything else as text."""
    text = raw.decode("utf-8", errors="replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if _is_deep(value) else value


def _is_deep(value: Any) -> bool:
    """Whether a JSON value is nested deeper than _DEEPEST; found without recursion."""
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                below.extend(part.values())
            elif isinstance(part, list):
                below.extend(part)
        level = below
        if not level:
            return False
    return True


def _target(url: str) -> tuple[str, int]:
    """The host and port that a WebSocket's address names."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)


_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def shorten(value: Any, length: int = 300) -> str:
    """A value on one line, cut where it gets long; of an error page its title."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if title := _TITLE.search(text):
        text = html.unescape(title[1])
    # Django's error page as plain text: what follows describes the request and the machine.
    text = text.partition("\n\nRequest Method:")[0]
    text = " ".join(text.split())
    # Signs that a terminal would obey, and halves of signs that no file can hold.
    text = "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
    return text if len(text) <= length else text[: length - 3] + "..."


@functools.cache
def _connection_class() -> Any:
    """The class of connections that keep what has come.

    Those of websockets drop what they have just read, a greeting and the close behind it, if
    the server is gone before the close is answered: recv_events() in websockets/sync/connection.py
    says so, and calls it rare. On a busy machine, one verdict in 800 was wrong for it.
    """
    from websockets.sync.client import ClientConnection

    class Connection(ClientConnection):
        def send_data(self) -> None:
            try:
                super().send_data()
            except OSError:
                # The thread that reads finds out by itself that the connection has ended.
                if threading.current_thread() is not self.recv_events_thread:
                    raise

    return Connection


@dataclass
class Socket:
    """A WebSocket to the project, or the refusal that came instead.

    `refused` is the HTTP status of a refused handshake (None once it is open); `frames`
    is what arrived so far; `close_code` is set when the other side has closed. A socket
    that sends more than any correct project does counts as silent from then on, and
    `trouble` says so. Which friends come and go is in `presence`: whoever waits for another
    frame does not hear it.
    """

    url: str
    origin: str | None = None
    refused: int | None = None
    subprotocol: str | None = None
    # How it sent a token, if it sent one.
    way: str = TOKEN_WAYS[0]
    offered: list[str] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)
    presence: list[Any] = field(default_factory=list)
    close_code: int | None = None
    trouble: str = ""
    # Whether the handshake was sent and got no HTTP answer.
    unanswered: bool = False
    # How many lines the server had printed before the handshake, where that is known.
    printed_before: int = 0
    _count: int = 0
    _bytes: int = 0
    _cut_off: bool = False
    _closed: bool = False
    # Its part of the exchange that is shown with the verdict.
    line: Line = field(default_factory=Line)
    _connection: Any = None
    _closing: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        origin: str | None = None,
        subprotocols: list[str] | None = None,
        headers: dict[str, str] | None = None,
        patience: float = PATIENCE,
        at: tuple[str, int] | None = None,
        gate: Gate | None = None,
        tls: SSLContext | None = None,
    ) -> Self:
        """Try the handshake; a refusal or a dead server is a result, not an error.

        `at` is the host and port to connect to instead of the ones in the URL; a `gate`
        lets the handshake go together with others; `tls` knows a certificate of our own.
        """
        from websockets.exceptions import InvalidStatus, WebSocketException
        from websockets.sync.client import connect

        found = cls(url, origin, offered=list(subprotocols or ()))
        patience = max(at_most(patience), 0.001)
        target = at or _target(url)
        found.line = line_to(*target, socket=True)
        found._note_handshake(headers or {})
        try:
            with waiting_for("the answer to a WebSocket handshake"):
                # A socket of ours keeps it from following redirects to other hosts.
                sock = socket.create_connection(target, timeout=patience)
                opening = connect(
                    url,
                    sock=gate.around(sock) if gate else sock,
                    origin=origin,  # type: ignore[arg-type]
                    subprotocols=subprotocols,  # type: ignore[arg-type]
                    additional_headers=headers,
                    open_timeout=patience,
                    close_timeout=2,
                    ping_interval=None,
                    max_size=_MOST_FRAME_BYTES,
                    proxy=None,
                    compression=None,
                    create_connection=_connection_class(),
                    ssl=tls,
                )
                found._connection = found._closing.enter_context(opening)
            found.subprotocol = found._connection.subprotocol
        except InvalidStatus as error:
            found.refused = error.response.status_code
        # ValueError: a token of the project's that no handshake can hold. A redirect, which
        # is not followed, comes as another error that has the refusal behind it.
        except (OSError, WebSocketException, EOFError, ValueError) as error:
            found.trouble = str(error) or type(error).__name__
            before = error.__cause__ or error.__context__
            if isinstance(before, InvalidStatus):
                found.refused = before.response.status_code
            found.unanswered = found.refused is None and not isinstance(error, ValueError)
        found._note_answer()
        return found

    def _note_handshake(self, headers: dict[str, str]) -> None:
        """Write down what a browser would send, and know which part of it is the token."""
        parts = urlsplit(self.url)
        shown = {"Host": parts.netloc, "Upgrade": "websocket"}
        if self.origin:
            shown["Origin"] = self.origin
        if self.offered:
            shown["Sec-WebSocket-Protocol"] = ", ".join(self.offered)
        if "Authorization" in headers:
            shown["Authorization"] = headers["Authorization"]
        names = (TOKEN_SUBPROTOCOL, TICKET_SUBPROTOCOL)
        secrets = [name for name in self.offered if name not in names]
        secrets += [value for _, value in parse_qsl(parts.query)]
        secrets += [text.partition("=")[2] for text in parts.query.split("&")]
        secrets += headers.get("Authorization", "").split()
        for secret in secrets:
            self.line.guard(secret)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self.line.sent("handshake", f"GET {path}", shown)

    def _note_answer(self) -> None:
        if self.opened:
            chosen = {"Sec-WebSocket-Protocol": self.subprotocol or "(none)"}
            answer = _status_line(HTTPStatus.SWITCHING_PROTOCOLS)
            self.line.heard("answer", answer, chosen if self.offered else None)
        elif self.refused is not None:
            self.line.heard("answer", _status_line(self.refused))
        else:
            self.line.heard("silence", f"no answer: {self.trouble}")

    @property
    def opened(self) -> bool:
        return self._connection is not None

    @property
    def greeted(self) -> bool:
        """Whether a greeting is among the frames so far, whoever's it is."""
        return any(map(is_greeting, self.frames))

    @property
    def ended(self) -> bool:
        """Whether no frame can come any more: refused, closed, or cut off by us."""
        return not self.opened or self.close_code is not None or self._cut_off

    def receive(self, patience: float = PATIENCE) -> Any:
        """The next frame, parsed if it is JSON; None if the socket closed or time ran out."""
        end = time.monotonic() + patience
        while is_presence(frame := self._next(patience)):
            self.presence.append(self.frames.pop())
            patience = max(0.0, end - time.monotonic())
        return frame

    def _next(self, patience: float) -> Any:
        """The next frame, whatever it is about."""
        from websockets.exceptions import ConnectionClosed

        if self.ended:
            return None
        try:
            with waiting_for("the next frame of a WebSocket"):
                frame = self._connection.recv(timeout=at_most(patience), decode=False)
        except TimeoutError:
            self.trouble = f"nothing more arrived within {patience:g} s"
            if patience >= _SHORTEST_SILENCE:
                self.line.heard("silence", f"nothing for {patience:.2g} s")
            return None
        except ConnectionClosed as closed:
            self._note_end(closed)
            return None
        return self._keep(frame)

    def _note_end(self, closed: Any) -> None:
        """Remember why no frame can come any more; `closed` is a ConnectionClosed."""
        if closed.rcvd is None and closed.sent is not None and closed.sent.code != 1000:
            # It broke a rule of the protocol, and our side hung up.
            self._cut_off = True
            reason = closed.sent.reason or "it does not follow the WebSocket protocol"
            self.trouble = f"what it sent could not be read: {reason}"
            self.line.sent("close", f"close {closed.sent.code} {reason}")
        else:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006
            reason = closed.rcvd.reason if closed.rcvd else "(no close frame came)"
            self.line.heard("close", f"close {self.close_code} {reason}".rstrip())

    def _keep(self, frame: bytes) -> Any:
        """The frame parsed and remembered; None if the socket has sent too much by now."""
        self._count += 1
        self._bytes += len(frame)
        if self._count > _MOST_FRAMES or self._bytes > MOST_BYTES:
            self._cut_off = True
            self.trouble = f"more and more frames: {self._count:,} so far"
            self.line.heard("frame", self.trouble)
            return None
        self.line.heard("frame", frame[:MOST_BYTES].decode("utf-8", errors="replace"))
        value = parsed(frame)
        value = "null" if value is None else value  # None says that nothing came
        self.frames.append(value)
        return value

    def event(self, kind: str, patience: float = PATIENCE) -> Any:
        """Read on to the next frame of that type; None if it did not come in that time."""
        end = time.monotonic() + patience
        while (frame := self.receive(max(0.0, end - time.monotonic()))) is not None:
            if isinstance(frame, dict) and frame.get("type") == kind:
                return frame
        return None

    def until_closed(self, patience: float = PATIENCE) -> int | None:
        """Read all there is; the close code, None if the socket was still open after that time."""
        end = time.monotonic() + patience
        while self.receive(max(0.0, end - time.monotonic())) is not None:
            pass
        return self.close_code

    def send(self, message: Any) -> bool:
        """Send text, bytes, or anything else as JSON; False if the socket has gone."""
        from websockets.exceptions import ConnectionClosed

        raw = message if isinstance(message, (str, bytes)) else json.dumps(message)
        try:
            self._connection.send(raw)
        except (ConnectionClosed, AttributeError):
            return False
        self.line.sent(
            "frame", raw if isinstance(raw, str) else f"{len(raw)} bytes: {raw!r}"
        )
        return True

    def __str__(self) -> str:
        """What happened so far, as a sentence part: for the learner to read."""
        if self.refused is not None:
            return f"handshake refused with HTTP {self.refused}"
        if not self.opened:
            return f"no handshake: {self.trouble}"
        shown = self.frames[:_SHOWN_FRAMES]
        parts = [shorten(frame) for frame in shown] or ["no frame"]
        if more := len(self.frames) - len(shown):
            parts.append(f"{more:,} more frames")
        if self.close_code is not None:
            parts.append(f"closed with {self.close_code}")
        elif self.trouble:
            parts.append(self.trouble)
        else:
            parts.append("still open")
        return "accepted, " + ", then ".join(parts)

    def close_with(self, code: int) -> None:
        """Close it with that code instead of the usual 1000."""
        self.line.sent("close", f"close {code}")
        self._connection.close(code)
        self._closed = True
        self._closing.close()

    def cut(self) -> None:
        """Lose the connection, as a phone in a tunnel does: no close frame is sent."""
        self.line.sent("close", "the connection is cut")
        self._connection.socket.shutdown(socket.SHUT_RDWR)
        self._closed = True
        self._closing.close()

    def close(self) -> None:
        if not self.ended and not self._closed:
            self.line.sent("close", "close 1000")
        self._closed = True
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

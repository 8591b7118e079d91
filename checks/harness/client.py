"""The learner's project seen from outside: plain HTTP requests and real WebSockets."""

from __future__ import annotations

import html
import http.client
import json
import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from checks.errors import Place

# Long enough for a slow laptop; every wait says what it waited for. Seconds.
PATIENCE = 10.0


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
) -> Answer:
    """One HTTP request with an optional JSON body and access token; raises NoAnswer."""
    sent = {"Accept": "application/json", **(headers or {})}
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    if token:
        sent["Authorization"] = f"Bearer {token}"
    make = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = make(host, port, timeout=patience)
    try:
        connection.request(method, path, body=payload, headers=sent)
        response = connection.getresponse()
        raw = response.read()
    except TimeoutError as error:
        raise NoAnswer(f"{method} {path} got no answer within {patience:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        what = str(error) or type(error).__name__
        raise NoAnswer(f"{method} {path} got no answer: {what}") from error
    finally:
        connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(f"{method} {path}", response.status, found, _parse(raw))


def _parse(raw: bytes) -> Any:
    text = raw.decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def shorten(value: Any, length: int = 300) -> str:
    """A value on one line, cut where it gets long; of an error page its title."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if title := _TITLE.search(text):
        text = html.unescape(title[1])
    # Django's error page as plain text: what follows describes the request and the machine.
    text = text.partition("\n\nRequest Method:")[0]
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."


@dataclass
class Socket:
    """A WebSocket to the project, or the refusal that came instead.

    `refused` is the HTTP status of a refused handshake (None once it is open); `frames`
    is what arrived so far; `close_code` is set when the other side has closed.
    """

    url: str
    refused: int | None = None
    subprotocol: str | None = None
    offered: list[str] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)
    close_code: int | None = None
    trouble: str = ""
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
    ) -> Self:
        """Try the handshake; a refusal or a dead server is a result, not an error.

        `at` is the host and port to connect to instead of the ones in the URL.
        """
        from websockets.exceptions import InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect

        found = cls(url, offered=list(subprotocols or ()))
        try:
            opening = connect(
                url,
                sock=socket.create_connection(at, timeout=patience) if at else None,
                origin=origin,
                subprotocols=subprotocols,
                additional_headers=headers,
                open_timeout=patience,
                close_timeout=2,
                proxy=None,
                compression=None,
            )
            found._connection = found._closing.enter_context(opening)
            found.subprotocol = found._connection.subprotocol
        except InvalidStatus as error:
            found.refused = error.response.status_code
        except (OSError, InvalidHandshake, EOFError) as error:
            found.trouble = str(error) or type(error).__name__
        return found

    @property
    def opened(self) -> bool:
        return self._connection is not None

    def receive(self, patience: float = PATIENCE) -> Any:
        """The next frame, parsed if it is JSON; None if the socket closed or time ran out."""
        from websockets.exceptions import ConnectionClosed

        if not self.opened or self.close_code is not None:
            return None
        try:
            frame = self._connection.recv(timeout=patience)
        except TimeoutError:
            self.trouble = f"nothing more arrived within {patience:g} s"
            return None
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006
            return None
        parsed = _parse(frame if isinstance(frame, bytes) else frame.encode())
        self.frames.append(parsed)
        return parsed

    def event(self, kind: str, patience: float = PATIENCE) -> Any:
        """Read on to the next frame of that type; None if it never came."""
        while (frame := self.receive(patience)) is not None:
            if isinstance(frame, dict) and frame.get("type") == kind:
                return frame
        return None

    def until_closed(self, patience: float = PATIENCE) -> int | None:
        """Read all there is; the close code, None if the socket stayed open."""
        while self.receive(patience) is not None:
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
        return True

    def __str__(self) -> str:
        """What happened so far, as a sentence part: for the learner to read."""
        if self.refused is not None:
            return f"handshake refused with HTTP {self.refused}"
        if not self.opened:
            return f"no handshake: {self.trouble}"
        parts = [shorten(frame) for frame in self.frames] or ["no frame"]
        if self.close_code is not None:
            parts.append(f"closed with {self.close_code}")
        elif self.trouble:
            parts.append(self.trouble)
        else:
            parts.append("still open")
        return "accepted, " + ", then ".join(parts)

    def close(self) -> None:
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

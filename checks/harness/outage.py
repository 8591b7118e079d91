"""A network that fails when a check says so: a service is down, or takes and never answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, Self

_Fault = Literal["down", "silent"]


class Link:
    """Forwards a free port of 127.0.0.1 to another one, except while it has a fault.

    While it is `down`, connections end at once; while it is `silent`, what is sent is read,
    and nothing ever comes back.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._fault: _Fault | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def start(self) -> Self:
        threading.Thread(target=self._serve, name="link", daemon=True).start()
        return self

    def close(self) -> None:
        """Cut all connections, for good."""
        self._become("down")
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    @contextmanager
    def fails(self, fault: _Fault) -> Iterator[None]:
        """It has that fault inside."""
        self._become(fault)
        try:
            yield
        finally:
            self._become(None)

    def _become(self, fault: _Fault | None) -> None:
        """What is open belongs to the time before."""
        with self._lock:
            self._fault = fault
            ended, self._open = self._open, set()
        for each in ended:
            _end(each)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._connect(near)

    def _connect(self, near: socket.socket) -> None:
        with self._lock:
            fault = self._fault
            if fault != "down":
                self._open.add(near)
        if fault == "silent":
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            fault = "down"
        if fault == "down":
            _end(near)
            return
        with self._lock:
            self._open.add(far)
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_forward, args=(source, target), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket) -> None:
    """Hand on what arrives, until one of the two ends."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _end(source)
    _end(target)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()

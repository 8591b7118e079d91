"""A proxy that changes requests on their way: a server that answers otherwise than it would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_END_OF_HEAD = b"\r\n\r\n"


@contextmanager
def rewriting(target: int, change: Callable[[bytes], bytes]) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to another one, where each request arrives changed.

    `change` is given the head of the first request of each connection.
    """
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(
        target=_serve, args=(server, target, change), name="rewriter", daemon=True
    ).start()
    try:
        yield server.getsockname()[1]
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()


def _serve(server: socket.socket, target: int, change: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while True:
            near, _ = server.accept()
            threading.Thread(
                target=_forward, args=(near, target, change), daemon=True
            ).start()


def _forward(near: socket.socket, target: int, change: Callable[[bytes], bytes]) -> None:
    with near, suppress(OSError):
        begun = b""
        while _END_OF_HEAD not in begun:
            if not (data := near.recv(65536)):
                return
            begun += data
        head, _, rest = begun.partition(_END_OF_HEAD)
        with socket.create_connection(("127.0.0.1", target)) as far:
            far.sendall(change(head) + _END_OF_HEAD + rest)
            threading.Thread(target=_pump, args=(near, far), daemon=True).start()
            _pump(far, near)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what one end sends, until it has no more to say."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

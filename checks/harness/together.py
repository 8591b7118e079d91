"""Opens many sockets at one moment, as many pages do when a server has been started again.

What a project keeps of one connection where another can see it shows only while both are
being opened. So every handshake is sent but for its last byte, and the last bytes of all
follow while the server is stopped: however busy the machine is, it finds them all waiting
when it goes on.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from checks.harness import client
from checks.harness.people import Person
from checks.harness.recorder import current, recording
from course.background import Background
from course.contract import is_greeting
from course.deadline import Deadline, at_most, waiting_for

Opener = Callable[[Person, "Gate"], client.Socket]


class Gate:
    """Holds the last byte of each of `count` handshakes back until all are there.

    They are sent while the process `server` is stopped, if it is given.
    """

    def __init__(self, count: int, patience: float, server: int | None = None) -> None:
        self._server = server
        self._last: list[tuple[_Held, bytes]] = []
        self._barrier = threading.Barrier(count, action=self._release, timeout=patience)

    def around(self, connected: socket.socket) -> socket.socket:
        """The same connection, whose first sending is held back."""
        return _Held(connected, self)

    def hold(self, held: _Held, last: bytes) -> None:
        """Send that byte together with those of the others; alone if they do not come."""
        self._last.append((held, last))
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            held.send(last)

    def _release(self) -> None:
        """Called once, by the last thread that arrives, before any of them goes on."""
        with stopped(self._server):
            for held, last in self._last:
                with suppress(OSError):  # its own thread will see that the server hung up
                    held.send(last)


@contextmanager
def stopped(process: int | None) -> Iterator[None]:
    """The process of that number executes nothing inside; on Windows it goes on.

    Stopping cannot be refused and costs nothing: to the process it is as if the machine had
    been busy with something else. It is milliseconds, and SIGKILL ends a stopped one too.
    """
    if process is None or os.name == "nt":
        yield
        return
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


class _Held(socket.socket):
    """A connection that sends the last byte of its first message when the gate opens."""

    def __init__(self, connected: socket.socket, gate: Gate) -> None:
        patience = connected.gettimeout()
        super().__init__(fileno=connected.detach())
        self.settimeout(patience)
        self._gate: Gate | None = gate

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """As socket.sendall(), but for the first call."""
        gate, self._gate = self._gate, None
        if gate is None:
            super().sendall(data, flags)
            return
        super().sendall(data[:-1], flags)
        gate.hold(self, bytes(data[-1:]))


@dataclass(frozen=True)
class Arrival:
    """A socket that was opened together with others, whose it should be, and its first frame."""

    person: Person
    socket: client.Socket
    frame: Any

    @property
    def greeted(self) -> bool:
        """Whether it was greeted as its own user."""
        return is_greeting(self.frame, self.person.id, self.person.username)


@contextmanager
def arrivals(
    open_one: Opener,
    people: Sequence[Person],
    *,
    server: int | None = None,
    patience: float = client.PATIENCE,
) -> Iterator[list[Arrival]]:
    """One socket for each of these people, all open at once; somebody may come many times.

    `open_one` opens a socket with the gate that it is given, at the server whose process has
    that number. All handshakes together get `patience` seconds, and so do the first frames,
    which are None where nothing came.
    """
    patience = at_most(patience)
    gate = Gate(len(people), patience, server)
    recorder = current()

    def open_recorded(person: Person) -> client.Socket:
        with recording(recorder):
            return open_one(person, gate)

    opening = [
        Background(functools.partial(open_recorded, person), "open a socket")
        for person in people
    ]
    with ExitStack() as stack:
        with waiting_for(f"the answers to {len(people)} WebSocket handshakes at once"):
            sockets = [stack.enter_context(work.result()) for work in opening]
        end = Deadline.after(patience)
        yield [
            Arrival(person, socket, socket.receive(end.left))
            for person, socket in zip(people, sockets, strict=True)
        ]

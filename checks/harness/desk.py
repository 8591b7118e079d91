"""Forks the Python programs of shell commands, which start them themselves."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from course import scratch
from course.processes import Child

# What becomes of a program: its arguments with the interpreter in front, its folder, its
# environment, and its three descriptors. Raises OSError if it is not to be forked.
Fork = Callable[[list[str], Path, dict[str, str], list[int]], Child]

_LARGEST_TASK = 1 << 20


class Desk:
    """Where probes/forked_program.py asks for a process; that one ends with who has asked."""

    def __init__(self, fork: Fork) -> None:
        """Raises OSError where no such socket can be made: its path may be too long."""
        self._fork = fork
        self._folder = scratch.make(scratch.CHECK)
        self.address = self._folder / "desk"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.bind(str(self.address))
        except OSError:
            scratch.remove(self._folder)
            raise
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._attend, args=[client], daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            child = self._begun(client)
            try:
                client.send(json.dumps({"pid": child.pid}).encode())
                threading.Thread(
                    target=_tell_end, args=[client, child], daemon=True
                ).start()
                client.recv(1)  # it says no more: that is its end
            finally:
                _end(child)

    def _begun(self, client: socket.socket) -> Child:
        message, descriptors, _, _ = socket.recv_fds(client, _LARGEST_TASK, 3)
        try:
            task = json.loads(message or b"{}")
            return self._fork(task["argv"], Path(task["cwd"]), task["env"], descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        scratch.remove(self._folder)


def _tell_end(client: socket.socket, child: Child) -> None:
    status = child.wait(threading.TIMEOUT_MAX)
    with contextlib.suppress(OSError):
        client.send(json.dumps({"status": status}).encode())


def _end(child: Child) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

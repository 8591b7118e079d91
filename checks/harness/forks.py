"""Starts programs of the project by forking an interpreter that has imported its libraries."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course.processes import START_SECONDS, Child, Process, wait_until

_SCRIPT = Path(__file__).parent.parent / "probes" / "fork_server.py"


def can_fork() -> bool:
    """Whether this system forks a Python safely.

    macOS does not: its own libraries start threads that a fork leaves behind half-way
    (docs.python.org, multiprocessing, "Contexts and start methods").
    """
    return sys.platform == "linux"


class NoAnswer(OSError):
    """The news that the fork server has ended, or never came up."""


class ForkServer:
    """One such interpreter; `start` begins a program as course.processes.Start says.

    `ready`: its imports are done. `stale`: packages have been installed since.
    """

    def __init__(self, python: Path, env: dict[str, str], script: Path = _SCRIPT) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._started: dict[int, int] = {}
        self._statuses: dict[int, int] = {}
        self._gone = False
        self.ready = False
        self.stale = False
        with theirs:
            handed = theirs.fileno()
            argv = [str(python), str(script), str(handed)]
            self._process = Process(argv, cwd=script.parent, env=env, pass_fds=[handed])
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def start(
        self, argv: list[str], cwd: Path, env: dict[str, str], stdin: int, output: int
    ) -> Child:
        """A process that runs `argv`, whose first part is the interpreter.

        Raises NoAnswer if there will be none.
        """
        return self.begin(argv, cwd, env, [stdin, output, output])

    def begin(
        self, argv: list[str], cwd: Path, env: dict[str, str], descriptors: list[int]
    ) -> Child:
        """The same with a descriptor each for standard input, output and error."""
        number = next(self._numbers)
        task = {"number": number, "argv": argv[1:], "cwd": str(cwd), "env": env}
        try:
            socket.send_fds(self._channel, [json.dumps(task).encode()], descriptors)
        except OSError as error:
            raise NoAnswer(str(error)) from error
        self._wait_for(lambda: number in self._started, START_SECONDS)
        if number not in self._started:
            raise NoAnswer("no process was forked")
        return _Forked(self._started.pop(number), self)

    def status_of(self, pid: int) -> int | None:
        """The exit status of a process that we have forked, None while it runs."""
        with self._changed:
            if pid not in self._statuses and self._gone and not _exists(pid):
                self._statuses[pid] = -signal.SIGKILL  # nobody is left to tell us
            return self._statuses.get(pid)

    def wait_for_end(self, pid: int, seconds: float) -> int | None:
        """Its exit status, or None if it is still running after that many seconds."""
        self._wait_for(lambda: pid in self._statuses, seconds)
        if self._gone:
            wait_until(lambda: self.status_of(pid) is not None, seconds=seconds)
        return self.status_of(pid)

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._gone, seconds)

    def _listen(self) -> None:
        while message := self._receive():
            with self._changed:
                if "started" in message:
                    self._started[message["started"]] = message["pid"]
                    self._statuses.pop(message["pid"], None)  # of one that had this number
                    self.stale = self.stale or bool(message["stale"])
                elif "ready" in message:
                    self.ready = True
                else:
                    self._statuses[message["ended"]] = message["status"]
                self._changed.notify_all()
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _receive(self) -> dict[str, int]:
        with contextlib.suppress(OSError):
            return json.loads(self._channel.recv(4096) or b"{}")
        return {}

    @property
    def usable(self) -> bool:
        """Whether it can be asked, and has the libraries that are installed now."""
        return not self._gone and not self.stale

    def close(self) -> None:
        """End it; the processes that it has forked belong to those who asked for them."""
        self._process.kill()
        self._listener.join(1)
        self._channel.close()


@dataclass(frozen=True)
class _Forked:
    """A process that the fork server has begun, in a group of its own."""

    pid: int
    server: ForkServer

    def poll(self) -> int | None:
        return self.server.status_of(self.pid)

    def wait(self, timeout: float) -> int:
        status = self.server.wait_for_end(self.pid, timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return status

    def terminate(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

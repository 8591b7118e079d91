"""Starts and ends other programs: never a leftover, never an endless log, never a guess."""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from course.deadline import patient
from course.output import Output

# A cold start of Django with daphne takes about a second here; a busy laptop on battery
# was seen to take eight. Seconds.
START_SECONDS = patient(25.0)
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
# How long the last output of a program that has ended may take to reach us. Seconds.
_DRAIN_SECONDS = patient(1.0)
_PROC = Path("/proc")
# In the environment of every program that we start, and so of those that it starts.
_MARK = "NUMENEON_PIPE"
# The marks of the programs that were ended, until end_left_behind() has looked for theirs.
_ended_marks: set[str] = set()
# Linux hands out ports from 32768 on, macOS and Windows from 49152 on (ip(7); IANA's dynamic
# ports). Browsers refuse some below 11,000.
_PORTS = (15_000, 32_768)
# The marks of the ports that free_port() gave: enough for all servers that run at once.
_taken: collections.deque[socket.socket] = collections.deque()
_MOST_TAKEN = 100
# What end_all() has to end, and whether it did: then nothing more is started.
_running: set[Process] = set()
_over = False


class Child(Protocol):
    """What is needed of a program that runs: subprocess.Popen has it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""

    def wait(self, timeout: float) -> int:
        """Its exit status; raises subprocess.TimeoutExpired after that many seconds."""

    def terminate(self) -> None:
        """Send it SIGTERM, if it still runs."""


# Starts a program: its arguments, its folder, its environment, and the descriptors of its
# standard input and of all that it prints. It has to lead a process group of its own.
Start = Callable[[list[str], Path, dict[str, str], int, int], Child]


def _popen(
    options: dict[str, Any],
    argv: list[str],
    cwd: Path,
    env: dict[str, str],
    stdin: int,
    output: int,
) -> Child:
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        **own_group(),
        **options,
    )


class Process:
    """One program under our control: some of its output kept, its end certain."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        start: Start | None = None,
        **popen: Any,
    ) -> None:
        """`start` begins it in another way than subprocess.Popen, for which `popen` is."""
        if _over:
            raise ChildProcessError("this process is ending and starts no other one")
        self.argv = [str(part) for part in argv]
        # Nobody writes to this pipe: it closes when we end, however, and says so (guard).
        theirs, ours = os.pipe()
        output, printing = os.pipe()
        self._pipe: int | None = ours
        self._mark = str(os.fstat(theirs).st_ino)
        self._drained = False
        self._ending = threading.Lock()
        try:
            begin = start or functools.partial(_popen, popen)
            self._child = begin(
                self.argv, cwd, {**env, _MARK: self._mark}, theirs, printing
            )
        except BaseException:
            os.close(ours)
            os.close(output)
            raise
        finally:
            os.close(theirs)
            os.close(printing)
        _running.add(self)
        self._output = Output(output)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def printed(self) -> int:
        """How many lines it has printed so far; log_since() gives what follows them."""
        return self._output.count

    def log_since(self, printed: int) -> str:
        """The kept ones of the lines that it printed after its first `printed` ones."""
        self._drain_if_ended()
        return self._output.text_since(printed)

    def log(self, last: int | None = None) -> str:
        """The last of the lines kept, which are its first and its newest ones.

        They are complete if it has ended.
        """
        self._drain_if_ended()
        return self._output.text(last)

    def _drain_if_ended(self) -> None:
        """Wait once for the rest: what keeps the pipe open after that is something else."""
        if self.exit_code is not None and not self._drained:
            self._drained = True
            self._output.has_ended(_DRAIN_SECONDS)

    @property
    def exit_code(self) -> int | None:
        return self._child.poll()

    def say(self, line: str) -> None:
        """Write one line to its standard input."""
        assert self._pipe is not None
        os.write(self._pipe, line.encode() + b"\n")

    def wait(self, seconds: float) -> int | None:
        """Its exit status, or None if it is still running after that many seconds."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def ask_to_end(self) -> None:
        """SIGTERM, as a host sends it before it takes the machine away."""
        self._child.terminate()

    def kill(self) -> None:
        """End it and all that it started, now; only the first of several calls does."""
        with self._ending:
            pipe, self._pipe = self._pipe, None
        if pipe is None:
            self.wait(_DRAIN_SECONDS)
            return
        self.kill_group()
        _ended_marks.add(self._mark)
        self.wait(_DRAIN_SECONDS)
        _running.discard(self)
        if not self._output.has_ended(_DRAIN_SECONDS / 5):
            # A child in a session of its own outlives the group and holds our pipe.
            end_left_behind()
            self._output.has_ended(_DRAIN_SECONDS)
        os.close(pipe)

    def kill_group(self) -> None:
        """SIGKILL for it and all that it started, without a wait for their end."""
        if os.name == "nt":
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(self.pid)], capture_output=True
            )
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def end_left_behind() -> None:
    """End what the programs that were killed so far have started and left behind.

    A child that began a session of its own is in no group of ours any more, but it has
    inherited our mark in its environment. Only where there is a /proc; elsewhere the
    guard in every Python that a check starts ends it together with its standard input.
    """
    marks: set[bytes] = set()
    while _ended_marks:  # one by one: other threads may add theirs at this moment
        marks.add(f"{_MARK}={_ended_marks.pop()}".encode())
    if not marks:
        return
    for _ in range(3):  # what is ended may have started another one meanwhile
        found = [pid for pid in _foreign_pids() if marks & _environment_of(pid)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _foreign_pids() -> list[int]:
    try:
        names = os.listdir(_PROC)
    except FileNotFoundError:
        return []
    return [int(name) for name in names if name.isdecimal() and int(name) != os.getpid()]


def _environment_of(pid: int) -> set[bytes]:
    """The variables that a process was started with; none if they are not ours to read."""
    try:
        return set((_PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    except OSError:  # it has ended, or somebody else runs it
        return set()


def end_all(seconds: float = 3.0) -> None:
    """End whatever this process has started, from any thread; nothing more starts then.

    Takes no lock that another thread could hold. Programs of ours are asked first and have
    so many seconds: a PostgreSQL that is only killed leaves its shared memory behind, and so
    does the initdb that makes its folder.
    """
    global _over
    _over = True
    alive = [process for process in list(_running) if process.exit_code is None]
    supervised = {process.pid for process in alive if str(_SUPERVISOR) in process.argv}
    for process in alive:
        if process.pid not in supervised:
            process.kill_group()
    _ask(supervised.union(_below(os.getpid(), deep=False)))
    # An initdb ends once its postgres does. In its first phase that one would leave its
    # memory when it is asked, and is done soon; in its second it must be asked itself.
    if not wait_until(lambda: not _below(os.getpid()), seconds=seconds / 2):
        _ask(_below(os.getpid()))
        wait_until(lambda: not _below(os.getpid()), seconds=seconds / 2)
    for process in alive:
        if process.exit_code is None:
            process.kill_group()
        _ended_marks.add(process._mark)
    end_left_behind()
    _ask(_below(os.getpid()), getattr(signal, "SIGKILL", signal.SIGTERM))


def _ask(pids: Iterable[int], number: int = signal.SIGTERM) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _below(top: int, *, deep: bool = True) -> list[int]:
    """The processes that one has started, and if `deep` those that these have, and so on.

    [] where there is no /proc.
    """
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # pid (name, which may hold anything) state parent ...
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.name))
    found = list(children.get(top, ()))
    for pid in found if deep else ():
        found += children.get(pid, ())  # and the loop goes on with these
    return found


def supervised(
    argv: Sequence[str | Path], *, user: int | None = None, **options: Any
) -> Process:
    """Start a program that is not Python so that it, too, ends when we do.

    `user` is the number of the user that it runs as, if not this one.
    """
    who = "-" if user is None else str(user)
    return Process([sys.executable, "-S", _SUPERVISOR, who, *argv], **options)


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago, and is given to nobody else.

    It is below those that a system hands out by itself, so no outgoing connection gets it
    while a server is being started or started again. To our other processes the UDP port of
    that number says that it is taken, until this one ends or has asked for many more.
    """
    while True:
        port = random.randrange(*_PORTS)
        mark = socket.socket(type=socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        _taken.append(mark)
        if len(_taken) > _MOST_TAKEN:
            _taken.popleft().close()
        return port


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections at that port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def listens(process: Process, port: int) -> bool:
    """Wait until that process serves at the port; False if it ended, or the time is over."""
    return wait_until(
        lambda: process.exit_code is None and listening(port),
        seconds=START_SECONDS,
        alive=lambda: process.exit_code is None,
    )


def start_on_free_port(
    start: Callable[[int], Process], is_up: Callable[[Process, int], bool], tries: int = 3
) -> tuple[Process, int, bool]:
    """Start a server at a free port, and again at another if somebody took it in between.

    `start` gets the port, `is_up` waits and says whether the server is there. Gives the
    last process, its port and whether it is up; one that is not up may still be running.
    """
    while True:
        port = free_port()
        if listening(port):  # or we would talk to a stranger
            continue
        process = start(port)
        if is_up(process, port):
            return process, port, True
        tries -= 1
        if not tries or "in use" not in process.log():
            return process, port, False
        process.kill()


def wait_until(
    condition: Callable[[], bool],
    *,
    seconds: float,
    alive: Callable[[], bool] | None = None,
) -> bool:
    """Ask again and again until the condition holds; False if time or `alive` ran out."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if condition():
            return True
        if alive and not alive():
            return condition()
        time.sleep(poll_interval(began))
    return False


def poll_interval(began: float) -> float:
    """How many seconds until a condition is asked again that has been since `began`
    (time.monotonic()). No guess at how long a thing takes: the longer it takes, the less an
    answer costs that comes a tenth later, and asking is work as well."""
    return min(max(0.005, (time.monotonic() - began) / 10), 0.1)


def prints(process: Process, word: str, *, seconds: float) -> bool:
    """Wait for that word in what a process prints, until it ends or the time is over."""
    return wait_until(
        lambda: word in process.log(),
        seconds=seconds,
        alive=lambda: process.exit_code is None,
    )


def own_group() -> dict[str, Any]:
    """Options of Popen for a process that a Ctrl-C at our terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}

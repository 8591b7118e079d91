"""Ctrl-C, SIGTERM, a closed terminal: any number of them ends the command, soon and cleanly.

The first signal raises in the main thread, so that everything is taken down in order. An
exception that a handler raises may cut through a lock that a library holds, so no later
signal raises: a second one could leave a lock taken for ever, with a thread behind it. What
they do instead is make the watchdog impatient.

The watchdog is a thread that sleeps until the first signal. If the process has not ended
some time after it, or a moment after the second, the watchdog ends the programs that we
started, removes our scratch folders, puts the terminal back, and ends the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from course import processes, scratch

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
# PostgreSQL is given five seconds to end tidily; everything else takes one. Seconds.
PATIENCE = 8.0
# After a second signal: what a run without services needs to take itself down. Seconds.
IMPATIENCE = 1.0

_raised = False
_last_acts: list[Callable[[], None]] = []


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with its signals handled; its exit status.

    The way in of a process: everything else, imports included, happens inside.
    """
    try:
        install()
        from workshop import cli

        return cli.main(argv)
    except KeyboardInterrupt:
        return 130
    finally:
        if not _quiet():
            # Cut short anywhere: what nobody holds in a variable yet ends here.
            processes.end_all()


def install() -> None:
    """Handle the signals that end a program. One that is ignored (nohup) stays ignored."""
    theirs, ours = socket.socketpair()
    ours.setblocking(False)  # what set_wakeup_fd() insists on
    # Registered first, so done last: when all is removed, Python gives each signal back its
    # default action, and one more would make the exit status that of a killed process.
    atexit.register(_ignore)
    with _held_back():
        # Python tries out the temporary directory with a file when it is first asked for
        # it; a signal that ended that half-way would leave the file.
        tempfile.gettempdir()
        # Written to by the C handler, even if the main thread never runs Python again.
        signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
        # Started here, it holds signals back for good: they go to the main thread.
        watchdog = threading.Thread(
            target=_watch, args=(theirs, ours), name="watchdog", daemon=True
        )
        watchdog.start()
        for number in _numbers():
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _end)


def _numbers() -> list[int]:
    """The signals that this system has of those that end a program."""
    return [int(getattr(signal, name)) for name in SIGNALS if hasattr(signal, name)]


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Signals that come inside arrive at its end."""
    if os.name == "nt":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore() -> None:
    if os.name != "nt":
        # Those that came are handled now, and no other comes between: Python complains of
        # a signal that came before its handler was changed and is looked at afterwards.
        signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())
    for number in _numbers():
        signal.signal(number, signal.SIG_IGN)


def _quiet() -> bool:
    """Whether no signal has come. From now on none raises: Python takes itself down, and
    could only print a traceback. The watchdog still ends a process that hangs."""
    global _raised
    came, _raised = _raised, True
    return not came


@contextlib.contextmanager
def last_act(act: Callable[[], None]) -> Iterator[None]:
    """Inside, `act` is done even if the process has to be ended the hard way."""
    _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


def _end(number: int, frame: object) -> None:
    """The handler: raises for the first signal, and only for that."""
    global _raised
    if _raised:
        return
    _raised = True
    _tell("\nStopping ...\n")
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _tell(text: str) -> None:
    # Not print(): the signal may have come in the middle of another print(). And not to a
    # terminal that was halted with Ctrl-S, or behind a pipe that nobody reads: it would wait.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = sys.stderr.fileno()
        if os.name == "nt" or select.select([], [descriptor], [], 0)[1]:
            os.write(descriptor, text.encode())


def _watch(signals: socket.socket, _kept_open: socket.socket) -> None:
    """The watchdog's thread: ends the process if the signals that came do not."""
    ours = set(_numbers())
    came: list[int] = []
    end = float("inf")
    while (left := end - time.monotonic()) > 0:
        signals.settimeout(None if left == float("inf") else left)
        with contextlib.suppress(TimeoutError):
            before = len(came)
            came += [number for number in signals.recv(4096) if number in ours]
            if len(came) > before:  # and not a signal that somebody else handles
                patience = PATIENCE if len(came) == 1 else IMPATIENCE
                end = min(end, time.monotonic() + patience)
    _end_now(came[0])


def _end_now(number: int) -> NoReturn:
    """End this process from any thread, whatever the others do, and take all along."""
    try:
        processes.end_all()
        scratch.remove_all()
        for act in list(_last_acts):
            act()
        _tell("Stopped.\n")
    finally:
        os._exit(128 + number)

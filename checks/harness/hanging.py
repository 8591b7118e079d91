"""Finds the line at which a process of the project hangs."""

from __future__ import annotations

import contextlib
import os
import re
import signal

from checks.errors import Place
from checks.harness.sandbox import Sandbox
from course.processes import Process, wait_until

# How long its threads may take to be listed. Seconds.
_LISTING_SECONDS = 2.0
_THREAD = re.compile(
    r"^(?:Current thread|Thread) 0x\w+.*\(most recent call first\):$", re.MULTILINE
)


def hanging_at(process: Process, sandbox: Sandbox) -> Place | None:
    """The line of the project that a process is at; None if it is at none, or cannot say.

    The guard in each Python that we start prints where all threads are when it gets this
    signal, even if the interpreter never comes to run a handler of its own: faulthandler does.
    """
    number = getattr(signal, "SIGUSR1", None)
    if number is None or process.exit_code is not None:
        return None
    printed = process.printed
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)
    # The thread that gets the signal is the main one, and comes last.
    wait_until(
        lambda: (
            "Current thread" in process.log_since(printed) or process.exit_code is not None
        ),
        seconds=_LISTING_SECONDS,
    )
    wait_until(lambda: _is_whole(process.log_since(printed)), seconds=0.2)
    *others, main = ["", *_THREAD.split(process.log_since(printed))[1:]]
    for thread in [main, *(other for other in others if _answers(other))]:
        # As a traceback: the most recent call last.
        if place := sandbox.place_in("\n".join(reversed(thread.splitlines()))):
            return place
    return None


def _answers(thread: str) -> bool:
    """Whether it runs a view or a synchronous consumer, and not what the project does aside."""
    return "/django/core/handlers/" in thread or "/asgiref/" in thread


def _is_whole(listing: str) -> bool:
    return listing.rstrip().endswith(" in <module>")


def being(at: Place | None) -> str:
    """Where it is, to be put behind what a process does; '' if that is not known."""
    return f" (it does not get past {at.file}, line {at.line})" if at else ""

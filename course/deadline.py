"""How long the work of this thread may still take, and what it is waiting for."""

from __future__ import annotations

import contextlib
import contextvars
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

# How many times as long as a machine with nothing else to do this one may take for the same.
_PATIENCE = max(1.0, float(os.environ.get("NUMENEON_PATIENCE", "1")))


def patient(seconds: float) -> float:
    """That many seconds, or NUMENEON_PATIENCE times as many on a machine that is slow or busy.

    For what has to come and whose absence is a failure, never for a silence that is observed.
    """
    return seconds * _PATIENCE


@dataclass
class Deadline:
    """A moment of the monotonic clock; `waiting_for` completes "it was waiting for ..."."""

    end: float
    waiting_for: str = ""

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The seconds that are left, 0 if the time is over."""
        return max(0.0, self.end - time.monotonic())


# Each thread that is started begins without one, so a server that is prepared in the
# background is not given up because the item that also wants it has little time left.
_current: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar(
    "deadline", default=None
)


@contextlib.contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """What this thread does inside keeps that deadline."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


def at_most(seconds: float) -> float:
    """That many seconds, or those that are left to this thread if they are fewer."""
    current = _current.get()
    return seconds if current is None else min(seconds, current.left)


@contextlib.contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Say what this thread waits for inside, for whoever runs out of patience with it."""
    current = _current.get()
    if current is None:
        yield
        return
    before, current.waiting_for = current.waiting_for, what
    try:
        yield
    finally:
        current.waiting_for = before

"""Makes things at most once a run, and takes all of them away again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar

from checks.errors import EnvironmentFault, NotYet
from course import processes
from course.background import Background, all_ended
from course.deadline import waiting_for

T = TypeVar("T")
# How long close() waits for what is still being made, once all processes have ended.
_CLOSING_SECONDS = 5.0


class Resources:
    """What one run has made so far.

    Whatever fails while it is made keeps failing with the same exception instance: that
    is how the runner knows one root cause from two.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, BaseException | None]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()
        self._cleanups: list[Callable[[], None]] = []
        self._closed = False
        self._prefetched: list[Background[object]] = []

    def once(self, key: str, make: Callable[[], T]) -> T:
        """The value that `make` gives, made at most once a run; its error is kept too.

        Items and prefetching threads ask for the same things at the same time: each key has
        a lock of its own, so that making a server does not hold up who wants a database,
        and it is re-entrant, because making one thing may ask for another.
        """
        with self._lock:
            lock = self._locks.setdefault(key, threading.RLock())
        with waiting_for(key), lock:
            if key not in self._made:
                try:
                    self._made[key] = (make(), None)
                except (NotYet, EnvironmentFault) as error:
                    self._made[key] = (None, error)
            value, failure = self._made[key]
        if failure:
            raise failure
        return value

    def prefetch(self, make: Callable[[Self], object]) -> None:
        """Begin to make something in the background; errors wait for who asks for it."""
        self._prefetched.append(Background(lambda: make(self), "prefetch"))

    def at_end(self, cleanup: Callable[[], None]) -> None:
        """Call this when the run is over, however it ends; at once if it is over already."""
        with self._lock:
            if not self._closed:
                self._cleanups.append(cleanup)
                return
        cleanup()

    def close(self) -> None:
        """Take away what was made, newest first. A second call does nothing.

        A thread that hangs in spite of that is left behind: it ends with the program.
        """
        with self._lock:
            self._closed = True
            cleanups, self._cleanups = self._cleanups[::-1], []
        for cleanup in cleanups:
            cleanup()
        all_ended(self._prefetched, _CLOSING_SECONDS)
        processes.end_left_behind()

"""Work in a thread that can be given up: one that hangs does not keep the program from ending.

The threads of concurrent.futures are joined when the interpreter exits, so a single one that
waits forever would hang the command after its verdict.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """A function that runs in a daemon thread of its own, from now on."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._value: T
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001 - result() raises it
            self._error = error

    def ended(self, seconds: float) -> bool:
        """Wait at most that long; whether the function has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the function returned, once it has ended; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value


def all_ended(tasks: Iterable[Background[T]], seconds: float) -> bool:
    """Wait at most that long for all of them together."""
    end = time.monotonic() + seconds
    return all(task.ended(max(0.0, end - time.monotonic())) for task in tasks)

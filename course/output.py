"""What a program prints: its first and its newest lines, and up to the moment when one asks."""

from __future__ import annotations

import collections
import itertools
import os
import select
import threading

_KEPT_LINES = 400
_LONGEST_LINE = 2_000
# All that a pipe holds, so one read takes what was printed until then. Bytes.
_CAPACITY = 65_536
# Windows cannot tell whether there is something to read: there, the newest may be missing.
_CAN_ASK = hasattr(select, "poll")


class Output:
    """Reads a pipe in a thread of its own, until nobody can write to it any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._first: list[str] = []
        self._newest: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._rest = b""
        self._count = 0
        self._open = True
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """How many lines there were so far."""
        self._catch_up()
        return self._count

    def text(self, last: int | None = None) -> str:
        """The lines kept, or that many of them, the last ones."""
        self._catch_up()
        with self._reading:
            return self._text(self._count if last is None else last)

    def text_since(self, count: int) -> str:
        """The kept ones of the lines after the first `count` ones."""
        self._catch_up()
        with self._reading:
            # Lines between the first and the newest ones were dropped.
            dropped = self._count - len(self._first) - len(self._newest)
            newest = itertools.islice(
                self._newest, max(0, count - len(self._first) - dropped), None
            )
            return "\n".join([*self._first[count:], *newest])

    def _text(self, last: int) -> str:
        return "\n".join([*self._first, *self._newest][-last:]) if last > 0 else ""

    def has_ended(self, seconds: float) -> bool:
        """Wait for its end; False if there was none after that many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _read(self) -> None:
        while self._open:
            if _CAN_ASK:
                # Not with the lock: who asks for the text does not wait for more of it.
                self._has_news(None)
                self._catch_up()
            else:
                self._take()
        # Closed here and nowhere else: close() in another thread waits for this one's read.
        os.close(self._descriptor)

    def _catch_up(self) -> None:
        """Take what is there. A program that has answered us has printed before that, but our
        thread may not have had its turn since."""
        if not _CAN_ASK:
            return
        with self._reading:
            if self._open and self._has_news(0):
                self._take()

    def _has_news(self, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def _take(self) -> None:
        taken = os.read(self._descriptor, _CAPACITY)
        *lines, self._rest = (self._rest + taken).split(b"\n")
        if not taken and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            self._keep(self._without_full_pieces(line))
        self._rest = self._without_full_pieces(self._rest)
        self._open = bool(taken)

    def _without_full_pieces(self, line: bytes) -> bytes:
        """Keep what a line has beyond the longest one, in pieces; the last piece."""
        while len(line) > _LONGEST_LINE:
            self._keep(line[:_LONGEST_LINE])
            line = line[_LONGEST_LINE:]
        return line

    def _keep(self, line: bytes) -> None:
        kept = self._first if len(self._first) < _KEPT_LINES else self._newest
        kept.append(line.decode("utf-8", errors="replace").rstrip("\r"))
        self._count += 1

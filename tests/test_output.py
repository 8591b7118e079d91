"""What a program prints is there as soon as it was printed, and never too much of it."""

import os
import threading
from collections.abc import Iterator

import pytest

from course import output
from course.output import Output


class Pipe:
    """The end that a program writes to, and ours."""

    def __init__(self) -> None:
        theirs, self._ours = os.pipe()
        self.output = Output(theirs)

    def print(self, data: bytes) -> None:
        os.write(self._ours, data)

    def close(self) -> None:
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()
    assert made.output.has_ended(60)


looks_into_pipes = pytest.mark.skipif(
    not output._CAN_ASK, reason="this system cannot look into a pipe"
)


@looks_into_pipes
def test_what_was_printed_is_there_although_the_thread_had_no_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that has answered has printed before that: a check may rely on it."""
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    theirs, ours = os.pipe()
    printed = Output(theirs)

    os.write(ours, b"one\n")
    before = printed.count
    os.write(ours, b"two\nthr")

    assert before == 1
    assert printed.text_since(before) == "two"
    os.write(ours, b"ee\n")
    assert printed.text() == "one\ntwo\nthree"
    assert printed.text(1) == "three"
    os.close(ours)
    os.close(theirs)


def test_last_line_may_have_no_end(pipe: Pipe) -> None:
    """When the program has ended, so has its line; Windows ends lines in two characters."""
    pipe.print(b"one\r\n\nlast")
    pipe.close()

    assert pipe.output.has_ended(60)
    assert pipe.output.text() == "one\n\nlast"


def test_what_was_printed_before_is_never_among_what_follows(pipe: Pipe) -> None:
    """However much follows: a check would blame it for an old traceback."""
    pipe.print(b"".join(b"%d\n" % number for number in range(1000)))
    pipe.close()

    assert pipe.output.has_ended(60)
    newest = list(range(600, 1000))
    for count in (0, 2, 399, 400, 500, 600, 998, 1000):
        since = [int(line) for line in pipe.output.text_since(count).split()]
        assert since == [n for n in [*range(400), *newest] if n >= count]


@looks_into_pipes
def test_long_line_that_comes_in_two_writes_has_one_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its end is not taken for an empty line."""
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    monkeypatch.setattr(output, "_LONGEST_LINE", 10)
    theirs, ours = os.pipe()
    printed = Output(theirs)

    os.write(ours, b"x" * 20)
    assert printed.count == 1
    os.write(ours, b"\nnext\n")

    assert printed.text().splitlines() == ["x" * 10, "x" * 10, "next"]
    os.close(ours)
    os.close(theirs)


def test_long_lines_and_many_of_them_are_kept_in_part(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line without an end is cut; of many lines, the first and the newest ones are kept."""
    monkeypatch.setattr(output, "_LONGEST_LINE", 10)
    monkeypatch.setattr(output, "_KEPT_LINES", 3)

    pipe.print(b"x" * 25 + b"\n")
    pipe.print(b"".join(b"%d\n" % number for number in range(1000)))
    pipe.close()

    assert pipe.output.has_ended(60)
    kept = pipe.output.text().splitlines()
    assert kept[:3] == ["x" * 10, "x" * 10, "x" * 5]
    assert kept[-1] == "999"
    assert len(kept) < 500
    assert pipe.output.text_since(1002) == "999"
    assert pipe.output.text_since(1003) == ""

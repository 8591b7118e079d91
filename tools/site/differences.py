"""What changes from one step to the next, line by line."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import course
from course import Step
from course.files import files_of


@dataclass(frozen=True)
class Hunk:
    """Lines `old_first..old_last` become lines `first..last`, counted from 0, ends excluded."""

    old_first: int
    old_last: int
    first: int
    last: int


@dataclass(frozen=True)
class Change:
    """One file that differs between two steps; `before` or `after` is None if it is missing."""

    path: str
    before: str | None
    after: str | None

    @property
    def old(self) -> list[str]:
        """The lines before, without their ends."""
        return (self.before or "").splitlines()

    @property
    def new(self) -> list[str]:
        """The lines after, without their ends."""
        return (self.after or "").splitlines()

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """Where they differ, in the order of the file."""
        return hunks(self.before or "", self.after or "")

    @property
    def added(self) -> int:
        return sum(hunk.last - hunk.first for hunk in self.hunks)

    @property
    def removed(self) -> int:
        return sum(hunk.old_last - hunk.old_first for hunk in self.hunks)

    @property
    def kind(self) -> str:
        """`new`, `deleted` or `changed`."""
        if self.before is None:
            return "new"
        return "deleted" if self.after is None else "changed"

    def unified(self) -> list[str]:
        """The unified diff without its two header lines; [] for an empty new file."""
        lines = difflib.unified_diff(self.old, self.new, lineterm="")
        return list(lines)[2:]


def is_test(path: str) -> bool:
    """Whether a file of a step is one of its tests."""
    return "/tests/" in path


def is_readme(path: str) -> bool:
    """Whether a file is a step's README, which describes the step and is not a part of it."""
    return path.rpartition("/")[2].lower() == "readme.md"


@functools.lru_cache(maxsize=4096)
def hunks(before: str, after: str) -> tuple[Hunk, ...]:
    """The places where two texts differ: a page asks for those of one file many times."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    found = (
        Hunk(a, b, c, d) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"
    )
    return tuple(part for hunk in found for part in _at_its_own_end(hunk, new))


def _at_its_own_end(hunk: Hunk, new: Sequence[str]) -> tuple[Hunk, ...]:
    """A change inside a function of JavaScript, apart from the functions added below it.

    difflib takes the last `}` for the one that was there, and not that of the function.
    """
    lines = new[hunk.first : hunk.last]
    if hunk.old_first == hunk.old_last or "}" not in lines or new[hunk.last :][:1] != ["}"]:
        return (hunk,)
    end = hunk.first + lines.index("}")
    below = hunk.old_last + 1
    return (
        Hunk(hunk.old_first, hunk.old_last, hunk.first, end),
        Hunk(below, below, end + 1, hunk.last + 1),
    )


def before(step: Step) -> Step | None:
    """The step before that one, None for the first."""
    return course.step(step.number - 1) if step.number else None


def text_of(step: Step, path: str) -> str | None:
    """A file of a step, None if it has none of that path."""
    file = f"{step.folder}/{path}"
    try:
        status = os.stat(file)
        return _read(file, status.st_mtime_ns, status.st_size)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
        return None


@functools.lru_cache(maxsize=4096)
def _read(file: str, changed: int, size: int) -> str:
    """A file's text, read again once it has changed: a site is built many times a day."""
    return Path(file).read_text("utf-8")


def changes(a: Step, b: Step) -> tuple[Change, ...]:
    """The files that differ between two steps, sorted by path, READMEs left out."""
    names = {*files_of(a.folder), *files_of(b.folder)}
    pairs = (
        Change(path, text_of(a, path), text_of(b, path))
        for path in sorted(names)
        if not is_readme(path)
    )
    return tuple(change for change in pairs if change.before != change.after)


def changes_of(step: Step) -> tuple[Change, ...]:
    """What a step changes; for the first step, all its files are new."""
    previous = before(step)
    if previous:
        return changes(previous, step)
    return tuple(
        Change(path, None, text_of(step, path))
        for path in files_of(step.folder)
        if not is_readme(path)
    )


def widened(lines: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """A range of lines together with the blank lines around it."""
    while first > 0 and not lines[first - 1].strip():
        first -= 1
    while last < len(lines) and not lines[last].strip():
        last += 1
    return first, last


def covered(change: Change, ranges: Iterable[tuple[int, int]]) -> set[int]:
    """The lines of the new text within one of the ranges, blank lines around them included."""
    new = change.new
    return {
        number for first, last in ranges for number in range(*widened(new, first, last))
    }


def unshown(change: Change, ranges: Sequence[tuple[int, int]]) -> list[str]:
    """The changed lines that no range of the new text shows, as `+line` and `-line`.

    A line that goes is shown where a range holds the lines on both sides of the gap, as far
    as there are any.
    """
    old, new = change.old, change.new
    shown = covered(change, ranges)
    missing: list[str] = []
    for hunk in change.hunks:
        lines = range(hunk.first, hunk.last)
        missing += [f"+{new[n]}" for n in lines if n not in shown and new[n].strip()]
        if not lines and not _shows_gap(hunk.first, len(new), shown):
            missing += [f"-{line}" for line in old[hunk.old_first : hunk.old_last]]
    return missing


def applied(change: Change, ranges: Sequence[tuple[int, int]]) -> str:
    """The old text after every edit that lies within the ranges of the new one.

    Equal to the new text if the ranges show all that changed. A hunk that they show in
    part is applied in part: the old lines go with the first new line that is shown.
    """
    old = (change.before or "").splitlines(keepends=True)
    new = (change.after or "").splitlines(keepends=True)
    shown = covered(change, ranges)
    made: list[str] = []
    position = 0
    for hunk in change.hunks:
        made += old[position : hunk.old_first]
        position = hunk.old_last
        lines = [new[number] for number in range(hunk.first, hunk.last) if number in shown]
        gap = hunk.first == hunk.last and _shows_gap(hunk.first, len(new), shown)
        made += lines if lines or gap else old[hunk.old_first : hunk.old_last]
    return "".join(made + old[position:])


def _shows_gap(place: int, length: int, shown: set[int]) -> bool:
    """Whether the lines before and behind a place are both shown, as far as they exist."""
    return (place == 0 or place - 1 in shown) and (place == length or place in shown)

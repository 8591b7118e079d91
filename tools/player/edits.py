"""The edits that a page shows, made in a workspace in the order of the page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from course import Step
from course.files import write_text
from tools.site import differences, listings, shown
from tools.site.differences import Change
from tools.site.pages import Directive, Fence
from tools.site.regions import Range

# Stands for one line of a file that something wrong takes the place of.
_TAKEN = "\0"


class Edits:
    """What a page has changed so far in the files of one step's workspace."""

    def __init__(self, step: Step, workspace: Path) -> None:
        self.step = step
        self.workspace = workspace
        self._changes = {c.path: c for c in differences.changes_of(step)}
        self._ranges: dict[str, list[Range]] = {}
        self._wrong: dict[str, dict[Range, tuple[str, ...]]] = {}

    def follow(self, directive: Directive) -> int:
        """Make the edits that a directive shows; how many files were edited.

        Raises listings.BadReference.
        """
        if differences.before(self.step) is None:
            return 0
        found = shown.ranges(directive.text, self.step)
        edited = [path for path in found if path in self._changes]
        for path in edited:
            self._ranges.setdefault(path, []).extend(found[path])
            self._put_right(path, found[path])
            self._write(path)
        return len(edited)

    def accept(self, directive: Directive) -> tuple[list[str], list[str]]:
        """Note that a command has put the files of a `@given` in place.

        Gives all of them, and those that are not as they should be. Raises
        listings.BadReference.
        """
        found = shown.ranges(directive.text, self.step)
        for path, ranges in found.items():
            self._ranges.setdefault(path, []).extend(ranges)
        wrong = [path for path in found if self._there(path) != self._changes[path].after]
        return list(found), wrong

    def _there(self, path: str) -> str | None:
        try:
            return (self.workspace / path).read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None

    def throw_in(self, directive: Directive, fence: Fence) -> None:
        """Write a file that no step has; the page deletes it itself, or its end is not right.

        Raises listings.BadReference if the step has it.
        """
        path = directive.values["path"]
        if path in self._changes or differences.text_of(self.step, path) is not None:
            raise listings.BadReference(f"{path} is in step {self.step.slug}")
        write_text(self.workspace / path, "".join(f"{line}\n" for line in fence.lines))

    def attempt(self, directive: Directive, fence: Fence) -> None:
        """Put what is wrong on purpose, or a first version, in its place, until the page shows
        the right thing.

        Raises listings.BadReference.
        """
        found = listings.listing({"step": self.step.slug, **directive.values})
        self._changes.setdefault(found.path, found.change)
        taken = (found.first, found.last)
        self._put_right(found.path, [taken])
        self._wrong.setdefault(found.path, {})[taken] = fence.lines
        self._write(found.path)

    def _put_right(self, path: str, ranges: list[Range]) -> None:
        """Forget what is wrong in a file once the page shows any of what belongs there."""
        wrong = self._wrong.get(path, {})
        for first, last in list(wrong):
            if any(start < last and first < end for start, end in ranges):
                del wrong[first, last]

    def _write(self, path: str) -> None:
        change = self._changes[path]
        target = self.workspace / path
        if change.after is None:
            target.unlink(missing_ok=True)
            return
        before = int(target.stat().st_mtime) if target.exists() else 0
        write_text(target, self._text(change))
        # A browser asks for what changed since a whole second; people are slower than that.
        if int(target.stat().st_mtime) <= before:
            os.utime(target, (before + 1, before + 1))

    def _text(self, change: Change) -> str:
        ranges = self._ranges.get(change.path, [])
        return with_wrong(change, ranges, self._wrong.get(change.path, {}))


def with_wrong(
    change: Change, ranges: list[Range], wrong: Mapping[Range, Sequence[str]]
) -> str:
    """The old text after the edits of `ranges`, with other lines where the new text has those
    of the ranges of `wrong`."""
    new = change.new
    for taken in wrong:
        for number in range(*taken):
            new[number] = f"{_TAKEN}{number}"
    marked = Change(change.path, change.before, "".join(f"{line}\n" for line in new))
    places = {f"{_TAKEN}{first}": lines for (first, _), lines in wrong.items()}
    made: list[str] = []
    for line in differences.applied(marked, [*ranges, *wrong]).splitlines():
        if line in places:
            made += places[line]
        elif not line.startswith(_TAKEN):
            made.append(line)
    return "".join(f"{line}\n" for line in made)

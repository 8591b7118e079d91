"""The edits that a page shows, made in a workspace in the order of the page."""

from __future__ import annotations

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
        self._wrong: dict[str, tuple[Range, list[str]]] = {}

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
        self._wrong[found.path] = ((found.first, found.last), list(fence.lines))
        self._write(found.path)

    def _put_right(self, path: str, ranges: list[Range]) -> None:
        """Forget what is wrong in a file once the page shows any of what belongs there."""
        if path in self._wrong:
            (first, last), _ = self._wrong[path]
            if any(start < last and first < end for start, end in ranges):
                del self._wrong[path]

    def _write(self, path: str) -> None:
        change = self._changes[path]
        target = self.workspace / path
        if change.after is None:
            target.unlink(missing_ok=True)
            return
        write_text(target, self._text(change))

    def _text(self, change: Change) -> str:
        ranges = self._ranges.get(change.path, [])
        if change.path not in self._wrong:
            return differences.applied(change, ranges)
        taken, lines = self._wrong[change.path]
        return with_wrong(change, ranges, taken, lines)


def with_wrong(change: Change, ranges: list[Range], taken: Range, lines: list[str]) -> str:
    """The old text after the edits of `ranges`, with `lines` where the new text has those
    of the range `taken`."""
    new = change.new
    for number in range(*taken):
        new[number] = f"{_TAKEN}{number}"
    marked = Change(change.path, change.before, "".join(f"{line}\n" for line in new))
    made = differences.applied(marked, [*ranges, taken]).splitlines()
    first = f"{_TAKEN}{taken[0]}"
    kept = [line for line in made if not line.startswith(_TAKEN) or line == first]
    place = kept.index(first)
    return "".join(f"{line}\n" for line in [*kept[:place], *lines, *kept[place + 1 :]])

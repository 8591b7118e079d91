"""A piece of a step's file as a page shows it: its lines, what is new in them, a caption."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import course
from course import Step, UnknownStep
from course.files import files_of
from tools.site import differences, regions
from tools.site.differences import Change, Hunk

TOP = "the imports"

# The beginning of a function, in Python or JavaScript.
FUNCTION = re.compile(r"(?:export |async )*(?:def|function) (\w+)\(")


class BadReference(LookupError):
    """A directive names something that is not there; the text says what is."""


@dataclass(frozen=True)
class Listing:
    """Lines `first..last` (from 0, end excluded) of one file in the state after a step.

    `name` is how the piece is called in a sentence, empty for a whole file, `symbol` what it
    is in Python, if it is one with all its lines or with the head of a class. `earlier` are
    the lines of the file that the page has shown before, `taken` the hunks whose old lines
    are gone by then; `tried` is the piece that the page has put something else in the place
    of, wrong or a first version, which this takes away.
    """

    step: Step
    change: Change
    first: int
    last: int
    name: str = ""
    symbol: str = ""
    earlier: frozenset[int] = frozenset()
    taken: frozenset[Hunk] = frozenset()
    tried: Listing | None = None

    @property
    def path(self) -> str:
        return self.change.path

    @property
    def lines(self) -> list[str]:
        """What is shown, indented as in the file."""
        return self.change.new[self.first : self.last]

    @functools.cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """The changes that touch these lines."""
        if self.change.before == self.change.after:
            return ()
        return tuple(
            hunk
            for hunk in self.change.hunks
            if (hunk.first < self.last and hunk.last > self.first)
            or (hunk.first == hunk.last and self.first <= hunk.first <= self.last)
        )

    @functools.cached_property
    def new_lines(self) -> frozenset[int]:
        """The indexes of the lines that are not there yet, blank ones left out."""
        new = self.change.new
        if self.instead is not None:
            known = {*self.old_lines, ""}
            return frozenset(
                number
                for number in range(self.first, self.last)
                if new[number].rstrip() not in known and number not in self.earlier
            )
        return frozenset(
            number
            for hunk in self.hunks
            for number in range(max(hunk.first, self.first), min(hunk.last, self.last))
            if new[number].strip() and number not in self.earlier
        )

    @functools.cached_property
    def old_lines(self) -> list[str]:
        """The lines that these take the place of.

        Where two pieces share a hunk, they go with the piece that the page shows first.
        """
        old = self.change.old
        if self.instead is not None:
            return self._before(self.instead) if self.instead else []
        return [
            line
            for hunk in self.hunks
            if hunk not in self.taken
            for line in old[hunk.old_first : hunk.old_last]
            if line.strip()
        ]

    @functools.cached_property
    def instead(self) -> str | None:
        """The symbol of the file before that this one takes the place of as a whole, "" where
        that is none; None where the changes within it are what there is to show.

        Lines of two symbols may be one change only because they are close to each other.
        """
        if not self.symbol or not self.change.before:
            return None
        before, old = self.change.before, self.change.old
        touched = [
            number
            for hunk in self.hunks
            if hunk not in self.taken
            for number in range(hunk.old_first, hunk.old_last)
            if old[number].strip()
        ]
        owners = {regions.around(before, number) for number in touched}
        if all(f"{owner}.".startswith(f"{self.symbol}.") for owner in owners):
            return None
        if self.symbol in regions.symbols(before):
            now = [line for line in self.lines if line.strip()]
            return None if self._before(self.symbol) == now else self.symbol
        if owners <= set(regions.symbols(self.change.after or "")):
            return ""
        [owner, *others] = owners
        beside = owner.rpartition(".")[0] == self.symbol.rpartition(".")[0]
        if not owner or others or not beside:
            return None
        # What is left of a symbol of which little goes is in another one now.
        return owner if 2 * len(touched) >= len(self._before(owner)) else None

    def _before(self, symbol: str) -> list[str]:
        """The lines of a symbol one step before, without blank ones."""
        first, last = regions.symbol(self.change.before or "", symbol)
        return [line for line in self.change.old[first:last] if line.strip()]

    @property
    def of_before(self) -> list[str]:
        """Those of these lines that were somewhere in the file one step before."""
        old = {line.strip() for line in self.change.old}
        return [line for line in self.lines if line.strip() and line.strip() in old]

    @property
    def is_all_new(self) -> bool:
        """Whether there is nothing among these lines that was there before."""
        shown = range(self.first, self.last)
        blank = {n for n in shown if not self.change.new[n].strip()}
        return not self.old_lines and set(shown) - blank == set(self.new_lines)

    @functools.cached_property
    def there(self) -> frozenset[int]:
        """The lines of the file that the reader has already, blank ones left out."""
        new = self.change.new
        come = {n for hunk in self.change.hunks for n in range(hunk.first, hunk.last)}
        same = {n for n in range(len(new)) if n not in come}
        return frozenset(n for n in same | self.earlier if new[n].strip())

    @property
    def where(self) -> str:
        """Where the lines go and what to do there, in Markdown; "" where nothing changes."""
        return _where(self)


def step_named(name: str, part: str | None = None) -> Step:
    """The step that a page names by its slug, with one of its parts. Raises BadReference."""
    known = {step.slug: step for step in course.steps()}
    if name not in known:
        raise BadReference(f"there is no step {name!r}; there are: {', '.join(known)}")
    if part is None:
        return known[name]
    try:
        return course.step(f"{name}.{part}")
    except UnknownStep as error:
        raise BadReference(str(error)) from error


def change_of(step: Step, path: str) -> Change:
    """A file of a step beside its state one step before. Raises BadReference."""
    after = differences.text_of(step, path)
    if after is None:
        known = ", ".join(_nearest(step, path))
        raise BadReference(f"step {step.slug} has no file {path!r}; there are: {known}")
    previous = differences.before(step)
    before = differences.text_of(previous, path) if previous else None
    return Change(path, before, after)


def _nearest(step: Step, path: str) -> list[str]:
    """The files of a step's folder `path` lies in, or else all."""
    files = files_of(step.folder)
    folder = path.rpartition("/")[0]
    beside = [file for file in files if file.rpartition("/")[0] == folder]
    return beside or [file for file in files if not differences.is_test(file)]


class Page:
    """What a page has shown so far: the captions depend on it.

    `slug` is the step that the page is about, if it is about one.
    """

    def __init__(self, slug: str | None = None) -> None:
        self.slug = slug
        self.step: Step | None = None
        self.lines: dict[str, set[int]] = {}
        self.hunks: dict[str, set[Hunk]] = {}
        self.tries: dict[str, list[Listing]] = {}

    def listing(self, values: Mapping[str, str]) -> Listing:
        """The piece that a directive selects, as the reader meets it here.

        Raises BadReference.
        """
        found = listing(values)
        path = found.path
        self._turn_to(found.step)
        found = replace(
            found,
            tried=self._forget_try(found),
            earlier=frozenset(self.lines.get(path, ())),
            taken=frozenset(self.hunks.get(path, ())),
        )
        self._show(found)
        return found

    def _forget_try(self, found: Listing) -> Listing | None:
        """What was tried where this goes: it goes as a whole, and all there is new again."""
        for tried in self.tries.get(found.path, []):
            if tried.first < found.last and found.first < tried.last:
                taken = range(tried.first, tried.last)
                self.lines.get(found.path, set()).difference_update(taken)
                self.tries[found.path].remove(tried)
                return tried
        return None

    def _turn_to(self, step: Step) -> None:
        if step != self.step:
            self.step, self.lines, self.hunks = step, {}, {}

    def _show(self, found: Listing) -> None:
        shown = differences.widened(found.change.new, found.first, found.last)
        self.lines.setdefault(found.path, set()).update(range(*shown))
        self.hunks.setdefault(found.path, set()).update(found.hunks)

    def attempt(self, values: Mapping[str, str]) -> str:
        """Where something goes that is not what it will be, in Markdown; the right thing will
        take its place. Raises BadReference."""
        if self.slug is None:
            raise BadReference("no directive of this page says which step it is about")
        found = listing({"step": self.slug, **values})
        self._turn_to(found.step)
        tried = self._forget_try(found)
        found = replace(
            found, earlier=frozenset(self.lines.get(found.path, ())), tried=tried
        )
        if set(found.hunks) <= self.hunks.get(found.path, set()) and not found.of_before:
            # An earlier piece has replaced what was there, and this comes beside it.
            found = replace(found, taken=frozenset(found.hunks))
        self.tries.setdefault(found.path, []).append(found)
        self._show(found)
        if found.is_all_new or tried:
            return f"for now, {found.where}"
        return f"for now, replace {_replaced(found)}"


def listing(values: Mapping[str, str]) -> Listing:
    """The piece that `step=`, `path=` and perhaps `symbol=` or `region=` select.

    Raises BadReference if there is no such step, file, symbol or region, or if it is empty.
    """
    step = step_named(values["step"])
    change = change_of(step, values["path"])
    text = change.after or ""
    wanted = values.get("symbol") or values.get("region")
    try:
        if "symbol" in values:
            first, last = regions.symbol(text, values["symbol"])
        elif "region" in values:
            first, last = regions.region(text, change.path, values["region"])
        else:
            first, last = 0, len(change.new)
    except (regions.NotFound, SyntaxError) as error:
        place = f"{change.path} in step {step.slug}"
        raise BadReference(f"{place}: {error}") from error
    if not any(line.strip() for line in change.new[first:last]):
        raise BadReference(f"{change.path} in step {step.slug}: {wanted or 'it'} is empty")
    symbol = (
        values.get("symbol", "").removesuffix(regions.HEAD).replace(regions.IMPORTS, "")
    )
    return Listing(step, change, first, last, _name(text, values), symbol)


def _name(text: str, values: Mapping[str, str]) -> str:
    """How a piece is called: `X.y()` for a function, `X` for a class or a value."""
    symbol = values.get("symbol")
    if symbol is None:
        if function := FUNCTION.match(values.get("region", "")):
            return f"`{function[1]}()`"
        shown = values.get("region", "").removesuffix("..")
        return "" if not shown or ".." in shown else f"`{shown}`"
    if symbol == regions.IMPORTS:
        return TOP
    if symbol.endswith(regions.HEAD):
        return f"the head of `{symbol.removesuffix(regions.HEAD)}`"
    first, last = regions.symbol(text, symbol)
    words = {"def", "async"}
    lines = text.splitlines()[first:last]
    is_function = any(line.split()[:1] and line.split()[0] in words for line in lines[:9])
    is_class = any(line.lstrip().startswith("class ") for line in lines[:9])
    return f"`{symbol}()`" if is_function and not is_class else f"`{symbol}`"


def _where(shown: Listing) -> str:
    change = shown.change
    if differences.before(shown.step) is None or change.before == change.after:
        return shown.name
    if shown.tried:
        return f"replace {_replaced(shown.tried, 'what you put there for now')}"
    if change.before is None and not shown.earlier:
        return "create new file"
    if shown.is_all_new:
        return _place(shown)
    if shown.instead:
        instead = _name(change.before or "", {"symbol": shown.instead})
        return f"{'replace' if shown.instead == shown.symbol else 'in place of'} {instead}"
    if not shown.new_lines and not shown.old_lines:
        return shown.name
    inside = f"in {shown.name}, " if shown.name else ""
    if shown.name == TOP:
        inside = "at the top, "
    return inside + _amount(len(shown.new_lines), len(shown.old_lines))


def _replaced(shown: Listing, lines: str = "") -> str:
    """How to call what something takes the place of: never the whole file for a part of it."""
    if shown.name:
        return shown.name
    if shown.last - shown.first >= len(shown.change.new):
        return "the whole file"
    first = shown.lines[0]
    if first not in shown.of_before and shown.old_lines:
        first = shown.old_lines[0]  # the reader does not have the other one
    return lines or f"the lines that begin with `{first.strip()}`"


def _amount(new: int, old: int) -> str:
    """What to do, in numbers of lines."""
    if not old:
        return f"add {_lines(new)}"
    if not new:
        return f"remove {_lines(old)}"
    return f"replace {_lines(old)}" + ("" if new == old else f" with {new}")


def _lines(count: int) -> str:
    return f"{count} line" if count == 1 else f"{count} lines"


def _place(shown: Listing) -> str:
    """Where lines go that are all new: behind what, or at which end."""
    above = [number for number in shown.there if number < shown.first]
    if not above:
        return "add at the top"
    if not any(number >= shown.last for number in shown.there):
        return "add at the end"
    return f"add after {_landmark(shown.change, max(above))}"


def _landmark(change: Change, number: int) -> str:
    """How to call what ends with a line: a symbol by its name, anything else by the line."""
    text = change.after or ""
    if change.path.endswith(".py"):
        ends = {regions.symbol(text, name)[1]: name for name in regions.symbols(text)}
        if name := ends.get(number + 1):
            whole = name.removesuffix(regions.HEAD)  # a class without methods is all head
            is_whole = regions.symbol(text, whole)[1] == number + 1
            return _name(text, {"symbol": whole if is_whole else name})
    line = change.new[number].strip()
    if line == "}":
        begin = next(line for line in reversed(change.new[:number]) if line[:1].strip())
        if function := FUNCTION.match(begin):
            return f"`{function[1]}()`"
    return f"`{line if len(line) <= 48 else line[:45] + '...'}`"

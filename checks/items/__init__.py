"""The checklists, one module a step: judges as code, their prose as data beside them.

`stepNN.py` holds the functions that judge; `stepNN.toml` says of each item which section of
the step's page explains it, and gives its three hints.
"""

from __future__ import annotations

import functools
import importlib
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import course
from course.outline import Part, address_of_page

if TYPE_CHECKING:
    from checks.harness.harness import Harness

# What a judge gives back is a remark on an item that passed.
Judge = Callable[["Harness"], str | None]
Maker = Callable[["Harness"], object]


@dataclass(frozen=True)
class Hints:
    """Three hints in the order they are given away.

    `think` asks the question, `look` names the place, `code` names the answer: a file
    of this step's folder, with `::symbol` behind it where one function or class will do.
    """

    think: str
    look: str
    code: str


@dataclass(frozen=True)
class Item:
    """One line of a step's checklist, and the function that judges it.

    `docs` is the section of the step's page that explains it, as `steps/SLUG/#anchor`.
    `events` and `close_codes` name what of the contract the item proves; the reference
    pages are made from them. The item holds for projects before step `until`. `prefetch`
    begins to make what the judge will need while the items before it are judged. `part` is
    the part of the step that it belongs to, if the step comes in parts. A `manual` item is
    judged as far as that goes, and then left to a person.
    """

    id: str
    step: int
    title: str
    needs: tuple[str, ...]
    docs: str
    hints: Hints
    judge: Judge
    parallel: bool = False
    apart: bool = False
    live: bool = False
    until: int | None = None
    events: tuple[str, ...] = ()
    close_codes: tuple[int, ...] = ()
    handshake: bool = False
    prefetch: tuple[Maker, ...] = ()
    part: int | None = None
    manual: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether a project that does all of it leaves this one to a person."""
        return self.live or self.manual

    def holds_at(self, reached: int) -> bool:
        """Whether it is judged on a project at that step, or has been replaced by then."""
        return self.until is None or reached < self.until


class Checklist:
    """Collects a step's items, in the order in which the learner reads them."""

    def __init__(
        self,
        step: int | str,
        prefetch: Iterable[Maker] = (),
        *,
        starts_runserver: bool = False,
    ) -> None:
        """`step` is its number, or the `__name__` of its module, which ends with the number.

        `prefetch` makes what every item needs while the first of them are judged. A
        checklist that `starts_runserver` has Django's system checks run by it, and saves
        the time that they would take a second time before the migrations.
        """
        self.step = step if isinstance(step, int) else number_of(step)
        self.prefetch = tuple(prefetch)
        self.starts_runserver = starts_runserver
        self.items: list[Item] = []
        self._prose = _prose_of(self.step)

    def item(
        self,
        id: str,
        *,
        needs: Iterable[str] = (),
        parallel: bool = False,
        apart: bool = False,
        live: bool = False,
        until: int | str | None = None,
        events: Iterable[str] = (),
        close_codes: Iterable[int] = (),
        handshake: bool = False,
        prefetch: Iterable[Maker] = (),
        manual: bool = False,
    ) -> Callable[[Judge], Judge]:
        """Register the decorated function as an item; its docstring is the checklist line.

        `needs` names the items without which this one cannot be judged. `parallel` items
        take seconds and touch nothing the others use, so they run beside them. An item that
        is `apart` talks to a server of its own: it is judged as soon as what it needs has
        passed, beside the items that come before it. `live` items judge a deployment that
        answers at a `--url`; without one they are for a person to do. `until` is the step
        from which on a later item replaces this one, by its name or number.
        `events` and `close_codes` are the ones that it proves; `handshake` items prove a
        refusal before the socket opens. `prefetch` makes what this item needs, in the
        background, if it is among the items that are judged. The judge of a `manual` item
        fails it, or raises LeftOut with what a person has to do. Raises ValueError if the
        docstring is not one sentence or the prose file does not describe the item.
        """

        def register(judge: Judge) -> Judge:
            title = " ".join((judge.__doc__ or "").split())
            if not title.endswith("."):
                raise ValueError(f"item {id}: its docstring must be one sentence")
            if id not in self._prose:
                raise ValueError(f"item {id}: step{self.step:02}.toml does not describe it")
            words = self._prose[id]
            step = course.step(self.step)
            part = self._part(step, id)
            item = Item(
                id,
                self.step,
                title,
                tuple(needs),
                f"{address_of_page(step, part)}#{words['section']}",
                Hints(words["think"], words["look"], words["code"]),
                judge,
                parallel,
                apart,
                live,
                None if until is None else course.step(until).number,
                tuple(events),
                tuple(close_codes),
                handshake,
                tuple(prefetch),
                part=part.number if part else None,
                manual=manual,
            )
            self.items.append(item)
            return judge

        return register

    def _part(self, step: course.Step, id: str) -> Part | None:
        """The part of the step that an item belongs to. Raises ValueError."""
        number = self._prose[id].get("part")
        if number is None and not step.parts:
            return None
        for part in step.parts:
            if part.number == number:
                return part
        raise ValueError(f"item {id}: {number!r} is not a part of step {step.number}")


def number_of(module: str) -> int:
    """The number of the step that a module is about: `checks.items.step05`. Raises ValueError."""
    found = re.search(r"\.step(\d\d)$", module)
    if found is None:
        raise ValueError(f"{module!r} is not called after a step")
    return int(found[1])


def _prose_of(step: int) -> dict[str, dict[str, Any]]:
    file = Path(__file__).with_name(f"step{step:02}.toml")
    return tomllib.loads(file.read_text("utf-8"))


@functools.cache
def checklist_of(step: int) -> Checklist:
    """The checklist of a step.

    Raises ModuleNotFoundError if the step has none yet, LookupError if it is empty (a
    checklist of nothing would always pass), ValueError if prose and items do not match.
    """
    checklist: Checklist = importlib.import_module(f"checks.items.step{step:02}").checklist
    if not checklist.items:
        raise LookupError(f"step {step} has no checklist")
    left_over = set(_prose_of(step)) - {item.id for item in checklist.items}
    if left_over:
        raise ValueError(f"step{step:02}.toml describes no item: {', '.join(left_over)}")
    return checklist


def items_of(step: int, part: int | None = None) -> tuple[Item, ...]:
    """The items of a step, or of one of its parts, in the order of its checklist.

    Raises what checklist_of() does.
    """
    items = checklist_of(step).items
    return tuple(item for item in items if part is None or item.part == part)

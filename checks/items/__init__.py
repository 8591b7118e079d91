"""The checklists, one module a step; each item is a function that can fail."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks import course

if TYPE_CHECKING:
    from checks.bench import Bench

Judge = Callable[["Bench"], None]


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
    """One line of a step's checklist, and the function that judges it."""

    id: str
    step: int
    title: str
    needs: tuple[str, ...]
    docs: str
    hints: Hints
    judge: Judge
    apart: bool
    live: bool


class Checklist:
    """Collects a step's items, in the order in which the learner reads them."""

    def __init__(self, step: int, early: Iterable[Callable[[Bench], object]] = ()) -> None:
        """`early` makes what the items will need while the first of them are judged."""
        self.step = step
        self.early = tuple(early)
        self.items: list[Item] = []

    def item(
        self,
        id: str,
        *,
        hints: Hints,
        docs: str,
        needs: Iterable[str] = (),
        apart: bool = False,
        live: bool = False,
    ) -> Callable[[Judge], Judge]:
        """Register the decorated function as an item; its docstring is the checklist line.

        `needs` names the items without which this one cannot be judged. `docs` is the
        section of the step's page (an anchor). `apart` items take seconds and touch
        nothing the others use, so they run beside them. `live` items judge a deployment
        that answers at a `--url`; without one they are for a person to do.
        """

        def register(judge: Judge) -> Judge:
            title = " ".join((judge.__doc__ or "").split())
            if not title.endswith("."):
                raise ValueError(f"item {id}: its docstring must be one sentence")
            page = f"steps/{course.step(self.step).slug}/#{docs}"
            self.items.append(
                Item(id, self.step, title, tuple(needs), page, hints, judge, apart, live)
            )
            return judge

        return register


@functools.cache
def items_of(step: int) -> tuple[Item, ...]:
    """The checklist of a step, in its order.

    Raises LookupError if the step has none: a checklist of nothing would always pass.
    """
    module = importlib.import_module(f"checks.items.step{step:02}")
    items = tuple(module.checklist.items)
    if not items:
        raise LookupError(f"step {step} has no checklist")
    return items


def find(id: str) -> Item:
    """The item of that id, of whichever step. Raises LookupError with the nearest ids."""
    import difflib

    known = {item.id: item for entry in course.steps() for item in items_of(entry.number)}
    if id in known:
        return known[id]
    near = difflib.get_close_matches(id, known, n=3, cutoff=0.4) or sorted(known)[:3]
    raise LookupError(f"there is no item {id!r}; did you mean {', '.join(near)}?")

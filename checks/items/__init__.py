"""The checklists, one module a step: judges as code, their prose as data beside them.

`stepNN.py` holds the functions that judge; `stepNN.toml` says of each item which section of
the step's page explains it, and gives its three hints.
"""

from __future__ import annotations

import functools
import importlib
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import course

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
    begins to make what the judge will need while the items before it are judged.
    """

    id: str
    step: int
    title: str
    needs: tuple[str, ...]
    docs: str
    hints: Hints
    judge: Judge
    parallel: bool = False
    live: bool = False
    until: int | None = None
    events: tuple[str, ...] = ()
    close_codes: tuple[int, ...] = ()
    handshake: bool = False
    prefetch: tuple[Maker, ...] = ()


class Checklist:
    """Collects a step's items, in the order in which the learner reads them."""

    def __init__(
        self, step: int, prefetch: Iterable[Maker] = (), *, starts_runserver: bool = False
    ) -> None:
        """`prefetch` makes what every item needs while the first of them are judged.

        A checklist that `starts_runserver` has Django's system checks run by it, and saves
        the time that they would take a second time before the migrations.
        """
        self.step = step
        self.prefetch = tuple(prefetch)
        self.starts_runserver = starts_runserver
        self.items: list[Item] = []
        self._prose = _prose_of(step)

    def item(
        self,
        id: str,
        *,
        needs: Iterable[str] = (),
        parallel: bool = False,
        live: bool = False,
        until: int | None = None,
        events: Iterable[str] = (),
        close_codes: Iterable[int] = (),
        handshake: bool = False,
        prefetch: Iterable[Maker] = (),
    ) -> Callable[[Judge], Judge]:
        """Register the decorated function as an item; its docstring is the checklist line.

        `needs` names the items without which this one cannot be judged. `parallel` items
        take seconds and touch nothing the others use, so they run beside them. `live`
        items judge a deployment that answers at a `--url`; without one they are for a
        person to do. `until` is the step from which on a later item replaces this one.
        `events` and `close_codes` are the ones that it proves; `handshake` items prove a
        refusal before the socket opens. `prefetch` makes what this item needs, in the
        background, if it is among the items that are judged. Raises ValueError if the
        docstring is not one sentence or the prose file does not describe the item.
        """

        def register(judge: Judge) -> Judge:
            title = " ".join((judge.__doc__ or "").split())
            if not title.endswith("."):
                raise ValueError(f"item {id}: its docstring must be one sentence")
            if id not in self._prose:
                raise ValueError(f"item {id}: step{self.step:02}.toml does not describe it")
            words = self._prose[id]
            item = Item(
                id,
                self.step,
                title,
                tuple(needs),
                f"steps/{course.step(self.step).slug}/#{words['section']}",
                Hints(words["think"], words["look"], words["code"]),
                judge,
                parallel,
                live,
                until,
                tuple(events),
                tuple(close_codes),
                handshake,
                tuple(prefetch),
            )
            self.items.append(item)
            return judge

        return register


def _prose_of(step: int) -> dict[str, dict[str, str]]:
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


def items_of(step: int) -> tuple[Item, ...]:
    """The items of a step, in the order of its checklist. Raises what checklist_of() does."""
    return tuple(checklist_of(step).items)

"""What a page may say of the list of steps without storing it: `{{ steps }}`, `{{ items asgi }}`.

    {{ steps }}         how many steps there are, in words: seven
    {{ hours }}         how long they take together, in words: three and a half
    {{ table }}         what `tutorial.py steps` prints at the beginning, lines of its own
    {{ number asgi }}   the number of a step, {{ minutes asgi }} its minutes
    {{ summary asgi }}  what a check of the step says at its end when all passed
    {{ items asgi }}    how many items of its checklist are judged, {{ manual asgi }} how many
                        only a person can judge; also of one part: {{ items resume.1 }}
    {{ measured final.event-1000-ms }}   the median of what benchmarks/compare.py has measured
    {{ times final.event-1000-ms }}      how many times the bare loop's that is

A step is named as on the command line; its name without the number survives when steps are
inserted before it. A backslash in front shows the braces themselves: `\\{{ steps }}`. The
extension fills these in when the site is built, the player before it compares.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import course
from checks.items import Item, items_of
from checks.report import summary
from checks.results import ItemResult, Report, Status
from checks.runner import choose
from course import Step, UnknownStep
from tools.site.pages import PageError
from workshop.commands.steps import table
from workshop.home import here
from workshop.progress import Progress

_PLACE = re.compile(r"\\?\{\{\s*([a-z]+)(?:\s+([\w.-]+))?\s*\}\}")
_WORDS = (
    "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)


def filled(text: str) -> str:
    """A page with the facts in their places. Raises PageError that names the line."""
    return _PLACE.sub(lambda place: _filled(place, text), text)


def page_text(page: Path) -> str:
    """The text of a page as its readers get it, its directives aside. Raises PageError."""
    return filled(page.read_text("utf-8"))


def _filled(place: re.Match[str], text: str) -> str:
    if place[0].startswith("\\"):
        return place[0][1:]
    name, step = place[1], place[2]
    try:
        if step is None:
            return OF_THE_COURSE[name]()
        if name in OF_A_MEASUREMENT:
            return OF_A_MEASUREMENT[name](_measurement(step))
        return OF_A_STEP[name](course.step(step))
    except KeyError:
        known = ", ".join(
            [
                *OF_THE_COURSE,
                *(f"{each} STEP" for each in OF_A_STEP),
                *(f"{each} CONTENDER.MEASURE" for each in OF_A_MEASUREMENT),
            ]
        )
        why = f"there is no such fact; there are: {known}"
    except (UnknownStep, LookupError) as error:
        why = str(error)
    line = text.count("\n", 0, place.start()) + 1
    raise PageError(f"line {line}: {place[0]}: {why}")


def words_for(number: int) -> str:
    """A number in words, in digits above twenty."""
    return dict(enumerate(_WORDS.split())).get(number, str(number))


def hours_for(minutes: int) -> str:
    """A time in words, to the half hour: `three`, `three and a half`."""
    halves = round(minutes / 30)
    whole, half = divmod(halves, 2)
    if not half:
        return words_for(whole)
    return f"{words_for(whole)} and a half" if whole else "half an"


@functools.cache
def _table() -> str:
    """The table of steps before the first check; cached, for every page asks for it."""
    home = here()
    return table(Progress(home, home.workspace), colour=False, columns=80)


def _items(step: Step) -> str:
    return str(sum(not item.by_hand for item in _checklist(step)))


def _manual(step: Step) -> str:
    return str(sum(item.by_hand for item in _checklist(step)))


def _checklist(step: Step) -> Sequence[Item]:
    return items_of(step.number, step.part.number if step.part else None)


def _summary(step: Step) -> str:
    """The last line of a check; how long it took is compared loosely.

    The check of a part counts the items of earlier parts that its own ones need.
    """
    ids = [item.id for item in _checklist(step)]
    results = [
        ItemResult(item.id, item.title, Status.MANUAL if item.by_hand else Status.PASSED)
        for item in choose(items_of(step.number), ids, live=False)
    ]
    part = step.part.number if step.part else None
    return summary(Report(step.number, "", results, duration_s=1.0, part=part))


def _minutes(step: Step) -> str:
    return str(step.part.minutes if step.part else step.minutes)


@functools.cache
def _measured() -> dict[str, dict[str, Any]]:
    """What benchmarks/compare.py has found: by contender, by measure."""
    found: dict[str, dict[str, Any]] = {}
    folder = course.ROOT / "docs" / "assets" / "benchmarks"
    # compare-5000.json, and then compare.json: what is in both comes from the last one.
    for file in sorted(folder.glob("compare*.json")):
        for contender, measures in json.loads(file.read_text("utf-8"))["summary"].items():
            found.setdefault(contender, {}).update(measures)
    return found


def _measurement(name: str) -> dict[str, Any]:
    """A measure of a contender, named `final.event-1000-ms`. Raises LookupError."""
    contender, _, measure = name.partition(".")
    for known, found in _measured().get(contender, {}).items():
        if known.replace(" ", "-") == measure:
            return dict(found)
    raise LookupError(f"nobody has measured {name}")


def _figure(value: float) -> str:
    """A figure with as many digits as it is worth."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


OF_THE_COURSE: dict[str, Callable[[], str]] = {
    "steps": lambda: words_for(len(course.steps())),
    "hours": lambda: hours_for(sum(step.minutes for step in course.steps())),
    "table": _table,
}
OF_A_STEP: dict[str, Callable[[Step], str]] = {
    "number": lambda step: step.label,
    "minutes": _minutes,
    "items": _items,
    "manual": _manual,
    "summary": _summary,
}
OF_A_MEASUREMENT: dict[str, Callable[[dict[str, Any]], str]] = {
    "measured": lambda found: _figure(found["figures"]["median"]),
    "times": lambda found: _figure(found["ratio"]["median"]),
}

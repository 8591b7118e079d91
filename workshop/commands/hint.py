"""`hint`: the next hint for an item; what to think about, where to look, the code."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING, Any

from course import Step
from course.files import write_text
from course.terminal import COMMAND, complain, has_colour, paint, say, wrap
from workshop.commands.check import unknown_item
from workshop.errors import Exit, UsageError
from workshop.home import Home

if TYPE_CHECKING:
    from checks.items import Item

LEVELS = ("think", "look at", "code")


HELP = "the next hint for an item"
MORE = "First what to think about, then where to look, then the code."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("item", metavar="ITEM", help="its id, as `check` prints it")
    parser.add_argument("--all", action="store_true", help="all three at once")


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Give the next hint for an item, or all of them."""
    step, item = find(home, arguments.item)
    colour = has_colour()
    say(paint(item.title, "bold", colour=colour), "")
    if arguments.all:
        for level in range(len(LEVELS)):
            say(text(home, step, item, level), "")
        return Exit.PASSED
    given = load(home).get(item.id, 0)
    level = min(given, len(LEVELS) - 1)
    say(text(home, step, item, level), "")
    say(_after(item, level, again=given >= len(LEVELS)))
    remember(home, item.id, level + 1)
    return Exit.PASSED


def find(home: Home, id: str) -> tuple[Step, Item]:
    """The item of that id and its step. Raises UsageError with the nearest ids."""
    known = home.all_items()
    if id not in known:
        raise UsageError(unknown_item(id, list(known)))
    return known[id]


def text(home: Home, step: Step, item: Item, level: int) -> str:
    """One hint, ready to print: level 0 asks, 1 names the place, 2 shows the code."""
    if level == 0:
        return wrap(item.hints.think, "think    ", " " * 9)
    if level == 1:
        return wrap(item.hints.look, "look at  ", " " * 9)
    return code(home, step, item.hints.code)


def code(home: Home, step: Step, named: str) -> str:
    """The code that a hint names, `path` or `path::symbol`, from the step's own folder."""
    from course.source import extract

    path, _, symbol = named.partition("::")
    folder = home.folder(step)
    shown = textwrap.dedent(extract(folder / path, symbol or None))
    place = f"{path}, {symbol}" if symbol else path
    return f"code     {place}, as step {step.number} has it:\n\n" + textwrap.indent(
        shown.rstrip("\n"), "    "
    )


def load(home: Home) -> dict[str, int]:
    """How many hints were given for which item; nothing if that cannot be known."""
    try:
        content: Any = json.loads((home.state / "hints.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(id): count for id, count in content.items() if isinstance(count, int)}


def remember(home: Home, id: str, count: int) -> None:
    """Note that so many hints were given for an item."""
    given = load(home) | {id: count}
    file = home.state / "hints.json"
    try:
        write_text(file, json.dumps(given, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        complain(
            f"It could not be noted in {file} that you have seen this: {error.strerror}."
        )


def _after(item: Item, level: int, *, again: bool) -> str:
    if again:
        return f"That was all there is. From the first: {COMMAND} hint {item.id} --all"
    if level == len(LEVELS) - 1:
        return f"That was the last hint. Check it: {COMMAND} check --item {item.id}"
    rest = "where to look" if level == 0 else "the code"
    return f"Still stuck? The same command again tells {rest}: {COMMAND} hint {item.id}"

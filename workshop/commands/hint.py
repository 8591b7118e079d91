"""`hint`: the next hint for an item; what to think about, where to look, the code."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from course import Step
from course.terminal import COMMAND, has_colour, paint, say, wrap
from workshop.arguments import project_options
from workshop.commands.check import the_end, unknown_item, what_next
from workshop.errors import Exit, UsageError
from workshop.home import Home
from workshop.progress import Progress, load

if TYPE_CHECKING:
    from checks.items import Item

LEVELS = ("think", "look at", "code")


HELP = "show the next hint for the first failed item, or for the one you name"
MORE = "First what to think about, then where to look, then the code."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument(
        "item",
        metavar="ITEM",
        nargs="?",
        help="its id, as `check` prints it (default: the first failure of the last check)",
    )
    parser.add_argument("--all", action="store_true", help="print all three hints")
    project_options(parser, python=False)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Give the next hint for an item, or all of them, and count it for the project."""
    project = home.project(arguments.project) if arguments.project else home.workspace
    return give(home, load(home, project), arguments.item, everything=arguments.all)


def give(
    home: Home, progress: Progress, id: str | None = None, *, everything: bool = False
) -> int:
    """Print the next hint, or all, for an item; None is the first that failed last time."""
    id = id or progress.first_failure()
    if id is None:
        say(*nothing_failed(home, progress))
        return Exit.PASSED
    step, item = find(home, id)
    say(paint(wrap(item.title), "bold", colour=has_colour()), "")
    if everything:
        for level in range(len(LEVELS)):
            say(text(home, step, item, level), "")
        return Exit.PASSED
    given = progress.hints.get(item.id, 0)
    level = min(given, len(LEVELS) - 1)
    say(text(home, step, item, level), "")
    say(*_after(item, level, again=given >= len(LEVELS)))
    progress.note_hint(item.id, level + 1)
    return Exit.PASSED


def nothing_failed(home: Home, progress: Progress) -> list[str]:
    """What to say to somebody who wants a hint although no item has failed."""
    checked = next((step for step in home.steps if step.number == progress.checked), None)
    current = progress.current()
    if current is None:
        return the_end(home)
    if checked is None or not progress.verdicts.get(checked.slug):
        return [
            "Nothing has been checked yet. Check your project with:",
            f"  {COMMAND} check",
        ]
    if not progress.is_done(checked):
        lacking = (
            f"Nothing has failed in step {checked.number}, but not every item could be "
            "judged here. To see what this machine lacks:"
        )
        return [wrap(lacking), f"  {COMMAND} doctor"]
    finished = f"Nothing has failed: step {checked.number} is finished."
    return [finished, *what_next(home, current)]


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


def _after(item: Item, level: int, *, again: bool) -> list[str]:
    """What comes next: a sentence, and the command on a line of its own to be copied."""
    if again:
        sentence, command = (
            "There are no more hints. From the first one:",
            f"hint {item.id} --all",
        )
    elif level == len(LEVELS) - 1:
        sentence, command = "That was the last hint. Check it:", f"check --item {item.id}"
    else:
        rest = "where to look" if level == 0 else "the code"
        sentence = f"Still stuck? Run the same command again to see {rest}:"
        command = f"hint {item.id}"
    return [wrap(sentence), f"  {COMMAND} {command}"]

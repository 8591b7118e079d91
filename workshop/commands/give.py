"""`give`: put the files of a step that nobody has to type into the workspace."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from course import Step
from course.files import files_of, is_executable
from course.terminal import plural, say
from workshop.commands.catch_up import Plan, carry_out, compare, described, saved_at
from workshop.errors import Exit
from workshop.home import Home

HELP = "put the files that a step provides into your project, after a backup"
MORE = (
    "These are files that you read but do not have to type, mostly tests. A step's page lists "
    "them; you write the rest of the step. A second run changes nothing."
)


@dataclass(frozen=True)
class Gift:
    """What a step brings, as paths relative to the project.

    `given` are the files that are put in place, `gone` the ones that it takes away, `own`
    what is left for the learner to write.
    """

    given: tuple[str, ...]
    gone: tuple[str, ...]
    own: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("step", metavar="STEP")
    parser.add_argument(
        "--dry-run", action="store_true", help="only print what would happen"
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Put the given files in place; what they replace is in the backup."""
    step = home.step(arguments.step)
    project = home.project(None)
    gift = gift_of(home, step)
    if not gift.given and not gift.gone:
        say(f"Step {step.number} provides no files: you write all of it.")
        return Exit.PASSED
    todo = plan(home, step, gift, project)
    say(
        f"Step {step.number}, {step.title}; it provides {plural(len(gift.given), 'file')}:",
        "",
    )
    if not todo:
        say(*(f"  {name}" for name in gift.given), "")
        say("All of them are in place: nothing was changed.")
    elif arguments.dry_run:
        say(*described(todo), "", "Nothing was changed: this was a dry run.")
    else:
        saved = carry_out(home, project, todo)
        say(*described(todo), *saved_at(home, saved))
    say(*_left(gift))
    return Exit.PASSED


def plan(home: Home, step: Step, gift: Gift, project: Path) -> Plan:
    """What puts the gift into the project. Raises EnvironmentTrouble if unreadable."""
    wanted = {name: home.folder(step) / name for name in gift.given}
    return replace(compare(wanted, project, set(gift.gone).__contains__), keep=())


def gift_of(home: Home, step: Step) -> Gift:
    """What a step brings, compared with the one before; READMEs are no part of it."""
    folder, before = home.folder(step), home.before(step)
    old = home.folder(before) if before else None
    there = files_of(folder)
    brought = [
        name
        for name in there
        if name != "README.md" and not (old and _same(old / name, folder / name))
    ]
    gone = [name for name in (files_of(old) if old else []) if name not in there]
    return Gift(
        tuple(name for name in brought if step.gives(name)),
        tuple(name for name in gone if step.gives(name)),
        tuple(name for name in brought if not step.gives(name)),
    )


def _same(one: Path, other: Path) -> bool:
    """Whether two snapshots have the same file, bytes and executable bit alike."""
    if not one.is_file():
        return False
    return (
        is_executable(one) == is_executable(other)
        and one.read_bytes() == other.read_bytes()
    )


def _left(gift: Gift) -> Sequence[str]:
    if not gift.own:
        return ["There is nothing left to write in this step."]
    return [
        "You write the rest of this step yourself:",
        *(f"  {name}" for name in gift.own),
    ]

"""`give`: put the files of a step that nobody has to type into the workspace."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course import Step
from course.files import copy_file, files_of, is_executable
from course.terminal import plural, say
from workshop.commands.catch_up import back_up
from workshop.errors import EnvironmentTrouble, Exit
from workshop.home import Home

HELP = "put the files that a step gives into your project, backing up first"
MORE = (
    "Given is what you read and need not type: tests, mostly. The page of a step says what "
    "it is; the rest of the step is yours to write. A second run changes nothing."
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
        "--dry-run", action="store_true", help="say what would happen, and stop"
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Put the given files in place; what they replace is in the backup."""
    step = home.step(arguments.step)
    project = home.project(None)
    gift = gift_of(home, step)
    if not gift.given and not gift.gone:
        say(f"Step {step.number} gives no files: all of it is yours to write.")
        return Exit.PASSED
    todo = _todo(home, step, gift, project)
    say(
        f"Step {step.number}, {step.title}, gives {plural(len(gift.given), 'file')}:",
        *(f"  {todo.get(name, 'in place'):<9} {name}" for name in gift.given),
        *(f"  {todo[name]:<9} {name}" for name in gift.gone if name in todo),
    )
    if not todo:
        say("All of it is in place: nothing was changed.")
    elif arguments.dry_run:
        say("Nothing was changed: this was a dry run.")
    else:
        _carry_out(home, step, todo, project)
    say(*_left(gift))
    return Exit.PASSED


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


def _todo(home: Home, step: Step, gift: Gift, project: Path) -> dict[str, str]:
    """What has to happen to which files: `new`, `replaced` or `removed`.

    Raises EnvironmentTrouble if a link leads out of the project, where nothing may change.
    """
    todo = {}
    for name in gift.given:
        if not _same(home.folder(step) / name, project / name):
            todo[name] = "replaced" if (project / name).exists() else "new"
    todo |= {name: "removed" for name in gift.gone if (project / name).is_file()}
    for name in todo:
        if not (project / name).parent.resolve().is_relative_to(project.resolve()):
            raise EnvironmentTrouble(
                f"{(project / name).parent} is a link out of the project: writing there would "
                "change other files. Put a real folder in its place, then start again. "
                "Nothing was changed."
            )
    return todo


def _same(source: Path, target: Path) -> bool:
    """Whether both are there and alike, bytes and executable bit; a link is like nothing."""
    if target.is_symlink() or not target.is_file() or not source.is_file():
        return False
    same_mode = is_executable(source) == is_executable(target)
    return same_mode and source.read_bytes() == target.read_bytes()


def _carry_out(home: Home, step: Step, todo: dict[str, str], project: Path) -> None:
    """Back up, then write file by file, each in one move. Raises EnvironmentTrouble."""
    saved = None
    if set(todo.values()) != {"new"}:
        saved = home.shown(back_up(home, project))
    try:
        for name, what in todo.items():
            if what == "removed":
                (project / name).unlink()
            else:
                copy_file(home.folder(step) / name, project / name)
    except OSError as error:
        kept = f" The project as it was is in {saved}." if saved else ""
        raise EnvironmentTrouble(
            f"{error.strerror or error} ({error.filename}): some files were not put in place. "
            f"None is half-written.{kept} The same command again finishes it."
        ) from error
    if saved:
        say(f"Your project as it was: {saved}")


def _left(gift: Gift) -> Sequence[str]:
    if not gift.own:
        return ["Nothing is left to write in this step."]
    return ["Yours to write:", *(f"  {name}" for name in gift.own)]

"""`reset`: begin again, with the project as new and nothing passed; after a backup of all."""

from __future__ import annotations

import argparse
from pathlib import Path

from course.files import files_of
from course.terminal import COMMAND, say, wrap
from workshop.arguments import project_options
from workshop.commands import catch_up
from workshop.errors import Exit
from workshop.home import Home
from workshop.progress import load

HELP = "start over: a new project and no progress, after a backup"
MORE = (
    "Everything that a new project does not have is removed, the database too. It is all "
    "in the backup, and `restore` puts it back. Virtual environments and .git are not "
    "touched. "
    "To start only one step over: catch-up STEP --before."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument(
        "--progress",
        action="store_true",
        help="keep the files: forget only what passed and which hints were given",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only print what would happen"
    )
    project_options(parser, python=False)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Make the project what a new one is, and begin a new record of it."""
    project = catch_up.project_to_change(home, arguments.project)
    if arguments.progress:
        return _forget(home, project, dry=arguments.dry_run)
    where = home.shown(project)
    progress = load(home, project)
    made = as_new(home, project)
    if not made and progress.is_empty():
        say(f"{where} is already new: nothing was changed.")
        return Exit.PASSED
    if arguments.dry_run:
        say(*catch_up.rehearsed(f"make {where} new, with nothing passed", made))
        return Exit.PASSED
    saved = catch_up.carry_out(home, project, made) if made else None
    progress.forget()
    number = home.steps[0].number
    say(
        wrap(f"{where} is new: it matches the end of step {number}, with nothing passed."),
        "",
    )
    say(*catch_up.described(made), "", *catch_up.saved_at(home, saved))
    say(f"See where you are with: {COMMAND} steps")
    return Exit.PASSED


def as_new(home: Home, project: Path) -> catch_up.Plan:
    """The plan that leaves nothing but what a new project has."""
    folder = home.folder(home.steps[0])
    wanted = {name: folder / name for name in files_of(folder)} | catch_up.TEMPLATES
    return catch_up.compare(wanted, project, lambda name: True, databases=True)


def _forget(home: Home, project: Path, *, dry: bool) -> int:
    """Forget the record alone."""
    progress = load(home, project)
    if progress.is_empty():
        say("There is no progress yet: nothing to forget.")
    elif dry:
        say("What passed and which hints were given would be forgotten: a dry run.")
    else:
        progress.forget()
        say(f"Forgotten. {home.shown(project)} was not changed.")
    return Exit.PASSED

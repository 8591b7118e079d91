"""`restore`: put a backup back, after a backup of what is there now."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from course.files import files_of
from course.terminal import say, wrap
from workshop.arguments import project_options
from workshop.commands import catch_up
from workshop.errors import Exit, UsageError
from workshop.home import Home
from workshop.progress import load

HELP = "put back a backup of your project, after backing up what is there now"
MORE = (
    "Without BACKUP it is the newest one that catch-up, give or reset made. The project is "
    "then as it was, the database and your progress too. A second run changes nothing."
)

# Says that a backup was made by this command; the newest of the others is the default, or a
# second run would take back what the first one did.
LABEL = "-before-restore"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument(
        "backup", metavar="BACKUP", nargs="?", help="its name, or the beginning of the name"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the backups, the newest last, and stop"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only print what would happen"
    )
    project_options(parser, python=False)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Make the project what the backup is, its record too."""
    project = catch_up.project_to_change(home, arguments.project)
    where = home.shown(project)
    backups = backups_of(home, project)
    if not backups:
        raise UsageError(
            f"There is no backup of {where} yet. catch-up, give, reset and restore make "
            "one before they change anything."
        )
    if arguments.list:
        say(*(backup.name for backup in backups))
        return Exit.PASSED
    backup = chosen(backups, arguments.backup)
    wanted = {name: backup / name for name in files_of(backup, databases=True)}
    made = catch_up.compare(wanted, project, lambda name: True, databases=True)
    if not made:
        say(f"{where} is already the same as {backup.name}: nothing was changed.")
        return Exit.PASSED
    if arguments.dry_run:
        say(*catch_up.rehearsed(f"make {where} the same as {backup.name}", made))
        return Exit.PASSED
    say(f"Putting back {backup.name}.")
    saved = catch_up.carry_out(home, project, made, LABEL)
    load(home, backup).copy_to(project)
    say(f"{where} is as it was then.", "", *catch_up.described(made), "")
    say(*catch_up.saved_at(home, saved))
    say(wrap("If its server is running, restart it: the database may have changed."))
    return Exit.PASSED


def backups_of(home: Home, project: Path) -> list[Path]:
    """The complete backups of a project, the newest last."""
    folder = home.state / "backups"
    form = re.compile(rf"[\d-]{{10}}_[\d-]{{8}}-{re.escape(project.name)}({LABEL})?(-\d+)?")
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if form.fullmatch(path.name))


def chosen(backups: Sequence[Path], named: str | None) -> Path:
    """The backup meant: the one whose name begins so, else the newest not made by restore.

    Raises UsageError that lists the names when there is none, or more than one.
    """
    if named is None:
        others = [path for path in backups if LABEL not in path.name]
        return (others or backups)[-1]
    wanted = Path(named).name
    found = [path for path in backups if path.name.startswith(wanted)]
    exact = [path for path in found if path.name == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    how_many = "Several backups begin" if found else "No backup begins"
    names = "\n".join(f"  {path.name}" for path in found or backups)
    raise UsageError(f"{how_many} with {wanted!r}. There are:\n{names}")

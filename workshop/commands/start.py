"""No command: make the workspace, say where you are and what to do next, then watch."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from course.terminal import COMMAND, has_colour, is_live, paint, say
from workshop.commands.catch_up import make_project
from workshop.commands.steps import position, table
from workshop.errors import EnvironmentTrouble, Exit
from workshop.home import Home, page_of
from workshop.progress import Progress, load

if TYPE_CHECKING:
    from workshop.pages.live import Live


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be given without a command."""
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="show the pages on the network too (default: on this machine only)",
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Print the one screen; on a terminal go on to serve the pages and watch the workspace."""
    made = make_workspace(home)
    progress = load(home)
    if not (is_live(sys.stdin) and is_live(sys.stdout)):
        say(*screen(home, progress, made=made, colour=has_colour()))
        return Exit.PASSED
    from workshop.commands.watch import watch_workspace
    from workshop.pages.live import serving

    with serving(home, progress, getattr(arguments, "host", None)) as live:
        say(*screen(home, progress, made=made, colour=has_colour(), live=live))
        return watch_workspace(home, live)


def make_workspace(home: Home) -> bool:
    """Copy step 00 to workspace/ unless it is there; whether it was made now."""
    if home.workspace.is_dir():
        return False
    if home.workspace.exists() or home.workspace.is_symlink():
        raise EnvironmentTrouble(
            f"{home.workspace} is in the way: it is not a folder. Move it, then start again."
        )
    make_project(home, home.steps[0], home.workspace)
    return True


def screen(
    home: Home, progress: Progress, *, made: bool, colour: bool, live: Live | None = None
) -> list[str]:
    """Where you are and what to do next, in less than one screen; pages only if `live`."""
    current = progress.current()
    lines = [
        paint("Numeneon: notifications with Django Channels", "bold", colour=colour),
        "",
    ]
    if made:
        lines += [
            f"Your project is in {home.shown(home.workspace)}: made from step 00.",
            "",
        ]
    lines += [table(progress, colour=colour), "", position(progress)]
    if current:
        hint = "an item is not clear?"
        lines += [
            f"  read   {live.page(current) if live else page_of(home, current)}",
            f"  edit   {home.shown(home.workspace)}",
            f"  check  {COMMAND} check",
            f"  {hint}  {COMMAND} hint ITEM",
        ]
    return [*lines, f"  all commands: {COMMAND} --help", ""]

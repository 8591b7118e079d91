"""No command: make the workspace, say where you are and what to do next, then watch."""

from __future__ import annotations

import argparse
import io
import sys
from typing import TYPE_CHECKING

from course.terminal import COMMAND, has_colour, is_live, paint, say
from workshop import instance
from workshop.commands.catch_up import make_project
from workshop.commands.run import require_port
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
        help="let other machines on the network open the pages too (default: this machine only)",
    )
    # `run --port` is another option: the name keeps argparse from mixing them up.
    parser.add_argument(
        "--port",
        dest="pages_port",
        type=int,
        metavar="PORT",
        help="the port of the pages (default: the one used last time, initially 8765)",
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Print the one screen; on a terminal go on to serve the pages and watch the workspace."""
    port = getattr(arguments, "pages_port", None)
    if port is not None:
        require_port(port)
    made = make_workspace(home)
    progress = load(home)
    if not (is_live(sys.stdin) and is_live(sys.stdout)):
        say(*screen(home, progress, made=made, colour=has_colour()))
        return Exit.PASSED
    with instance.sole(home) as alone:
        if not alone:
            say(instance.where(home), "Stop it with Ctrl-C in its own terminal.")
            return Exit.PASSED
        return serve_and_watch(home, progress, arguments, made=made)


def serve_and_watch(
    home: Home, progress: Progress, arguments: argparse.Namespace, *, made: bool
) -> int:
    """Print the screen, serve the pages and watch the workspace until that is stopped.

    Raises EnvironmentTrouble if the port that was asked for is in use.
    """
    from workshop.commands.watch import watch_workspace
    from workshop.pages.live import serving

    host, port = getattr(arguments, "host", None), getattr(arguments, "pages_port", None)
    with serving(home, progress, host, port) as live:
        instance.note(home, live.address if live else "")
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
            f"Your project is in {home.shown(home.workspace)}, created from step 0.",
            "",
        ]
    lines += [table(progress, colour=colour), "", position(progress)]
    if current:
        lines += [
            f"  read   {live.page(current) if live else page_of(home, current)}",
            f"  edit   {home.shown(home.workspace)}",
            f"  check  {COMMAND} check",
            f"  stuck? {COMMAND} hint",
        ]
    elif live:
        lines += [f"  read   {live.address}"]
    if live and live.network_address:
        lines += [
            f"  on your network: {live.network_address}",
            "  Warning: everybody on the network can read what the checks find, including the",
            "  lines of your code that they quote. Only this machine can start a check.",
            *qr_code(live.network_address, colour=colour),
        ]
    return [*lines, f"  all commands: {COMMAND} --help", ""]


def qr_code(address: str, *, colour: bool) -> list[str]:
    """An address for the camera of a phone; [] on a terminal that cannot draw it.

    The colours are given where there are any: on a light terminal the drawing would be a
    negative, which some cameras do not read.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        import segno

        drawn = io.StringIO()
        segno.make(address, micro=False, error="l").terminal(drawn, border=2, compact=True)
        drawn.getvalue().encode(encoding)
    except (ImportError, UnicodeEncodeError):
        return []
    before, behind = ("\x1b[97;40m", "\x1b[0m") if colour else ("", "")
    rows = drawn.getvalue().rstrip("\n").split("\n")
    return ["", *(f"  {before}{row}{behind}" for row in rows), ""]

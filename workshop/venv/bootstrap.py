"""Prepares `.venv` beside the command once, then runs the command inside it.

Standard library only: this is what runs before anything has been installed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from workshop.venv.state import STAMP, SetupError, is_ready, venv_python

ENVIRONMENT = 3
INTERRUPTED = 130
MARKER = "NUMENEON_IN_VENV"


def main(root: str, argv: Sequence[str]) -> int:
    """Run the command with `argv` inside the environment of `root`.

    Prepares the environment first where it is missing, half made or out of date. Returns
    the exit status: the command's own, or 3 if the environment could not be made.
    """
    home = Path(root)
    arrived = os.environ.pop(MARKER, "") == str(home)
    if arrived and is_ready(home, sys.version_info[:2]):
        return run(home, argv)
    try:
        if arrived or not is_ready(home):
            from workshop.venv import prepare

            prepare.prepare(home, base_python())
        return hand_over(home, argv)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return ENVIRONMENT
    except KeyboardInterrupt:
        print("\nStopped. Start it again to continue from here.", file=sys.stderr)
        return INTERRUPTED


def base_python() -> str:
    """The Python outside any virtual environment that runs this."""
    return getattr(sys, "_base_executable", "") or sys.executable


def run(home: Path, argv: Sequence[str]) -> int:
    """Run the command in this process, which is the one inside `.venv`."""
    from workshop import interruption

    try:
        return interruption.main(argv)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        (home / ".venv" / STAMP).unlink(missing_ok=True)
        print(
            f"The package {package} is missing from {home / '.venv'}. "
            "Start the command again: it will be installed.",
            file=sys.stderr,
        )
        return ENVIRONMENT


def hand_over(home: Path, argv: Sequence[str]) -> int:
    """Start the command again under the interpreter of `.venv`, in the same folder."""
    python = str(venv_python(home))
    command = [python, str(home / "tutorial.py"), *argv]
    environment = os.environ | {MARKER: str(home)}
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        if os.name != "nt":
            os.execve(python, command, environment)
        return _wait_for(command, environment)
    except OSError as error:
        (home / ".venv" / STAMP).unlink(missing_ok=True)
        raise SetupError(
            f"The interpreter {python} cannot be started ({error.strerror}). "
            "Start the command again: it will be recreated."
        ) from error


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Run to the end whatever Ctrl-C says: the child hears it too, and ends by itself."""
    import subprocess

    with subprocess.Popen(command, env=environment) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()

"""Prepares `.venv` beside the command once, then runs the command inside it.

Standard library only: this is what runs before anything has been installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ENVIRONMENT = 3
INTERRUPTED = 130
MARKER = "NUMENEON_IN_VENV"
STAMP = "numeneon-stamp"


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
            from workshop import prepare

            prepare.prepare(home, base_python())
        return hand_over(home, argv)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return ENVIRONMENT
    except KeyboardInterrupt:
        print("\nStopped. The next start goes on from here.", file=sys.stderr)
        return INTERRUPTED


class SetupError(Exception):
    """The environment could not be made; the text says why and what to do."""


def venv_python(home: Path) -> Path:
    """The interpreter inside `.venv`, whether or not it exists."""
    if os.name == "nt":
        return home / ".venv" / "Scripts" / "python.exe"
    return home / ".venv" / "bin" / "python"


def base_python() -> str:
    """The Python outside any virtual environment that runs this."""
    return getattr(sys, "_base_executable", "") or sys.executable


def digest(home: Path) -> str:
    """What tells one requirements.txt from another, whatever the line endings."""
    text = (home / "requirements.txt").read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(text).hexdigest()


def stamp_text(version: Sequence[int], requirements: str) -> str:
    """What `.venv` holds when it is complete: its Python, and what was installed."""
    return f"python {version[0]}.{version[1]}\nrequirements {requirements}\n"


def is_ready(home: Path, version: Sequence[int] | None = None) -> bool:
    """Whether `.venv` is complete, up to date, and its interpreter still there.

    With `version`, also whether it was made for that Python: after an upgrade of the
    system's Python the link inside `.venv` leads to another one.
    """
    try:
        stamp = (home / ".venv" / STAMP).read_text("utf-8")
        wanted = digest(home)
    except OSError:
        return False
    if version is not None:
        return stamp == stamp_text(version, wanted)
    return stamp.endswith(f"\nrequirements {wanted}\n") and venv_python(home).exists()


def run(home: Path, argv: Sequence[str]) -> int:
    """Run the command in this process, which is the one inside `.venv`."""
    from workshop import cli

    try:
        return cli.main(argv)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        (home / ".venv" / STAMP).unlink(missing_ok=True)
        print(
            f"The package {package} is missing from {home / '.venv'}. "
            "Start the command again: it will be put back.",
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
            "Start the command again: it will be made anew."
        ) from error


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Run to the end whatever Ctrl-C says: the child hears it too, and ends by itself."""
    import subprocess

    with subprocess.Popen(command, env=environment) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold the lock file `path`; yields True if somebody else held it first.

    The lock goes away with the process, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        waited = not _try_lock(handle.fileno())
        if waited:
            text = "Another start is preparing the environment; waiting for it ..."
            print(text, file=sys.stderr, flush=True)
            _lock(handle.fileno())
        yield waited


def _try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _lock(descriptor: int) -> None:
    if os.name != "nt":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    import time

    while not _try_lock(descriptor):
        time.sleep(0.5)

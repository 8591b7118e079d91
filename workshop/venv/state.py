"""What `.venv` is like: where its interpreter is, whether it is complete, who is making it.

Standard library only: this is what runs before anything has been installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from course import locks

STAMP = "numeneon-stamp"


class SetupError(Exception):
    """The environment could not be made; the text says why and what to do."""


def venv_python(home: Path) -> Path:
    """The interpreter inside `.venv`, whether or not it exists."""
    if os.name == "nt":
        return home / ".venv" / "Scripts" / "python.exe"
    return home / ".venv" / "bin" / "python"


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


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold the lock file `path`; yields True if somebody else held it first.

    The lock goes away with the process, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        waited = not locks.try_lock(handle.fileno())
        if waited:
            text = "Another start is preparing the environment; waiting for it ..."
            print(text, file=sys.stderr, flush=True)
            locks.lock(handle.fileno())
        yield waited

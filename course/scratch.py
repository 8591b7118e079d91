"""Scratch folders that are removed for certain: at their end, at exit, or by the next start.

Each holds a file `.owner` that its process keeps locked. The system drops that lock however
the process ends, so that a later start can tell a folder left behind from one in use.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from course.locks import try_lock

OWNER = ".owner"
# Every prefix in the temporary directory; sweep() looks at no other name.
CHECK, CLUSTER, RUN = "numeneon-check-", "nnpg-", "numeneon-run-"
PREFIXES = (CHECK, CLUSTER, RUN)
SITE = "site-"  # in the command's own folder
# How long the programs of a killed process take to let go of its folder. Seconds.
_LETTING_GO = 3.0

# The folders of this process; None while the lock is not there yet. A folder is noted
# before it exists: a signal may end the function that makes it after any instruction.
_held: dict[Path, BinaryIO | None] = {}


def make(prefix: str, parent: Path | None = None) -> Path:
    """Make a folder `prefix`... below `parent` (the temporary directory); remove() ends it.

    Raises OSError if there is no room for it, or no right to make it.
    """
    if not _held:
        atexit.register(remove_all)
    place = Path(parent or tempfile.gettempdir()).resolve()
    while True:
        folder = place / f"{prefix}{os.urandom(4).hex()}"
        _held[folder] = None
        try:
            folder.mkdir(mode=0o700)
            # Another start may sweep between these two lines: then it is made again.
            file = (folder / OWNER).open("xb")
        except (FileExistsError, FileNotFoundError):
            del _held[folder]
            if not place.is_dir():
                raise
            continue
        except OSError:
            del _held[folder]
            raise
        _held[folder] = file
        try:
            if _claim(file, folder / OWNER):
                return folder
        except OSError:  # no locks here: without an owner's file no sweep removes it
            (folder / OWNER).unlink()
            return folder
        file.close()
        del _held[folder]


def _claim(file: BinaryIO, path: Path) -> bool:
    """Lock our file; False if a sweep was quicker and has removed it, or is about to.

    Raises OSError where there are no locks.
    """
    if not try_lock(file.fileno()):
        return False
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def remove(folder: Path) -> None:
    """Remove a folder of this process; one that is gone already is fine."""
    _remove(folder, _held.get(folder))
    _held.pop(folder, None)


def remove_all() -> None:
    """Remove all folders of this process. Called at its exit, whatever went before."""
    for folder in list(_held):
        with contextlib.suppress(OSError):
            remove(folder)


@contextlib.contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A scratch folder, removed at the end. Raises OSError if it cannot be made."""
    folder = make(prefix, parent)
    try:
        yield folder
    finally:
        remove(folder)


def sweep(prefixes: Iterable[str] = PREFIXES, parent: Path | None = None) -> list[Path]:
    """Remove what processes that were killed left behind; the folders that were removed.

    Only folders of these prefixes are looked at, and only those removed that hold an
    `.owner` of this user's which nobody keeps locked, or nothing at all.
    """
    place = Path(parent or tempfile.gettempdir()).resolve()
    try:
        with os.scandir(place) as entries:
            found = [
                place / entry.name
                for entry in entries
                if entry.name.startswith(tuple(prefixes))
                and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [folder for folder in found if folder not in _held and _swept(folder)]


def _swept(folder: Path) -> bool:
    """Remove a folder if its owner has ended; whether it is gone."""
    owner = folder / OWNER
    try:
        if not owner.exists():
            folder.rmdir()  # killed between two lines of make(); refuses unless empty
            return True
        if not _is_ours(owner):
            return False
        # Opened for writing: what Windows needs for a lock.
        with owner.open("r+b") as file:
            if not try_lock(file.fileno()):
                return False
            _remove(folder, file)
    except OSError:
        return False
    return not folder.exists()


def _is_ours(owner: Path) -> bool:
    status = owner.lstat()
    mine = os.name == "nt" or status.st_uid == os.geteuid()
    return mine and stat.S_ISREG(status.st_mode) and status.st_size == 0


def _remove(folder: Path, file: BinaryIO | None) -> None:
    """Remove what is inside, then the `.owner`, then the folder.

    In this order a removal that is cut short leaves a folder that the next sweep removes.
    """
    end = time.monotonic() + _LETTING_GO
    while errors := _emptied(folder):
        if time.monotonic() > end or not any(map(_passes, errors)):
            return
        time.sleep(0.05)  # a program that is just ending still writes there
    if os.name == "nt" and file:
        file.close()  # Windows removes no file that is open
    with contextlib.suppress(OSError):
        (folder / OWNER).unlink(missing_ok=True)
        folder.rmdir()
    if file:
        file.close()


def _emptied(folder: Path) -> list[OSError]:
    """Remove everything but the `.owner`; the errors, if something is still there."""
    errors: list[OSError] = []

    def note(_function: object, _path: object, error: tuple[type, OSError, object]) -> None:
        if not isinstance(error[1], FileNotFoundError):
            errors.append(error[1])

    try:
        with os.scandir(folder) as entries:
            inside = [entry for entry in entries if entry.name != OWNER]
    except OSError:
        return []
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, onerror=note)  # type: ignore[arg-type]
            continue
        try:
            os.unlink(entry.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            errors.append(error)
    return errors


def _passes(error: OSError) -> bool:
    """Whether an error is one of a program that ends: it wrote a file, or has one open."""
    return error.errno == errno.ENOTEMPTY or getattr(error, "winerror", None) == 32

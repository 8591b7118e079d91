"""One `tutorial.py` per folder: a second one says where the first one runs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from course.files import write_text
from course.locks import try_lock
from workshop.home import Home


@contextlib.contextmanager
def sole(home: Home) -> Iterator[bool]:
    """Be the one that runs in this folder; yields False if another one does.

    The lock goes away with the process, however it ends.
    """
    home.state.mkdir(parents=True, exist_ok=True)
    with (home.state / "running.lock").open("a+b") as file:
        try:
            alone = try_lock(file.fileno())
        except OSError:  # a file system without locks: nothing can be known
            alone = True
        if alone:
            _record(home).unlink(missing_ok=True)
        yield alone


def note(home: Home, address: str) -> None:
    """Note where the one that runs here serves the pages ('' if it does not)."""
    # Beside the lock and not in it: Windows lets nobody read what is locked.
    with contextlib.suppress(OSError):
        text = json.dumps({"pid": os.getpid(), "address": address})
        write_text(_record(home), f"{text}\n")


def where(home: Home) -> str:
    """Where the other one runs, in a sentence."""
    try:
        content = json.loads(_record(home).read_text("utf-8"))
        pid, address = int(content["pid"]), str(content["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return "The tutorial is being started in this folder by another process."
    place = f"The pages are at {address}" if address else "It does not serve the pages."
    return f"The tutorial already runs in this folder, as process {pid}. {place}"


def _record(home: Home) -> Path:
    return home.state / "running.json"

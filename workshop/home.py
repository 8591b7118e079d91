"""Where the tutorial lives on this machine: its steps, the workspace, its own records."""

from __future__ import annotations

import functools
import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import course
from course import Step, UnknownStep
from course.outline import address_of_page, find_step, page_file
from course.terminal import COMMAND
from workshop.errors import UsageError

if TYPE_CHECKING:
    from checks.items import Item


# Where the pages are served, unless another program is there.
PAGES_PORT = 8765


def _items_of(number: int) -> tuple[Item, ...]:
    from checks.items import items_of

    return items_of(number)


def _session(directory: Path, python: str | None, *, warm: bool = False) -> Any:
    from checks.runner import Session

    return Session(directory, python, warm=warm)


@dataclass(frozen=True)
class Home:
    """One checkout of the tutorial. The commands are functions of it, so tests make small ones.

    `items_of` gives a step's checklist and `session` what judges a project; both are the
    real ones unless a test says otherwise.
    """

    root: Path
    steps: tuple[Step, ...]
    items_of: Callable[[int], Sequence[Item]] = _items_of
    session: Callable[..., Any] = _session

    @property
    def workspace(self) -> Path:
        """The learner's own project."""
        return self.root / "workspace"

    @property
    def state(self) -> Path:
        """What the command remembers: progress, hints given, backups."""
        return self.root / ".tutorial"

    @property
    def final(self) -> Path:
        return self.root / "final"

    def folder(self, step: Step) -> Path:
        """The project as it stands after a step. Raises UsageError if it is not there."""
        folder = self.root / "steps" / step.slug
        if not folder.is_dir():
            raise UsageError(
                f"The folder of step {step.number}, {folder}, is missing here."
            )
        return folder

    def step(self, name: str) -> Step:
        """The step that a person means. Raises UsageError that lists the steps."""
        try:
            return find_step(self.steps, name)
        except UnknownStep as error:
            raise UsageError(str(error)) from error

    def checklist(self, step: Step) -> Sequence[Item]:
        """A step's items, or those of the part that is meant; none if none are written yet."""
        try:
            items = self.items_of(step.number)
        except (ModuleNotFoundError, LookupError):
            return ()
        if step.part is None:
            return items
        return [item for item in items if item.part == step.part.number]

    def items_of_part(self, step: Step) -> list[str]:
        """The ids to judge where one part of a step is meant; [] for the whole step."""
        return [item.id for item in self.checklist(step)] if step.part else []

    def all_items(self) -> dict[str, tuple[Step, Item]]:
        """Every item of the course by its id, with the step it belongs to."""
        return {
            item.id: (step, item) for step in self.steps for item in self.checklist(step)
        }

    def after(self, step: Step) -> Step | None:
        """The step that follows, None behind the last."""
        later = [other for other in self.steps if other.number > step.number]
        return later[0] if later else None

    def before(self, step: Step) -> Step | None:
        """The step that comes before, None for the first."""
        earlier = [other for other in self.steps if other.number < step.number]
        return earlier[-1] if earlier else None

    def project(self, named: str | None) -> Path:
        """The project to work on: the one named, else the workspace. It must exist.

        Raises UsageError with what to do when it does not.
        """
        if named is None:
            if not self.workspace.is_dir():
                raise UsageError(
                    f"There is no workspace yet. Make one with: {COMMAND}   "
                    "(or name a project with --project DIR)"
                )
            return self.workspace
        folder = Path(named).expanduser().absolute()
        if not folder.exists():
            raise UsageError(f"The folder {folder} does not exist. Name an existing one.")
        if not folder.is_dir():
            raise UsageError(f"{folder} is a file. Name the folder that holds the project.")
        return folder

    def site_address(self) -> str | None:
        """Where the pages of this folder are being served, None if they are not.

        running.json is what the `tutorial.py` that serves them has noted (instance.py).
        One that was killed leaves it behind, so the address is tried as well.
        """
        try:
            noted = json.loads((self.state / "running.json").read_text("utf-8"))
            address = str(noted["address"])
            parts = urlsplit(address)
            with socket.create_connection((parts.hostname, parts.port), timeout=0.2):
                return address
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def page(self, address: str) -> str:
        """Where to read a page, `steps/05-asgi/#run`: at the served site, else in docs/."""
        served = self.site_address()
        if served:
            return served + address
        file, mark, section = page_file(address).partition("#")
        return self.shown(self.root / file) + mark + section

    def shown(self, path: Path) -> str:
        """A path as a person reads it best: from here if it is below, else in full."""
        for base in (Path.cwd(), self.root):
            if path == base:
                continue
            if path.is_relative_to(base):
                return str(path.relative_to(base)) + (os.sep if path.is_dir() else "")
        return str(path)


def page_of(home: Home, step: Step, section: str = "") -> str:
    """Where to read the page of a step, or of the part that is meant, or one section of it."""
    return home.page(address_of_page(step, step.part) + (f"#{section}" if section else ""))


@functools.cache
def here() -> Home:
    """The checkout that this file belongs to."""
    return Home(course.ROOT, course.steps())

"""What can happen while a watch waits: a save, a key, or something that a page asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from course import Step


@dataclass(frozen=True)
class Saved:
    """Files were saved (or removed): their paths in the project, and when the last one was."""

    paths: tuple[PurePosixPath, ...]
    at: datetime

    def __str__(self) -> str:
        """`notes/views.py saved 11:14:03`; with the day if that is not today."""
        first, *others = self.paths
        more = f" and {len(others)} more" if others else ""
        today = self.at.date() == datetime.now().date()
        moment = self.at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")
        # Many files of a project have the same name: the folder tells which is meant.
        return f"{'/'.join(first.parts[-2:])}{more} saved {moment}"


@dataclass(frozen=True)
class Key:
    """A key was pressed on the terminal: its character, in lower case."""

    name: str


@dataclass(frozen=True)
class CheckAsked:
    """A page asks for a check of its step, which has a checklist."""

    step: Step


@dataclass(frozen=True)
class PageOpened:
    """The page of a step with a checklist was opened."""

    step: Step


Event = Saved | Key | CheckAsked | PageOpened

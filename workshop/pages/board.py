"""What the pages are told: the state of the steps, their items, and the run under way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from course import Step
from course.outline import address_of_page
from workshop.commands.steps import state as state_of
from workshop.home import Home
from workshop.progress import GOOD, Progress

if TYPE_CHECKING:
    from checks.results import ItemResult

SCHEMA = 1
# What went over the wire is sent along up to this many characters of JSON, failures first.
MOST_OF_EXCHANGES = 200_000


class Board:
    """What is known about the steps and their items. Used in the server's thread only."""

    def __init__(self, home: Home, project: Path) -> None:
        self.home = home
        self.project = project
        self.watched: int | None = None
        self.running: set[str] = set()
        self.runs = 0
        self.seconds = 0.0
        self.verdicts: dict[int, dict[str, dict[str, Any]]] = {}
        self.exchanges: dict[int, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []

    def begin(
        self, progress: list[dict[str, Any]], known: dict[int, dict[str, str]]
    ) -> None:
        """Start from what was noted earlier: verdicts without their messages."""
        self.steps = progress
        self.verdicts = {
            step: {id: {"status": status} for id, status in items.items()}
            for step, items in known.items()
        }

    def started(self, step: Step) -> None:
        self.watched = step.number
        self.running = {item.id for item in self.home.checklist(step)}

    def verdict(self, result: ItemResult) -> None:
        self.running.discard(result.id)
        if self.watched is not None:
            known = self.verdicts.setdefault(self.watched, {})
            known[result.id] = self._told(result)
            heard = self.exchanges.setdefault(self.watched, {})
            heard.pop(result.id, None)
            if result.exchange:
                heard[result.id] = result.exchange.as_dict()

    def finished(self, seconds: float, progress: list[dict[str, Any]]) -> None:
        self.running = set()
        self.runs += 1
        self.seconds = seconds
        self.steps = progress

    def moved(self, step: Step) -> None:
        self.watched = step.number

    def _told(self, result: ItemResult) -> dict[str, Any]:
        return {
            "status": str(result.status),
            "message": result.message,
            "remark": result.remark,
            "hint": result.hint,
            "file": result.file,
            "line": result.line,
            "blocked_by": result.blocked_by,
        }

    def shown(self, step: Step | None, *, near: bool) -> dict[str, Any]:
        """The state as a page of `step` gets it. A page that is not `near`, on this machine,
        gets no link that opens an editor and may not ask for anything.
        """
        running = bool(step and step.number == self.watched and self.running)
        state = {
            "type": "state",
            "schema": SCHEMA,
            "step": step.number if step else None,
            "watched": self.watched,
            "running": running,
            "runs": self.runs,
            "seconds": round(self.seconds, 3),
            "may_ask": near,
            "items": self._items(step, near=near) if step else [],
            "steps": self.steps,
        }
        # Not at each verdict of a run: they are by far the largest part of a state.
        return state if running else state | {"exchanges": self._exchanges(step)}

    def _exchanges(self, step: Step | None) -> dict[str, Any]:
        """What went over the wire, as far as there is room."""
        if step is None:
            return {}
        heard = self.exchanges.get(step.number, {})
        known = self.verdicts.get(step.number, {})
        failed_first = sorted(heard, key=lambda item: known[item]["status"] != "failed")
        chosen: dict[str, Any] = {}
        left = MOST_OF_EXCHANGES
        for id in failed_first:
            left -= len(json.dumps(heard[id]))
            if left < 0:
                break
            chosen[id] = heard[id]
        return chosen

    def _items(self, step: Step, *, near: bool) -> list[dict[str, Any]]:
        known = self.verdicts.get(step.number, {})
        running = self.running if step.number == self.watched else set()
        blank = {"status": "unknown"}
        items = []
        for item in self.home.checklist(step):
            told: dict[str, Any] = {"id": item.id, "running": item.id in running}
            told |= known.get(item.id, blank)
            if near and told.get("file"):
                told["open"] = editor_link(self.project / told["file"], told.get("line"))
            items.append(told)
        return items


def editor_link(file: Path, line: int | None) -> str:
    """The address under which an editor opens a file at a line."""
    path = file.as_posix()
    start = path if path.startswith("/") else f"/{path}"
    return f"vscode://file{quote(start)}" + (f":{line}" if line else "")


def progress_of(progress: Progress) -> list[dict[str, Any]]:
    """How far each step is, in the course's order, and which of its pages are finished."""
    table = []
    for step in progress.home.steps:
        done, total = progress.count(step)
        finished = progress.is_done(step)
        table.append(
            {
                "number": step.number,
                "slug": step.slug,
                "title": step.title,
                "finished": finished,
                "state": state_of(progress, step),
                "done": done,
                "total": total,
                "pages": _pages(progress, step, finished),
            }
        )
    return table


def _pages(progress: Progress, step: Step, finished: bool) -> list[dict[str, Any]]:
    """The addresses of a step's pages; a part is finished once its own items are."""
    pages = [{"address": address_of_page(step), "finished": finished}]
    known = progress.verdicts.get(step.slug, {})
    for part in step.parts:
        items = progress.home.checklist(replace(step, part=part))
        passed = bool(items) and all(known.get(item.id) in GOOD for item in items)
        pages.append(
            {"address": address_of_page(step, part), "finished": finished or passed}
        )
    return pages

"""What has been passed so far, kept for each project in `.tutorial/progress.json`.

A record belongs to a folder by its path. Whether the folder is still the same project cannot
be read off it: inode and creation time change when a copy, a clone or a backup is put in its
place, which is the same project, and a mark in the folder would be one more stray file in
it. So a record ends where the command itself can know it: when it makes the folder anew
(forget()). A project that somebody exchanged by hand gets new verdicts at its next check.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course import Step
from course.files import write_text
from course.terminal import complain
from workshop.home import Home

if TYPE_CHECKING:
    from checks.results import Report

SCHEMA = 1
GOOD = {"passed", "manual"}


@dataclass
class Progress:
    """One project's record: the newest verdict on each item, and how far catch-up went.

    `caught_up` is the number of the last step whose state was put in place by catch-up;
    steps up to it count as finished without verdicts. `checked` is the number of the step
    that was checked last, `hints` how many hints were given for which item.
    `just_finished` is true after a check that finished the last open step.
    """

    home: Home
    project: Path
    verdicts: dict[str, dict[str, str]] = field(default_factory=dict)
    caught_up: int = -1
    checked: int = -1
    hints: dict[str, int] = field(default_factory=dict)
    just_finished: bool = False

    def count(self, step: Step) -> tuple[int, int]:
        """How many items of a step are passed or manual, and how many there are."""
        known = self.verdicts.get(step.slug, {})
        reached = self.reached()
        items = [item for item in self.home.checklist(step) if item.holds_at(reached)]
        return sum(known.get(item.id) in GOOD for item in items), len(items)

    def reached(self) -> int:
        """The number of the furthest step that was finished or caught up with; -1 if none.

        From there on, earlier items that it replaces are not judged any more.
        """
        finished = [
            step.number
            for step in self.home.steps
            if (known := self.verdicts.get(step.slug)) and set(known.values()) <= GOOD
        ]
        return max([self.caught_up, *finished])

    def is_done(self, step: Step) -> bool:
        """Whether all of a step's items passed, or catch-up put its state in place."""
        if step.number <= self.caught_up and not self.verdicts.get(step.slug):
            return True
        done, total = self.count(step)
        return 0 < total == done

    def current(self) -> Step | None:
        """The first unfinished step, None if all are finished."""
        return next((step for step in self.home.steps if not self.is_done(step)), None)

    def first_failure(self) -> str | None:
        """The id of the first item that failed when a step was checked last."""
        for step in self.home.steps:
            if step.number == self.checked:
                known = self.verdicts.get(step.slug, {})
                ids = [item.id for item in self.home.checklist(step)]
                return next((id for id in ids if known.get(id) == "failed"), None)
        return None

    def record(self, report: Report) -> None:
        """Keep the verdicts of a run and save them; items that were not judged stay."""
        self.refresh()
        finished_before = self.current() is None
        step = next(step for step in self.home.steps if step.number == report.step)
        known = self.verdicts.setdefault(step.slug, {})
        known.update({result.id: str(result.status) for result in report.items})
        self.checked = step.number
        self.just_finished = not finished_before and self.current() is None
        self.save()

    def note_hint(self, id: str, count: int) -> None:
        """Note that so many hints were given for an item."""
        self.refresh()
        self.hints[id] = count
        self.save()

    def catch_up(self, step: Step | None) -> None:
        """Start anew as if every step up to this one had been finished, and save."""
        self.refresh()
        self.caught_up = step.number if step else -1
        self.verdicts = {}
        self.checked = -1
        self.save()

    def refresh(self) -> None:
        """Read the record again: another terminal may have changed it since.

        A watch holds its record for hours, and `catch-up` or `reset` in a second terminal
        must not be undone by the next save of a file.
        """
        entry = _read(_file(self.home))["projects"].get(_key(self.home, self.project))
        self._take(entry if isinstance(entry, dict) else {})

    def forget(self) -> None:
        """Begin a record with nothing in it, if there is one."""
        self._take({})
        file = _file(self.home)
        everything = _read(file)
        if everything["projects"].pop(_key(self.home, self.project), None) is not None:
            self._write(file, everything)

    def is_empty(self) -> bool:
        """Whether nothing has been noted yet."""
        return self.caught_up < 0 and not self.verdicts and not self.hints

    def copy_to(self, project: Path) -> Progress:
        """Give another folder the same record, as its backup or the project made of it."""
        other = Progress(self.home, project)
        other._take(self._entry())
        if other.is_empty():
            other.forget()
        else:
            other.save()
        return other

    def save(self) -> None:
        """Write the record in one move; one that cannot be written is no reason to fail."""
        file = _file(self.home)
        everything = _read(file)
        everything["projects"][_key(self.home, self.project)] = self._entry()
        self._write(file, everything)

    def _entry(self) -> dict[str, Any]:
        return {
            "caught_up": self.caught_up,
            "checked": self.checked,
            "verdicts": self.verdicts,
            "hints": self.hints,
        }

    def _take(self, entry: dict[str, Any]) -> None:
        self.caught_up = _number(entry.get("caught_up"))
        self.checked = _number(entry.get("checked"))
        self.verdicts = _verdicts(entry.get("verdicts"))
        hints = entry.get("hints")
        self.hints = {
            str(id): count
            for id, count in (hints if isinstance(hints, dict) else {}).items()
            if isinstance(count, int)
        }

    @staticmethod
    def _write(file: Path, everything: dict[str, Any]) -> None:
        text = json.dumps(everything, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        try:
            write_text(file, text)
        except OSError as error:
            complain(f"Your progress could not be saved in {file}: {error.strerror}.")


def load(home: Home, project: Path | None = None) -> Progress:
    """The record of a project (of the workspace if none is named).

    It is an empty one where nothing was noted. Where the project is not there nothing of it
    counts, but the record is kept for the case that it comes back; hints count anyhow.
    """
    progress = Progress(home, project or home.workspace)
    progress.refresh()
    if not progress.project.is_dir():
        progress._take({"hints": progress.hints})
    return progress


def _file(home: Home) -> Path:
    return home.state / "progress.json"


def _key(home: Home, project: Path) -> str:
    resolved = project.resolve()
    return "workspace" if resolved == home.workspace.resolve() else str(resolved)


def _read(file: Path) -> dict[str, Any]:
    """The whole record. A damaged one is put aside, with a word, and a new one was started."""
    empty: dict[str, Any] = {"schema": SCHEMA, "projects": {}}
    try:
        content = json.loads(file.read_text("utf-8"))
        if content["schema"] == SCHEMA and isinstance(content["projects"], dict):
            return content
    except FileNotFoundError:
        return empty
    except OSError as error:
        complain(f"Your progress in {file} cannot be read: {error.strerror}.")
        return empty
    except (ValueError, KeyError, TypeError):
        pass
    aside = file.with_suffix(".damaged.json")
    complain(f"{file} is damaged. It is kept as {aside.name}, and a new one was started.")
    with contextlib.suppress(OSError):
        file.replace(aside)
    return empty


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def _verdicts(value: object) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        return {}
    return {
        str(slug): {str(id): str(status) for id, status in verdicts.items()}
        for slug, verdicts in value.items()
        if isinstance(verdicts, dict)
    }

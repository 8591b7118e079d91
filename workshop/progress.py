"""What has been passed so far, kept for each project in `.tutorial/progress.json`."""

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
    steps up to it count as finished without verdicts.
    """

    home: Home
    project: Path
    verdicts: dict[str, dict[str, str]] = field(default_factory=dict)
    caught_up: int = -1

    def count(self, step: Step) -> tuple[int, int]:
        """How many items of a step are passed or manual, and how many there are."""
        known = self.verdicts.get(step.slug, {})
        items = self.home.checklist(step)
        return sum(known.get(item.id) in GOOD for item in items), len(items)

    def is_done(self, step: Step) -> bool:
        """Whether all of a step's items passed, or catch-up put its state in place."""
        if step.number <= self.caught_up and not self.verdicts.get(step.slug):
            return True
        done, total = self.count(step)
        return 0 < total == done

    def current(self) -> Step | None:
        """The first unfinished step, None if all are finished."""
        return next((step for step in self.home.steps if not self.is_done(step)), None)

    def record(self, report: Report) -> None:
        """Keep the verdicts of a run and save them; items that were not judged stay."""
        step = next(step for step in self.home.steps if step.number == report.step)
        known = self.verdicts.setdefault(step.slug, {})
        known.update({result.id: str(result.status) for result in report.items})
        self.save()

    def catch_up(self, step: Step | None) -> None:
        """Start anew as if every step up to this one had been finished, and save."""
        self.caught_up = step.number if step else -1
        self.verdicts = {}
        self.save()

    def save(self) -> None:
        """Write the record in one move; one that cannot be written is no reason to fail."""
        file = _file(self.home)
        everything = _read(file)
        everything["projects"][_key(self.home, self.project)] = {
            "caught_up": self.caught_up,
            "verdicts": self.verdicts,
        }
        text = json.dumps(everything, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        try:
            write_text(file, text)
        except OSError as error:
            complain(f"Your progress could not be noted in {file}: {error.strerror}.")


def load(home: Home, project: Path | None = None) -> Progress:
    """The record of a project (of the workspace if none is named), maybe an empty one."""
    project = project or home.workspace
    entry = _read(_file(home))["projects"].get(_key(home, project), {})
    progress = Progress(home, project)
    if isinstance(entry, dict):
        progress.caught_up = _number(entry.get("caught_up"))
        progress.verdicts = _verdicts(entry.get("verdicts"))
    return progress


def _file(home: Home) -> Path:
    return home.state / "progress.json"


def _key(home: Home, project: Path) -> str:
    resolved = project.resolve()
    return "workspace" if resolved == home.workspace.resolve() else str(resolved)


def _read(file: Path) -> dict[str, Any]:
    """The whole record. A damaged one is put aside, with a word, and a new one begun."""
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
    complain(
        f"{file} cannot be understood. It is kept as {aside.name}, and a new one begun."
    )
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

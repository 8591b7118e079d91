"""A small tutorial of three steps, for testing the command without the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from checks.items import Hints, Item
from checks.results import ItemResult, Report, Status
from course import Step
from workshop.commands.catch_up import TEMPLATES
from workshop.home import Home

# The small course: its folder has a space and letters that are not Latin, as home folders do.
LETTERS = "A = 1\nB = 2\nC = 3\nD = 4\nE = 5\nF = 6\n"
VIEW = '@decorated\ndef view():\n    """The answer."""\n    return {}\n'
STEPS = {
    "00-start": {
        "README.md": "# Step 00\n",
        "requirements.txt": "Django==5.2\n",
        "backend/manage.py": "print('manage')\n",
        "backend/site/settings.py": LETTERS + "G = 7\n",
        "backend/site/old.py": "OLD = True\n",
    },
    "01-middle": {
        "README.md": "# Step 01\n",
        "requirements.txt": "Django==5.2\n",
        "backend/manage.py": "print('manage')\n",
        "backend/site/settings.py": LETTERS + "G = 'seven'\n",
        "backend/notes/views.py": VIEW.format(1),
    },
    "02-end": {
        "README.md": "# Step 02\n",
        "requirements.txt": "Django==5.2\nchannels==4.3\n",
        "backend/manage.py": "print('manage')\n",
        "backend/site/settings.py": LETTERS + "G = 'seven'\nH = 8\n",
        "backend/notes/views.py": VIEW.format(2),
        "build.sh": "#!/bin/sh\n",
    },
}


@dataclass
class FakeSession:
    """Stands for checks.runner.Session: gives the verdicts that a test put in `verdicts`."""

    directory: Path
    python: str | None
    items_of: Callable[[int], Sequence[Item]]
    verdicts: dict[str, Status]
    runs: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(
        self,
        step: int,
        *,
        only: Sequence[str] = (),
        url: str | None = None,
        logins: Sequence[tuple[str, str]] = (),
        on_result: Callable[[ItemResult], None] | None = None,
        reached: object = None,
    ) -> Report:
        """Every item as `verdicts` says, passed where it says nothing."""
        self.runs.append(
            {"step": step, "only": only, "url": url, "logins": logins, "reached": reached}
        )
        results = [
            self._verdict(item, self.verdicts.get(item.id, Status.PASSED))
            for item in self.items_of(step)
            if not only or item.id in only
        ]
        for result in results:
            (on_result or print)(result)
        return Report(step, str(self.directory), results, 0.1)

    def tidy(self) -> None:
        """Nothing was started."""

    def _verdict(self, item: Item, status: Status) -> ItemResult:
        message = f"found    {item.id} does not hold" if status is Status.FAILED else ""
        waits_for = "start.works" if status is Status.BLOCKED else None
        return ItemResult(
            item.id,
            item.title,
            status,
            message=message,
            docs=item.docs,
            blocked_by=waits_for,
        )


def make_item(id: str, step: int, **more: Any) -> Item:
    """An item that nobody will judge."""
    hints = Hints("Who asks?", "In notes/views.py.", "backend/notes/views.py::view")
    defaults = {"needs": (), "docs": "steps/x/#y", "judge": lambda harness: None}
    fields: dict[str, Any] = defaults | {"parallel": False, "live": False} | more
    return Item(id=id, step=step, title=f"The item {id} holds.", hints=hints, **fields)


ITEMS = {
    0: (make_item("start.works", 0), make_item("start.tested", 0)),
    1: (make_item("notes.view", 1), make_item("notes.urls", 1)),
    2: (make_item("end.deployed", 2, live=True),),
}


def write_tree(root: Path, files: dict[str, str]) -> None:
    """Write text files below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file below `root`, for comparing."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def after(slug: str) -> dict[str, str]:
    """The files of a project as after a step, as text."""
    own = {name: file.read_text("utf-8") for name, file in TEMPLATES.items()}
    return STEPS[slug] | own


@pytest.fixture
def verdicts() -> dict[str, Status]:
    """What the small course's checks will find; empty means that all passes."""
    return {}


@pytest.fixture
def sessions() -> list[FakeSession]:
    """The sessions that were opened, in order."""
    return []


@pytest.fixture
def home(
    tmp_path: Path,
    verdicts: dict[str, Status],
    sessions: list[FakeSession],
    monkeypatch: pytest.MonkeyPatch,
) -> Home:
    """A tutorial of three tiny steps in a folder of its own; the tests start beside it."""
    root = tmp_path / "my tutorial Ж"
    for slug, files in STEPS.items():
        write_tree(root / "steps" / slug, files)
    (root / "steps" / "02-end" / "build.sh").chmod(0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def session(directory: Path, python: str | None, *, warm: bool = False) -> FakeSession:
        made = FakeSession(directory, python, ITEMS.__getitem__, verdicts)
        sessions.append(made)
        return made

    steps = tuple(
        Step(
            number,
            slug,
            slug[3:].title(),
            10 * (number + 1),
            ("**",),
            99,
            given=("backend/notes/*", "backend/site/old.py"),
        )
        for number, slug in enumerate(STEPS)
    )
    return Home(root, steps, items_of=ITEMS.__getitem__, session=session)


@pytest.fixture
def workspace(home: Home) -> Path:
    """The small tutorial's workspace, as after its step 0."""
    write_tree(home.workspace, STEPS["00-start"])
    return home.workspace

"""What proves the checks: for every item, projects that must fail it and projects that must not.

A variant is a step's snapshot with a few edits. A broken one fails exactly the item it
names; a correct one is written differently and passes the whole checklist.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import course


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which occurs exactly once in the file, by `new`.

    An empty `old` makes or replaces the whole file; `old=None` removes it, or a folder.
    """

    path: str
    old: str | None
    new: str | None

    def apply(self, root: Path) -> None:
        file = root / self.path
        if self.old is None:
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink()
            return
        assert self.new is not None
        file.parent.mkdir(parents=True, exist_ok=True)
        if self.old:
            text = file.read_text("utf-8")
            assert text.count(self.old) == 1, (
                f"{self.path} holds {self.old!r} not exactly once"
            )
            file.write_text(text.replace(self.old, self.new), "utf-8")
        else:
            file.write_text(self.new, "utf-8")


@dataclass(frozen=True)
class Variant:
    """A snapshot with edits, and what its checklist must say of the item.

    One that has to be `alone` does not pass together with others, for a reason that no file
    in common shows.
    """

    item: str
    label: str
    edits: tuple[Edit, ...]
    passes: bool
    python: str | None = None
    alone: bool = False

    @property
    def files(self) -> set[str]:
        """What it edits."""
        return {edit.path for edit in self.edits}

    def make(self, step: course.Step, root: Path) -> None:
        """Put the variant's project into the folder `root`, which is not there yet."""
        make_together([self], step, root)


def make_together(variants: Iterable[Variant], step: course.Step, root: Path) -> None:
    """Put a project with the edits of all these variants into the folder `root`."""
    shutil.copytree(step.folder, root, ignore=shutil.ignore_patterns("__pycache__"))
    for variant in variants:
        for edit in variant.edits:
            edit.apply(root)


def grouped(variants: Iterable[Variant]) -> list[list[Variant]]:
    """The same variants, those together that one project can show to be correct.

    Each of them is about another item and edits other files. A broken one is alone: it must
    fail nothing but its item.
    """
    groups: list[list[Variant]] = []
    for variant in variants:
        group = next((g for g in groups if all(_go_together(variant, v) for v in g)), None)
        if group is None:
            groups.append([variant])
        else:
            group.append(variant)
    return groups


def _go_together(one: Variant, other: Variant) -> bool:
    return (
        one.passes
        and other.passes
        and not (one.alone or other.alone)
        and one.python == other.python
        and one.item != other.item
        and one.files.isdisjoint(other.files)
    )


def broken(item: str, label: str, *edits: Edit, python: str | None = None) -> Variant:
    """A project that must fail exactly that item."""
    return Variant(item, label, edits, passes=False, python=python)


def correct(
    item: str, label: str, *edits: Edit, python: str | None = None, alone: bool = False
) -> Variant:
    """A project that does the item's thing in another way and must pass."""
    return Variant(item, label, edits, passes=True, python=python, alone=alone)


def settings_in_a_package(number: int) -> tuple[Edit, ...]:
    """A step's settings as `settings/base.py`, taken over by `settings/dev.py`."""
    package = course.step(number).folder / "backend/numeneon"
    text = (package / "settings.py").read_text("utf-8")
    up = "Path(__file__).resolve().parent.parent"
    assert text.count(up) == 1
    users = ["manage.py", "numeneon/asgi.py", "numeneon/wsgi.py", "pytest.ini"]
    return (
        Edit("backend/numeneon/settings.py", None, None),
        # It imports numeneon.settings by that name.
        Edit("backend/numeneon/tests/test_settings.py", None, None),
        Edit("backend/numeneon/settings/__init__.py", "", ""),
        Edit("backend/numeneon/settings/base.py", "", text.replace(up, f"{up}.parent")),
        Edit(
            "backend/numeneon/settings/dev.py",
            "",
            "from .base import *\n\nINTERNAL_IPS = []\n",
        ),
        *(
            Edit(f"backend/{name}", "numeneon.settings", "numeneon.settings.dev")
            for name in users
        ),
    )


def variants_of(step: course.Step) -> list[Variant]:
    """The table of a step."""
    return importlib.import_module(f"tests.variants.step{step.number:02}").VARIANTS

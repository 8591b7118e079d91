"""What is not the project's fault is called the environment's, and says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import course
from checks.report import line
from checks.results import ItemResult, Report, Status
from checks.runner import Session

pytestmark = pytest.mark.server


def judge(root: Path, step: int, python: str | None = None) -> Report:
    """One run of a step's checklist over a fresh copy of that step's snapshot."""
    with Session(root, python) as session:
        return session.run(step)


def snapshot(step: int, root: Path) -> Path:
    """A copy of a step's snapshot, for a test to change."""
    shutil.copytree(course.step(step).folder, root)
    return root


def only_trouble(report: Report) -> ItemResult:
    """The one item that the environment stopped; the rest passed or waits for it."""
    shown = "\n".join(map(line, report.items))
    assert Status.FAILED not in {result.status for result in report.items}, shown
    [trouble] = [r for r in report.items if r.status is Status.ENVIRONMENT]
    assert "the check itself broke" not in trouble.message, shown
    return trouble


@pytest.mark.parametrize(
    ("step", "missing", "dist"),
    [
        (0, "django", "Django"),
        (0, "djangorestframework", "djangorestframework"),
        (2, "django", "Django"),
        (5, "django", "Django"),
        (5, "channels", "channels"),
    ],
)
def test_interpreter_without_a_listed_package_is_named(
    step: int,
    missing: str,
    dist: str,
    tmp_path: Path,
    interpreter: Callable[[str | None], str | None],
) -> None:
    """A virtual environment without what requirements.txt names is at fault, no line is."""
    python = interpreter(f"without:{missing}")

    trouble = only_trouble(judge(snapshot(step, tmp_path / "project"), step, python))

    assert f"{python}, has no {dist.lower()}" in trouble.message.replace("Django", "django")
    assert "-m pip install -r requirements.txt" in trouble.message


def test_list_that_cannot_be_read_is_not_judged(tmp_path: Path) -> None:
    """A setup.py is a program: what it asks for is known only to setuptools."""
    root = snapshot(1, tmp_path / "project")
    (root / "requirements.txt").unlink()
    (root / "setup.py").write_text("from setuptools import setup\nsetup()\n", "utf-8")

    trouble = only_trouble(judge(root, 1))

    assert trouble.id == "install.requirements"
    assert "setup.py" in trouble.message
    assert "not judged" in trouble.message

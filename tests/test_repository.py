"""Rules between the files of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import newest
from workshop.commands import doctor
from workshop.commands.steps import table
from workshop.home import here
from workshop.progress import Progress

ROOT = here().root
PIN = re.compile(r"^([A-Za-z0-9._-]+)(\[[^\]]+\])?==([^\s;#\\]+)", re.MULTILINE)


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> set[tuple[str, str]]:
    """(name, version) of every pinned requirement."""
    return {(normal(name), version) for name, _, version in PIN.findall(text)}


@pytest.mark.parametrize("step", here().steps, ids=lambda step: step.slug)
def test_steps_pin_what_the_lock_has(step: object) -> None:
    """A learner's environment has exactly the versions that the step names."""
    folder = here().folder(step)  # type: ignore[arg-type]
    wanted = pins((folder / "requirements.txt").read_text("utf-8"))

    assert wanted
    assert wanted <= pins((ROOT / "requirements.txt").read_text("utf-8"))


def test_lock_has_all_that_is_asked_for() -> None:
    """requirements.txt was made from requirements.in as it is now."""
    asked = re.findall(
        r"^([A-Za-z0-9._-]+)", (ROOT / "requirements.in").read_text("utf-8"), re.MULTILINE
    )
    locked = {name for name, _ in pins((ROOT / "requirements.txt").read_text("utf-8"))}

    assert {normal(name) for name in asked} <= locked
    assert pins((ROOT / "requirements.in").read_text("utf-8")) <= pins(
        (ROOT / "requirements.txt").read_text("utf-8")
    )


def test_lock_has_hashes_and_no_addresses() -> None:
    """Every requirement is hashed, and the file names no index."""
    text = (ROOT / "requirements.txt").read_text("utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]

    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|file:|--index|--extra|--find-links", text)


def test_lock_is_installed_here() -> None:
    """The environment that runs the tests is the one that learners get."""
    assert doctor._packages(here()).found.startswith("all ")


def test_readme_lists_the_steps() -> None:
    """The table is course.toml's, and the picture what the command prints."""
    readme = (ROOT / "README.md").read_text("utf-8")

    for step in here().steps:
        page = f"steps/{step.slug}/README.md"
        assert f"| [{step.slug[:2]} {step.title}]({page}) | {step.minutes} |" in readme

    first = here().steps[0]
    verdicts = {first.slug: {item.id: "passed" for item in here().checklist(first)}}
    begun = Progress(here(), here().workspace, verdicts)
    assert table(begun, colour=False) in readme


def test_readme_is_one_screen() -> None:
    """What it is, two commands, a picture, the table."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()

    assert len(lines) <= 65
    assert "python3 tutorial.py test" in "\n".join(lines)


@pytest.mark.parametrize("name", ["README.md", "workshop", "tutorial.py"])
def test_nothing_is_called_easy(name: str) -> None:
    """Words that tell a stuck reader that it is their fault."""
    place = ROOT / name
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    words = re.compile(r"\b(simply|just|easy|easily|obviously)\b", re.IGNORECASE)

    found = [f"{file.name}: {word}" for file in files for word in words.findall(read(file))]
    assert not found


def read(path: Path) -> str:
    """A text file."""
    return path.read_text("utf-8")


def test_newest_replaces_every_pin() -> None:
    """The scheduled job loosens, locks and pins the steps to what it found."""
    assert newest.loosened("# c\na[x]==1\nb==2 ; marker\n") == "# c\na[x]\nb==2 ; marker\n"
    assert newest.locked("a==1.9 ; old\na==1.10\n") == {"a": "1.10"}
    assert newest.repinned("A[x]==1  # why\n", {"a": "2"}) == "A[x]==2  # why\n"

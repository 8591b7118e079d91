"""Rules between the files of the repository."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tools import newest
from workshop.authoring import generated
from workshop.commands import doctor
from workshop.home import here

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


def test_generated_blocks_are_up_to_date() -> None:
    """README.md and mkdocs.yml say what course.toml does; `new-step` writes them anew."""
    for name, text in generated.wanted(here()).items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name}: run new-step"


def test_stale_block_is_written_anew(tmp_path: Path) -> None:
    """Only what is between the marks; a file without them is an error, not a silent one."""
    home = replace(here(), root=tmp_path)
    for name in ("README.md", "mkdocs.yml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    text = (tmp_path / "README.md").read_text("utf-8")
    stale = text.replace(f"| {home.steps[0].minutes} |", "| 999 |")
    (tmp_path / "README.md").write_text(stale, "utf-8")

    assert generated.refresh(home) == ["README.md"]
    assert (tmp_path / "README.md").read_text("utf-8") == text
    (tmp_path / "README.md").write_text(text.replace("steps: table", "table"), "utf-8")
    with pytest.raises(generated.NoPlace, match="steps: table"):
        generated.refresh(home)


def test_readme_is_one_screen() -> None:
    """What it is, two commands, a picture, the table; the list of steps may be longer."""
    text = (ROOT / "README.md").read_text("utf-8")
    own = re.sub(r"(?ms)^<!-- steps: \w+,.*?^<!-- steps: end -->$", "", text)

    assert len(own.splitlines()) <= 45
    assert "python3 tutorial.py test" in own


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

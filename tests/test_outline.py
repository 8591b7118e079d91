"""The list of steps: who is meant by a name, and the parts that a step may come in."""

from __future__ import annotations

from pathlib import Path

import pytest

import course
from checks.items import number_of
from course import UnknownStep
from course.outline import address_of_page, find_step, page_of, read

LIST = """\
[[step]]
slug = "00-start"
title = "Start"
minutes = 10
after = "a beginning"
touches = ["**"]
adds = 10

[[step]]
slug = "01-sockets"
title = "Sockets"
after = "two parts"
touches = ["a/*"]
adds = 10
given = ["a/tests/*"]
parts = [
    { slug = "greets", title = "A socket that greets", minutes = 20 },
    { slug = "listens", title = "A socket that listens", minutes = 15 },
]
"""


@pytest.fixture
def steps(tmp_path: Path) -> tuple[course.Step, ...]:
    """A list of two steps, the second in two parts."""
    file = tmp_path / "course.toml"
    file.write_text(LIST, "utf-8")
    return read(file)


def test_step_in_parts_has_their_minutes_and_pages(steps: tuple[course.Step, ...]) -> None:
    """The overview is the folder's first page; a step without parts has one page."""
    whole, parted = steps

    assert (whole.pages, parted.minutes) == (("steps/00-start",), 35)
    assert parted.pages == (
        "steps/01-sockets/index",
        "steps/01-sockets/1-greets",
        "steps/01-sockets/2-listens",
    )
    assert address_of_page(whole) == "steps/00-start/"
    assert address_of_page(parted) == "steps/01-sockets/"
    assert address_of_page(parted, parted.parts[1]) == "steps/01-sockets/2-listens/"


@pytest.mark.parametrize("name", ["1.2", "01.2", "sockets.2", "01-sockets.listens"])
def test_part_is_named_behind_a_dot(name: str, steps: tuple[course.Step, ...]) -> None:
    """It is the step, with the part: whoever asks for the step gets the same one."""
    found = find_step(steps, name)

    assert found == steps[1] and hash(found) == hash(steps[1])
    assert found.part == steps[1].parts[1]
    assert (found.label, found.heading) == ("1.2", "A socket that listens")
    assert page_of(found, found.part) == "steps/01-sockets/2-listens"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("7", r"There is no step '7'\. The steps are: 0 start, 1 sockets\."),
        ("1.3", r"Step 1 has no part '3'; its parts are: 1\.1 greets, 1\.2 listens\."),
        ("0.1", r"Step 0 has no part '1'; it has none\."),
        ("7.1", r"There is no step '7'"),
    ],
)
def test_what_is_not_there_is_said(
    name: str, says: str, steps: tuple[course.Step, ...]
) -> None:
    """With what there is instead."""
    with pytest.raises(UnknownStep, match=says):
        find_step(steps, name)


def test_step_knows_what_it_gives(steps: tuple[course.Step, ...]) -> None:
    """By its patterns; a step without any gives nothing."""
    assert steps[1].gives("a/tests/test_b.py") and not steps[1].gives("a/b.py")
    assert not steps[0].gives("a/tests/test_b.py")


def test_checklist_has_the_number_of_its_module() -> None:
    """The module is renamed when a step is inserted before it, and nothing else."""
    assert number_of(f"checks.items.step{5:02}") == 5
    with pytest.raises(ValueError, match="not called after a step"):
        number_of("checks.items.step5")


def test_folders_are_numbered_without_a_gap() -> None:
    """The number that a slug begins with is the step's place in the list."""
    assert [step.number for step in course.steps()] == list(range(len(course.steps())))
    assert len({step.name for step in course.steps()}) == len(course.steps())


def test_part_has_no_parts(steps: tuple[course.Step, ...]) -> None:
    """`1.1.1` is not taken for `1.1`."""
    with pytest.raises(UnknownStep, match=r"Step 1\.1 is a part"):
        find_step(steps, "1.1.1")

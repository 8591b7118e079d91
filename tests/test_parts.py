"""A step in parts, for the commands: `check 1.2` judges the items of that part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from checks.items import Item
from course.outline import Part
from tests.small import ITEMS, FakeSession
from workshop import cli
from workshop.home import Home


@pytest.fixture
def parted(home: Home) -> Home:
    """The small tutorial, its step 1 in two parts with an item each."""
    parts = (Part(1, "view", "A view", 10), Part(2, "urls", "Addresses", 5))
    steps = tuple(
        replace(step, parts=parts) if step.number == 1 else step for step in home.steps
    )

    def items_of(number: int) -> Sequence[Item]:
        if number != 1:
            return ITEMS[number]
        return [replace(item, part=part) for part, item in enumerate(ITEMS[1], 1)]

    return replace(home, steps=steps, items_of=items_of)


@pytest.mark.parametrize(
    ("named", "heading", "judged"),
    [
        ("1.1", "Step 1.1, A view: checking", ["notes.view"]),
        ("middle.urls", "Step 1.2, Addresses: checking", ["notes.urls"]),
        ("1", "Step 1, Middle: checking", []),
    ],
)
def test_items_of_a_part_are_judged(
    named: str,
    heading: str,
    judged: list[str],
    parted: Home,
    workspace: Path,
    sessions: list[FakeSession],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Those and what they need; without a part all of them."""
    assert cli.main(["check", named], parted) == 0

    assert heading in capsys.readouterr().out
    assert list(sessions[-1].runs[-1]["only"]) == judged


def test_step_is_done_when_all_its_parts_are(
    parted: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a part has passed counts for the step."""
    cli.main(["check", "0"], parted)
    cli.main(["check", "1.1"], parted)
    cli.main(["steps"], parted)
    assert "1 of 2" in capsys.readouterr().out

    cli.main(["check", "1.2"], parted)
    cli.main(["steps"], parted)

    assert "[x]  1  Middle" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [["catch-up", "1.1"], ["give", "1.1"], ["diff", "0", "1.1"]]
)
def test_part_is_taken_wherever_a_step_is(
    argv: list[str], parted: Home, workspace: Path
) -> None:
    """Where a part has nothing of its own it stands for its step, which has one snapshot."""
    assert cli.main(argv, parted) == 0


def test_part_that_is_not_there_is_wrong_usage(
    parted: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the parts that there are."""
    assert cli.main(["check", "1.3"], parted) == 2

    assert "its parts are: 1.1 view, 1.2 urls" in capsys.readouterr().err

"""What a run looks like on a terminal: one screen, the first failure whole, words whole."""

from __future__ import annotations

import re

import pytest

from checks import report
from checks.items import items_of
from checks.results import ItemResult, Report, Status
from course import ROOT, page_file, steps

FOUND = "\n".join(
    [
        "expected the event arrives in the socket of the user that it was sent to",
        "found    accepted, the greeting, then nothing more arrived within 5 s although",
        "         the server's log: ValueError: No handler for message type notification",
        "look at  backend/notifications/consumers.py:14, NotificationConsumer.notify",
        "next     give the consumer a method with the name of the type",
    ]
)
_LOG = "".join(f"         line {n} of the log\n" for n in range(60))
LONG = FOUND.replace("         the server's", f"{_LOG}         the server's")


def result(id: str, status: Status = Status.PASSED, **more: str) -> ItemResult:
    """One verdict with a sentence that is as long as the checklist's longest."""
    title = f"The item {id} holds, and what it says is as long as the longest sentence is."
    return ItemResult(id, title, status, docs="steps/01-installation/#check", **more)


def run(message: str, passed: int = 6, blocked: int = 20, failed: int = 3) -> Report:
    """A run in which several items fail and many wait, some for one that waits itself."""
    items = [result(f"good.{n}") for n in range(passed)]
    items += [result(f"bad.{n}", Status.FAILED, message=message) for n in range(failed)]
    items += [
        result(f"late.{n}", Status.BLOCKED, blocked_by=f"late.{n - 1}" if n else "bad.0")
        for n in range(blocked)
    ]
    return Report(5, "/project", items, 2.0)


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("message", [FOUND, LONG], ids=["short", "long"])
def test_ending_keeps_words_whole_at_any_width(
    columns: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider than the terminal, unless one word is; every word is kept whole."""
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = report.ending(run(message))

    for line in lines:
        assert len(line) <= columns or " " not in line.strip(), line
    words = " ".join(" ".join(lines).split())
    assert " ".join(message.split()) in words


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (100, 30)])
@pytest.mark.parametrize("message", [FOUND, LONG], ids=["short", "long"])
def test_ending_fits_the_screen(
    columns: int, rows: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure's parts, what waits and the sum are all on one screen."""
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = report.ending(run(message), rows=rows - 5)

    assert len(lines) <= rows - 5
    text = "\n".join(lines)
    for label in ("expected", "found", "look at", "next", "hint", "read"):
        assert re.search(rf"^      {label} ", text, re.MULTILINE), text
    assert "No handler for message type notification" in " ".join(text.split())
    assert "20 wait for bad.0" in text
    assert lines[-1].startswith("Step 5: 6 of 29 passed")


def test_screen_too_small_for_anything_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be shortened further is shown all the same."""
    monkeypatch.setenv("COLUMNS", "40")

    assert "expected" in "\n".join(report.ending(run(LONG), rows=0))


def test_one_cause_prints_once() -> None:
    """Other failures are named by their ids, what waits is counted at its root."""
    text = "\n".join(report.ending(run(FOUND)))

    assert text.count("found    ") == 1
    assert "[ ] 2 failed as well: bad.1, bad.2" in text
    assert "waits for" not in text


def test_remark_is_printed_with_its_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to an item that passed, so it is not kept for the end."""
    monkeypatch.setenv("COLUMNS", "60")
    passed = result("deploy.plan", remark="the plan `giant` is one that Render may know")

    assert "plan `giant` is one that Render may know" in " ".join(
        " ".join(report.brief(passed)).split()
    )
    assert report.brief(result("late", Status.BLOCKED, blocked_by="deploy.plan")) == []


def test_continued_lines_hang_below_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part goes on under its own beginning, not under its label."""
    monkeypatch.setenv("COLUMNS", "50")

    lines = report.shown(result("bad", Status.FAILED, message=FOUND))

    head = next(n for n, line in enumerate(lines) if line.startswith("      expected"))
    assert lines[head + 1].startswith(" " * 15 + "the user")
    assert lines[1].startswith("    long as the")


def test_what_the_machine_lacks_is_shown_when_nothing_failed() -> None:
    """An item that cannot be judged here comes in the place of the first failure."""
    lacking = result("layer.redis", Status.ENVIRONMENT, message="found    no redis-server")
    text = "\n".join(report.ending(Report(2, "/project", [result("a"), lacking], 1.0)))

    assert text.startswith("[!] The item layer.redis")
    assert "found    no redis-server" in text


def test_full_text_of_an_item_is_not_wrapped() -> None:
    """For files, a failure is one line for each line of its message."""
    text = report.line(result("asgi.order", Status.FAILED, message=FOUND))

    assert text.splitlines()[1:6] == [f"      {line}" for line in FOUND.splitlines()]
    assert text.endswith("read     docs/steps/01-installation.md#check")


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.slug)
def test_every_item_names_a_page_that_exists(step) -> None:
    """`read` leads to a file of docs/."""
    for item in items_of(step.number):
        file, _, section = page_file(item.docs).partition("#")
        assert (ROOT / file).is_file(), item.id
        assert section, item.id

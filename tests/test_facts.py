"""What pages say of the list of steps comes from the list: no page stores a number of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import course
from checks.items import items_of
from tools.site import facts
from tools.site.directives import DirectiveError, expand
from tools.site.facts import filled, hours_for, words_for
from tools.site.pages import PageError

ROOT = course.ROOT
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A count of steps, items or minutes of the list, written down: as figures or in words.
STORED = (
    re.compile(r"all passed, \d+ items"),
    re.compile(r"\*\*About \d+ minutes"),
    re.compile(rf"\b({'|'.join(map(words_for, range(5, 21)))}|\d+) steps\b", re.IGNORECASE),
    re.compile(r"\b(half|an|\w+ and a half) hours\b"),
)


def test_facts_are_those_of_the_list() -> None:
    """Steps and hours in words, numbers of one step in figures."""
    asgi = course.step("asgi")
    judged = sum(not item.by_hand for item in items_of(asgi.number))

    assert filled("{{ steps }}") == words_for(len(course.steps()))
    assert filled("{{ number asgi }}: {{ minutes 05-asgi }}, {{items asgi}}") == (
        f"{asgi.number}: {asgi.minutes}, {judged}"
    )
    assert filled("{{ table }}").splitlines()[0].startswith("> [ ]  0  ")


def test_fact_may_be_on_two_lines() -> None:
    """Whoever wraps a paragraph does not see where one is broken."""
    assert (
        filled("in part {{ number\nasgi.2 }}.")
        == f"in part {course.step('asgi').number}.2."
    )


def test_summary_of_a_part_counts_what_it_needs() -> None:
    """The check of a part judges the items of earlier parts that its own need as well."""
    own = int(filled("{{ items notifications-app.2 }}"))
    found = re.fullmatch(
        rf"Step {course.step('notifications-app').number}\.2: all passed, (\d+) items in 1\.0 s\.",
        filled("{{ summary notifications-app.2 }}"),
    )

    assert found and int(found[1]) > own


def test_measurement_is_read_from_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The median, as the benchmark stored it; a name that is not there is an error."""
    found = {"figures": {"median": 18.04}, "ratio": {"median": 1.094}}
    measured = {"final": {"event 1000 ms": found}}
    monkeypatch.setattr(facts, "_measured", lambda: measured)

    assert filled("{{ measured final.event-1000-ms }}") == "18"
    assert filled("{{ times final.event-1000-ms }}") == "1.1"
    with pytest.raises(PageError, match=r"nobody has measured final\.event"):
        filled("{{ measured final.event }}")


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (25, "half an"),
        (60, "one"),
        (205, "three and a half"),
        (600, "ten"),
        (1290, "21 and a half"),
    ],
)
def test_hours_are_in_words(minutes: int, words: str) -> None:
    """To the half hour, as a person says it."""
    assert hours_for(minutes) == words


def test_braces_can_be_shown() -> None:
    """A backslash keeps them; braces of anything else are left alone."""
    text = '{ #anchor } {"a": {"b": 1}} {{"c": 2}}'

    assert filled("\\{{ steps }}") == "{{ steps }}"
    assert filled(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "a\n{{ nothing }}\n",
            r"line 2: \{\{ nothing \}\}: there is no such fact; .* steps",
        ),
        ("{{ items }}", r"line 1: .*: there is no such fact; .* items STEP"),
        ("{{ items knitting }}", r"line 1: .*: There is no step 'knitting'"),
    ],
)
def test_fact_that_is_not_there_is_an_error(text: str, says: str) -> None:
    """With its line and what there is instead; it ends the build."""
    with pytest.raises(PageError, match=says):
        filled(text)
    with pytest.raises(DirectiveError, match=says):
        expand(text)


def test_fact_is_filled_in_before_a_page_is_read() -> None:
    """Inside a fence as well: the player compares what readers see."""
    text = expand("```text\n{{ items asgi }} items\n```\n")

    assert f"\n{filled('{{ items asgi }}')} items\n" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_stores_a_number_of_the_list(page: Path) -> None:
    """How many steps, items, minutes and hours there are is written nowhere else."""
    text = page.read_text("utf-8")

    assert [found[0] for pattern in STORED for found in pattern.finditer(text)] == []

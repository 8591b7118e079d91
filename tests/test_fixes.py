"""The exact messages of docs/fix/, found in what a check saw."""

from __future__ import annotations

import re

import pytest
from markdown.extensions.toc import slugify

from course import ROOT
from workshop import fixes
from workshop.home import Home, here

PAGE = ROOT / "docs" / "fix" / "index.md"


@pytest.mark.parametrize(
    ("message", "section"),
    [
        ("found    500\n         the server's log: KeyError: 'user'", "does-not-open"),
        (
            "found    AppRegistryNotReady: Apps aren't\n         loaded yet.",
            "server-starts",
        ),
        (
            "found    a blueprint whose service of type keyvalue has no ipAllowList",
            "deployed",
        ),
    ],
)
def test_message_leads_to_its_section(message: str, section: str) -> None:
    """Wherever in the finding it is, also across the end of a line."""
    assert fixes.about(here(), message).endswith(section)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "found    accepted, then closed with 4401",
        "expected no KeyError: 'user'\nfound    nothing",
        "found    no redis-server\nnext     run python3 tutorial.py doctor",
    ],
)
def test_message_that_is_in_no_table_leads_nowhere(message: str) -> None:
    """Only what was found counts: not what was expected, nor what to do next."""
    assert fixes.about(here(), message) == ""


def test_anchors_are_those_of_the_site() -> None:
    """A heading has the anchor that Python-Markdown gives it."""
    headings = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    plain = [heading for heading in headings if "{" not in heading]

    assert plain
    assert [fixes.slug(text) for text in plain] == [slugify(text, "-") for text in plain]


def test_each_table_gives_rows() -> None:
    """No table of the page has a form that is not understood."""
    text = PAGE.read_text("utf-8")
    sections = {row.address for row in fixes.rows(text, "fix/")}

    assert len(sections) == len(re.findall(r"^## ", text, re.MULTILINE))


def test_course_without_such_a_page_has_no_rows(home: Home) -> None:
    """A copy that lacks docs/ still checks."""
    assert fixes.about(home, "found    KeyError: 'user'") == ""

"""The exact messages of docs/fix/, found in what a check saw."""

from __future__ import annotations

import re

import pytest

from course import ROOT
from workshop import fixes
from workshop.home import Home, here

PAGE = ROOT / "docs" / "fix" / "index.md"


@pytest.mark.parametrize(
    ("message", "anchor"),
    [
        ("found    500\n         the server's log: KeyError: 'user'", "key-error-user"),
        (
            "found    AppRegistryNotReady: Apps aren't\n         loaded yet.",
            "apps-not-loaded",
        ),
        (
            "found    the service 'events' of type keyvalue has no `ipAllowList`",
            "ip-allow-list",
        ),
        (
            "found    500 Error 111 connecting to 127.0.0.1:38769. Connect call failed"
            "\n         ('127.0.0.1', 38769).",
            "redis-refused",
        ),
    ],
)
def test_message_leads_to_its_entry(message: str, anchor: str) -> None:
    """Anywhere in what was found, also across line ends, and with any port."""
    assert fixes.about(here(), message).endswith(f"#{anchor}")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "found    accepted, then closed with 4401",
        "expected no KeyError: 'user'\nfound    nothing",
        "found    no redis-server\nnext     run python3 tutorial.py doctor",
    ],
)
def test_message_without_an_entry_leads_nowhere(message: str) -> None:
    """Only what was found counts: not what was expected, nor what to do next."""
    assert fixes.about(here(), message) == ""


def test_each_heading_is_read_as_an_entry() -> None:
    """A message is in backticks and has an anchor of its own; symptoms without one have words."""
    text = PAGE.read_text("utf-8")
    headings = re.findall(r"^### (.*)$", text, re.MULTILINE)
    messages = [heading for heading in headings if heading.startswith("`")]

    found = fixes.entries(text, "fix/")

    assert len(found) == len(messages) > 50
    assert len({entry.address for entry in found}) == len(found)
    assert all(re.search(r" \{ #[\w-]+ \}$", heading) for heading in headings)


def test_each_entry_says_what_to_do() -> None:
    """Below a message is an explanation that fits a phone: no table, two to five sentences."""
    text = PAGE.read_text("utf-8")
    bodies = re.split(r"^##+ .*$", text, flags=re.MULTILINE)[1:]

    assert not re.search(r"^\|", text, re.MULTILINE)
    assert all(len(body.split()) <= 90 for body in bodies)


def test_course_without_such_a_page_has_no_entries(home: Home) -> None:
    """A copy that lacks docs/ still checks."""
    assert fixes.about(home, "found    KeyError: 'user'") == ""

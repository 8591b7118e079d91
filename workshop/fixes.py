"""Finds what a check saw among the exact messages of docs/fix/, which are its headings."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from workshop.home import Home

_SHORTEST = 12  # characters; anything shorter appears in many messages by chance
# ### `the exact message` { #its-anchor }
_ENTRY = re.compile(
    r"^### (?P<marks>`+) ?(?P<message>.+?) ?(?P=marks) \{ #(?P<anchor>[\w-]+) \}$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Entry:
    """One exact message, and the section of the site that is about it."""

    message: str
    address: str

    def is_in(self, text: str) -> bool:
        """Whether a text contains the message, with any port in place of the one it names."""
        pattern = re.sub(r"\d{4,5}", r"\\d{4,5}", re.escape(self.message))
        return re.search(pattern, text) is not None


def about(home: Home, message: str) -> str:
    """The section of the site about the longest message that is in what was found.

    '' if there is none. `message` is a failure's: what was expected and what to do next may
    quote messages as well, and do not count.
    """
    found = re.search(r"^found .*(?:\n {9}.*)*", message, re.MULTILINE)
    seen = " ".join(found[0].split()) if found else ""
    matching = [entry for entry in _entries(home.root / "docs") if entry.is_in(seen)]
    if not matching:
        return ""
    return max(matching, key=lambda entry: len(entry.message)).address


@functools.cache
def _entries(docs: Path) -> tuple[Entry, ...]:
    return tuple(
        entry
        for page in sorted((docs / "fix").glob("*.md"))
        for entry in entries(page.read_text("utf-8"), _address(page))
        if len(entry.message) >= _SHORTEST
    )


def _address(page: Path) -> str:
    return "fix/" if page.stem == "index" else f"fix/{page.stem}/"


def entries(text: str, address: str) -> list[Entry]:
    """Every message of a page, in its order."""
    return [
        Entry(found["message"], f"{address}#{found['anchor']}")
        for found in _ENTRY.finditer(text)
    ]

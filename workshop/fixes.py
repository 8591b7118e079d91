"""Finds what a check saw in the tables of docs/fix/, which are made of exact messages."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from workshop.home import Home

_SHORTEST = 12  # characters; anything shorter appears in many messages by chance
_HEADING = re.compile(r"^#{2,} (?P<title>.*?)\s*(\{\s*#(?P<anchor>[\w-]+)[^}]*\})?\s*$")
_CODE = re.compile(r"(`+) ?(.+?) ?\1")


@dataclass(frozen=True)
class Row:
    """One row of a table: the exact message, and the section of the site it is in."""

    message: str
    address: str


def about(home: Home, message: str) -> str:
    """The section of the site with the longest message that is in what was found.

    '' if none is. `message` is a failure's: what was expected and what to do next may name
    messages as well, and do not count.
    """
    found = re.search(r"^found .*(?:\n {9}.*)*", message, re.MULTILINE)
    seen = " ".join(found[0].split()) if found else ""
    matching = [row for row in _rows(home.root / "docs") if row.message in seen]
    return max(matching, key=lambda row: len(row.message)).address if matching else ""


@functools.cache
def _rows(docs: Path) -> tuple[Row, ...]:
    return tuple(
        row
        for page in sorted((docs / "fix").glob("*.md"))
        for row in rows(page.read_text("utf-8"), _address(page))
    )


def _address(page: Path) -> str:
    return "fix/" if page.stem == "index" else f"fix/{page.stem}/"


def rows(text: str, address: str) -> list[Row]:
    """The messages of a page's tables: the first code of each row, before its cause."""
    found: list[Row] = []
    section, columns = "", 1
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            section = heading["anchor"] or slug(heading["title"])
        elif line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if "cause" in cells:
                columns = cells.index("cause")
            code = _CODE.search(" ".join(cells[:columns]))
            if code and len(code[2]) >= _SHORTEST:
                words = " ".join(code[2].split())
                found.append(Row(words, f"{address}#{section}"))
    return found


def slug(title: str) -> str:
    """The anchor that the site gives a heading without one of its own."""
    plain = re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)

"""Writes docs/diff/: one page for each pair of steps. `python -m tools.diff_pages`

The pages hold one directive each; what they show is made when the site is built. A test says
when a step is missing here.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import course
from course.files import write_text
from tools.site.compare import file_name

FOLDER = Path("docs", "diff")


def pages() -> dict[str, str]:
    """The name and text of every page."""
    return {
        file_name(a.number, b.number): _page(a, b)
        for a, b in combinations(course.steps(), 2)
    }


def _page(a: course.Step, b: course.Step) -> str:
    title = f"# From step {a.number} to step {b.number}"
    text = (
        f"What turns *{a.title}* into *{b.title}*. The same in a terminal: "
        f"`python3 tutorial.py diff {a.number} {b.number}`. [All pairs](index.md)"
    )
    hidden = "---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n"
    return f"{hidden}\n{title}\n\n{text}\n\n@compare a={a.slug} b={b.slug}\n"


def main(root: Path = course.ROOT) -> int:
    """Write the pages that are missing or differ, remove those of steps that are gone."""
    folder = root / FOLDER
    made = pages()
    for old in set(folder.glob("[0-9][0-9]-[0-9][0-9].md")):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        file = folder / name
        if not file.exists() or file.read_text("utf-8") != text:
            write_text(file, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

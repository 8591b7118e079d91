"""What README.md and mkdocs.yml say of the list of steps, written from the list.

Both are plain files that others read as they are, so they hold what a page would leave to a
directive: between a line `steps: NAME` and a line `steps: end`, each a comment of its file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from course.files import write_text
from course.outline import address_of_page, page_of
from workshop.commands.steps import position, table
from workshop.home import PAGES_PORT, Home
from workshop.progress import Progress


class NoPlace(LookupError):
    """A file has lost the lines that say where a generated block goes."""


def refresh(home: Home) -> list[str]:
    """Write what has changed since; the names of the files that are new now.

    Raises NoPlace, OSError.
    """
    stale = [name for name, text in wanted(home).items() if _read(home, name) != text]
    for name in stale:
        write_text(home.root / name, wanted(home)[name])
    return stale


def wanted(home: Home) -> dict[str, str]:
    """The text of each file as the list of steps wants it. Raises NoPlace, OSError."""
    return {
        "README.md": replaced(
            _read(home, "README.md"), {"picture": picture, "table": steps}, home
        ),
        "mkdocs.yml": replaced(_read(home, "mkdocs.yml"), {"nav": nav}, home),
    }


def _read(home: Home, name: str) -> str:
    return (home.root / name).read_text("utf-8")


def replaced(
    text: str, blocks: dict[str, Callable[[Home], Sequence[str]]], home: Home
) -> str:
    """A text with each of these blocks written anew. Raises NoPlace."""
    for name, make in blocks.items():
        found = re.search(
            rf"(?ms)^([^\n]*\bsteps: {name}\b[^\n]*\n)(.*?)(^[^\n]*\bsteps: end\b)", text
        )
        if found is None:
            raise NoPlace(f"no line says `steps: {name}`, or none `steps: end` below it")
        inside = "".join(f"{line}\n" for line in make(home))
        text = text[: found.end(1)] + inside + text[found.start(3) :]
    return text


def nav(home: Home) -> list[str]:
    """The steps in the site's navigation, below the chapters that they begin."""
    lines: list[str] = []
    for step in home.steps:
        if step.chapter or not lines:
            lines.append(f"  - {_yaml(step.chapter or 'The steps')}:")
        title = _yaml(f"{step.number} {step.title}")
        if not step.parts:
            lines.append(f"      - {title}: {page_of(step)}.md")
            continue
        lines += [f"      - {title}:", f"          - {page_of(step)}.md"]
        for part in step.parts:
            name = _yaml(f"{step.number}.{part.number} {part.title}")
            lines.append(f"          - {name}: {page_of(step, part)}.md")
    return lines


def _yaml(text: str) -> str:
    """A key as YAML reads it: in quotes where it could be anything but words."""
    return (
        text if re.fullmatch(r"[\w .()-]+", text) else json.dumps(text, ensure_ascii=False)
    )


def steps(home: Home) -> list[str]:
    """The README's table."""
    rows = [
        f"| [{step.slug[:2]} {step.title}](steps/{step.slug}/README.md) "
        f"| {step.minutes} | {step.after} |"
        for step in home.steps
    ]
    return ["", "| step | minutes | what you have afterwards |", "|---|---|---|", *rows, ""]


def picture(home: Home) -> list[str]:
    """The README's picture: the screen of somebody who has finished the first step."""
    first, second = home.steps[:2]
    passed = {first.slug: {item.id: "passed" for item in home.checklist(first)}}
    begun = Progress(home, home.workspace, passed)
    return [
        "```text",
        "Numeneon: notifications with Django Channels",
        "",
        *table(begun, colour=False, columns=80).splitlines(),
        "",
        position(begun),
        f"  read   http://127.0.0.1:{PAGES_PORT}/{address_of_page(second)}",
        "  edit   workspace/",
        "  check  python3 tutorial.py check",
        "```",
    ]

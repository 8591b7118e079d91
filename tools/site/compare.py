"""Makes the pages that compare two steps: a tree of files and the unified diff of each.

assets/compare.js shows them side by side; without it the pages are complete.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

import course
from tools.site import differences, listings
from tools.site.blocks import counts
from tools.site.differences import Change
from tools.site.listings import Page
from tools.site.pages import Directive


def file_name(a: int, b: int) -> str:
    """The page that compares step a with the later step b."""
    return f"{a:02}-{b:02}.md"


def index(directive: Directive, page: Page) -> list[str]:
    """A table of all pairs of steps, with how much changes between them."""
    steps = course.steps()
    head = ["from", *(f"to {step.number}" for step in steps[1:])]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for a in steps[:-1]:
        cells = [f"**{a.number} {a.title}**"]
        for b in steps[1:]:
            cells.append(_cell(a, b) if a.number < b.number else " ")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _cell(a: course.Step, b: course.Step) -> str:
    changed = differences.changes(a, b)
    added = sum(change.added for change in changed)
    removed = sum(change.removed for change in changed)
    return f"[{counts(added, removed)}]({file_name(a.number, b.number)})"


def pair(directive: Directive, page: Page) -> list[str]:
    """All that differs between steps `a=` and `b=`, as HTML. Raises BadReference."""
    a = listings.step_named(directive.values["a"])
    b = listings.step_named(directive.values["b"])
    changed = sorted(
        differences.changes(a, b), key=lambda change: differences.is_test(change.path)
    )
    if not changed:
        raise listings.BadReference(f"{a.slug} and {b.slug} do not differ")
    lines = [
        '<div class="compare">',
        *_summary(changed),
        *_tree(changed),
        *(line for change in changed for line in _file(change)),
        "</div>",
    ]
    return [line for line in lines if line]


def _summary(changed: Sequence[Change]) -> Iterator[str]:
    added = sum(change.added for change in changed)
    removed = sum(change.removed for change in changed)
    files = "1 file" if len(changed) == 1 else f"{len(changed)} files"
    yield f"<p>{files}, {counts(added, removed)}. READMEs are left out, tests come last.</p>"


def _tree(changed: Sequence[Change]) -> Iterator[str]:
    """The files below their folders, with counts, each a link to its part of the page."""
    yield '<ul class="tree">'
    folder = None
    for change in changed:
        above, _, name = change.path.rpartition("/")
        if above != folder:
            yield "</ul></li>" if folder is not None else ""
            yield f"<li><span>{html.escape(above or 'the project itself')}</span><ul>"
            folder = above
        yield (
            f'<li><a href="#{_anchor(change.path)}">{html.escape(name)}</a> '
            f"<small>{_size(change)}</small></li>"
        )
    yield "</ul></li></ul>"


def _size(change: Change) -> str:
    kind = "" if change.kind == "changed" else f"{change.kind}, "
    return kind + counts(change.added, change.removed)


def _anchor(path: str) -> str:
    """The id of a file on the page: its path, as letters and dashes."""
    return "file-" + re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")


def _file(change: Change) -> Iterator[str]:
    """One file as a unified diff: folded open, tests folded shut."""
    state = "" if differences.is_test(change.path) else " open"
    path = html.escape(change.path)
    yield f'<details id="{_anchor(change.path)}" class="file"{state}>'
    yield f"<summary><code>{path}</code> <small>{_size(change)}</small></summary>"
    yield f'<div class="highlight"><pre><code>{_unified(change)}</code></pre></div>'
    yield "</details>"


def _unified(change: Change) -> str:
    """The diff of one file, as `git apply` reads it; one element for each changed line only:
    a page of many elements takes the generators seconds."""
    old = f"a/{change.path}" if change.before is not None else "/dev/null"
    new = f"b/{change.path}" if change.after is not None else "/dev/null"
    head = [f"--- {old}", f"+++ {new}"]
    return "".join(f"{_line(line)}\n" for line in [*head, *change.unified()])


def _line(line: str) -> str:
    """A line in the classes that highlighted diffs have everywhere else."""
    kind = {"+": "gi", "-": "gd", "@": "gu"}.get(line[:1])
    if line.startswith(("--- ", "+++ ")):
        kind = "gh"
    text = html.escape(line, quote=False)
    return f'<span class="{kind}">{text}</span>' if kind else text

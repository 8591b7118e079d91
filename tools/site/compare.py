"""Makes the page that compares the steps: the neighbours' diffs, and what any pair needs.

The page holds every version of every file that ever changes, as edits of the version before.
assets/compare.js draws the difference of any two steps from that; without it the neighbours'
diffs are there to be unfolded.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import course
from course import Step
from course.files import files_of
from tools.site import differences
from tools.site.blocks import counts
from tools.site.differences import Change
from tools.site.listings import Page
from tools.site.pages import Directive

# One edit of a version: from which line on how many lines go, and which come.
Edit = tuple[int, int, list[str]]


def anchor(a: Step, b: Step) -> str:
    """The address on the page of what changes from one step to another: `#3-4`."""
    return f"{a.number}-{b.number}"


def compare(directive: Directive, page: Page) -> list[str]:
    """All differences between steps, as HTML."""
    data = json.dumps(versions(course.steps()), separators=(",", ":"), ensure_ascii=False)
    # In a script, `<` could end it: JSON can say the same letter otherwise.
    data = data.replace("<", "\\u003c")
    return [
        '<div class="compare">',
        '<div class="neighbours">',
        *(line for a, b in pairwise(course.steps()) for line in _pair(a, b)),
        "</div>",
        f'<script type="application/json">{data}</script>',
        "</div>",
    ]


def versions(steps: Sequence[Step]) -> dict[str, Any]:
    """The steps, and for each file that differs between two of them its versions.

    `{"steps": [[number, title]...], "files": [[path, is_test, [[number, edits]...]]...]}`:
    from the step of that number on the file is what the edits make of the version before,
    which is empty at first; edits that are null say that there is no such file.
    """
    names = sorted({path for step in steps for path in files_of(step.folder)})
    names.sort(key=differences.is_test)
    histories = {
        path: _history(path, steps) for path in names if not differences.is_readme(path)
    }
    return {
        "steps": [[step.number, step.title] for step in steps],
        "files": [
            [path, differences.is_test(path), history]
            for path, history in histories.items()
            if len(history) > 1
        ],
    }


def _history(path: str, steps: Sequence[Step]) -> list[tuple[int, list[Edit] | None]]:
    """The steps at which a file becomes another one; the first step counts always."""
    texts = [differences.text_of(step, path) for step in steps]
    found: list[tuple[int, list[Edit] | None]] = []
    for step, before, text in zip(steps, [None, *texts], texts, strict=False):
        if not found or before != text:
            found.append((step.number, _edits(before, text)))
    return found


def _edits(before: str | None, after: str | None) -> list[Edit] | None:
    if after is None:
        return None
    change = Change("", before, after)
    return [
        (
            hunk.old_first,
            hunk.old_last - hunk.old_first,
            change.new[hunk.first : hunk.last],
        )
        for hunk in change.hunks
    ]


def _pair(a: Step, b: Step) -> Iterator[str]:
    """What changes from one step to the next, folded."""
    changed = sorted(
        differences.changes(a, b), key=lambda change: differences.is_test(change.path)
    )
    title = html.escape(f"From step {a.number}, {a.title}, to step {b.number}, {b.title}")
    files = "1 file" if len(changed) == 1 else f"{len(changed)} files"
    added = sum(change.added for change in changed)
    removed = sum(change.removed for change in changed)
    yield f'<details id="{anchor(a, b)}" class="pair">'
    yield f"<summary>{title} <small>{files}, {counts(added, removed)}</small></summary>"
    for change in changed:
        yield from _file(change)
    yield "</details>"


def _file(change: Change) -> Iterator[str]:
    """One file as a unified diff."""
    kind = "" if change.kind == "changed" else f"{change.kind}, "
    size = kind + counts(change.added, change.removed)
    yield f"<p><code>{html.escape(change.path)}</code> <small>{size}</small></p>"
    yield f'<div class="highlight"><pre><code>{_unified(change)}</code></pre></div>'


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

"""Makes the page that compares the steps: what changes from each step to the next.

The neighbours' diffs are there to be unfolded, without those of tests. Where scripts run,
assets/compare.js makes every version of every file out of them, and draws the difference of any
two steps. What only the script needs is compressed: a page of all steps' tests would be heavy.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any

import course
from course import Step
from tools.site import differences
from tools.site.blocks import counts
from tools.site.differences import Change
from tools.site.listings import Page
from tools.site.pages import Directive


def anchor(a: Step, b: Step) -> str:
    """The address on the page of what changes from one step to another: `#3-4`."""
    return f"{a.number}-{b.number}"


def compare(directive: Directive, page: Page) -> list[str]:
    """All differences between steps, as HTML."""
    data = json.dumps(beginnings(course.steps()), separators=(",", ":"), ensure_ascii=False)
    packed = base64.b64encode(zlib.compress(data.encode(), 9)).decode()
    return [
        '<div class="compare">',
        '<div class="neighbours">',
        *(line for a, b in pairwise(course.steps()) for line in _pair(a, b)),
        "</div>",
        f'<script type="application/octet-stream">{packed}</script>',
        "</div>",
    ]


def beginnings(steps: Sequence[Step]) -> dict[str, Any]:
    """What the script needs besides the diffs on the page: `{"steps": [[number, title]...],
    "files": [[path, is_test, lines]...], "tests": {"3-4": [diff...]}}`.

    The files are those that any two neighbours differ in, tests last, and their lines those
    after the first step: null if there is no such file yet. `tests` are the diffs of tests.
    """
    pairs = list(pairwise(steps))
    changed = {change.path for a, b in pairs for change in differences.changes(a, b)}
    paths = sorted(changed, key=_place)
    first = {path: differences.text_of(steps[0], path) for path in paths}
    return {
        "steps": [[step.number, step.title] for step in steps],
        "files": [
            [path, differences.is_test(path), None if text is None else text.splitlines()]
            for path, text in first.items()
        ],
        "tests": {
            anchor(a, b): [
                "\n".join([*_names(change), *change.unified()])
                for change in differences.changes(a, b)
                if differences.is_test(change.path)
            ]
            for a, b in pairs
        },
    }


def _place(path: str) -> tuple[bool, str, str]:
    """Tests come last, and the files of one folder together."""
    return differences.is_test(path), path.rpartition("/")[0], path


def _pair(a: Step, b: Step) -> Iterator[str]:
    """What changes from one step to the next, folded."""
    changed = differences.changes(a, b)
    tests = [change for change in changed if differences.is_test(change.path)]
    title = html.escape(f"From step {a.number}, {a.title}, to step {b.number}, {b.title}")
    files = "1 file" if len(changed) == 1 else f"{len(changed)} files"
    added = sum(change.added for change in changed)
    removed = sum(change.removed for change in changed)
    yield f'<details id="{anchor(a, b)}" class="pair">'
    yield f"<summary>{title} <small>{files}, {counts(added, removed)}</small></summary>"
    for change in changed:
        if change not in tests:
            yield from _file(change)
    if tests:
        size = counts(
            sum(test.added for test in tests), sum(test.removed for test in tests)
        )
        command = f"python3 tutorial.py diff {a.number} {b.number}"
        yield f"<p>Tests: {size}, which <code>{command}</code> shows.</p>"
    yield "</details>"


def _file(change: Change) -> Iterator[str]:
    """One file as a unified diff."""
    kind = "" if change.kind == "changed" else f"{change.kind}, "
    size = kind + counts(change.added, change.removed)
    yield f"<p><code>{html.escape(change.path)}</code> <small>{size}</small></p>"
    yield f'<div class="highlight"><pre><code>{_unified(change)}</code></pre></div>'


def _unified(change: Change) -> str:
    """The diff of one file, as `git apply` reads it.

    Neighbouring lines of one kind are one element: a page of many elements is large, and takes
    the generators seconds.
    """
    heading = _marked("gh", _names(change))
    kinds = {"+": "gi", "-": "gd", "@": "gu"}
    runs = groupby(change.unified(), key=lambda line: kinds.get(line[:1]))
    return heading + "".join(_marked(kind, lines) for kind, lines in runs)


def _names(change: Change) -> list[str]:
    """The first two lines of a diff."""
    old = f"a/{change.path}" if change.before is not None else "/dev/null"
    new = f"b/{change.path}" if change.after is not None else "/dev/null"
    return [f"--- {old}", f"+++ {new}"]


def _marked(kind: str | None, lines: Iterable[str]) -> str:
    """Lines in the class that highlighted diffs have everywhere else, if they have one."""
    text = html.escape("".join(f"{line}\n" for line in lines), quote=False)
    return f'<span class="{kind}">{text}</span>' if kind else text

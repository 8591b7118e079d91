"""What a step's page shows of the step: the rule that every changed line is taught."""

from __future__ import annotations

from collections.abc import Sequence

from course import Step
from tools.site import blocks, differences, listings
from tools.site.differences import Change
from tools.site.pages import Directive, parse
from tools.site.regions import Range


def ranges(text: str, step: Step) -> dict[str, list[Range]]:
    """For each file, the lines of its state after the step that a page shows.

    `@code` shows what it selects, `@tests`, `@given` and `@diff path=` whole files; the
    folded diff of the whole step does not count, nor does `@code` with `plain` or of
    another step. Raises BadReference.
    """
    found: dict[str, list[Range]] = {}
    changed = differences.changes_of(step)
    for block in parse(text):
        if isinstance(block, Directive) and block.values.get("step") == step.slug:
            for path, first, last in _shown(block, step, changed):
                found.setdefault(path, []).append((first, last))
    return found


def _shown(
    directive: Directive, step: Step, changed: Sequence[Change]
) -> list[tuple[str, int, int]]:
    path = directive.values.get("path")
    if directive.name == "code" and "plain" not in directive.words:
        one = listings.listing(directive.values)
        return [(one.path, one.first, one.last)]
    if directive.name == "tests":
        wanted = [c for c in changed if differences.is_test(c.path)]
        return [_whole(c) for c in (blocks.chosen(wanted, path) if path else wanted)]
    if directive.name == "given":
        return [_whole(change) for change in blocks.given_by(step)]
    if directive.name == "diff" and path:
        return [_whole(change) for change in blocks.chosen(changed, path)]
    return []


def _whole(change: Change) -> tuple[str, int, int]:
    return change.path, 0, len(change.new)


def missing(text: str, step: Step) -> dict[str, list[str]]:
    """For each file of a step, the changed lines that its page does not show."""
    shown = ranges(text, step)
    lacking = {
        change.path: differences.unshown(change, shown.get(change.path, []))
        for change in differences.changes_of(step)
    }
    return {path: lines for path, lines in lacking.items() if lines}

"""Makes the tables of steps and of parts, as course.toml has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import course
from course import ROOT
from course.outline import page_of
from tools.site.facts import page_text
from tools.site.listings import BadReference, Page, step_named
from tools.site.pages import Directive, parse


def steps_table(directive: Directive, page: Page) -> Sequence[str]:
    """All steps, with their minutes and what there is after them; for a page beside steps/.

    The live script fills in how far each is; without the tool that column is not shown.
    """
    rows = [
        f"| [{step.number} {step.title}]({page_of(step)}.md) "
        f'| <span data-step="{step.number}"></span> | {step.minutes} | {step.after} |'
        for step in course.steps()
    ]
    head = ["| step | passed | minutes | afterwards |", "|---|---|---|---|"]
    return ['<div class="steps-table" markdown>', "", *head, *rows, "", "</div>"]


def part(directive: Directive, page: Page) -> Sequence[str]:
    """The first line of a part's page: which part it is, and how long it takes.

    Raises BadReference.
    """
    step = step_named(directive.values["step"], directive.values["part"])
    assert step.part
    which = f"Part {step.part.number} of {len(step.parts)}"
    return [
        f"**{which} of [step {step.number}](index.md). About {step.part.minutes} minutes.**"
    ]


def parts(directive: Directive, page: Page) -> Sequence[str]:
    """The parts of a step with their minutes, for its overview. Raises BadReference."""
    step = step_named(directive.values["step"])
    if not step.parts:
        raise BadReference(f"step {step.slug} has no parts")
    rows = [
        f"| [{step.number}.{each.number} {each.title}]({each.number}-{each.slug}.md) "
        f"| {each.minutes} |"
        for each in step.parts
    ]
    return ["| part | minutes |", "|---|---|", *rows]


def shown_before(directive: Directive) -> Iterator[Directive]:
    """What the pages before the part that a `@part` begins have shown, in their order: each
    `@code`, and each `@wrong` and `@draft` that has a place.

    Raises BadReference, OSError.
    """
    step = step_named(directive.values["step"], directive.values["part"])
    assert step.part
    for each in step.parts[: step.part.number - 1]:
        text = page_text(ROOT / "docs" / f"{page_of(step, each)}.md")
        for block in parse(text):
            if not isinstance(block, Directive) or "plain" in block.words:
                continue
            if block.name in {"code", "wrong", "draft"} and block.values:
                yield block

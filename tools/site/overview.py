"""Makes the tables of steps and of parts, as course.toml has them."""

from __future__ import annotations

from collections.abc import Sequence

import course
from course.outline import page_of
from tools.site.listings import Page
from tools.site.pages import Directive


def steps_table(directive: Directive, page: Page) -> Sequence[str]:
    """All steps, with their minutes and what there is after them; for a page beside steps/."""
    rows = [
        f"| [{step.number} {step.title}]({page_of(step)}.md) | {step.minutes} | {step.after} |"
        for step in course.steps()
    ]
    return ["| step | minutes | afterwards |", "|---|---|---|", *rows]

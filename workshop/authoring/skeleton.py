"""The files of a new step: a small example of everything a step has.

It is a whole step, so that every test passes before its author has written a line: a command
of manage.py, a test of it that is given, an item with what proves it, a page. The author
replaces the example by what the step teaches.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course import Step
from course.outline import Part, page_of

TEMPLATES = Path(__file__).with_name("templates")
# Enough for the examples of the templates; what a page of its own takes, its author knows.
MINUTES = 15
LINES = 40


class Template(string.Template):
    """A text with places such as %%{title}: a `$` is what a console shows."""

    delimiter = "%%"


@dataclass(frozen=True)
class Lesson:
    """What one page teaches: the whole step, or one part of it."""

    step: Step
    part: Part | None = None

    @property
    def name(self) -> str:
        """How facts call it: `resume`, `resume.1`."""
        return f"{self.step.name}.{self.part.number}" if self.part else self.step.name

    @property
    def title(self) -> str:
        return self.part.title if self.part else self.step.title

    @property
    def item(self) -> str:
        """The id of the example's item."""
        return f"{self.step.name}.{self.part.slug if self.part else 'example'}"

    @property
    def command(self) -> str:
        """The command that the example adds to manage.py."""
        name = self.part.slug if self.part else self.step.name
        return f"example-{name}".replace("-", "_")

    @property
    def code(self) -> str:
        """Where the command is, in the project."""
        return f"backend/users/management/commands/{self.command}.py"

    @property
    def test(self) -> str:
        """Where the test of the command is, in the project."""
        return f"backend/users/tests/test_{self.command}.py"

    def places(self) -> dict[str, str]:
        """What goes into the places of a template."""
        step = self.step
        at = f".{self.part.number}" if self.part else ""
        prints = f"{self.title}: ready"
        return {
            "command": self.command,
            "code": self.code,
            "test": self.test,
            "item": self.item,
            "function": self.command,
            "label": f"{step.number}{at}",
            "name": self.name,
            "number": f"{step.number:02}",
            "of_part": f" part={self.part.number}" if self.part else "",
            "part_line": f"part = {self.part.number}\n" if self.part else "",
            "prints": prints,
            "prints_literal": json.dumps(prints, ensure_ascii=False),
            "slug": step.slug,
            "step_name": step.name,
            "title": self.title,
        }


def lessons(step: Step) -> list[Lesson]:
    """What the pages of a step teach, in their order."""
    return [Lesson(step, part) for part in step.parts] or [Lesson(step)]


def project_files(step: Step) -> dict[str, str]:
    """What the example adds to the project, relative to the project."""
    found = {}
    for lesson in lessons(step):
        found[lesson.code] = filled("command.py", lesson.places())
        found[lesson.test] = filled("test.py", lesson.places())
    return found


def course_files(step: Step, before: Step, after: Step | None) -> dict[str, str]:
    """Its page, its items and what proves them, relative to the tutorial's root."""
    module = f"step{step.number:02}"
    places = {"number": str(step.number), "title": step.title}
    all_of = [lesson.places() for lesson in lessons(step)]
    files = {
        f"checks/items/{module}.py": _joined("items", "item", places, all_of),
        f"checks/items/{module}.toml": filled("items.toml", places)
        + "".join(filled("item.toml", each) for each in all_of),
        f"tests/variants/{module}.py": _variants(places, all_of),
    }
    return files | dict(pages(step, before, after))


def _joined(
    head: str, each: str, places: dict[str, str], all_of: list[dict[str, str]]
) -> str:
    parts = [filled(f"{head}.py", places), *(filled(f"{each}.py", own) for own in all_of)]
    return "\n\n".join(parts)


def _variants(places: dict[str, str], all_of: list[dict[str, str]]) -> str:
    table = "".join(filled("variant.py", own) for own in all_of)
    return filled("variants.py", places | {"table": table})


def readme(step: Step) -> str:
    """The README of the step's folder."""
    return filled("README.md", Lesson(step).places())


def pages(step: Step, before: Step, after: Step | None) -> Iterator[tuple[str, str]]:
    """Its page, or the overview and the pages of its parts, below the root."""
    if step.parts:
        yield f"docs/{page_of(step)}.md", filled("overview.md", Lesson(step).places())
    up = "../" if step.parts else ""
    previous = before.name
    for lesson in lessons(step):
        last = lesson.part is None or lesson.part == step.parts[-1]
        places = lesson.places() | {
            "begins": _begins(lesson),
            "before": previous,
            "tests": _tests(lesson),
            "reference": f"../{up}reference/checks.md#{step.slug}",
            "next": _next(lesson, after, up) if last else _next_part(lesson),
            "diff": f"@diff step={step.slug}\n\n" if last else "",
        }
        yield f"docs/{page_of(step, lesson.part)}.md", filled("page.md", places)
        previous = lesson.name


def _begins(lesson: Lesson) -> str:
    if lesson.part:
        return f"@part step={lesson.step.slug} part={lesson.part.number}"
    return f"**About {{{{ minutes {lesson.name} }}}} minutes.**"


def _tests(lesson: Lesson) -> str:
    if lesson.part:  # `give` puts the tests of all parts in place
        return f"@tests step={lesson.step.slug} path={lesson.test}"
    return f"@given step={lesson.step.slug}"


def _next(lesson: Lesson, after: Step | None, up: str) -> str:
    if after is None:
        return "Say here what the reader can do now, and that this was the last step."
    target = page_of(after).removeprefix("steps/")
    link = f"[Step {{{{ number {after.name} }}}}]({up}{target}.md)"
    return f"Say here what is still missing. {link} continues from there."


def _next_part(lesson: Lesson) -> str:
    assert lesson.part
    following = lesson.step.parts[lesson.part.number]
    name = f"{lesson.step.number}.{following.number}"
    link = f"[Part {name}]({following.number}-{following.slug}.md)"
    return f"Say here what is still missing. {link} continues from there."


def filled(template: str, places: dict[str, str]) -> str:
    """A template with its places filled. Raises KeyError for one that nobody fills."""
    text = (TEMPLATES / f"{template}.txt").read_text("utf-8")
    return Template(text).substitute(places)


def entry(step: Step) -> str:
    """The step as course.toml has it."""
    touches = [lesson.code for lesson in lessons(step)]
    lines = [
        "[[step]]",
        f"slug = {_toml(step.slug)}",
        f"title = {_toml(step.title)}",
        *([] if step.parts else [f"minutes = {step.minutes}"]),
        f"after = {_toml(step.after)}",
        f"touches = [{', '.join(map(_toml, touches))}]",
        f"adds = {step.adds}",
        f"given = [{', '.join(map(_toml, step.given))}]",
    ]
    if step.parts:
        parts = [
            f"    {{ slug = {_toml(part.slug)}, title = {_toml(part.title)}, "
            f"minutes = {part.minutes} }},"
            for part in step.parts
        ]
        lines += ["parts = [", *parts, "]"]
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    """A string of TOML: what JSON writes is one."""
    return json.dumps(text, ensure_ascii=False)

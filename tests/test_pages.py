"""The pages of the steps: every changed line is taught, and a page is built like the others."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from pathlib import Path

import pytest

import course
from checks.items import Item, items_of
from course import Step
from course.outline import page_of
from tools.site import differences, shown
from tools.site.facts import page_text
from tools.site.pages import OWN_CODE, Directive, Fence, Heading, parse, words_of

DOCS = course.ROOT / "docs"
STEPS = course.steps()
LATER = STEPS[1:]
# The pages that teach: a step's, or those of its parts, each as the step with its part.
PAGES = [replace(step, part=part) for step in STEPS for part in step.parts or (None,)]
by_slug = {"ids": lambda step: step.slug}
by_label = {"ids": lambda page: f"{page.slug}-{page.label}"}
ORDER = ["Goal", "Start", "Change", "Run", "Check", "If it fails", "You now know"]
ORDER += ["Try it", "Next"]
# Each change may have its own run below it; not every page has a recap yet.
OPTIONAL = {"Run", "You now know"}
WORDS = re.compile(r"\b(simply|just|easy|easily|obviously)\b", re.IGNORECASE)

# Changed files that no page needs to show: (step, path) and why. Printed by the test below.
INCIDENTAL: dict[tuple[str, str], str] = {}


def text_of(page: Step) -> str:
    """A page that teaches, what the list of steps says filled in."""
    return _text(DOCS / f"{page_of(page, page.part)}.md")


_text = functools.cache(page_text)  # dozens of tests ask for each page


def lesson_of(step: Step) -> str:
    """All that the pages of a step say, one after the other."""
    return "\n".join(text_of(page) for page in PAGES if page == step)


def headings(page: Step, level: int) -> list[Heading]:
    """The headings of a page, at one level."""
    blocks = parse(text_of(page))
    return [b for b in blocks if isinstance(b, Heading) and b.level == level]


def items_of_page(page: Step) -> tuple[Item, ...]:
    """The items that a page ends with."""
    return items_of(page.number, page.part.number if page.part else None)


def kind(title: str) -> str:
    """A heading without what stands behind its colon or number: `Change 1: ...`, `Change`."""
    return re.sub(r" \d+(:.*)?$", "", title)


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_every_changed_line_is_shown(step: Step) -> None:
    """What differs between two steps is on the page of the later one."""
    incidental = {path for slug, path in INCIDENTAL if slug == step.slug}

    missing = shown.missing(lesson_of(step), step)

    assert {path: lines for path, lines in missing.items() if path not in incidental} == {}


def test_incidental_files_are_few_and_do_change(capsys: pytest.CaptureFixture[str]) -> None:
    """The exceptions are named with a reason, and none is left over."""
    changed = {(step.slug, c.path) for step in LATER for c in differences.changes_of(step)}
    with capsys.disabled():
        for (slug, path), reason in INCIDENTAL.items():
            print(f"\n  not shown: {slug}/{path}: {reason}", end="")

    assert len(INCIDENTAL) <= 3
    assert set(INCIDENTAL) <= changed
    assert all(reason.strip() for reason in INCIDENTAL.values())


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_edits_of_a_page_make_the_step(step: Step) -> None:
    """Whoever makes the edits that a page shows has the step's files, byte for byte."""
    ranges = shown.ranges(lesson_of(step), step)

    for change in differences.changes_of(step):
        if (step.slug, change.path) not in INCIDENTAL:
            made = differences.applied(change, ranges.get(change.path, []))
            assert made == (change.after or ""), change.path


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_code_comes_from_the_steps(page: Step) -> None:
    """No Python is pasted into a page, except what goes again: wrong, a draft, throwaway."""
    fences = [block for block in parse(text_of(page)) if isinstance(block, Fence)]

    pasted = [
        f"line {fence.line}"
        for fence in fences
        if fence.language in {"python", "py", "yaml", "toml", "ini"}
        and not fence.has(*OWN_CODE)
    ]
    assert pasted == []


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_references_are_of_the_step_itself(page: Step) -> None:
    """A page shows its own step; of another one only what is marked `plain`."""
    directives = [block for block in parse(text_of(page)) if isinstance(block, Directive)]

    for directive in directives:
        named = directive.values.get("step", page.slug)
        assert named == page.slug or "plain" in directive.words, directive.text


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_headings_have_their_order(page: Step) -> None:
    """Whoever knows one page finds their way on every other."""
    found = [kind(heading.title) for heading in headings(page, 2)]

    once = [name for number, name in enumerate(found) if found[:number][-1:] != [name]]
    assert once == [name for name in ORDER if name in once or name not in OPTIONAL]
    assert 1 <= found.count("Change") <= 4


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_title_and_time_are_the_course_s(page: Step) -> None:
    """The page is called and takes what course.toml says."""
    titles = [heading.title for heading in headings(page, 1)]

    assert titles == [f"Step {page.label}: {page.heading}"]
    if page.part is None:
        assert re.search(rf"\b{page.minutes} minutes\b", text_of(page)[:600])
    else:
        first = next(b for b in parse(text_of(page)) if isinstance(b, Directive))
        assert first.text == f"@part step={page.slug} part={page.part.number}"


def test_overviews_of_parts_lead_to_them() -> None:
    """A step in parts has a first page with its title, its time and the list of its parts."""
    for step in STEPS:
        if step.parts:
            text = page_text(DOCS / f"{page_of(step)}.md")
            assert f"\n# Step {step.number}: {step.title}\n" in text
            assert f"{step.minutes} minutes" in text
            assert f"@parts step={step.slug}" in text.splitlines()


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_sections_that_checks_name_are_there(page: Step) -> None:
    """The place that an item tells a learner to read exists."""
    sections = [*headings(page, 2), *headings(page, 3)]
    anchors = {s.anchor or s.title.lower().replace(" ", "-") for s in sections}
    numbers = [s.anchor for s in sections if kind(s.title) == "Change"]

    assert {item.docs.partition("#")[2] for item in items_of_page(page)} <= anchors
    assert numbers == [f"change-{number}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_page_has_a_reader_s_length(page: Step) -> None:
    """Between 800 and 2000 words, commands, outputs and checklist included, code left out."""
    fences = [block for block in parse(text_of(page)) if isinstance(block, Fence)]
    spoken = [line for f in fences if f.language in {"console", "text"} for line in f.lines]
    checklist = [item.title for item in items_of_page(page)]

    words = words_of(text_of(page)) + " ".join([*spoken, *checklist]).split()

    least = 800 if (page.part or page).minutes >= 20 else 600
    assert least <= len(words) <= 2000


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_checklist_and_difference_are_on_the_page(page: Step) -> None:
    """Each page ends with its checks, and links what changed."""
    directives = [block for block in parse(text_of(page)) if isinstance(block, Directive)]
    names = [directive.name for directive in directives]

    assert names.count("checklist") == 1
    last = page.parts[-1:] in ((), (page.part,))
    assert page.number == 0 or not last or "diff" in names


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_page_brings_few_new_terms(page: Step) -> None:
    """At most three terms are new on a page."""
    labels = [each.label for each in PAGES]
    earlier = "".join(text_of(each) for each in PAGES[: labels.index(page.label)])
    terms = set(re.findall(r"glossary\.md#([\w-]+)", text_of(page)))

    assert len(terms - set(re.findall(r"glossary\.md#([\w-]+)", earlier))) <= 3


def pages() -> list[Path]:
    """All pages."""
    return sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize(
    "page", pages(), ids=lambda page: page.relative_to(DOCS).as_posix()
)
def test_nothing_is_called_easy(page: Path) -> None:
    """Words that tell a stuck reader that it is their fault; messages are quoted as they are."""
    own = re.sub(r"(`+)(?!`).+?\1", " ", page.read_text("utf-8"), flags=re.DOTALL)
    words = WORDS.findall(" ".join(words_of(own)))

    assert words == []


def test_every_page_of_a_step_has_its_step() -> None:
    """One page per step, with the step's slug, or a folder with one page per part."""
    names = {
        page.relative_to(DOCS).with_suffix("").as_posix()
        for page in (DOCS / "steps").rglob("*.md")
    }

    assert names == {name for step in STEPS for name in step.pages}

"""The pages of the steps: every changed line is taught, and a page is built like the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import course
from checks.items import items_of
from course import Step
from tools.site import differences, shown
from tools.site.facts import page_text
from tools.site.pages import Directive, Fence, Heading, parse, words_of

DOCS = course.ROOT / "docs"
STEPS = course.steps()
LATER = STEPS[1:]
by_slug = {"ids": lambda step: step.slug}
ORDER = ["Goal", "Start", "Change", "Run", "Check", "If it fails", "Try it", "Next"]
WORDS = re.compile(r"\b(simply|just|easy|easily|obviously)\b", re.IGNORECASE)

# Changed files that no page needs to show: (step, path) and why. Printed by the test below.
INCIDENTAL: dict[tuple[str, str], str] = {}


def text_of(step: Step) -> str:
    """A step's page, what the list of steps says filled in."""
    return page_text(DOCS / "steps" / f"{step.slug}.md")


def headings(step: Step, level: int) -> list[Heading]:
    """The headings of a page, at one level."""
    blocks = parse(text_of(step))
    return [b for b in blocks if isinstance(b, Heading) and b.level == level]


def kind(title: str) -> str:
    """A heading without what stands behind its colon or number: `Change 1: ...`, `Change`."""
    return re.sub(r" \d+(:.*)?$", "", title)


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_every_changed_line_is_shown(step: Step) -> None:
    """What differs between two steps is on the page of the later one."""
    incidental = {path for slug, path in INCIDENTAL if slug == step.slug}

    missing = shown.missing(text_of(step), step)

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
    ranges = shown.ranges(text_of(step), step)

    for change in differences.changes_of(step):
        if (step.slug, change.path) not in INCIDENTAL:
            made = differences.applied(change, ranges.get(change.path, []))
            assert made == (change.after or ""), change.path


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_code_comes_from_the_steps(step: Step) -> None:
    """No Python is pasted into a page, except what is wrong on purpose."""
    fences = [block for block in parse(text_of(step)) if isinstance(block, Fence)]

    pasted = [
        f"line {fence.line}"
        for fence in fences
        if fence.language in {"python", "py", "yaml", "toml", "ini"}
        and not fence.has("wrong")
    ]
    assert pasted == []


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_references_are_of_the_step_itself(step: Step) -> None:
    """A page shows its own step; of another one only what is marked `plain`."""
    directives = [block for block in parse(text_of(step)) if isinstance(block, Directive)]

    for directive in directives:
        named = directive.values.get("step", step.slug)
        assert named == step.slug or "plain" in directive.words, directive.text


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_headings_have_their_order(step: Step) -> None:
    """Whoever knows one page finds their way on every other."""
    found = [kind(heading.title) for heading in headings(step, 2)]

    once = [name for number, name in enumerate(found) if found[:number][-1:] != [name]]
    assert once == ORDER
    assert 1 <= found.count("Change") <= 4


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_title_and_time_are_the_course_s(step: Step) -> None:
    """The page is called and takes what course.toml says."""
    titles = [heading.title for heading in headings(step, 1)]

    assert titles == [f"Step {step.number}: {step.title}"]
    assert re.search(rf"\b{step.minutes} minutes\b", text_of(step)[:600])


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_sections_that_checks_name_are_there(step: Step) -> None:
    """The place that an item tells a learner to read exists."""
    sections = [*headings(step, 2), *headings(step, 3)]
    anchors = {s.anchor or s.title.lower().replace(" ", "-") for s in sections}
    numbers = [s.anchor for s in sections if kind(s.title) == "Change"]

    assert {item.docs.partition("#")[2] for item in items_of(step.number)} <= anchors
    assert numbers == [f"change-{number}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_page_has_a_reader_s_length(step: Step) -> None:
    """Between 800 and 1500 words, commands, outputs and checklist included, code left out."""
    fences = [block for block in parse(text_of(step)) if isinstance(block, Fence)]
    spoken = [line for f in fences if f.language in {"console", "text"} for line in f.lines]
    checklist = [item.title for item in items_of(step.number)]

    words = words_of(text_of(step)) + " ".join([*spoken, *checklist]).split()

    least = 800 if step.minutes >= 20 else 600
    assert least <= len(words) <= 1500


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_checklist_and_difference_are_on_the_page(step: Step) -> None:
    """Each page ends with its checks, and links what changed."""
    directives = [block for block in parse(text_of(step)) if isinstance(block, Directive)]
    names = [directive.name for directive in directives]

    assert names.count("checklist") == 1
    assert step.number == 0 or "diff" in names


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_page_brings_few_new_terms(step: Step) -> None:
    """At most three terms are new on a page."""
    earlier = "".join(text_of(each) for each in STEPS[: step.number])
    terms = set(re.findall(r"glossary\.md#([\w-]+)", text_of(step)))

    assert len(terms - set(re.findall(r"glossary\.md#([\w-]+)", earlier))) <= 3


def pages() -> list[Path]:
    """All pages."""
    return sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize(
    "page", pages(), ids=lambda page: page.relative_to(DOCS).as_posix()
)
def test_nothing_is_called_easy(page: Path) -> None:
    """Words that tell a stuck reader that it is their fault."""
    words = WORDS.findall(" ".join(words_of(page.read_text("utf-8"))))

    assert words == []


def test_every_page_of_a_step_has_its_step() -> None:
    """One page a step, with the step's slug."""
    names = [page.stem for page in sorted((DOCS / "steps").glob("*.md"))]

    assert names == [step.slug for step in STEPS]

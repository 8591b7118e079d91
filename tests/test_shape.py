"""The shape of a page that teaches: small inserts, each explained, run at once, and looked back on.

The numbers are those of docs/contribute, "The shape of a page"; Channels' own tutorial and
Crafting Interpreters were measured for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from course import Step
from tests.test_pages import PAGES, STEPS, by_label, text_of
from tools.site import listings
from tools.site.pages import (
    OWN_CODE,
    Block,
    Directive,
    Fence,
    Heading,
    Prose,
    parse,
    words_of,
)

MOST_LINES_AN_INSERT = 15
MOST_LINES_BETWEEN_RUNS = 25
MOST_LINES_A_PAGE = 80
LEAST_WORDS_A_LINE = 10
# An import and what needs it, say.
MOST_INSERTS_IN_A_ROW = 2


def inserts(page: Step) -> Iterator[tuple[int, int, int]]:
    """Each insert of a page: its index among the blocks, its line, and how many lines a reader
    types there."""
    typed: dict[str, set[str]] = {}
    for number, block in enumerate(parse(text_of(page))):
        if isinstance(block, Directive) and block.name == "code":
            if "plain" not in block.words and page.number:
                yield number, block.line, len(listings.listing(block.values).new_lines)
        elif isinstance(block, Fence) and (mark := block.mark(*OWN_CODE)):
            path = mark.values.get("path", "")
            known = typed.setdefault(path, _lines_before(page, path))
            new = {line for line in block.lines if line.strip()} - known
            known |= new
            yield number, block.line, len(new)


def _lines_before(page: Step, path: str) -> set[str]:
    """The lines of a file that are there already when a page begins."""
    before = STEPS[page.number - 1].folder / path
    there = set(before.read_text("utf-8").splitlines()) if before.is_file() else set()
    for fence in _earlier_fences(page):
        mark = fence.mark(*OWN_CODE)
        if mark and mark.values.get("path") == path:
            there.update(fence.lines)
    return there


def _earlier_fences(page: Step) -> Iterator[Fence]:
    """The blocks on the pages of a step's earlier parts."""
    for each in PAGES:
        if each.number == page.number and each.label < page.label:
            yield from (b for b in parse(text_of(each)) if isinstance(b, Fence))


def is_run(block: Block) -> bool:
    """Whether a reader runs something there: in a terminal, or in a browser window."""
    return isinstance(block, Fence) and (
        block.language in {"console", "form", "pycon"} or block.has("run")
    )


def lines_at_a_prompt(page: Step) -> int:
    """How many lines a reader types in a Python shell."""
    return sum(
        line.startswith((">>> ", "... "))
        for block in parse(text_of(page))
        if isinstance(block, Fence) and block.language == "pycon"
        for line in block.lines
    )


def section(page: Step, title: str) -> list[Block]:
    """The blocks between that heading and the next one of its level."""
    found: list[Block] = []
    inside = False
    for block in parse(text_of(page)):
        if isinstance(block, Heading) and block.level == 2:
            inside = block.title == title
        elif inside:
            found.append(block)
    return found


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_inserts_are_small(page: Step) -> None:
    """Nobody types more than that without a word in between."""
    large = {line: size for _, line, size in inserts(page) if size > MOST_LINES_AN_INSERT}

    assert large == {}, "line of the page: new lines"


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_new_lines_are_run_soon(page: Step) -> None:
    """Between two runs there is little that could be the mistake."""
    sizes = {number: size for number, _, size in inserts(page)}
    typed, late = 0, []
    for number, block in enumerate(parse(text_of(page))):
        typed = 0 if is_run(block) else typed + sizes.get(number, 0)
        if sizes.get(number) and typed > MOST_LINES_BETWEEN_RUNS:
            late.append((block.line, typed))

    assert late == [], "line of the page, new lines since the last run"


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_page_is_one_sitting(page: Step) -> None:
    """A page that brings more is two pages."""
    assert sum(size for _, _, size in inserts(page)) <= MOST_LINES_A_PAGE


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_code_has_its_words(page: Step) -> None:
    """There is more to read than to type."""
    typed = sum(size for _, _, size in inserts(page))

    assert len(words_of(text_of(page))) >= LEAST_WORDS_A_LINE * typed


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_explanation_is_below_its_insert(page: Step) -> None:
    """What follows an insert is about it; two pieces of one thought may share their words."""
    blocks = [b for b in parse(text_of(page)) if not isinstance(b, Prose) or b.text.strip()]
    sizes = {line: size for _, line, size in inserts(page)}
    bare, waiting = [], []
    for block in blocks:
        if sizes.get(block.line):
            waiting.append(block.line)
        elif isinstance(block, Prose) or is_run(block):
            waiting.clear()
        elif isinstance(block, Heading):
            bare += waiting
        if len(waiting) > MOST_INSERTS_IN_A_ROW:
            bare.append(block.line)

    assert bare == [], "lines of the page"


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_reader_predicts_before_a_run(page: Step) -> None:
    """One box a page asks what will happen."""
    assert len(re.findall(r'^!!! question "Predict, then run"', text_of(page), re.M)) == 1


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_page_looks_back(page: Step) -> None:
    """Three to five points, then three questions whose answers are folded."""
    lines = [b.text for b in section(page, "You now know") if isinstance(b, Prose)]

    assert 3 <= len([line for line in lines if re.match(r"[-*] ", line)]) <= 5
    assert len([line for line in lines if line.startswith("??? question ")]) == 3


def minutes_of(page: Step) -> float:
    """How long a page takes someone who has written one Django view: 120 words a minute, three
    typed lines a minute (those in a Python shell too), a minute for each run, and three for
    the check.

    Fitted to what an editor reckoned for the first edition's pages, and to a walk.
    """
    typed = sum(size for _, _, size in inserts(page)) + lines_at_a_prompt(page)
    runs = sum(is_run(block) for block in parse(text_of(page)))
    return len(words_of(text_of(page))) / 120 + typed / 3 + runs + 3


@pytest.mark.parametrize("page", PAGES, **by_label)
def test_minutes_are_reckoned(page: Step) -> None:
    """The time in course.toml is the formula's, to five minutes."""
    assert (page.part or page).minutes == pytest.approx(minutes_of(page), abs=5)

"""The Markdown extension that weaves the steps into the pages.

It turns each directive of a page into ordinary Markdown before anything else reads it, so
that MkDocs and Zensical do the same with it:

    @code step=05-asgi path=backend/numeneon/asgi.py symbol=application
    @diff step=05-asgi                @tests step=05-asgi      @given step=05-asgi
    @tree step=05-asgi path=backend/notifications files="apps.py routing.py"
    @checklist step=05-asgi
    @part step=07-browser-client part=2   @parts step=07-browser-client
    @steps-table   @events   @close-codes   @endpoints   @settings   @commands   @checks
    @compare
    @run server                       (tells the player and the tests about the next fence)
    @wrong   @draft   @throwaway      (the next fence is in no step: why, and where it goes)

Before that it fills in what the list of steps says: `{{ items asgi }}` (tools.site.facts).

A directive that selects nothing raises DirectiveError, which ends the build.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from course import ROOT
from tools.site import blocks, compare, listings, overview, tables
from tools.site.backend import NotReadable
from tools.site.cells import PRIORITY as BEHIND_INLINE
from tools.site.cells import CellProcessor
from tools.site.facts import filled
from tools.site.glossary import definitions
from tools.site.listings import Page
from tools.site.pages import (
    OWN_CODE,
    Block,
    Directive,
    Fence,
    Heading,
    PageError,
    Prose,
    parse,
)
from tools.site.panes import Panes
from tools.site.pictures import PRIORITY as BEHIND_ABBR
from tools.site.pictures import PictureProcessor
from tools.site.prompts import with_ends

# Behind the clean-up of white space (30), before fences are taken out of the text (25).
PRIORITY = 27
# `root`: in the tutorial's own folder, for one block
MARKS = {
    "server",
    "beside",
    "stop",
    "fails",
    "same",
    "skip",
    "workspace",
    "root",
    "browser",
    "sees",
}


class DirectiveError(Exception):
    """A directive that cannot be followed; the text names the line and what there is."""


Maker = Callable[[Directive, Page], Sequence[str]]


@dataclass(frozen=True)
class Rule:
    """What a directive takes, and the function that makes Markdown lines of it."""

    make: Maker
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


def _rule(
    make: Maker,
    required: str = "",
    optional: str = "",
    words: str = "",
) -> Rule:
    return Rule(
        make,
        frozenset(required.split()),
        frozenset(optional.split()),
        frozenset(words.split()),
    )


def _nothing(directive: Directive, page: Page) -> Sequence[str]:
    """What is left in the page of a directive that speaks to the player only."""
    return ()


RULES: dict[str, Rule] = {
    "code": _rule(blocks.code, "step path", "symbol region", "plain"),
    "diff": _rule(blocks.diff, "step", "path"),
    "tests": _rule(blocks.tests, "step", "path"),
    "given": _rule(blocks.given, "step"),
    "tree": _rule(blocks.tree, "step path", "files"),
    "steps-table": _rule(overview.steps_table),
    "checklist": _rule(blocks.checklist, "step", "part"),
    "part": _rule(overview.part, "step part"),
    "parts": _rule(overview.parts, "step"),
    "events": _rule(tables.events),
    "close-codes": _rule(tables.close_codes),
    "endpoints": _rule(tables.endpoints),
    "settings": _rule(tables.settings),
    "commands": _rule(tables.commands),
    "checks": _rule(tables.checks),
    "compare": _rule(compare.compare),
    "run": _rule(_nothing, "", "reason save window page", " ".join(MARKS)),
    "wrong": _rule(_nothing, "", "path symbol region"),
    "draft": _rule(_nothing, "path", "symbol region"),
    "throwaway": _rule(_nothing, "path"),
}


def expand(text: str) -> str:
    """A page with its facts filled in and every directive replaced. Raises DirectiveError."""
    try:
        text = filled(text)
        read = parse(text)
    except PageError as error:
        raise DirectiveError(str(error)) from error
    lines = text.splitlines()
    page = Page(_step_of(read))
    _turn_to_part(read, page)
    panes = Panes(read)
    return "\n".join(line for block in read for line in _made(block, lines, page, panes))


def _step_of(read: Sequence[Block]) -> str | None:
    """The step that a page speaks of: the first one that a directive names."""
    named = (
        b.values["step"] for b in read if isinstance(b, Directive) and "step" in b.values
    )
    return next(named, None)


def _turn_to_part(read: Sequence[Block], page: Page) -> None:
    """What the pages of earlier parts have shown counts on the page of a later one.

    What is wrong with their directives, or with the `@part` itself, is said where they are
    followed.
    """
    parts = [b for b in read if isinstance(b, Directive) and b.name == "part"]
    for part in parts:
        with contextlib.suppress(listings.BadReference, KeyError):
            for shown in overview.shown_before(part):
                if shown.name == "code":
                    page.listing(shown.values)
                else:
                    page.attempt(shown.values)


def _made(block: Block, lines: Sequence[str], page: Page, panes: Panes) -> Iterator[str]:
    if isinstance(block, Directive):
        panes.follow(block)
        yield from _followed(block, page)
    elif isinstance(block, Fence):
        opening, *rest = lines[block.line - 1 : block.last_line]
        source = [panes.labelled(block, opening), *rest]
        if block.language == "pycon":
            source = list(with_ends(source))
        yield from _written(block, source, page) if block.has(*OWN_CODE) else source
    elif isinstance(block, Prose):
        yield block.text
    elif isinstance(block, Heading):
        yield lines[block.line - 1]


def _followed(directive: Directive, page: Page) -> Iterator[str]:
    """The lines that take a directive's place, indented as it was."""
    try:
        rule = _checked(directive)
        made = rule.make(directive, page)
    except (listings.BadReference, tables.NoDefinition, NotReadable) as error:
        raise DirectiveError(_located(directive, str(error))) from None
    yield ""
    for line in made:
        yield directive.indent + line if line else ""
    yield ""


def _checked(directive: Directive) -> Rule:
    """The rule of a directive whose arguments fit it. Raises BadReference."""
    rule = RULES.get(directive.name)
    if rule is None:
        raise listings.BadReference(
            f"there is no directive @{directive.name}; there are: {', '.join(RULES)}"
        )
    given = set(directive.values)
    lacking = rule.required - given
    surplus = (given - rule.required - rule.optional) | (set(directive.words) - rule.words)
    if lacking:
        raise listings.BadReference(f"it needs {', '.join(sorted(lacking))}")
    if surplus:
        raise listings.BadReference(f"it does not take {', '.join(sorted(surplus))}")
    if {"symbol", "region"} <= given:
        raise listings.BadReference("it takes a symbol or a region, not both")
    return rule


def _located(directive: Directive, what: str) -> str:
    """The message of an error, with the page and line where the site has that directive.

    An extension is not told which page it works on, and sees it without its metadata.
    """
    places = [
        f"{page.relative_to(ROOT).as_posix()}:{number}"
        for page in sorted(Path(ROOT, "docs").rglob("*.md"))
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1)
        if line.strip() == directive.text
    ]
    return f"{', '.join(places) or f'line {directive.line}'}: {directive.text}: {what}"


def _written(fence: Fence, source: Sequence[str], page: Page) -> Iterator[str]:
    """A fence whose code is in no step, under its place; what is wrong, in a box that says so."""
    directive = fence.mark(*OWN_CODE)
    assert directive
    try:
        caption = blocks.written(directive, page)
    except listings.BadReference as error:
        raise DirectiveError(_located(directive, str(error))) from None
    box = directive.name == "wrong"
    if box:
        yield f'{fence.indent}!!! failure "Wrong on purpose"'
        yield ""
    inside = [*(fence.indent + line for line in caption), *source]
    for line in inside:
        yield "    " + line if box and line else line
    yield ""


class DirectivePreprocessor(Preprocessor):
    """Expands the directives of one page."""

    def run(self, lines: list[str]) -> list[str]:
        """Called by Markdown with the lines of a page. Raises DirectiveError."""
        text = "\n".join(lines)
        known = definitions(text, ROOT / "docs" / "reference" / "glossary.md")
        return [*expand(text).split("\n"), "", *known]


class DirectiveExtension(Extension):
    """What `markdown_extensions: [tools.site.directives]` in mkdocs.yml loads."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Called by Markdown once for each page."""
        md.preprocessors.register(DirectivePreprocessor(md), "numeneon", PRIORITY)
        md.treeprocessors.register(CellProcessor(md), "cells", BEHIND_INLINE)
        md.treeprocessors.register(PictureProcessor(md), "pictures", BEHIND_ABBR)


def makeExtension(**options: Any) -> Extension:  # noqa: N802 - Markdown's name
    """Called by Markdown to make the extension of this module."""
    return DirectiveExtension(**options)

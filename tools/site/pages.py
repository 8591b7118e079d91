"""Reads a page of the site: its headings, directives and fences, with their line numbers.

A directive is a line of its own, outside of any fence: `@name key=value "bare word"`. The
Markdown extension, the player and the tests all read pages with this module.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

_DIRECTIVE = re.compile(r"^( *)@([a-z][a-z-]*)(?:[ \t]+(\S.*))?$")
_FENCE = re.compile(r"^([ >]*)(`{3,}|~{3,})(.*)$")
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$")
_ATTRIBUTES = re.compile(r"[ \t]*\{:?[ \t]*([^}]*)\}$")
# Above a fence: its code is written for the page, and is in no step.
OWN_CODE = ("wrong", "draft", "throwaway")
_KEY = re.compile(r"^([a-z][a-z_]*)=(.*)$", re.DOTALL)


class PageError(ValueError):
    """A line of a page that cannot be understood; the text says which and why."""


@dataclass(frozen=True)
class Directive:
    """A line that begins with `@`; `line` counts from 1 in the text that was read."""

    name: str
    values: dict[str, str]
    words: tuple[str, ...]
    line: int
    text: str
    indent: str = ""


@dataclass(frozen=True)
class Fence:
    """A fenced block: its info string, its content, and the directives right above it."""

    info: str
    lines: tuple[str, ...]
    line: int
    last_line: int
    indent: str = ""
    above: tuple[Directive, ...] = field(default=(), compare=False)

    @property
    def language(self) -> str:
        """The first word of the info string: `console`, `python`, ..."""
        found = re.match(r"\{?[ \t]*\.?([\w+-]*)", self.info)
        return found[1] if found else ""

    def has(self, *names: str) -> bool:
        """Whether a directive of one of these names stands right above."""
        return self.mark(*names) is not None

    def mark(self, *names: str) -> Directive | None:
        """The directive of one of these names that stands right above."""
        return next((above for above in self.above if above.name in names), None)


@dataclass(frozen=True)
class Heading:
    """A heading; `anchor` is the id written behind it in braces, if there is one."""

    level: int
    title: str
    anchor: str | None
    line: int


@dataclass(frozen=True)
class Prose:
    """Any other line."""

    text: str
    line: int


Block = Directive | Fence | Heading | Prose


def parse(text: str) -> list[Block]:
    """A page as a list of blocks, in its order. Raises PageError for a broken directive
    and for a fence that is never closed."""
    return list(_parsed(text))


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[Block, ...]:
    """The same, kept: the pages of later parts read those of earlier ones again."""
    lines = text.splitlines()
    blocks: list[Block] = []
    number = _after_front_matter(lines)
    while number < len(lines):
        block, number = _block(lines, number, _above(blocks))
        blocks.append(block)
    return tuple(blocks)


def words_of(text: str) -> list[str]:
    """The words of a page's prose and headings, for counting."""
    prose = (
        block.text if isinstance(block, Prose) else block.title
        for block in parse(text)
        if isinstance(block, Prose | Heading)
    )
    plain = re.sub(r"<[^>]*>|\]\([^)]*\)|`{1,2}", " ", "\n".join(prose))
    return re.findall(r"[^\W_][\w'./:-]*", plain)


def _after_front_matter(lines: Sequence[str]) -> int:
    """The index of the first line behind the metadata between two lines of dashes."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in {"---", "..."}:
            return number + 1
    return 0


def _above(blocks: Sequence[Block]) -> tuple[Directive, ...]:
    """The directives at the end of what was read, blank lines aside."""
    found: list[Directive] = []
    for block in reversed(blocks):
        if isinstance(block, Directive):
            found.append(block)
        elif not (isinstance(block, Prose) and not block.text.strip()):
            break
    return tuple(reversed(found))


def _block(
    lines: Sequence[str], number: int, above: tuple[Directive, ...]
) -> tuple[Block, int]:
    """The block that begins at that index, and the index behind it."""
    line = lines[number]
    if opening := _FENCE.match(line):
        last = _closing(lines, number, opening[2])
        content = tuple(_outdented(text, opening[1]) for text in lines[number + 1 : last])
        info = opening[3].strip()
        return Fence(info, content, number + 1, last + 1, opening[1], above), last + 1
    if found := _DIRECTIVE.match(line):
        return _directive(found, number + 1, line), number + 1
    if found := _HEADING.match(line):
        return _heading(found, number + 1), number + 1
    return Prose(line, number + 1), number + 1


def _closing(lines: Sequence[str], number: int, marks: str) -> int:
    """The index of the line that closes the fence opened at `number`."""
    closing = re.compile(rf"^[ >]*{re.escape(marks[0])}{{{len(marks)},}}[ \t]*$")
    for index in range(number + 1, len(lines)):
        if closing.match(lines[index]):
            return index
    raise PageError(f"line {number + 1}: {lines[number].strip()!r} is never closed")


def _outdented(text: str, indent: str) -> str:
    return text[len(indent) :] if text.startswith(indent) else text.lstrip(" ")


def _directive(found: re.Match[str], line: int, text: str) -> Directive:
    try:
        parts = shlex.split(found[3] or "")
    except ValueError as error:
        raise PageError(f"line {line}: {text.strip()!r}: {error}") from error
    pairs = [(part, _KEY.match(part)) for part in parts]
    values = {match[1]: match[2] for _, match in pairs if match}
    words = tuple(part for part, match in pairs if not match)
    return Directive(found[2], values, words, line, text.strip(), found[1])


def _heading(found: re.Match[str], line: int) -> Heading:
    title = found[2]
    attributes = _ATTRIBUTES.search(title)
    anchor = re.search(r"#([\w-]+)", attributes[1]) if attributes else None
    title = _ATTRIBUTES.sub("", title)
    return Heading(len(found[1]), title, anchor[1] if anchor else None, line)

"""Gives the later steps new numbers, so that one can be inserted before them.

A step's number is in the names of its folder, its page, its modules and its golden messages,
in every path that leads there, and in sentences (`step 5`, `tutorial.py check 5`). All of it
is worked out before the first file is written.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from course import Step
from course.files import write_text
from course.outline import page_of

# What belongs to the repository and may name a step, relative to its root.
PLACES = (
    ".ci .github README.md benchmarks checks course docs final mkdocs.yml steps tests tools "
    "tutorial.py workshop"
)
TEXTS = {".css", ".js", ".md", ".py", ".svg", ".toml", ".txt", ".yaml", ".yml", ""}
# Where a number behind `step` is that of a step of this course: the tests of the commands
# speak of a small course of their own.
SENTENCES = re.compile(
    r"(README\.md|docs/.*\.md|(steps|final)/.*README\.md|(checks|workshop|tools|course)/.*"
    r"|tests/variants/.*|tests/golden/.*)$"
)
_NUMBERS = r"\d{1,2}(?:(?:, | and | or | to )\d{1,2})*"
_IN_SENTENCES = re.compile(
    rf"\b[Ss]teps? {_NUMBERS}\b"
    r"|\btutorial\.py (?:check|watch|catch-up|diff|give|run|propagate)"
    r"(?: (?:mine|final|\d{1,2}))+\b"
)
_MODULE = re.compile(r"\bstep(\d\d)\b(?!-)")
_IMPORTS_MODULE = re.compile(
    r"(?m)^(?:from (?:checks\.items|tests\.variants) import .*|import .*)\bstep\d\d\b"
    r"|(?:items|variants)[./]step\d\d\b"
)
_LITERAL = re.compile(r"(\bChecklist\(\s*|\b(?:course\.step|session\.run)\()(\d+)\b")


@dataclass(frozen=True)
class Rewriting:
    """Files to write and places to rename, all relative to the root."""

    texts: dict[str, str]
    renames: tuple[tuple[str, str], ...]

    def apply(self, root: Path) -> None:
        """Write, then rename, the highest number first. Raises OSError."""
        for name, text in self.texts.items():
            executable = os.access(root / name, os.X_OK)
            write_text(root / name, text)
            if executable:
                (root / name).chmod(0o755)
        for old, new in self.renames:
            (root / old).rename(root / new)


def renumbered(root: Path, moved: Sequence[Step]) -> Rewriting:
    """What adds one to the numbers of these steps, which are the last ones of the course.

    Raises OSError.
    """
    texts: dict[str, str] = {}
    for file in _files(root):
        name = file.relative_to(root).as_posix()
        text = file.read_bytes().decode("utf-8")
        made = rewritten(name, text, moved)
        if made != text:
            texts[name] = made
    return Rewriting(texts, tuple(_renames(root, moved)))


def _files(root: Path) -> Iterator[Path]:
    for place in PLACES.split():
        path = root / place
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            cached = "__pycache__" in file.parts
            if file.is_file() and file.suffix in TEXTS and not cached:
                yield file


def rewritten(name: str, text: str, moved: Sequence[Step]) -> str:
    """A file of the repository with the new numbers of the steps that move."""
    slugs = {step.slug: f"{step.number + 1:02}-{step.name}" for step in moved}
    known = "|".join(map(re.escape, slugs))
    text = re.sub(rf"(?<![\w-])({known})(?![\w-])", lambda found: slugs[found[1]], text)
    numbers = {step.number for step in moved}
    if _IMPORTS_MODULE.search(text) or name.startswith(
        ("checks/items/", "tests/variants/")
    ):
        text = _MODULE.sub(lambda found: f"step{_next(found[1], numbers)}", text)
    if name.endswith(".py"):
        text = _LITERAL.sub(lambda found: found[1] + _next(found[2], numbers), text)
    if SENTENCES.fullmatch(name):
        text = in_sentences(text, numbers)
    return text


def in_sentences(text: str, numbers: set[int]) -> str:
    """A text in which those steps have the next number, wherever a sentence names them."""
    one = functools.partial(re.sub, r"\d+", lambda found: _next(found[0], numbers))
    return _IN_SENTENCES.sub(lambda found: one(found[0]), text)


def _next(digits: str, numbers: set[int]) -> str:
    """A number as it is written, one higher if it is one of those that move."""
    number = int(digits)
    return f"{number + 1:0{len(digits)}}" if number in numbers else digits


def _renames(root: Path, moved: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """Old and new names; the last step first, so that its place is free for the one before."""
    for step in reversed(moved):
        old, new = f"{step.number:02}", f"{step.number + 1:02}"
        page = page_of(step).removesuffix("/index") if step.parts else f"{page_of(step)}.md"
        names = [
            f"steps/{step.slug}",
            f"docs/{page}",
            f"checks/items/step{old}.py",
            f"checks/items/step{old}.toml",
            f"tests/variants/step{old}.py",
        ]
        for name in names:
            folder, _, last = name.rpartition("/")
            yield name, f"{folder}/{last.replace(old, new, 1)}"
        for golden in sorted((root / "tests" / "golden").glob(f"{old}-*.txt")):
            yield f"tests/golden/{golden.name}", f"tests/golden/{new}{golden.name[2:]}"


def redirected(text: str, heading: str, old: Step, new: Step) -> str:
    """A page that speaks of another step in one of its sections: before it, or after it.

    In the section `## heading` every mention of the step `old` becomes one of `new`.
    """
    found = re.search(rf"(?ms)^## {re.escape(heading)}\b.*?(?=^## |\Z)", text)
    if found is None:
        return text
    link, linked = (f"{page_of(step).removeprefix('steps/')}.md" for step in (old, new))
    section = found[0].replace(link, linked)
    section = re.sub(rf"(?<![\w-]){re.escape(old.slug)}(?![\w-])", new.slug, section)
    section = re.sub(
        rf"(\{{\{{ *\w+ +){re.escape(old.name)}(?![\w-])", rf"\g<1>{new.name}", section
    )
    shift = {str(old.number): str(new.number)}
    section = _IN_SENTENCES.sub(
        lambda place: re.sub(r"\d+", lambda n: shift.get(n[0], n[0]), place[0]), section
    )
    return text[: found.start()] + section + text[found.end() :]

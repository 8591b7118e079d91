"""The list of steps, read from course.toml: the one place that names them."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class UnknownStep(ValueError):
    """Somebody named a step that the course does not have."""


@dataclass(frozen=True)
class Part:
    """One of the pages of a step that is too long for one; it has no snapshot of its own."""

    number: int
    slug: str
    title: str
    minutes: int


@dataclass(frozen=True)
class Step:
    """One step of the course; `folder` is the project as it is after the step.

    `part` is set where a person has named one part of the step (`3.1`): a step is the same
    step whatever part of it was named.
    """

    number: int
    slug: str
    title: str
    minutes: int
    touches: tuple[str, ...]
    adds: int
    after: str = ""
    chapter: str = ""
    given: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    part: Part | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """What stays of the slug when steps are inserted before this one: `asgi`."""
        return self.slug[3:]

    @property
    def label(self) -> str:
        """How a sentence calls it: `5`, or `3.1` where a part is meant."""
        return f"{self.number}.{self.part.number}" if self.part else str(self.number)

    @property
    def heading(self) -> str:
        """What the page is called: the step's title, or that of the part that is meant."""
        return self.part.title if self.part else self.title

    @property
    def folder(self) -> Path:
        return ROOT / "steps" / self.slug

    def gives(self, path: str) -> bool:
        """Whether a file of this step, relative to its folder, is given and not written."""
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.given)

    @property
    def pages(self) -> tuple[str, ...]:
        """Its pages below docs/, without `.md`: one, or the overview and one for each part."""
        return tuple(page_of(self, part) for part in (None, *self.parts))


def page_of(step: Step, part: Part | None = None) -> str:
    """The page of a step, or of one of its parts, below docs/ and without `.md`."""
    if part is None:
        return f"steps/{step.slug}/index" if step.parts else f"steps/{step.slug}"
    return f"steps/{step.slug}/{part.number}-{part.slug}"


def address_of_page(step: Step, part: Part | None = None) -> str:
    """Where the site has that page: `steps/05-asgi/`."""
    return page_of(step, part).removesuffix("/index") + "/"


def page_file(address: str) -> str:
    """The file behind an address of the site: `steps/05-asgi/#run` is in
    `docs/steps/05-asgi.md#run`, or in an index.md where the page is a folder of parts.
    """
    page, mark, section = address.partition("#")
    name = f"docs/{page.rstrip('/')}"
    inside = "/index.md" if (ROOT / name).is_dir() else ".md"
    return f"{name}{inside}{mark}{section}"


@functools.cache
def steps() -> tuple[Step, ...]:
    """All steps, in order; the number is the one the folder's name starts with."""
    return read(Path(__file__).with_name("course.toml"))


def read(file: Path) -> tuple[Step, ...]:
    """The steps that a list names. Raises OSError, ValueError, and KeyError for what lacks."""
    table = tomllib.loads(file.read_text("utf-8"))
    return tuple(_step(entry) for entry in table["step"])


def _step(entry: Mapping[str, Any]) -> Step:
    parts = tuple(
        Part(number, part["slug"], part["title"], part["minutes"])
        for number, part in enumerate(entry.get("parts", ()), 1)
    )
    return Step(
        number=int(entry["slug"][:2]),
        slug=entry["slug"],
        title=entry["title"],
        minutes=sum(part.minutes for part in parts) or entry["minutes"],
        touches=tuple(entry["touches"]),
        adds=entry["adds"],
        after=entry["after"],
        chapter=entry.get("chapter", ""),
        given=tuple(entry.get("given", ())),
        parts=parts,
    )


def step(name: str | int) -> Step:
    """The step called `5`, `05`, `05-asgi`, `asgi` or `final` (the last one).

    `3.1` is step 3 with its first part. Raises UnknownStep, whose text lists what there is.
    """
    return find_step(steps(), name)


def find_step(among: Sequence[Step], name: str | int) -> Step:
    """The one of these steps that a person means; raises as step() does."""
    wanted = str(name).strip().lower()
    whole, dot, part = wanted.rpartition(".")
    if dot:
        return _with_part(find_step(among, whole), part)
    if wanted == "final":
        return among[-1]
    for entry in among:
        if wanted in {str(entry.number), entry.slug[:2], entry.slug, entry.name}:
            return entry
    known = ", ".join(f"{entry.number} {entry.name}" for entry in among)
    raise UnknownStep(f"There is no step {name!r}. The steps are: {known}.")


def _with_part(step: Step, name: str) -> Step:
    if step.part:
        raise UnknownStep(f"Step {step.label} is a part, and has no parts itself.")
    for part in step.parts:
        if name in {str(part.number), part.slug}:
            return replace(step, part=part)
    known = ", ".join(f"{step.number}.{part.number} {part.slug}" for part in step.parts)
    there = f"its parts are: {known}" if known else "it has none"
    raise UnknownStep(f"Step {step.number} has no part {name!r}; {there}.")

"""The list of steps, read from course.toml: the one place that names them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class UnknownStep(ValueError):
    """Somebody named a step that the course does not have."""


@dataclass(frozen=True)
class Step:
    """One step of the course; `folder` is the project as it stands after it."""

    number: int
    slug: str
    title: str
    minutes: int
    touches: tuple[str, ...]
    adds: int

    @property
    def folder(self) -> Path:
        return ROOT / "steps" / self.slug


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
    table = tomllib.loads((Path(__file__).with_name("course.toml")).read_text("utf-8"))
    return tuple(
        Step(
            number=int(entry["slug"][:2]),
            slug=entry["slug"],
            title=entry["title"],
            minutes=entry["minutes"],
            touches=tuple(entry["touches"]),
            adds=entry["adds"],
        )
        for entry in table["step"]
    )


def step(name: str | int) -> Step:
    """The step called `5`, `05`, `05-asgi`, `asgi` or `final` (the last one).

    Raises UnknownStep, whose text lists the steps there are.
    """
    return find_step(steps(), name)


def find_step(among: Sequence[Step], name: str | int) -> Step:
    """The one of these steps that a person means; raises as step() does."""
    wanted = str(name).strip().lower()
    if wanted == "final":
        return among[-1]
    for entry in among:
        if wanted in {str(entry.number), entry.slug[:2], entry.slug, entry.slug[3:]}:
            return entry
    known = ", ".join(f"{entry.number} {entry.slug[3:]}" for entry in among)
    raise UnknownStep(f"There is no step {name!r}. The steps are: {known}.")

"""The list of steps, read from course.toml: the one place that names them."""

from __future__ import annotations

import functools
import tomllib
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


@functools.cache
def steps() -> tuple[Step, ...]:
    """All steps, in order; the number is the one the folder's name starts with."""
    table = tomllib.loads((ROOT / "checks" / "course.toml").read_text("utf-8"))
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
    wanted = str(name).strip().lower()
    if wanted == "final":
        return steps()[-1]
    for entry in steps():
        names = {str(entry.number), entry.slug[:2], entry.slug, entry.slug[3:]}
        if wanted in names:
            return entry
    known = ", ".join(entry.slug for entry in steps())
    raise UnknownStep(f"there is no step {name!r}; the steps are {known}")

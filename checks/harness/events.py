"""Compares events with what is documented, and finds where a project sends them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from checks.errors import Place
from checks.harness.harness import Harness
from checks.harness.project import read

_TIMES = ("created_at", "updated_at")


def differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """What is missing, too much or different, each as a part of a sentence."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        spot = where or "the frame"
        lacking = [f"{spot} lacks {key}" for key in wanted.keys() - found.keys()]
        surplus = [f"{spot} also has {key}" for key in found.keys() - wanted.keys()]
        below = [
            text
            for key in wanted.keys() & found.keys()
            for text in differences(found[key], wanted[key], f"{where}.{key}".lstrip("."))
        ]
        return sorted(lacking + surplus + below)
    if isinstance(wanted, list) and isinstance(found, list):
        if len(found) != len(wanted):
            return [f"{len(found)} frames, not {len(wanted)}"]
        return [
            text for pair in zip(found, wanted, strict=True) for text in differences(*pair)
        ]
    if where.endswith(_TIMES) and _same_instant(found, wanted):
        return []
    same = type(found) is type(wanted) and found == wanted
    return [] if same else [f"{where} is {found!r}, not {wanted!r}"]


def _same_instant(found: Any, wanted: Any) -> bool:
    """Whether two texts name the same moment; without a REST answer, whether one does."""
    try:
        moment = datetime.fromisoformat(found)
        return wanted is None or moment == datetime.fromisoformat(wanted)
    except (TypeError, ValueError):
        return False


def shape(value: Any) -> Any:
    """The keys of a JSON value at all depths, without the values."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return None


def place_of_kind(harness: Harness, kind: str) -> Place | None:
    """The line of the project that names an event's kind in quotes, tests left out."""
    return first_line(harness, rf"""["']{re.escape(kind)}["']""")


def place_of_function(harness: Harness, name: str) -> Place | None:
    """Where the project defines a function of that name; None without a name."""
    place = first_line(harness, rf"\bdef {re.escape(name)}\(") if name else None
    return place and Place(place.file, place.line, name)


# Where the code of a project is not: its tests, and what only names things of elsewhere.
_ELSEWHERE = ("test", "migrations", "urls")


def first_line(
    harness: Harness, pattern: str, elsewhere: tuple[str, ...] = _ELSEWHERE
) -> Place | None:
    """The first line of the project's own code with that pattern, or None.

    `elsewhere` are what the names of folders and files begin with that are left out.
    """
    wanted = re.compile(pattern)
    for path in sorted(harness.project.backend.rglob("*.py")):
        parts = path.relative_to(harness.project.backend).parts
        if any(part.startswith(elsewhere) for part in parts):
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            if wanted.search(line):
                return Place(harness.project.relative(path), number)
    return None

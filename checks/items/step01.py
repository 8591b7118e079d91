"""Step 1: what the next steps need is installed, and a fresh install gets it too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.version import Version

from checks import requirements
from checks.errors import NotYet, Place
from checks.harness.harness import Harness
from checks.items import Checklist

_REQUIREMENTS = "requirements.txt"
# The oldest version of each package that the course supports. Daphne before 4.2.2 has
# CVE-2026-44545 and CVE-2026-44546; the others are the first with Django 5 in their tests.
_OLDEST = {"channels": "4.2", "daphne": "4.2.2", "channels-redis": "4.2"}
_MODULES = {
    "channels": "channels.layers,channels.routing",
    "daphne": "daphne.server",
    "channels-redis": "channels_redis.core,channels_redis.pubsub",
}


def _packages(harness: Harness) -> dict[str, Any]:
    """What the project's interpreter has of the three packages."""
    wanted = [f"{dist}:{modules}" for dist, modules in _MODULES.items()]
    return harness.once("packages", lambda: harness.probe("check_packages", *wanted))


checklist = Checklist(1, prefetch=[_packages])
item = checklist.item


@item("install.channels")
def channels_is_installed(harness: Harness) -> None:
    """The project's Python can import Channels, version 4.2 or newer."""
    _judge(harness, "channels")


@item("install.daphne")
def daphne_is_installed(harness: Harness) -> None:
    """The project's Python can import Daphne, version 4.2.2 or newer."""
    _judge(harness, "daphne")


@item("install.channels-redis", needs=["install.channels"])
def channels_redis_is_installed(harness: Harness) -> None:
    """The project's Python can import channels-redis, version 4.2 or newer."""
    _judge(harness, "channels-redis")


def _judge(harness: Harness, dist: str) -> None:
    seen = _packages(harness)["packages"][dist]
    expected = f"{dist} {_OLDEST[dist]} or newer in {harness.project.python}"
    if seen["error"] and (own := _own_file(harness, seen["file"])):
        raise NotYet(
            f"`import {dist.replace('-', '_')}` finds your own {own}: {_error(harness, seen)}",
            expected="no file of yours has a package's name",
            look_at=Place(own),
            todo="give that file or folder another name",
        )
    if seen["version"] is None or seen["error"]:
        raise NotYet(
            _error(harness, seen) or f"{dist} is not installed",
            expected=expected,
            todo=f"with that Python: python -m pip install -r {_REQUIREMENTS}",
        )
    if Version(seen["version"]) < Version(_OLDEST[dist]):
        raise NotYet(
            f"{dist} {seen['version']}",
            expected=expected,
            todo=f'with that Python: python -m pip install "{dist}>={_OLDEST[dist]}"',
        )


def _error(harness: Harness, seen: dict[str, Any]) -> str:
    return harness.sandbox.as_learner(seen["error"] or "")


def _own_file(harness: Harness, file: str | None) -> str | None:
    """That file as the learner writes it, if it is theirs."""
    if file and Path(file).is_relative_to(harness.project.root):
        return harness.project.relative(Path(file))
    return None


@item("install.requirements")
def requirements_name_them(harness: Harness) -> None:
    """A fresh install gets all three: the requirements name them at supported versions."""
    found = requirements.listings(harness.project)
    if not found:
        raise NotYet(
            "no requirements.txt and no pyproject.toml beside the project or its manage.py",
            expected=f"{_REQUIREMENTS} names {', '.join(_OLDEST)}",
            look_at=Place(_REQUIREMENTS),
        )
    for dist in _OLDEST:
        _judge_entries(harness, dist, found)


def _judge_entries(
    harness: Harness, dist: str, found: list[requirements.RequirementsFile]
) -> None:
    """One of the lists must name this package and allow a supported version of it."""
    seen = _packages(harness)
    files = [listing.of(dist, seen["environment"]) for listing in found]
    named = [entries for entries in files if any(not entry.constraint for entry in entries)]
    installed = seen["packages"][dist]["version"]
    if any(requirements.admits(entries, _OLDEST[dist], installed) for entries in named):
        return
    if not named:
        if dist == "daphne" and any(_daphne_extra(listing, seen) for listing in found):
            return
        raise NotYet(
            f"{dist} is not named in {', '.join(listing.file for listing in found)}",
            expected=f"a line for {dist}, {_OLDEST[dist]} or newer",
            look_at=Place(found[0].file),
            todo=f"add a line like {dist}=={installed or _OLDEST[dist]}",
        )
    entry = named[0][-1]
    raise NotYet(
        f"`{entry.wanted}`: a fresh install gets a version older than {_OLDEST[dist]}",
        expected=f"{dist} {_OLDEST[dist]} or newer",
        look_at=entry.place,
    )


def _daphne_extra(listing: requirements.RequirementsFile, seen: dict[str, Any]) -> bool:
    """`channels[daphne]` brings Daphne along."""
    entries = listing.of("channels", seen["environment"])
    return any("daphne" in entry.wanted.extras for entry in entries)

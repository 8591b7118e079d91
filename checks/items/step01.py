"""Step 1: what the next steps need is installed, and a fresh install gets it too."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from checks import requirements
from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness.harness import Harness
from checks.items import Checklist

_REQUIREMENTS = requirements.MAIN
# The oldest version of each package that the course supports. Daphne before 4.2.2 has
# CVE-2026-44545 and CVE-2026-44546; the others are the first with Django 5 in their tests.
_OLDEST = {"channels": "4.2", "daphne": "4.2.2", "channels-redis": "4.2"}
# The releases that were on PyPI in November 2026, oldest first. A newer one counts where
# the project's Python has it: what is installed can be installed.
_RELEASES = {
    "channels": "3.0.5 4.0.0 4.1.0 4.2.0 4.2.1 4.2.2 4.3.0 4.3.1 4.3.2",
    "daphne": "3.0.2 4.0.0 4.1.0 4.1.1 4.1.2 4.2.0 4.2.1 4.2.2 4.2.3",
    "channels-redis": "3.4.1 4.0.0 4.1.0 4.2.0 4.2.1 4.3.0",
}
_MODULES = {
    "channels": "channels.layers,channels.routing",
    "daphne": "daphne.server",
    "channels-redis": "channels_redis.core,channels_redis.pubsub",
}


def _packages(harness: Harness) -> dict[str, Any]:
    """What the project's interpreter has of the three packages."""
    wanted = [f"{dist}:{modules}" for dist, modules in _MODULES.items()]
    return harness.once("packages", lambda: harness.probe("check_packages", *wanted))


checklist = Checklist(__name__, prefetch=[_packages])
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
            expected="none of your files has the same name as a package",
            look_at=Place(own),
            todo="rename that file or folder",
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
    """A fresh install gets all three packages, in supported versions."""
    found = requirements.listings(harness.project)
    _must_be_readable(harness, bool(found))
    if not found:
        raise NotYet(
            "no requirements.txt, pyproject.toml or Pipfile beside the project or its manage.py",
            expected=f"{_REQUIREMENTS} lists {', '.join(_OLDEST)}",
            look_at=Place(_REQUIREMENTS),
        )
    for dist in _OLDEST:
        _judge_entries(harness, dist, found)


def _must_be_readable(harness: Harness, readable: bool) -> None:
    """Raises EnvironmentFault if the packages are listed only where we cannot read them."""
    file = requirements.unreadable(harness.project)
    if file and not readable:
        raise EnvironmentFault(
            f"the packages are listed in {file}, which this check cannot read: not judged",
            todo=f"compare it with {', '.join(f'{d} {v} or newer' for d, v in _OLDEST.items())}"
            f"; or write {_REQUIREMENTS} from it and check again",
        )


def _judge_entries(
    harness: Harness, dist: str, found: list[requirements.RequirementsFile]
) -> None:
    """A list that production installs must name this package and allow a supported version."""
    seen = _packages(harness)
    wanted = [one for one in found if not one.developers and not one.aside]
    if dist == "daphne" and any(_daphne_extra(listing, seen) for listing in wanted):
        return
    named = [entries for listing in wanted if (entries := _named(listing, dist, seen))]
    if not named:
        _must_be_readable(harness, readable=False)
        raise _not_named(dist, found, seen)
    python = seen["packages"][dist]["version"]
    released = [*_RELEASES[dist].split(), *([python] if python else [])]
    if not any(_supported(dist, entries, released) for entries in named):
        raise _no_version(harness, dist, named[0], python)


def _named(
    listing: requirements.RequirementsFile, dist: str, seen: dict[str, Any]
) -> list[requirements.Entry]:
    """The entries for a package and what limits it; [] if nothing installs it."""
    entries = listing.of(dist, seen["environment"])
    return entries if any(not entry.constraint for entry in entries) else []


def _supported(dist: str, entries: list[requirements.Entry], released: list[str]) -> bool:
    """Whether the entries allow a released version that is not older than the oldest."""
    return any(
        Version(v) >= Version(_OLDEST[dist])
        for v in requirements.admitted(entries, released)
    )


def _no_version(
    harness: Harness, dist: str, entries: list[requirements.Entry], python: str | None
) -> NotYet:
    """The news that no version fits, either too old or not known to exist."""
    # The one that keeps the others from a supported version: often in a file of constraints.
    guilty = [e for e in entries if not _supported(dist, [e], _RELEASES[dist].split())]
    entry = (guilty or entries)[-1]
    limits = requirements.edges(entries)
    known = _RELEASES[dist].split()
    for version in requirements.admitted(entries, [*known, *limits]):
        if Version(version) < Version(_OLDEST[dist]):
            return NotYet(
                f"`{entry.wanted}`: a fresh install gets a version older than {_OLDEST[dist]}",
                expected=f"{dist} {_OLDEST[dist]} or newer",
                look_at=entry.place,
            )
    has = f"{harness.project.python} has {python}" if python else "none is installed"
    return NotYet(
        f"`{entry.wanted}`: no known release of {dist} fits; the newest known one is "
        f"{known[-1]}, and {has}",
        expected="a version that pip can install",
        look_at=entry.place,
        todo=f"write {dist}=={python or known[-1]}; if yours is newer than {known[-1]}, "
        f"install it first: python -m pip install -r {entry.place.file}",
    )


def _not_named(
    dist: str, found: list[requirements.RequirementsFile], seen: dict[str, Any]
) -> NotYet:
    """The news that production does not get a package: where it is instead, if anywhere."""
    wanted = [one for one in found if not one.developers and not one.aside]
    files = list(dict.fromkeys(listing.file for listing in wanted))
    line = f"{dist}=={seen['packages'][dist]['version'] or _OLDEST[dist]}"
    expected = f"a line for {dist}, {_OLDEST[dist]} or newer"
    home = files[0] if files else _REQUIREMENTS
    for listing in found:
        if listing.developers and (entries := _named(listing, dist, seen)):
            return NotYet(
                f"{entries[0].place} lists {dist} for developers only: "
                "production does not install it",
                expected=f"{expected}, in a list that production installs",
                look_at=entries[0].place,
                todo=f"move that line to {'the main list of ' if home == listing.file else ''}"
                f"{home}",
            )
        if listing.aside and (entries := _named(listing, dist, seen)):
            return NotYet(
                f"{dist} is listed in {entries[0].place} only, and a fresh install reads "
                f"{requirements.MAIN}",
                expected=f"{expected}, in {requirements.MAIN} or in a file that it includes",
                look_at=entries[0].place,
                todo=f"move that line to {requirements.MAIN}; or let build.sh or render.yaml "
                f"install {listing.file}",
            )
    for entry in [entry for listing in wanted for entry in listing.entries]:
        if _resembles(canonicalize_name(entry.wanted.name), dist):
            return NotYet(
                f"line {entry.place.line} of {entry.place.file} says {entry.wanted.name}, "
                f"and {dist} is not listed",
                expected=expected,
                look_at=entry.place,
                todo=f"write {line}",
            )
    return NotYet(
        f"{dist} is not listed in {', '.join(files) or _REQUIREMENTS}",
        expected=expected,
        look_at=Place(home),
        todo=f"add a line like {line}",
    )


def _resembles(name: str, dist: str) -> bool:
    """Whether a name is one of ours with a slip of the finger, or with "django-" before it."""
    if name in _OLDEST:
        return False
    alike = difflib.SequenceMatcher(None, name, dist).ratio() >= 0.85
    return alike or name.removeprefix("django-") == dist


def _daphne_extra(listing: requirements.RequirementsFile, seen: dict[str, Any]) -> bool:
    """`channels[daphne]` brings Daphne along."""
    if any(not e.constraint for e in listing.of("daphne", seen["environment"])):
        return False  # then that line says which one
    entries = listing.of("channels", seen["environment"])
    return any("daphne" in entry.wanted.extras for entry in entries)

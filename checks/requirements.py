"""Reads what a fresh install of a project would get: its requirements files or pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from checks.errors import NotYet, Place
from checks.harness.project import Project

_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_INCLUDES = re.compile(r"^(-r|--requirement|-c|--constraint)[ =]*(.+)$")
_COMMENT = re.compile(r"(^|\s)#.*$")
_VERSION = re.compile(r"[\d.]+")
_GLOBS = ("requirements*.txt", "requirements/*.txt", "pyproject.toml")


@dataclass(frozen=True)
class Entry:
    """One requirement and where it stands; a constraint limits but does not install."""

    wanted: Requirement
    place: Place
    constraint: bool = False


@dataclass
class RequirementsFile:
    """What one file asks for, with the files that it includes."""

    file: str
    entries: list[Entry] = field(default_factory=list)

    def of(self, name: str, environment: Mapping[str, str]) -> list[Entry]:
        """The entries that name this package on an interpreter like that one."""
        return [
            entry
            for entry in self.entries
            if canonicalize_name(entry.wanted.name) == name and _applies(entry, environment)
        ]


def listings(project: Project) -> list[RequirementsFile]:
    """All requirement lists of a project; raises NotYet where pip could not read a line."""
    found = []
    for folder in dict.fromkeys((project.root, project.backend)):
        for pattern in _GLOBS:
            for path in filter(Path.is_file, sorted(folder.glob(pattern))):
                listing = RequirementsFile(project.relative(path))
                listing.entries.extend(entries_of(path, project))
                found.append(listing)
    return found


def entries_of(path: Path, project: Project) -> list[Entry]:
    """The entries of one list of the project; raises NotYet where pip could not read a line."""
    return (_pyproject if path.suffix == ".toml" else _text)(path, project)


def admits(entries: list[Entry], oldest: str, installed: str | None = None) -> bool:
    """Whether these entries together allow a version that is not older than `oldest`."""
    if any(entry.wanted.url for entry in entries):
        return True
    together = SpecifierSet()
    for entry in entries:
        together &= entry.wanted.specifier
    return any(
        version >= Version(oldest) and together.contains(version, prereleases=True)
        for version in _candidates(together, oldest, installed)
    )


def _candidates(
    together: SpecifierSet, oldest: str, installed: str | None
) -> Iterator[Version]:
    """Versions that show what a specifier allows: its own edges, what is there, the future."""
    texts = [oldest, installed or oldest, "999999"]
    for specifier in together:
        edge = _VERSION.match(specifier.version)
        if edge:
            release = edge[0].strip(".")
            texts += [release, f"{release}.1", _next(release)]
    for text in texts:
        try:
            yield Version(text)
        except InvalidVersion:
            continue


def _next(release: str) -> str:
    *head, last = release.split(".")
    return ".".join([*head, str(int(last) + 1)])


def _applies(entry: Entry, environment: Mapping[str, str]) -> bool:
    if entry.wanted.marker is None:
        return True
    try:
        return entry.wanted.marker.evaluate({"extra": "", **environment})
    except UndefinedEnvironmentName:
        return True


def _text(
    path: Path, project: Project, constraint: bool = False, seen: tuple[Path, ...] = ()
) -> list[Entry]:
    """The entries of a file in pip's format, and of the files it includes."""
    entries: list[Entry] = []
    for number, line in _lines(path):
        place = Place(project.relative(path), number)
        if include := _INCLUDES.match(line):
            target = (path.parent / include[2].strip()).resolve()
            if not target.is_file():
                raise NotYet(f"`{line}` names a file that is not there", look_at=place)
            if target not in seen and target.is_relative_to(project.root):
                limits = constraint or include[1].lstrip("-")[0] == "c"
                entries += _text(target, project, limits, (*seen, path.resolve()))
        elif not line.startswith("-") and not _is_location(line):
            wanted = _requirement(re.split(r"\s--\w", line)[0], place)
            entries.append(Entry(wanted, place, constraint))
    return entries


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The logical lines of a requirements file: no comments, continuations joined."""
    raw = path.read_bytes()
    encoding = next((name for bom, name in _BOMS.items() if raw.startswith(bom)), "utf-8")
    whole, start = "", 0
    for number, line in enumerate(raw.decode(encoding, errors="replace").splitlines(), 1):
        start = start or number
        whole += _COMMENT.sub("", line)
        if whole.endswith("\\"):
            whole = whole[:-1]
            continue
        if whole.strip():
            yield start, whole.strip()
        whole, start = "", 0


def _is_location(line: str) -> bool:
    return "://" in line.split("@")[0] or line.startswith((".", "/"))


def _requirement(text: str, place: Place) -> Requirement:
    try:
        return Requirement(text.strip())
    except InvalidRequirement as error:
        raise NotYet(
            f"pip cannot read `{text.strip()}`: {str(error).splitlines()[0]}",
            expected="one package a line, like `channels==4.3.2`",
            look_at=place,
        ) from error


def _pyproject(path: Path, project: Project) -> list[Entry]:
    """The dependencies and dependency groups of a pyproject.toml."""
    source = path.read_text("utf-8", errors="replace")
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        place = Place(project.relative(path))
        raise NotYet(f"it is not TOML: {error}", look_at=place) from error
    texts = list(table.get("project", {}).get("dependencies", []))
    for group in table.get("dependency-groups", {}).values():
        texts += [entry for entry in group if isinstance(entry, str)]
    lines = source.splitlines()
    return [
        Entry(_requirement(text, place), place)
        for text in texts
        for place in [Place(project.relative(path), _line_with(lines, text))]
    ]


def _line_with(lines: list[str], text: str) -> int | None:
    return next((n for n, line in enumerate(lines, 1) if text in line), None)

"""Reads what a fresh install of a project gets: the lists of pip, uv, Poetry and Pipenv."""

from __future__ import annotations

import configparser
import contextlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
_GLOBS = (
    "*requirements*.txt",
    "requirements/*.txt",
    "*requirements*.in",
    "requirements/*.in",
    "pyproject.toml",
    "Pipfile",
    "setup.cfg",
)
# The list that everybody expects, and that the pages ask for.
MAIN = "requirements.txt"
# Where a project says which lists are installed.
_BUILDERS = (
    "render.yaml",
    "*.sh",
    "*Dockerfile*",
    "Procfile",
    "Makefile",
    "justfile",
    "*compose*.y*ml",
    ".github/workflows/*.y*ml",
    "README*",
)
# Lists with these names are installed in production.
_PRODUCTION = re.compile(r"prod|deploy|render|heroku")
# Lists that only their own tool can read.
_UNREADABLE = ("setup.py", "environment.yml", "environment.yaml", "pixi.toml")
# Lists and groups of these names are installed by developers, not in production.
_DEVELOPERS = re.compile(
    r"(^|[-_./])(dev|devel|develop|development|local|tests?|testing|ci|lint|linting|style|"
    r"format|types|typing|docs?|documentation|debug|tools)($|[-_./])"
)
# How Poetry writes a version: `^4.2`, `~4.2`, `4.2`, `>=4.2,<5`, `4.*`.
_POETRY = re.compile(r"^([~^]?)\s*(\d[\w.*]*)$")


@dataclass(frozen=True)
class Entry:
    """One requirement and where it stands; a constraint limits but does not install."""

    wanted: Requirement
    place: Place
    constraint: bool = False


@dataclass
class RequirementsFile:
    """What one file asks for, with the files that it includes.

    `developers` marks a list that production does not install, `aside` one that nothing
    installs: there is another with Django in it, where `pip install -r` is expected to look.
    """

    file: str
    entries: list[Entry] = field(default_factory=list)
    developers: bool = False
    aside: bool = False

    def of(self, name: str, environment: Mapping[str, str]) -> list[Entry]:
        """The entries that name this package on an interpreter like that one."""
        return [
            entry
            for entry in self.entries
            if canonicalize_name(entry.wanted.name) == name and _applies(entry, environment)
        ]


def listings(project: Project) -> list[RequirementsFile]:
    """All requirement lists of a project; raises NotYet where pip could not read a line.

    A file with groups for developers (pyproject.toml, Pipfile) gives two lists.
    """
    found = []
    for path in _list_files(project):
        if path.suffix in (".txt", ".in"):
            found.append(_text_listing(path, project))
        else:
            reader = _READERS[path.name]
            wanted, developers = reader(path, project)
            file = project.relative(path)
            found.append(RequirementsFile(file, wanted))
            found.append(RequirementsFile(file, developers, developers=True))
    _mark_aside(found, project)
    return [listing for listing in found if listing.entries or not listing.developers]


def _mark_aside(found: list[RequirementsFile], project: Project) -> None:
    """Mark the lists that are not MAIN, are not included by it, and that nothing installs."""
    main = next((one for one in found if one.file == MAIN), None)
    names = {canonicalize_name(e.wanted.name) for e in main.entries} if main else set()
    if main is None or "django" not in names:
        return
    included = {entry.place.file for entry in main.entries}
    for listing in found:
        listing.aside = (
            listing.file.endswith(".txt")
            and listing.file not in {MAIN, *included}
            and not _PRODUCTION.search(Path(listing.file).stem.lower())
            and not _is_installed(project.root / listing.file, project)
        )


def _is_installed(path: Path, project: Project) -> bool:
    """Whether a script, a container or a read-me of the project names that list to pip."""
    alone = rf"(?<![\w/-])(\./)?{re.escape(path.name)}\b"
    folder = rf"[\"']?\S*\b{re.escape(path.parent.name)}\b"
    ways = [re.escape(project.relative(path)), rf"\bcd +{folder}(?s:.*){alone}"]
    ways += [rf"{key} *{folder}(?s:.*){alone}" for key in ("rootDir:", "WORKDIR")]
    ways += [rf"{alone}(?s:.*)rootDir: *{folder}"]
    for builder in _builders(project):
        own = [alone] if builder.parent == path.parent else []
        text = builder.read_text("utf-8", errors="replace")
        if any(re.search(way, text) for way in (*ways, *own)):
            return True
    return False


def _builders(project: Project) -> Iterator[Path]:
    for folder in dict.fromkeys((project.root, project.backend)):
        for pattern in _BUILDERS:
            yield from filter(Path.is_file, sorted(folder.glob(pattern)))


def unreadable(project: Project) -> str | None:
    """A list of packages that only its own tool can read, if the project has one."""
    for folder in dict.fromkeys((project.root, project.backend)):
        for name in _UNREADABLE:
            if (folder / name).is_file():
                return project.relative(folder / name)
    return None


def _list_files(project: Project) -> list[Path]:
    found: list[Path] = []
    for folder in dict.fromkeys((project.root, project.backend)):
        for pattern in _GLOBS:
            found += filter(Path.is_file, sorted(folder.glob(pattern)))
    # `x.in` is what `x.txt` was compiled from, and is installed by nobody.
    unique = dict.fromkeys(found)
    return [p for p in unique if p.suffix != ".in" or p.with_suffix(".txt") not in unique]


def _text_listing(path: Path, project: Project) -> RequirementsFile:
    name = project.relative(path)
    developers = _for_developers(path.stem)
    try:
        entries = _text(path, project)
    except NotYet:
        if not developers:
            raise
        entries = []
    return RequirementsFile(name, entries, developers)


def entries_of(path: Path, project: Project) -> list[Entry]:
    """What one list makes production install; raises NotYet where it cannot be read."""
    reader = _READERS.get(path.name)
    return reader(path, project)[0] if reader else _text(path, project)


def edges(entries: list[Entry]) -> list[str]:
    """The versions that these entries name as their limits."""
    found = []
    for specifier in [s for entry in entries for s in entry.wanted.specifier]:
        text = specifier.version.removesuffix(".*")
        with contextlib.suppress(InvalidVersion):
            found.append(str(Version(text)))
    return found


def admitted(entries: list[Entry], versions: Iterable[str]) -> list[str]:
    """The ones of these versions that all entries together allow; an address allows all."""
    together = SpecifierSet()
    for entry in entries:
        if entry.wanted.url:
            return list(versions)
        together &= entry.wanted.specifier
    return [v for v in versions if together.contains(v, prereleases=True)]


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
                raise NotYet(
                    f"`{line}` refers to a file that does not exist", look_at=place
                )
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
            expected="one package per line, like `channels==4.3.2`",
            look_at=place,
        ) from error


_Lists = tuple[list[Entry], list[Entry]]  # for production, for developers


def _pyproject(path: Path, project: Project) -> _Lists:
    """What PEP 621, dependency groups, uv and Poetry ask for in a pyproject.toml."""
    table, lines = _toml(path, project)
    read = _Reader(project.relative(path), lines)
    about, tools = table.get("project", {}), table.get("tool", {})
    read.texts(about.get("dependencies", []))
    groups = {
        **about.get("optional-dependencies", {}),
        **table.get("dependency-groups", {}),
    }
    groups["dev (uv)"] = tools.get("uv", {}).get("dev-dependencies", [])
    for name, texts in groups.items():
        read.texts(_group(texts, groups), developers=_for_developers(name))
    for name in _dynamic(tools):
        if (path.parent / name).is_file():
            read.wanted += _text(path.parent / name, project)
    poetry = tools.get("poetry", {})
    read.table(poetry.get("dependencies", {}), _poetry_version)
    read.table(poetry.get("dev-dependencies", {}), _poetry_version, developers=True)
    for name, group in poetry.get("group", {}).items():
        developers = _for_developers(name) or bool(group.get("optional"))
        read.table(group.get("dependencies", {}), _poetry_version, developers=developers)
    return read.wanted, read.developers


def _pipfile(path: Path, project: Project) -> _Lists:
    """The packages of a Pipfile; all its other tables but `packages` are for developers."""
    table, lines = _toml(path, project)
    read = _Reader(project.relative(path), lines)
    read.table(table.get("packages", {}), str)
    read.table(table.get("dev-packages", {}), str, developers=True)
    return read.wanted, read.developers


def _setup_cfg(path: Path, project: Project) -> _Lists:
    """What setuptools installs: `install_requires`."""
    config = configparser.ConfigParser(interpolation=None)
    source = path.read_text("utf-8", errors="replace")
    try:
        config.read_string(source)
    except configparser.Error:
        return [], []
    read = _Reader(project.relative(path), source.splitlines())
    wanted = config.get("options", "install_requires", fallback="")
    read.texts(line.strip() for line in wanted.splitlines() if line.strip())
    return read.wanted, read.developers


_READERS: dict[str, Callable[[Path, Project], _Lists]] = {
    "pyproject.toml": _pyproject,
    "Pipfile": _pipfile,
    "setup.cfg": _setup_cfg,
}


def _toml(path: Path, project: Project) -> tuple[dict[str, Any], list[str]]:
    source = path.read_text("utf-8-sig", errors="replace")
    try:
        return tomllib.loads(source), source.splitlines()
    except tomllib.TOMLDecodeError as error:
        place = Place(project.relative(path))
        raise NotYet(f"it is not TOML: {error}", look_at=place) from error


def _for_developers(group: str) -> bool:
    return bool(_DEVELOPERS.search(group.partition(" ")[0].lower()))


def _group(
    entries: Iterable[Any], groups: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[str]:
    """The requirements of a dependency group, those of the groups it includes as well."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict) and (name := _included(entry)) not in above:
            yield from _group(groups.get(name, []), groups, (*above, name))


def _included(entry: Mapping[str, Any]) -> str:
    return str(entry.get("include-group"))


def _dynamic(tools: Mapping[str, Any]) -> list[str]:
    """The files from which setuptools takes the dependencies."""
    dynamic = tools.get("setuptools", {}).get("dynamic", {}).get("dependencies", {})
    files = dynamic.get("file", []) if isinstance(dynamic, dict) else []
    return [files] if isinstance(files, str) else list(files)


@dataclass
class _Reader:
    """Collects the entries of a file that has tables."""

    file: str
    lines: list[str]
    wanted: list[Entry] = field(default_factory=list)
    developers: list[Entry] = field(default_factory=list)

    def texts(self, texts: Iterable[str], *, developers: bool = False) -> None:
        """Entries written as pip writes them."""
        for text in texts:
            place = Place(self.file, _line_with(self.lines, text))
            self._add(_requirement(text, place), place, developers)

    def table(
        self,
        table: Mapping[str, Any],
        version: Callable[[str], str],
        *,
        developers: bool = False,
    ) -> None:
        """Entries written as `name = "version"`; `version` translates into pip's words."""
        for name, said in table.items():
            line = next(
                (n for n, text in enumerate(self.lines, 1) if _is_key(text, name)), None
            )
            for one in said if isinstance(said, list) else [said]:
                text = None if name.lower() == "python" else _as_pip(name, one, version)
                if text is not None:
                    place = Place(self.file, line)
                    self._add(_requirement(text, place), place, developers)

    def _add(self, wanted: Requirement, place: Place, developers: bool) -> None:
        (self.developers if developers else self.wanted).append(Entry(wanted, place))


def _is_key(line: str, name: str) -> bool:
    return bool(
        re.match(rf"""["']?{re.escape(name)}["']?\s*=|\[.*\.{re.escape(name)}\]""", line)
    )


def _as_pip(name: str, said: Any, version: Callable[[str], str]) -> str | None:
    """`name[extras] specifier ; marker` of a table's entry; None if it may be left out."""
    if isinstance(said, str):
        said = {"version": said}
    if said.get("optional"):
        return None
    extras = f"[{','.join(said['extras'])}]" if said.get("extras") else ""
    wanted = said.get("version", "*")
    specifier = "" if wanted in ("", "*") else version(wanted)
    marker = f" ; {said['markers']}" if said.get("markers") else ""
    return f"{name}{extras}{specifier}{marker}"


def _poetry_version(said: str) -> str:
    """Poetry's `^4.2` and `~4.2` in pip's words; what pip reads too stays as it is.

    Pip has no "or": alternatives limit nothing here.
    """
    if "||" in said:
        return ""
    return ",".join(_poetry_part(part.strip()) for part in said.split(","))


def _poetry_part(part: str) -> str:
    written = _POETRY.match(part)
    if not written or not (written[1] or part[:1].isdigit()):
        return part
    sign, number = written.groups()
    if not sign:
        return f"=={number}"
    try:
        release = list(Version(number).release)
    except InvalidVersion:
        return part
    if sign == "~":
        fixed = min(2, len(release))
    else:  # up to the first part that is not zero
        fixed = next((n for n, p in enumerate(release, 1) if p), len(release))
    head = release[:fixed]
    head[-1] += 1
    return f">={number},<{'.'.join(map(str, head))}"


def _line_with(lines: list[str], text: str) -> int | None:
    return next((n for n, line in enumerate(lines, 1) if text in line), None)

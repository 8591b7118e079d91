"""Reads a render.yaml: whether Render would take it, and what it gives the web service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from checks.errors import NotYet, Place
from checks.harness.project import read
from checks.render import specification
from checks.render.specification import Finding, Spot, either

FILE = "render.yaml"
_FULL_VERSION = re.compile(r"\d+\.\d+\.\d+$")
_PYTHON_HINT = 'a full version in quotes, like "3.13.9"'
# A blueprint of a whole company has some thousand of each. What is written once may be
# repeated by anchors, and those of anchors double it each time.
_MOST_CHARACTERS = 500_000
_MOST_NODES = 20_000


@dataclass(frozen=True)
class Blueprint:
    """A valid render.yaml; a spot is a path of keys and indexes in it.

    `file` is what a learner should look at: another one where nobody wrote a blueprint.
    """

    content: dict[str, Any]
    lines: Mapping[Spot, int]
    remarks: tuple[str, ...] = ()
    file: str = FILE

    def place(self, *spot: str | int) -> Place:
        """The line of that spot, or of the nearest thing around it that is there."""
        while spot and spot not in self.lines:
            spot = spot[:-1]
        return Place(self.file, self.lines.get(spot) if self.file == FILE else None)

    def parts(self, kind: str) -> Iterator[tuple[Spot, dict[str, Any]]]:
        """All `services`, `databases` or `envVarGroups`, whichever project they are in."""
        for spot, group in self._resources():
            for index, part in enumerate(group.get(kind) or ()):
                yield (*spot, kind, index), part

    def _resources(self) -> Iterator[tuple[Spot, dict[str, Any]]]:
        yield (), self.content
        ungrouped = self.content.get("ungrouped")
        if isinstance(ungrouped, dict):
            yield ("ungrouped",), ungrouped
        for number, project in enumerate(self.content.get("projects") or ()):
            for index, group in enumerate(project.get("environments") or ()):
                yield ("projects", number, "environments", index), group

    def web_service(self) -> tuple[Spot, dict[str, Any]]:
        """The web service that runs Python, and its spot; raises NotYet if there is none."""
        for spot, service in self.parts("services"):
            if service.get("type") == "web" and service.get("runtime") == "python":
                return spot, service
        unknown = [
            remark for remark in self.remarks if "`type:" in remark or "`runtime:" in remark
        ]
        raise NotYet(
            "\n".join(["no service has `type: web` and `runtime: python`", *unknown]),
            expected="one web service that runs this project",
            look_at=self.place("services"),
        )

    def named(self, kind: str, name: object) -> dict[str, Any] | None:
        return next(
            (part for _, part in self.parts(kind) if part.get("name") == name), None
        )

    def variables(self) -> Iterator[tuple[Spot, dict[str, Any]]]:
        """The variables of the web service with their spots, those of its groups included."""
        spot, service = self.web_service()
        groups = {
            group.get("name"): (at, group) for at, group in self.parts("envVarGroups")
        }
        for index, entry in enumerate(service.get("envVars") or ()):
            if "fromGroup" not in entry:
                yield (*spot, "envVars", index), entry
            elif entry["fromGroup"] in groups:
                at, group = groups[entry["fromGroup"]]
                for number, shared in enumerate(group.get("envVars") or ()):
                    yield (*at, "envVars", number), shared


def load(root: Path) -> Blueprint:
    """The blueprint in a project's root; raises NotYet at the first thing that is wrong."""
    text = read(root / FILE)
    if not text.strip():
        raise NotYet(
            f"there is no {FILE} in the project's folder",
            expected=f"{FILE} in the root of the repository, next to the folder with manage.py",
            look_at=Place(FILE),
        )
    if len(text) > _MOST_CHARACTERS:
        raise NotYet(
            f"it has more than {_MOST_CHARACTERS:,} characters", look_at=Place(FILE)
        )
    blueprint = read_text(text)
    remarks = []
    for found in _findings(blueprint):
        place = blueprint.place(*found.spot)
        if found.certain:
            raise NotYet(
                found.text, expected=found.expected, look_at=place, todo=found.todo
            )
        remarks.append(f"{place}: {found.text}")
    return replace(blueprint, remarks=tuple(remarks))


def read_text(text: str) -> Blueprint:
    """The blueprint that a text holds, its words not judged yet. Raises NotYet."""
    return Blueprint(*_parsed(text))


class _Loader(yaml.SafeLoader):
    """YAML 1.2 as Render reads it: `off` and `12:30` and a date are texts."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), list(_first)
    )
_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def _parsed(text: str) -> tuple[Any, dict[Spot, int]]:
    """The content, and the line of each spot in it."""
    lines: dict[Spot, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if _size(node, {}) > _MOST_NODES:
            raise NotYet(
                f"its anchors unfold to more than {_MOST_NODES:,} entries",
                expected="a smaller blueprint",
                look_at=Place(FILE),
            )
        _note_lines(node, (), lines)
        return loader.construct_document(node), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise NotYet(
            f"it is not YAML: {getattr(error, 'problem', None) or error}",
            expected="keys and values, indented by spaces",
            look_at=Place(FILE, mark.line + 1 if mark else None),
        ) from error
    except RecursionError as error:
        raise NotYet(
            "a part of it contains itself, or is nested too deeply", look_at=Place(FILE)
        ) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # What PyYAML makes of a tag that its text does not fit, like `!!int x`.
        raise NotYet(f"it is not YAML: {error}", look_at=Place(FILE)) from error


def _size(node: yaml.Node | None, known: dict[int, int]) -> int:
    """How many nodes there are once every anchor is unfolded, counted without unfolding."""
    if id(node) in known:
        return known[id(node)]
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    # A node that contains itself has no end: the recursion's limit is reached.
    known[id(node)] = size = 1 + sum(_size(child, known) for child in children)
    return size


def _note_lines(node: yaml.Node | None, spot: Spot, lines: dict[Spot, int]) -> None:
    """Keep the line of each spot; raises NotYet for a key that is there twice."""
    if node is None:
        return
    lines.setdefault(spot, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            at = (*spot, key.value)
            _refuse_second(key, at, lines)
            lines[at] = key.start_mark.line + 1
            if key.value in ("value", "previewValue") and value.tag in _NUMBERS:
                value.tag = _TEXT  # 3.10 is not 3.1: Render takes it as it is written
            _note_lines(value, at, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*spot, index), lines)


def _refuse_second(key: yaml.Node, spot: Spot, lines: dict[Spot, int]) -> None:
    if spot in lines and key.value != "<<":
        raise NotYet(
            f"`{key.value}` occurs twice; the other one is on line {lines[spot]}",
            expected="every key once",
            look_at=Place(FILE, key.start_mark.line + 1),
        )


def _findings(blueprint: Blueprint) -> Iterator[Finding]:
    """What there is to say of it, the outermost first."""
    yield from specification.shape_faults(blueprint.content)
    yield from specification.text_faults(blueprint.content)
    yield from specification.root_findings(blueprint.content)
    for spot, service in blueprint.parts("services"):
        yield from specification.service_findings(service, spot)
    for spot, database in blueprint.parts("databases"):
        yield from specification.database_findings(database, spot)
    for spot, group in blueprint.parts("envVarGroups"):
        yield from specification.variable_findings(group, spot)
    yield from _repeated_names(blueprint)


def _repeated_names(blueprint: Blueprint) -> Iterator[Finding]:
    seen: set[str] = set()
    for kind in ("services", "databases"):
        for spot, part in blueprint.parts(kind):
            name = part.get("name")
            if name in seen:
                yield Finding(f"two entries are called {name!r}", (*spot, "name"))
            if name is not None:
                seen.add(name)


def check_references(blueprint: Blueprint, root: Path) -> None:
    """Raise NotYet if a part of the blueprint names something that is not there."""
    spot, web = blueprint.web_service()
    folder = (root / web.get("rootDir", "")).resolve()
    if not (folder.is_dir() and folder.is_relative_to(root.resolve())):
        raise NotYet(
            f"`rootDir: {web['rootDir']}` is not a folder in the project",
            look_at=blueprint.place(*spot, "rootDir"),
        )
    for key in ("buildCommand", "startCommand", "healthCheckPath"):
        if not web.get(key):
            raise NotYet(f"the web service has no `{key}`", look_at=blueprint.place(*spot))
    for index, entry in enumerate(web.get("envVars") or ()):
        _check_group(blueprint, entry, (*spot, "envVars", index))
    for entry_spot, entry in blueprint.variables():
        _check_variable(blueprint, entry, entry_spot)
    for script in scripts(web):
        _check_script(blueprint, folder, script)


def scripts(web: dict[str, Any]) -> list[str]:
    """The shell scripts of the project that the build command names."""
    words = re.split(r"[\s;&|()<>]+", web["buildCommand"])
    return [
        word
        for word in (raw.strip("\"'") for raw in words)
        if word.endswith(".sh") and "://" not in word and re.fullmatch(r"[\w./-]+", word)
    ]


def _check_group(blueprint: Blueprint, entry: dict[str, Any], spot: Spot) -> None:
    if "fromGroup" in entry and not blueprint.named("envVarGroups", entry["fromGroup"]):
        names = [str(part.get("name")) for _, part in blueprint.parts("envVarGroups")]
        raise NotYet(
            f"`fromGroup: {entry['fromGroup']}` is not among the envVarGroups",
            expected=f"one of {either(names)}" if names else "a group of that name",
            look_at=blueprint.place(*spot, "fromGroup"),
        )


def _check_variable(blueprint: Blueprint, entry: dict[str, Any], spot: Spot) -> None:
    for source, kind in (("fromDatabase", "databases"), ("fromService", "services")):
        if source not in entry:
            continue
        wanted = entry[source]
        target = blueprint.named(kind, wanted["name"])
        if target is None:
            names = [str(part.get("name")) for _, part in blueprint.parts(kind)]
            raise NotYet(
                f"{entry['key']} comes from {wanted['name']!r}, which is not among the {kind}",
                expected=f"one of {', '.join(names)}"
                if names
                else f"an entry of that name among the {kind}; there are none yet",
                look_at=blueprint.place(*spot, source, "name"),
            )
        if source == "fromService" and not _is_same_type(
            target.get("type"), wanted["type"]
        ):
            raise NotYet(
                f"{wanted['name']!r} is a {target.get('type')}, not a {wanted['type']}",
                look_at=blueprint.place(*spot, source, "type"),
            )
        _check_region(blueprint, target, spot)
    version = entry.get("value")
    if entry.get("key") == "PYTHON_VERSION" and not _FULL_VERSION.match(str(version)):
        raise NotYet(
            f"PYTHON_VERSION is {version}",
            expected=_PYTHON_HINT,
            look_at=blueprint.place(*spot, "value"),
        )


def _is_same_type(one: object, other: object) -> bool:
    return one == other or {one, other} == {"keyvalue", "redis"}  # two names of one type


def _check_region(blueprint: Blueprint, target: dict[str, Any], spot: Spot) -> None:
    here = blueprint.web_service()[1].get("region", "oregon")
    there = target.get("region", "oregon")
    if here != there:
        raise NotYet(
            f"{target['name']!r} is in {there}, the web service in {here}",
            expected="the same region: internal addresses do not work across regions",
            look_at=blueprint.place(*spot),
        )


def _check_script(blueprint: Blueprint, folder: Path, script: str) -> None:
    """The script is in the service's folder, or in one that the command changes to."""
    spot, web = blueprint.web_service()
    entered = re.findall(r"\bcd\s+([\w./-]+)", web["buildCommand"])
    paths = [folder / script, *(folder / name / script for name in entered)]
    path = next(filter(Path.is_file, paths), None)
    if path is None:
        raise NotYet(
            f"the build command runs {script}, which does not exist",
            look_at=blueprint.place(*spot, "buildCommand"),
        )
    if b"\r\n" in path.read_bytes():
        raise NotYet(
            f"{path.name} has Windows line endings (CRLF): bash reads the \\r as part of "
            "each command",
            expected="Unix line endings (LF)",
            look_at=Place(Path(web.get("rootDir", ""), script).as_posix(), 1),
            todo="save it with LF, and put the line `*.sh text eol=lf` into .gitattributes",
        )

"""Reads a render.yaml: whether Render would take it, and what it gives the web service.

The rules are those of Render's own documentation, as far as this course needs them; a
blueprint that uses more of it is left alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from checks.errors import NotYet, Place
from checks.harness.project import read

FILE = "render.yaml"
_SHELL_SCRIPT = re.compile(r"[\w./-]+\.sh\b")
_FULL_VERSION = re.compile(r"\d+\.\d+\.\d+$")
_PYTHON_HINT = 'a full version in quotes, like "3.13.9"'


def _words(text: str) -> set[str]:
    return set(text.split())


_ROOT = _words("services databases envVarGroups projects ungrouped previews version")
_EVERY = _words("type name region plan previewPlan")
_BUILT = _words(
    "runtime repo branch image rootDir registryCredential buildFilter dockerCommand "
    "dockerContext dockerfilePath buildCommand startCommand preDeployCommand envVars "
    "autoDeploy autoDeployTrigger"
)
_SERVER = (_EVERY | _BUILT) | _words(
    "numInstances healthCheckPath scaling domain domains disk previews initialDeployHook "
    "pullRequestPreviewsEnabled maintenanceMode ipAllowList maxShutdownDelaySeconds "
    "renderSubdomainPolicy"
)
_STATIC = _SERVER | _words("staticPublishPath headers routes")
_STORE = _EVERY | _words("ipAllowList maxmemoryPolicy persistenceMode")
_KEYS = {
    "web": _STATIC,
    "worker": _SERVER,
    "pserv": _SERVER,
    "cron": _EVERY | _BUILT | {"schedule"},
    "keyvalue": _STORE,
    "redis": _STORE,  # the old name, still taken
}
_NEEDED = {
    "cron": ("name", "runtime", "schedule"),
    "keyvalue": ("name", "ipAllowList"),
    "redis": ("name", "ipAllowList"),
}
_DATABASE = _words(
    "name databaseName user region plan diskSizeGB previewPlan previewDiskSizeGB "
    "postgresMajorVersion highAvailability ipAllowList readReplicas "
    "storageAutoscalingEnabled connectionPool"
)

_PLANS = ("free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra")
_CHOICES = {
    "runtime": [
        "docker",
        "elixir",
        "go",
        "image",
        "node",
        "python",
        "ruby",
        "rust",
        "static",
    ],
    "region": ["oregon", "ohio", "virginia", "frankfurt", "singapore"],
    "plan": _PLANS,
    "autoDeployTrigger": ["commit", "checksPass", "off"],
    "maxmemoryPolicy": [
        "noeviction",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ],
}
_DATABASE_PLAN = re.compile(r"free|(basic|pro|accelerated)-\d+(mb|gb)")
_OLD_NAMES = {"env": "runtime", "preDeploy": "preDeployCommand", "startcmd": "startCommand"}
_LISTS = ("services", "databases", "envVarGroups", "projects", "environments", "envVars")
_SOURCES = ("value", "generateValue", "sync", "fromDatabase", "fromService")
_LONGEST_SHUTDOWN = 300
_PROPERTIES = {
    "fromDatabase": [
        "connectionString",
        "connectionPoolString",
        "host",
        "port",
        "user",
        "password",
        "database",
    ],
    "fromService": ["connectionString", "host", "port", "hostport"],
}

Spot = tuple[str | int, ...]


@dataclass(frozen=True)
class Blueprint:
    """A valid render.yaml; a spot is a path of keys and indexes in it."""

    content: dict[str, Any]
    lines: Mapping[Spot, int]

    def place(self, *spot: str | int) -> Place:
        """The line of that spot, or of the nearest thing around it that is there."""
        while spot and spot not in self.lines:
            spot = spot[:-1]
        return Place(FILE, self.lines.get(spot))

    def parts(self, kind: str) -> Iterator[tuple[Spot, dict[str, Any]]]:
        """All `services`, `databases` or `envVarGroups`, whichever project they are in."""
        for spot, group in self._resources():
            for index, part in enumerate(group.get(kind) or ()):
                yield (*spot, kind, index), part

    def _resources(self) -> Iterator[tuple[Spot, dict[str, Any]]]:
        yield (), self.content
        for number, project in enumerate(self.content.get("projects") or ()):
            for index, group in enumerate(project.get("environments") or ()):
                yield ("projects", number, "environments", index), group

    def web_service(self) -> tuple[Spot, dict[str, Any]]:
        """The web service that runs Python, and its spot; raises NotYet if there is none."""
        for spot, service in self.parts("services"):
            if service["type"] == "web" and service.get("runtime") == "python":
                return spot, service
        raise NotYet(
            "no service has `type: web` and `runtime: python`",
            expected="one web service that runs this project",
            look_at=self.place("services"),
        )

    def named(self, kind: str, name: object) -> dict[str, Any] | None:
        return next(
            (part for _, part in self.parts(kind) if part.get("name") == name), None
        )

    def variables(self) -> Iterator[tuple[Spot, dict[str, Any]]]:
        """The variables of the web service, those of its groups among them."""
        spot, service = self.web_service()
        for index, entry in enumerate(service.get("envVars") or ()):
            if "fromGroup" in entry:
                group = self.named("envVarGroups", entry["fromGroup"]) or {}
                for shared in group.get("envVars") or ():
                    yield (*spot, "envVars", index), shared
            else:
                yield (*spot, "envVars", index), entry


def load(root: Path) -> Blueprint:
    """The blueprint in a project's root; raises NotYet at the first thing that is amiss."""
    text = read(root / FILE)
    if not text.strip():
        raise NotYet(
            f"there is no {FILE} in the project's folder",
            expected=f"{FILE} at the root of the repository, beside the folder with manage.py",
            look_at=Place(FILE),
        )
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise NotYet(
            f"it is not YAML: {getattr(error, 'problem', None) or error}",
            expected="keys and values, indented by spaces",
            look_at=Place(FILE, mark.line + 1 if mark else None),
        ) from error
    lines: dict[Spot, int] = {}
    try:
        _note_lines(node, (), lines)
    except RecursionError as error:
        raise NotYet("a part of it contains itself", look_at=Place(FILE)) from error
    blueprint = Blueprint(content, lines)
    for fault, spot in _faults(blueprint):
        raise NotYet(
            fault,
            expected="what Render's blueprint specification allows",
            look_at=blueprint.place(*spot),
        )
    return blueprint


def _note_lines(node: yaml.Node | None, spot: Spot, lines: dict[Spot, int]) -> None:
    if node is None:
        return
    lines.setdefault(spot, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[*spot, key.value] = key.start_mark.line + 1
            _note_lines(value, (*spot, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*spot, index), lines)


Fault = tuple[str, Spot]


def _faults(blueprint: Blueprint) -> Iterator[Fault]:
    """What Render would refuse, the outermost first."""
    if not isinstance(blueprint.content, dict):
        yield f"it holds a {type(blueprint.content).__name__}", ()
        return
    yield from _unknown(blueprint.content, _ROOT, (), "at the top")
    yield from _shape_faults(blueprint.content, ())
    for spot, service in blueprint.parts("services"):
        yield from _service_faults(service, spot)
    for spot, database in blueprint.parts("databases"):
        yield from _database_faults(database, spot)
    yield from _repeated_names(blueprint)


def _shape_faults(part: dict[str, Any], spot: Spot) -> Iterator[Fault]:
    """Lists that are none, and names that are no text: what else is said relies on them."""
    for key in ("name", "type"):
        if not isinstance(part.get(key, ""), str):
            yield f"`{key}: {part[key]}` is not a text", (*spot, key)
    for key in _LISTS:
        entries = part.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            yield (
                f"`{key}` is not a list of entries that have keys and values",
                (*spot, key),
            )
            return
        for index, entry in enumerate(entries):
            yield from _shape_faults(entry, (*spot, key, index))


def _service_faults(service: dict[str, Any], spot: Spot) -> Iterator[Fault]:
    kind = service.get("type")
    title = f"the service {service.get('name', '')!r}"
    if kind not in _KEYS:
        yield f"{title} has `type: {kind}`; Render knows {_either(_KEYS)}", (*spot, "type")
        return
    yield from _unknown(service, _KEYS[kind], spot, f"in {title}")
    for key in _NEEDED.get(kind, ("name", "runtime")):
        if key not in service:
            yield f"{title} of type {kind} has no `{key}`", spot
    for key, choices in _CHOICES.items():
        if key in service and service[key] not in choices:
            yield f"`{key}: {service[key]}`; Render knows {_either(choices)}", (*spot, key)
    yield from _number(service, "maxShutdownDelaySeconds", spot, most=_LONGEST_SHUTDOWN)
    yield from _number(service, "numInstances", spot, most=None)
    yield from _allow_list(service, spot)
    yield from _texts(service, spot)
    for index, entry in enumerate(service.get("envVars") or ()):
        yield from _variable_faults(entry, (*spot, "envVars", index))


def _texts(service: dict[str, Any], spot: Spot) -> Iterator[Fault]:
    for key in ("buildCommand", "startCommand", "preDeployCommand", "rootDir", "name"):
        if key in service and not isinstance(service[key], str):
            yield f"`{key}` is not a text", (*spot, key)
    path = service.get("healthCheckPath", "/")
    if not (isinstance(path, str) and path.startswith("/")):
        yield (
            f"`healthCheckPath: {path}` does not begin with a slash",
            (*spot, "healthCheckPath"),
        )


def _variable_faults(entry: dict[str, Any], spot: Spot) -> Iterator[Fault]:
    if "fromGroup" in entry:
        return
    key = entry.get("key")
    if not key:
        yield "a variable has no `key`", spot
        return
    yield from _unknown(entry, {"key", "previewValue", *_SOURCES}, spot, f"in {key}")
    sources = [source for source in _SOURCES if source in entry]
    if len(sources) != 1:
        said = " and ".join(sources) or "none"
        yield (
            f"{key} says where its value comes from: {said}; one of {_either(_SOURCES)}",
            spot,
        )
    value = entry.get("value", "")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        shown = str(value).lower()
        yield (
            f'{key}: `value: {shown}` is no text; write "{shown}" in quotes',
            (*spot, "value"),
        )
    for source, properties in _PROPERTIES.items():
        if source in entry:
            yield from _source_faults(entry[source], source, properties, (*spot, source))


def _source_faults(
    source: object, name: str, properties: list[str], spot: Spot
) -> Iterator[Fault]:
    if not isinstance(source, dict) or not isinstance(source.get("name"), str):
        yield f"`{name}` does not say the `name` of what it takes the value from", spot
        return
    if name == "fromService" and str(source.get("type", "web")) not in _KEYS:
        yield f"`type: {source['type']}`; Render knows {_either(_KEYS)}", (*spot, "type")
    if name == "fromService" and "type" not in source:
        yield "`fromService` does not say the `type` of the service", spot
    wanted = source.get("property")
    if wanted not in properties and not source.get("envVarKey"):
        yield (
            f"`property: {wanted}`; Render knows {_either(properties)}",
            (*spot, "property"),
        )


def _database_faults(database: dict[str, Any], spot: Spot) -> Iterator[Fault]:
    title = f"the database {database.get('name', '')!r}"
    yield from _unknown(database, _DATABASE, spot, f"in {title}")
    if "name" not in database:
        yield "a database has no `name`", spot
    plan = database.get("plan", "free")
    if not _DATABASE_PLAN.fullmatch(str(plan)):
        shown = "free, basic-256mb, basic-1gb and larger ones"
        yield f"`plan: {plan}`; PostgreSQL comes as {shown}", (*spot, "plan")
    if database.get("region", "oregon") not in _CHOICES["region"]:
        yield (
            f"`region: {database['region']}`; Render knows {_either(_CHOICES['region'])}",
            spot,
        )
    if not isinstance(database.get("postgresMajorVersion", ""), str):
        yield "`postgresMajorVersion` is a text: write it in quotes", spot
    yield from _allow_list(database, spot)


def _allow_list(part: dict[str, Any], spot: Spot) -> Iterator[Fault]:
    allowed = part.get("ipAllowList", [])
    if not isinstance(allowed, list) or any(
        "source" not in (entry or ()) for entry in allowed
    ):
        yield (
            "`ipAllowList` is not a list of entries with a `source`",
            (*spot, "ipAllowList"),
        )


def _number(
    part: dict[str, Any], key: str, spot: Spot, *, most: int | None
) -> Iterator[Fault]:
    value = part.get(key, 1)
    if type(value) is not int or value < 1 or (most and value > most):
        limit = f" to {most}" if most else " or more"
        yield f"`{key}: {value}` is not a number from 1{limit}", (*spot, key)


def _repeated_names(blueprint: Blueprint) -> Iterator[Fault]:
    seen: set[object] = set()
    for kind in ("services", "databases"):
        for spot, part in blueprint.parts(kind):
            if part.get("name") in seen:
                yield f"two parts are called {part['name']!r}", (*spot, "name")
            seen.add(part.get("name"))


def _unknown(
    part: dict[str, Any], known: set[str], spot: Spot, where: str
) -> Iterator[Fault]:
    for key in part:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            meant = _OLD_NAMES.get(str(key)) or (near[0] if near else "")
            hint = f"; is `{meant}` meant?" if meant else ""
            yield f"Render does not know `{key}` {where}{hint}", (*spot, key)


def _either(names: Any) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}"


def check_references(blueprint: Blueprint, root: Path) -> None:
    """Raise NotYet if a part of the blueprint names something that is not there."""
    spot, web = blueprint.web_service()
    folder = root / web.get("rootDir", "")
    if not folder.is_dir():
        raise NotYet(
            f"`rootDir: {web['rootDir']}` is no folder of the project",
            look_at=blueprint.place(*spot, "rootDir"),
        )
    for key in ("buildCommand", "startCommand", "healthCheckPath"):
        if not web.get(key):
            raise NotYet(f"the web service has no `{key}`", look_at=blueprint.place(*spot))
    for entry_spot, entry in blueprint.variables():
        _check_variable(blueprint, entry, entry_spot)
    for script in scripts(web):
        _check_script(blueprint, root, Path(web.get("rootDir", ""), script))


def scripts(web: dict[str, Any]) -> list[str]:
    """The shell scripts that the build command names."""
    return _SHELL_SCRIPT.findall(web["buildCommand"])


def _check_variable(blueprint: Blueprint, entry: dict[str, Any], spot: Spot) -> None:
    for source, kind in (("fromDatabase", "databases"), ("fromService", "services")):
        if source not in entry:
            continue
        wanted = entry[source]
        target = blueprint.named(kind, wanted["name"])
        names = [str(part.get("name")) for _, part in blueprint.parts(kind)]
        if target is None:
            raise NotYet(
                f"{entry['key']} comes from {wanted['name']!r}, which is not among the {kind}",
                expected=f"one of {', '.join(names) or 'them, but there are none'}",
                look_at=blueprint.place(*spot, source, "name"),
            )
        if source == "fromService" and {target["type"], wanted["type"]} not in _SAME:
            raise NotYet(
                f"{wanted['name']!r} is a {target['type']}, not a {wanted['type']}",
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


# A type by its two names counts as one.
_SAME = [{kind} for kind in _KEYS] + [{"keyvalue", "redis"}]


def _check_region(blueprint: Blueprint, target: dict[str, Any], spot: Spot) -> None:
    here = blueprint.web_service()[1].get("region", "oregon")
    there = target.get("region", "oregon")
    if here != there:
        raise NotYet(
            f"{target['name']!r} is in {there}, the web service in {here}",
            expected="one region: their addresses lead nowhere in another",
            look_at=blueprint.place(*spot),
        )


def _check_script(blueprint: Blueprint, root: Path, script: Path) -> None:
    if not (root / script).is_file():
        raise NotYet(
            f"the build command names {script.as_posix()}, which is not there",
            look_at=blueprint.place(*blueprint.web_service()[0], "buildCommand"),
        )
    if b"\r\n" in (root / script).read_bytes():
        raise NotYet(
            f"{script.name} has Windows line endings: bash takes the \\r for a part of each "
            "command",
            expected="line endings of Linux (LF)",
            look_at=Place(script.as_posix(), 1),
            todo="save it with LF, and put the line `*.sh text eol=lf` into .gitattributes",
        )

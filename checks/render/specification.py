"""What Render's blueprint specification says of a render.yaml, as far as this course needs it.

Render adds to it all the time. What would be refused for certain is a fault: a missing key,
a wrong type, a key that is a known one misspelt. What is only unknown here is a remark.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Spot = tuple[str | int, ...]

# How alike two keys are when one must be the other misspelt, and when it may be.
_CERTAINLY, _PERHAPS = 0.85, 0.6
_LONGEST_SHUTDOWN = 300
_PATH = re.compile(r"/[!-~]*$")
_NAME = re.compile(r"[A-Za-z_][\w.-]*$")


@dataclass(frozen=True)
class Finding:
    """Something about the part of the blueprint at `spot`; a fault if it is `certain`."""

    text: str
    spot: Spot
    certain: bool = True
    expected: str = "what Render's blueprint specification allows"
    todo: str = ""


def _words(text: str) -> set[str]:
    return set(text.split())


_ROOT = _words(
    "services databases envVarGroups projects ungrouped previews version previewsEnabled "
    "previewsExpireAfterDays"
)
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
KINDS = {
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
_RUNTIMES = _words("docker elixir go image node python ruby rust static")
_REGIONS = _words("oregon ohio virginia frankfurt singapore")
_CHOICES = {
    "runtime": _RUNTIMES,
    "region": _REGIONS,
    "plan": {"free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"},
    "autoDeployTrigger": {"commit", "checksPass", "off"},
    "maxmemoryPolicy": _words(
        "noeviction allkeys-lru allkeys-lfu allkeys-random volatile-lru volatile-lfu "
        "volatile-random volatile-ttl"
    ),
}
_DATABASE_PLAN = re.compile(r"free|(basic|pro|accelerated)-\d+(mb|gb)")
_OLD_NAMES = {"env": "runtime", "predeploy": "preDeployCommand", "startcmd": "startCommand"}
_LISTS = ("services", "databases", "envVarGroups", "projects", "environments", "envVars")
_SOURCES = ("value", "generateValue", "sync", "fromDatabase", "fromService")
_PROPERTIES = {
    "fromDatabase": _words(
        "connectionString connectionPoolString host port user password database"
    ),
    "fromService": _words("connectionString host port hostport"),
}


def shape_faults(part: Any, spot: Spot = ()) -> Iterator[Finding]:
    """Lists and texts that are something else: all that is said later relies on them."""
    if not isinstance(part, dict):
        what = f"`{spot[-1]}`" if spot else "it"
        yield Finding(f"{what} is {_kind_of(part)}, not a mapping", spot)
        return
    for key in ("name", "type", "key", "fromGroup"):
        if not isinstance(part.get(key, ""), str):
            yield Finding(f"`{key}` is {_kind_of(part[key])}, not a string", (*spot, key))
    for key in _LISTS:
        entries = part.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            yield Finding(
                f"`{key}` is not a list of entries that have keys and values",
                (*spot, key),
            )
            continue
        for index, entry in enumerate(entries):
            yield from shape_faults(entry, (*spot, key, index))
    if part.get("ungrouped") is not None:
        yield from shape_faults(part["ungrouped"], (*spot, "ungrouped"))


def text_faults(content: Any, spot: Spot = ()) -> Iterator[Finding]:
    """Characters that neither a command nor an environment can hold."""
    children: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, dict):
        children = content.items()
    elif isinstance(content, list):
        children = enumerate(content)
    elif isinstance(content, str) and not _is_portable(content):
        yield Finding(
            "a string here contains a character that cannot be passed to a process", spot
        )
    for key, value in children:
        if isinstance(key, str) and not _is_portable(key):
            yield Finding(
                "a key here contains a character that cannot be passed to a process", spot
            )
        yield from text_faults(value, (*spot, key))


def _is_portable(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def root_findings(content: dict[str, Any]) -> Iterator[Finding]:
    yield from _unknown(content, _ROOT, (), "at the top")


def service_findings(service: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    """What Render would say of one of the `services`."""
    kind = service.get("type")
    title = f"the service {service.get('name', '')!r}"
    if kind is None:
        yield Finding(f"{title} has no `type`", spot)
        return
    if kind not in KINDS:
        yield _unknown_choice("type", kind, KINDS, (*spot, "type"))
        return
    yield from _unknown(service, KINDS[kind], spot, f"in {title}")
    for key in _NEEDED.get(kind, ("name", "runtime")):
        if key not in service:
            yield Finding(f"{title} of type {kind} has no `{key}`", spot)
    for key, choices in _CHOICES.items():
        if key in service and not _is_one_of(service[key], choices):
            yield _unknown_choice(key, service[key], choices, (*spot, key))
    if service.get("plan") == "free" and service.get("preDeployCommand"):
        yield Finding(
            f"{title} is on the free plan, where Render does not run a pre-deploy command",
            (*spot, "preDeployCommand"),
            expected="a paid plan, or no `preDeployCommand`",
            todo="write `plan: starter`, or let `startCommand` begin with "
            "`python backend/manage.py migrate --no-input &&` instead",
        )
    # Each key for itself is valid, so the published schema does not know this rule. Render
    # says "max shutdown delay is not supported for free tier services".
    if service.get("plan") == "free" and "maxShutdownDelaySeconds" in service:
        yield Finding(
            f"{title} is on the free plan, for which Render refuses `maxShutdownDelaySeconds`",
            (*spot, "maxShutdownDelaySeconds"),
            expected="a paid plan, or no `maxShutdownDelaySeconds`: Render then waits for "
            "30 seconds",
            todo="remove the line, or write `plan: starter`",
        )
    # Nor this one: "max shutdown delay is not supported for services with a disk".
    elif service.get("disk") and "maxShutdownDelaySeconds" in service:
        yield Finding(
            f"{title} has a disk, with which Render refuses `maxShutdownDelaySeconds`",
            (*spot, "maxShutdownDelaySeconds"),
            expected="no `disk`, or no `maxShutdownDelaySeconds`: Render then waits for "
            "30 seconds",
            todo="remove the line",
        )
    yield from _number(service, "maxShutdownDelaySeconds", spot, most=_LONGEST_SHUTDOWN)
    yield from _number(service, "numInstances", spot, most=None)
    yield from _allow_list(service, spot)
    yield from _texts(service, spot)
    yield from variable_findings(service, spot)


def _texts(service: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    for key in ("buildCommand", "startCommand", "preDeployCommand", "rootDir"):
        if key in service and not isinstance(service[key], str):
            what = _kind_of(service[key])
            yield Finding(f"`{key}` is {what}, not a string", (*spot, key))
    path = service.get("healthCheckPath", "/")
    if not (isinstance(path, str) and _PATH.match(path)):
        yield Finding(
            "`healthCheckPath` is not a path",
            (*spot, "healthCheckPath"),
            expected="a path that begins with a slash, like /healthz/",
        )


def variable_findings(part: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    """What Render would say of the `envVars` of a service or a group."""
    for index, entry in enumerate(part.get("envVars") or ()):
        yield from _variable(entry, (*spot, "envVars", index))


def _variable(entry: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    if "fromGroup" in entry:
        return
    key = entry.get("key")
    if not key:
        yield Finding("a variable has no `key`", spot)
        return
    if not _NAME.match(key):
        yield Finding(
            f"{key!r} cannot be the name of a variable",
            (*spot, "key"),
            certain="=" in key or not key.strip(),
            expected="letters, digits and underscores",
        )
    yield from _unknown(entry, {"key", "previewValue", *_SOURCES}, spot, f"in {key}")
    sources = [source for source in _SOURCES if source in entry]
    if len(sources) != 1:
        yield Finding(
            f"{key} gets its value from {' and '.join(sources) or 'nothing'}",
            spot,
            certain=len(sources) > 1 and any(name in entry for name in _PROPERTIES),
            expected=f"one of {either(_SOURCES)}",
        )
    value = entry.get("value", "")
    if isinstance(value, bool):
        shown = str(value).lower()
        yield Finding(
            f"{key}: `value: {shown}` is a boolean, not a string",
            (*spot, "value"),
            expected=f'`value: "{shown}"`, in quotes',
        )
    elif not isinstance(value, str):
        yield Finding(f"{key}: its `value` is {_kind_of(value)}, not a string", spot)
    for source, properties in _PROPERTIES.items():
        if source in entry:
            yield from _source(entry[source], source, properties, (*spot, source))


def _source(
    source: object, name: str, properties: set[str], spot: Spot
) -> Iterator[Finding]:
    if not isinstance(source, dict) or not isinstance(source.get("name"), str):
        yield Finding(
            f"`{name}` needs the `name` of the resource that the value comes from", spot
        )
        return
    if name == "fromService":
        yield from _type_of_source(source, spot)
    wanted = source.get("property")
    if name == "fromService" and isinstance(source.get("envVarKey"), str):
        return
    if not _is_one_of(wanted, properties):
        shown = wanted if isinstance(wanted, str) else _kind_of(wanted)
        yield Finding(
            f"`property: {shown}`{_meant(wanted, properties)}",
            (*spot, "property"),
            expected=f"one of {either(sorted(properties))}",
        )


def _type_of_source(source: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    kind = source.get("type")
    if kind is None:
        yield Finding("`fromService` needs the `type` of the service", spot)
    elif not _is_one_of(kind, KINDS):
        yield _unknown_choice("type", kind, KINDS, (*spot, "type"))


def database_findings(database: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    """What Render would say of one of the `databases`."""
    title = f"the database {database.get('name', '')!r}"
    yield from _unknown(database, _DATABASE, spot, f"in {title}")
    if "name" not in database:
        yield Finding("a database has no `name`", spot)
    plan = database.get("plan", "free")
    if not _DATABASE_PLAN.fullmatch(str(plan)):
        shown = "free, basic-256mb, basic-1gb and larger ones"
        yield Finding(
            f"`plan: {plan}` of {title} is not known to this check; it knows {shown}",
            (*spot, "plan"),
            certain=not isinstance(plan, str),
        )
    region = database.get("region", "oregon")
    if not _is_one_of(region, _REGIONS):
        yield _unknown_choice("region", region, _REGIONS, (*spot, "region"))
    if not isinstance(database.get("postgresMajorVersion", ""), str):
        yield Finding(
            "`postgresMajorVersion` is a number, not a string",
            (*spot, "postgresMajorVersion"),
            expected='the version in quotes, like "17"',
        )
    yield from _allow_list(database, spot)


def _allow_list(part: dict[str, Any], spot: Spot) -> Iterator[Finding]:
    allowed = part.get("ipAllowList", [])
    if not isinstance(allowed, list) or not all(
        isinstance(entry, dict) and "source" in entry for entry in allowed
    ):
        yield Finding(
            "`ipAllowList` is not a list of entries with a `source`",
            (*spot, "ipAllowList"),
        )


def _number(
    part: dict[str, Any], key: str, spot: Spot, *, most: int | None
) -> Iterator[Finding]:
    value = part.get(key, 1)
    if type(value) is not int or value < 1 or (most and value > most):
        limit = f" to {most}" if most else " or more"
        yield Finding(f"`{key}: {value}` is not a number from 1{limit}", (*spot, key))


def _unknown(
    part: dict[str, Any], known: set[str], spot: Spot, where: str
) -> Iterator[Finding]:
    """Keys that are not known here; a fault where one is a known key misspelt."""
    for key in part:
        if key in known:
            continue
        plain = str(key).replace("_", "").replace("-", "").lower()
        spelt = {name.lower(): name for name in sorted(known)}
        meant = _OLD_NAMES.get(plain) or spelt.get(plain) or _near(key, known, _CERTAINLY)
        if meant and meant in known:
            text = f"Render does not know `{key}` {where}; did you mean `{meant}`?"
            yield Finding(text, (*spot, key), todo=f"write `{meant}`")
        else:
            text = f"`{key}` {where} is not known to this check{_meant(key, known)}"
            yield Finding(text, (*spot, key), certain=False)


def _unknown_choice(key: str, value: Any, choices: Iterable[str], spot: Spot) -> Finding:
    """A value that is not known here; a fault where it has the wrong type.

    Plans and regions come and go. A type or runtime that is misspelt is found when no web
    service is left that runs Python.
    """
    known = sorted(choices)
    if not isinstance(value, str):
        return Finding(f"`{key}` is {_kind_of(value)}, not a string", spot)
    return Finding(
        f"`{key}: {value}` is not known to this check"
        f"{_meant(value, known)}; it knows {either(known)}",
        spot,
        certain=False,
    )


def _is_one_of(value: object, choices: Iterable[str]) -> bool:
    return isinstance(value, str) and value in choices


def _meant(value: object, known: Iterable[str]) -> str:
    near = _near(value, known, _PERHAPS)
    return f" (did you mean `{near}`?)" if near else ""


def _near(value: object, known: Iterable[str], likeness: float) -> str | None:
    found = difflib.get_close_matches(str(value), sorted(known), n=1, cutoff=likeness)
    return found[0] if found else None


def _kind_of(value: object) -> str:
    """A value's type in YAML's words; the value itself may be a secret."""
    names = {
        dict: "a mapping",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "empty",
    }
    return names.get(type(value), "a number")


def either(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last

"""What the backend of the last step offers: its endpoints, and the variables that it reads.

Django itself says so, in one process for all steps (tools.site.introspection). Its answer is
kept on disk until a step, that program or the installed packages change.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import course
from checks.errors import NotYet
from checks.harness import project
from course import ROOT, contract
from course.files import files_of, write_text
from tools.site.introspection import Endpoint, Variable

CACHE = ROOT / ".tutorial" / "cache" / "reference.json"
# It takes about a second. A cold start on a busy laptop takes eight times that.
_SECONDS = 60
_PROGRAM = Path(__file__).parent / "introspection"
# What a value that Render makes may look like, by what it is made from.
_GENERATED = "a-generated-text-0123456789-abcdefghijklmnopqrstuvwxyz"
_DATABASE = "postgres://user:password@127.0.0.1:5432/name"
_SERVICE = "redis://127.0.0.1:6379/0"


class NotReadable(Exception):
    """Django could not say what a backend offers; the text holds its last words."""


@dataclass(frozen=True)
class Setting:
    """A variable, where Render takes it from ('' if nowhere), and since when it is read.

    `since` counts the projects from 0.
    """

    variable: Variable
    render: str
    since: int


@dataclass(frozen=True)
class Backend:
    """What a project offers to those who use it over HTTP, and to those who run it."""

    endpoints: tuple[Endpoint, ...]
    settings: tuple[Setting, ...]


def last_backend() -> Backend:
    """That of the last step. Raises NotReadable."""
    return kept([step.folder for step in course.steps()], CACHE)


def kept(folders: Sequence[Path], cache: Path) -> Backend:
    """read(), from that file if it has been read before and nothing has changed since."""
    digest = _digest(folders)
    # A cache that is damaged, or of another version, is as good as none.
    with suppress(OSError, ValueError, LookupError, TypeError):
        known = json.loads(cache.read_text("utf-8"))
        if known["digest"] == digest:
            return _backend(folders, known["facts"])
    facts = _facts(folders)
    # A checkout that cannot be written to is read anew each time.
    with suppress(OSError):
        write_text(cache, json.dumps({"digest": digest, "facts": facts}))
    return _backend(folders, facts)


def _digest(folders: Sequence[Path]) -> str:
    """Changes with whatever the answer depends on."""
    seen = hashlib.sha256(sys.version.encode())
    packages = Path(sysconfig.get_path("purelib"))
    seen.update(f"{packages} {packages.stat().st_mtime_ns}".encode())
    for folder in (*folders, _PROGRAM):
        for name in files_of(folder):
            content = (folder / name).read_bytes()
            seen.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return seen.hexdigest()


def read(folders: Sequence[Path]) -> Backend:
    """What the last of these projects offers, the others being earlier states of it.

    Raises NotReadable.
    """
    return _backend(folders, _facts(folders))


def _backend(folders: Sequence[Path], facts: Mapping[str, Any]) -> Backend:
    render = {name: words for name, words, _ in _blueprint(folders[-1])}
    names = [{variable["name"] for variable in each} for each in facts["variables"]]
    return Backend(
        tuple(
            Endpoint(**{**point, "body": tuple(point["body"])})
            for point in facts["endpoints"]
        ),
        tuple(
            Setting(
                Variable(**variable),
                render.get(variable["name"], ""),
                since=next(
                    number for number, each in enumerate(names) if variable["name"] in each
                ),
            )
            for variable in facts["variables"][-1]
        ),
    )


def _facts(folders: Sequence[Path]) -> Any:
    """What the program answers about these projects."""
    order = {"ours": str(ROOT), "projects": [_order(folder) for folder in folders]}
    # -P: whatever the current folder is, nothing in it may be taken for a module.
    argv = [sys.executable, "-P", "-m", "tools.site.introspection"]
    try:
        done = subprocess.run(
            argv,
            input=json.dumps(order),
            env=contract.without_steering(os.environ)
            | {
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONIOENCODING": "utf-8",
            },
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise NotReadable(f"{folders[-1].name}: no answer after {_SECONDS} s") from error
    if done.returncode:
        raise NotReadable(f"{folders[-1].name}: {_last_words(done.stderr)}")
    return json.loads(done.stdout)


def _last_words(log: str) -> str:
    return " ".join(log.strip().splitlines()[-1:]) or "it exited without a message"


def _order(folder: Path) -> dict[str, Any]:
    """How the program is told about one project. Raises NotReadable."""
    try:
        found = project.find(folder, sys.executable)
    except NotYet as error:
        raise NotReadable(f"{folder.name}: {error}") from error
    return {
        "backend": str(found.backend.resolve()),
        "settings": found.settings_module,
        "values": {name: value for name, _, value in _blueprint(folder)},
    }


def _blueprint(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each variable that render.yaml sets: its name, from where in words, a likely value."""
    file = folder / "render.yaml"
    blueprint = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
    for part in [*blueprint.get("services", []), *blueprint.get("envVarGroups", [])]:
        for entry in part.get("envVars", []):
            if "key" in entry:
                yield (entry["key"], *_source(entry))


def _source(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Where a variable's value comes from, in words, and what it may look like."""
    if "value" in entry:
        return f"`{entry['value']}`", str(entry["value"])
    if entry.get("generateValue"):
        return "generated", _GENERATED
    if source := entry.get("fromDatabase"):
        return f"from `{source['name']}`", _DATABASE
    if source := entry.get("fromService"):
        return f"from `{source['name']}`", _SERVICE
    return "set by hand in Render's dashboard", _GENERATED

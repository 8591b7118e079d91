"""From what a process printed as it died to the place that has to change.

A traceback ends where Python noticed, which is often deep in Django: the misspelt name is in
the settings, the broken migration in its own file, the missing package in the environment.
"""

from __future__ import annotations

import ast
import difflib
import importlib.metadata
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from checks import requirements
from checks.errors import NotYet, Place
from checks.harness.logs import last_words
from checks.harness.project import Project
from checks.harness.sandbox import Sandbox
from checks.harness.settings_files import Text, module_file, parsed, read
from course.source import definitions

_FIX = "fix that line, then check again"
_FIX_FILE = "fix that file, then check again"
_NO_MODULE = re.compile(r"^(?:\w+\.)*ModuleNotFoundError: No module named '([\w.]+)'", re.M)
_NO_NAME = re.compile(
    r"^(?P<words>ImportError: cannot import name '(?P<name>\w+)' from '[\w.]+') "
    r"\((?P<file>[^)]+)\)",
    re.M,
)
# What an interpreter prints that cannot even start.
_DEAD_PYTHON = re.compile(
    r"^(Fatal Python error: .*|.*No module named 'encodings'.*|.*cannot open shared object.*)",
    re.M,
)
# The errors whose quoted names are names of the settings or of the project.
_TELLING = re.compile(
    r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError|ImproperlyConfigured|CommandError|"
    r"InvalidChannelLayerError): .*",
    re.M,
)
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_QUOTED = re.compile(r"""['"]([\w.]+)['"]""")
# A letter or two of a dotted name: no other middleware of Django's is as near as that.
_NEARLY = 0.95
_SETTING = re.compile(r"\b([A-Z][A-Z_]{3,})\b")
_CHECK = re.compile(r"^(\S.*?): \((?:\w+\.)+E\d+\) .*", re.M)
# An import that Django or a library made because a setting names it.
_FOR_SETTING = re.compile(r"Could not import '([\w.]+)'.* setting", re.M)
_APPLYING = re.compile(r"Applying (\w+)\.(\w+)\.\.\.(?!.*\bOK)")
_MIGRATION = re.compile(r"[Mm]igration (\w+)\.(\w+)\b")
# Packages whose module has another name, and that projects like this one have; the
# tutorial's own environment knows the rest.
_DISTRIBUTIONS = {
    "corsheaders": "django-cors-headers",
    "debug_toolbar": "django-debug-toolbar",
    "decouple": "python-decouple",
    "dotenv": "python-dotenv",
    "environ": "django-environ",
    "PIL": "pillow",
}


@dataclass(frozen=True)
class Cause:
    """Why a process died. `environment` means that the project is not to blame."""

    found: str
    look_at: Place | None = None
    todo: str = ""
    environment: bool = False


def cause_of(log: str, sandbox: Sandbox) -> Cause:
    """The cause that a log shows, with the learner's own paths."""
    cause = _cause_of(log, sandbox)
    near = None if cause.environment else _with_a_name_like_it(log, sandbox.project)
    if near is None:
        return cause
    found = f"{cause.found}; there is {near}"
    if near == sandbox.project.relative(sandbox.project.settings_file):
        return replace(cause, found=found)
    todo = f"{cause.todo}; or rename {near}" if cause.todo else f"rename {near}"
    return replace(cause, found=found, todo=todo)


def _cause_of(log: str, sandbox: Sandbox) -> Cause:
    project = sandbox.project
    found = sandbox.as_learner(last_words(log))
    place = sandbox.place_in(log)
    if cause := _environment(log, project):
        return cause
    if cause := missing_comma(log, project) or _elsewhere(log, project):
        return cause
    if cause := _other_name(log, project, place):
        return cause
    if "(daphne.E001)" in log:
        todo = 'move "daphne" above "django.contrib.staticfiles" in INSTALLED_APPS'
        return Cause(found, project.text_in_settings("daphne") or place, todo)
    if check := _CHECK.search(log):
        found = check[0]
        place = _checked(check, project)
    elif place is None or place.file in _entry_points(project) or _FOR_SETTING.search(log):
        place = _migration(log, project) or place
        if (place is None or place.line) and (cause := _named(log, found, project)):
            return cause
    return Cause(found, place, "" if place is None else _FIX if place.line else _FIX_FILE)


# The interpreter and its packages


def _environment(log: str, project: Project) -> Cause | None:
    """The project's Python lacks what the project asks for, or cannot start at all."""
    if dead := _DEAD_PYTHON.search(log):
        return Cause(
            f"the project's Python, {project.python}, cannot start: {dead[0].strip()}",
            todo="recreate the virtual environment, or use another interpreter with --python",
            environment=True,
        )
    for module in _NO_MODULE.findall(log):
        name = module.partition(".")[0]
        own = (project.backend / name).is_dir() or (
            project.backend / f"{name}.py"
        ).is_file()
        dist = _distribution_of(name)
        if module == name and not own and (name == "django" or _asked_for(dist, project)):
            return Cause(
                f"the project's Python, {project.python}, has no {dist}",
                todo=f"{project.python} -m pip install -r requirements.txt; or remove that "
                "virtual environment to use the tutorial's own",
                environment=True,
            )
    return None


def _distribution_of(module: str) -> str:
    """The name by which pip knows a module."""
    if module in _DISTRIBUTIONS:
        return _DISTRIBUTIONS[module]
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.distribution(module).name
    # Reads the list of files of every package that is installed: a fifth of a second.
    known = importlib.metadata.packages_distributions().get(module)
    return known[0] if known else module


def _asked_for(dist: str, project: Project) -> bool:
    """Whether a list of requirements names that package."""
    try:
        listings = requirements.listings(project)
    except NotYet:  # a line that pip could not read: step 1 says so
        return False
    names = {
        canonicalize_name(e.wanted.name) for listing in listings for e in listing.entries
    }
    return canonicalize_name(dist) in names


# Modules that are not where Python looks for them, and names that a module does not have


def _elsewhere(log: str, project: Project) -> Cause | None:
    """A module of the project's own that is beside the backend, or in another of its folders."""
    for module in _NO_MODULE.findall(log):
        if cause := misplaced(module, project):
            return replace(cause, found=f"{last_words(log)}; {cause.found}")
    return None


def misplaced(module: str, project: Project) -> Cause | None:
    """The news that a module is somewhere else than below the folder of manage.py."""
    place = _other_place(module, project)
    if place is None:
        return None
    end = "" if place.file.endswith(".py") else "/"
    backend = Path(project.relative(project.backend))
    path = backend.joinpath(*module.split(".")).with_suffix(Path(place.file).suffix)
    right = f"{path.as_posix()}{end}"
    return Cause(
        f"there is {place.file}{end}, and Python looks for {right}",
        place,
        f"move it to {right}: imports begin in the folder of manage.py",
    )


def _other_place(module: str, project: Project) -> Place | None:
    """Where a module of that name is, if it is not where an import finds it."""
    parts = module.split(".")
    backend = project.backend
    if _module_at(backend.joinpath(*parts)):
        return None
    package = backend.joinpath(*project.package.split("."))
    beside = sorted(folder for folder in project.root.glob("[!.]*") if folder.is_dir())
    candidates = [
        folder.joinpath(*parts)
        for folder in (project.root, *beside, package, backend / parts[0])
    ]
    if len(parts) > 1:  # a module of an app, saved without the app's folder
        candidates += [folder / parts[-1] for folder in (project.root, backend, package)]
    found = next(filter(None, map(_module_at, candidates)), None)
    return Place(project.relative(found)) if found else None


def _module_at(path: Path) -> Path | None:
    """The folder with Python files, or the file, that a module's path without suffix means."""
    if path.is_dir() and any(path.glob("*.py")):
        return path
    file = path.with_name(f"{path.name}.py")
    return file if file.is_file() else None


def _with_a_name_like_it(log: str, project: Project) -> str | None:
    """A module with almost the name of one that is not there: a letter more, or a capital."""
    for module in _NO_MODULE.findall(log):
        *parents, name = module.split(".")
        folder = project.backend.joinpath(*parents)
        modules = sorted(folder.glob("[!._]*")) if folder.is_dir() else []
        names = {
            path.stem.lower(): path for path in modules if _module_at(path.with_suffix(""))
        }
        if _module_at(folder / name) is None:
            for alike in difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.8):
                path = names[alike]
                return f"{project.relative(path)}{'/' if path.is_dir() else ''}"
    return None


def _other_name(log: str, project: Project, importing: Place | None) -> Cause | None:
    """A name that is imported at that place, and one like it that the module has instead."""
    error = _NO_NAME.search(log)
    if error is None or not (path := Path(error["file"])).is_relative_to(project.root):
        return None
    found, wanted, file = error["words"], error["name"], project.relative(path)
    if not read(path).strip() and path.name == "__init__.py":
        return _beside(path, wanted, found, project, importing)
    if not read(path).strip():
        return Cause(
            f"{found}; {file} is empty", Place(file), "save that file in your editor"
        )
    defined = {name: node for name, node in definitions(parsed(path)) if "." not in name}
    alike = difflib.get_close_matches(wanted, defined, n=1)
    if not alike:
        return None
    place = Place(file, defined[alike[0]].lineno, alike[0])
    return Cause(
        f"{found}; {place.file}:{place.line} defines {alike[0]}",
        place,
        f"use one name: rename it to {wanted}, or import {alike[0]}"
        + (f" in {importing.file}:{importing.line}" if importing else ""),
    )


def _beside(
    init: Path, wanted: str, found: str, project: Project, importing: Place | None
) -> Cause:
    """A name that an empty `__init__.py` does not have: a module of its package may."""
    for path in sorted(init.parent.glob("*.py")):
        if node := dict(definitions(parsed(path))).get(wanted):
            place = Place(project.relative(path), node.lineno, wanted)
            return Cause(
                f"{found}; {place.file}:{place.line} defines {wanted}",
                importing or place,
                f"name the module in the import: {init.parent.name}.{path.stem}",
            )
    return Cause(
        f"{found}; there is no {project.relative(init.parent)}/{wanted}.py",
        importing or Place(project.relative(init)),
        f"give that folder a module {wanted}.py, or take the name out of the import",
    )


# Names that are in the settings


def _entry_points(project: Project) -> set[str]:
    """Files that only start the project: what they call is seldom their own mistake."""
    package = project.backend.joinpath(*project.package.split("."))
    paths = (project.backend / "manage.py", package / "asgi.py", package / "wsgi.py")
    return {project.relative(path) for path in paths}


def missing_comma(log: str, project: Project) -> Cause | None:
    """Two names of the settings that are read as one, if the error is about them."""
    quoted = set(_QUOTED.findall(log))
    for text in project.settings.texts():
        first, *more = text.pieces
        if more and all(map(_NAME.fullmatch, text.pieces)):
            # Of a long name Python tells as much as it tried to import, or misses one half.
            part = any(len(n) > len(first) and text.value.startswith(n) for n in quoted)
            if part or any("." in piece and piece in quoted for piece in text.pieces):
                return _misspelt(text, "", project)
    return None


def misspelt_middleware(log: str, project: Project) -> Cause | None:
    """A name in MIDDLEWARE that is nearly one which Django's checks miss there."""
    texts = [text for text in project.settings.texts() if text.setting == "MIDDLEWARE"]
    present = {text.value: text for text in texts}
    for name in _QUOTED.findall(log):
        alike = difflib.get_close_matches(name, present, n=1, cutoff=_NEARLY)
        if "." in name and name not in present and alike:
            text = present[alike[0]]
            return Cause(
                f'MIDDLEWARE has "{text.value}", which is nearly that name',
                Place(project.relative(text.file), text.line, f'"{text.value}"'),
                f'write "{name}" there',
            )
    return None


def _named(log: str, found: str, project: Project) -> Cause | None:
    """The first telling error whose names the settings or the project's files hold."""
    for line in _TELLING.findall(log):
        if "cannot import name" in line:
            continue  # said of the import statement, which the traceback shows
        names = sorted(_QUOTED.findall(line), key=len, reverse=True)
        for name in names:
            if text := _text_in_settings(name, project):
                return _misspelt(text, line, project)
        for name in names:
            if place := _said_at_entry(name, project):
                return Cause(line, place, f'correct the name "{name}"')
        for name in () if "No module named" in line else names:
            if place := _defined(name, project):
                return Cause(line, place, _FIX)
        if "not configured" not in line and (setting := _SETTING.search(line)):
            return Cause(found, project.setting(setting[1]), f"set {setting[1]} there")
    return None


def _text_in_settings(name: str, project: Project) -> Text | None:
    """The text of the settings that is this dotted name, or begins with it."""
    texts = list(project.settings.texts())
    alike = [t for t in texts if t.value == name or t.value.startswith(f"{name}.")]
    # INSTALLED_APPS may hold "users" and a later text "users.User": the exact one first.
    return min(alike, key=lambda text: len(text.value), default=None)


def _misspelt(text: Text, line: str, project: Project) -> Cause:
    place = Place(project.relative(text.file), text.line, f'"{text.pieces[0]}"')
    where = f" in {text.setting}" if text.setting else ""
    if len(text.pieces) > 1:
        both = " and ".join(f'"{piece}"' for piece in text.pieces)
        return Cause(
            f'{both} are read as one string, "{text.value}"',
            place,
            f"add a comma at the end of line {text.line}",
        )
    return Cause(
        line,
        place,
        f'correct the name "{text.value}"{where}, or remove it if it does not exist yet',
    )


def _said_at_entry(name: str, project: Project) -> Place | None:
    """Where manage.py or asgi.py has this text: they name the settings, as a module."""
    for entry in sorted(_entry_points(project)):
        for node in ast.walk(parsed(project.root / entry)):
            if isinstance(node, ast.Constant) and node.value == name:
                return Place(entry, node.lineno, f'"{name}"')
    return None


def _defined(name: str, project: Project) -> Place | None:
    """Where a dotted name (`users.apps.UsersConfig.name`) is defined in the project."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        file = module_file(project.backend, ".".join(parts[:length]))
        if file.is_file():
            symbol = ".".join(parts[length:])
            return Place(project.relative(file), _line_of(file, symbol), symbol)
    return None


def _line_of(file: Path, symbol: str) -> int | None:
    """The line where a file defines a class or one of its attributes."""
    found = dict(definitions(parsed(file)))
    while symbol and symbol not in found:
        symbol = symbol.rpartition(".")[0]
    return found[symbol].lineno if symbol else None


def _checked(check: re.Match[str], project: Project) -> Place | None:
    """Where the object of a system check is: `users.User.email`, or a setting that it names."""
    app, _, symbol = check[1].strip("<>'\"").removeprefix("class '").partition(".")
    for module in (f"{app}.models", app):
        file = module_file(project.backend, module)
        if symbol and file.is_file() and (line := _line_of(file, symbol)):
            return Place(project.relative(file), line, symbol)
    for name in _QUOTED.findall(check[0]):
        if place := _defined(name, project):
            return place
    for setting in _SETTING.findall(check[0].partition(")")[2]):
        if project.settings.assignments(setting):
            return project.setting(setting)
    return None


def _migration(log: str, project: Project) -> Place | None:
    """The file of the migration that could not be applied, or that the error names."""
    applied = ((*found, "operations") for found in _APPLYING.findall(log))
    named = ((*found, "dependencies") for found in _MIGRATION.findall(log))
    for app, name, part in [*applied, *named]:
        for file in sorted(project.backend.glob(f"**/{app}/migrations/{name}.py")):
            line = _line_of(file, f"Migration.{part}")
            return Place(project.relative(file), line, part)
    return None

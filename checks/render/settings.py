"""Reads the project's settings to explain a failure in production; it judges nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from checks.errors import Place
from checks.harness.project import Project, read
from course.source import parse


def debug_explained(project: Project) -> tuple[Place, str] | None:
    """Where DEBUG gets a value that no variable turns off, and why it does not; or None."""
    for file in _files(project):
        for node in _statements(file):
            if not (isinstance(node, ast.Assign) and _is_named(node.targets[0], "DEBUG")):
                continue
            place = Place(project.relative(file), node.lineno, "DEBUG")
            if isinstance(node.value, ast.Constant):
                return place, f"`DEBUG = {node.value.value!r}` does not read a variable"
            if _calls_bool(node.value):
                return place, '`bool("false")` is True: every string is, unless it is empty'
            return place, ""
    return None


def place_of(project: Project, text: str) -> Place | None:
    """The first line of the settings that holds this text."""
    for file in _files(project) if text else ():
        for number, line in enumerate(read(file).splitlines(), 1):
            if text in line:
                return Place(project.relative(file), number)
    return None


def layer_place(project: Project) -> Place:
    """Where the settings say which channel layer is used: the last of its lines."""
    found = Place(project.relative(project.settings_file), symbol="CHANNEL_LAYERS")
    for file in _files(project):
        lines = enumerate(read(file).splitlines(), 1)
        numbers = [n for n, line in lines if re.match(r"\s*CHANNEL_LAYERS\b", line)]
        if numbers:
            return Place(project.relative(file), numbers[0], "CHANNEL_LAYERS")
    return found


def _files(project: Project) -> list[Path]:
    """The settings module and, if it is one of a package, the modules beside it."""
    file = project.settings_file
    own = [file] if file.is_file() else []
    folder = file.with_suffix("") if not own else file.parent
    is_package = folder.name == "settings" and folder.is_dir()
    beside = sorted(folder.glob("*.py")) if is_package else []
    return list(dict.fromkeys([*own, *beside]))


def _statements(file: Path) -> list[ast.AST]:
    try:
        return list(ast.walk(parse(read(file))))
    except (SyntaxError, ValueError, RecursionError):
        return []


def _is_named(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def _calls_bool(value: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Call) and _is_named(node.func, "bool")
        for node in ast.walk(value)
    )

"""Reads source to explain a failure that behaviour has shown; it judges nothing."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

from checks.harness.project import read

_STANDARD = sys.stdlib_module_names
_SETS_UP = {"get_asgi_application", "setup"}


@dataclass(frozen=True)
class Statement:
    """A statement in the learner's file: where it is and its first line."""

    line: int
    text: str


def first_early_import(file: Path) -> Statement | None:
    """The first import of the project's or Channels' code above the call that sets Django up.

    None if the file does not parse or has no such import.
    """
    source = read(file)
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    for node in body:
        if _calls_setup(node):
            return None
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not _harmless(node):
            return Statement(node.lineno, source.splitlines()[node.lineno - 1].strip())
    return None


def _calls_setup(node: ast.stmt) -> bool:
    calls = (child.func for child in ast.walk(node) if isinstance(child, ast.Call))
    return any(getattr(f, "attr", getattr(f, "id", "")) in _SETS_UP for f in calls)


def _harmless(node: ast.Import | ast.ImportFrom) -> bool:
    """Imports that may stand above the set-up: the standard library's and Django's core."""
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return module.startswith(
            ("django.core", "channels.routing", "channels.security")
        ) or (module.split(".")[0] in _STANDARD)
    return all(name.name.split(".")[0] in _STANDARD | {"django"} for name in node.names)

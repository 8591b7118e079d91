"""Looks at functions and classes of a project: whose they are, what they say and hold."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

# Whether a file is the project's own.
Owns = Callable[[str], bool]


def is_own(thing: Any, owns: Owns) -> bool:
    """Whether a function or class is the project's, not that of a library."""
    thing = inspect.unwrap(thing)
    code = getattr(thing, "__code__", None)
    if code is not None:
        return owns(code.co_filename)
    module = sys.modules.get(getattr(thing, "__module__", ""))
    return owns(getattr(module, "__file__", None) or "")


def closure(function: Any) -> Mapping[str, Any]:
    """The names that a function has from the one that it was made in."""
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    names = code.co_freevars if code is not None and cells else ()
    return {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}


def docstring(thing: Any) -> str:
    """A docstring in one line; '' if there is none."""
    return " ".join((inspect.getdoc(thing) or "").split())


@functools.cache
def tree_of(function: Any) -> ast.AST:
    """A function's source, parsed. Raises OSError if it has none."""
    return ast.parse(textwrap.dedent(inspect.getsource(function)))

"""Takes a piece of a source file by its name, never by its line numbers."""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

_one_at_a_time = threading.Lock()


class SymbolNotFound(LookupError):
    """A file has no symbol of that name; the text names both and what there is."""


@functools.lru_cache(maxsize=64)
def parse(text: str | bytes, filename: str = "<unknown>") -> ast.Module:
    """As ast.parse(), from any thread. Raises SyntaxError; ValueError for null bytes.

    The same text gives the same tree: nobody may change it.

    Python 3.11 counts the depth of a tree for all threads together, and ends in a SystemError
    ("AST constructor recursion depth mismatch") if it makes two at a time. Nor may garbage be
    collected meanwhile: that runs code of others, which may parse (a traceback does), and lets
    other threads run. Source: python/cpython, issue 106905.
    """
    with _one_at_a_time, _no_garbage_collection():
        return ast.parse(text, filename)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def extract(path: Path, symbol: str | None = None) -> str:
    """The source of `symbol` in a Python file, or the whole file without one.

    A symbol is a function, class, method (`Consumer.connect`) or assigned name, at module
    level or in a class; of a name that is assigned only inside an `if` it is that whole
    statement. It comes with its decorators and the comment lines right above it,
    indented as in the file, with a newline at the end. Raises SymbolNotFound; OSError and
    SyntaxError as they come.
    """
    text = path.read_text("utf-8")
    if symbol is None:
        return text
    tree = parse(text, filename=str(path))
    found = dict(definitions(tree))
    if symbol not in found and (choice := _choice_of(tree, symbol)):
        found[symbol] = choice
    if symbol not in found:
        known = ", ".join(found) or "none"
        raise SymbolNotFound(f"{path} has no {symbol!r}; its symbols are: {known}")
    lines = text.splitlines(keepends=True)
    first, last = lines_of(found[symbol], lines)
    return "".join(lines[first:last]).rstrip("\n") + "\n"


def symbols(path: Path) -> list[str]:
    """The names that extract() knows in a Python file, in the file's order."""
    return list(dict(definitions(parse(path.read_text("utf-8"), filename=str(path)))))


def definitions(
    parent: ast.Module | ast.ClassDef, prefix: str = ""
) -> Iterator[tuple[str, ast.stmt]]:
    """Each function, class, method and assignment below `parent`, with its dotted name."""
    for node in parent.body:
        for name in _names(node):
            yield prefix + name, node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node, f"{prefix}{node.name}.")


def _choice_of(tree: ast.Module, name: str) -> ast.If | None:
    """The `if` statement of a module that assigns that name in one of its branches."""
    for node in tree.body:
        if isinstance(node, ast.If) and any(
            name in _names(child) for child in ast.walk(node) if isinstance(child, ast.stmt)
        ):
            return node
    return None


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        targets: list[ast.expr] = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    else:
        return []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def lines_of(node: ast.stmt, lines: list[str]) -> tuple[int, int]:
    """First line (counted from 0, with decorators and comments) and the one after the last."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    while first > 0 and lines[first - 1].startswith(indent + "#"):
        first -= 1
    return first, node.end_lineno or node.lineno

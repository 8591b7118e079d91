"""Reads where a project's settings are written: in one module, or in several that import
each other (`settings/base.py` and `settings/dev.py`).

It explains and finds places; what the settings are is known only to Django.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from course.source import parse

# Changing a setting in place counts like assigning it: `INSTALLED_APPS.append("daphne")`.
_CHANGES = {"append", "extend", "insert", "update", "setdefault"}


@dataclass(frozen=True)
class Text:
    """A text that the settings hold: what Python reads, where, and of how many pieces.

    `setting` is the one that it is a part of, '' if its statement assigns none.
    """

    value: str
    file: Path
    line: int
    pieces: tuple[str, ...]
    setting: str = ""


@dataclass(frozen=True)
class Assignment:
    """A statement that gives a setting its value, or changes it.

    `block` is the line of the statement around it, such as an `if`, or its own.
    """

    file: Path
    line: int
    value: ast.expr | None
    block: int


def read(path: Path) -> str:
    """A source file's text, '' where there is none; undecodable bytes are replaced.

    A byte order mark is no part of it: Python does not mind one, its parser would.
    """
    try:
        return path.read_text("utf-8-sig", errors="replace")
    except OSError:
        return ""


def module_file(backend: Path, module: str) -> Path:
    """The file of a module: `a/b.py`, or `a/b/__init__.py` if it is a package."""
    path = backend.joinpath(*module.split("."))
    package = path / "__init__.py"
    return package if package.is_file() else path.with_suffix(".py")


def parsed(file: Path) -> ast.Module:
    """The syntax tree of a file, an empty one if Python could not read it either."""
    try:
        return parse(read(file))
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


class SettingsFiles:
    """The statements of a settings module, those of the modules it takes over included."""

    def __init__(self, backend: Path, module: str) -> None:
        self.backend = backend
        self.module = module
        self._statements = list(self._of(module, None, ()))

    @property
    def files(self) -> list[Path]:
        """The files that are read, in the order of their first statement."""
        return list(dict.fromkeys(file for file, _, _ in self._statements))

    def assignments(self, name: str) -> list[Assignment]:
        """Where a setting is assigned or changed, in the order in which that happens."""
        return [
            Assignment(file, node.lineno, _value(node), block)
            for file, node, block in self._statements
            if name in _names(node)
        ]

    def texts(self) -> Iterator[Text]:
        """Every text in the settings; two that only a comma would separate are one."""
        lines = {file: read(file).split("\n") for file in self.files}
        for file, node, _ in self._statements:
            setting = next((name for name in sorted(_names(node)) if name.isupper()), "")
            for child in _without_blocks(node):
                if isinstance(child, ast.Constant) and isinstance(child.value, str):
                    pieces = _pieces(lines[file], child)
                    yield Text(child.value, file, child.lineno, pieces, setting)

    def _of(
        self, module: str, wanted: set[str] | None, above: tuple[str, ...]
    ) -> Iterator[tuple[Path, ast.stmt, int]]:
        """The statements of a module, or only those that assign one of the names wanted.

        Each with its file, and the line of the statement of the module that holds it.
        """
        file = module_file(self.backend, module)
        if module in above or not file.is_file():
            return
        above = (*above, module)
        inside = ((node, top) for top in parsed(file).body for node in _flat([top]))
        for node, top in inside:
            if isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names}
                source = _absolute(module, file, node)
                yield from self._of(source, None if "*" in names else names, above)
            elif included := _included(node, file):
                for path in included:
                    dotted = ".".join(path.relative_to(self.backend).with_suffix("").parts)
                    yield from self._of(dotted, wanted, above)
            elif wanted is None or wanted & _names(node):
                yield file, node, top.lineno


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in the order of the file, those inside an `if` or a class after it."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from _flat(handler.body)


def _without_blocks(node: ast.stmt) -> Iterator[ast.AST]:
    """The parts of a statement; the statements inside it come by themselves."""
    if not hasattr(node, "body"):
        yield from ast.walk(node)


def _absolute(module: str, file: Path, node: ast.ImportFrom) -> str:
    """The module that `from .base import *` means."""
    if not node.level:
        return node.module or ""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    parts = package[: len(package) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _included(node: ast.stmt, file: Path) -> list[Path]:
    """The files that django-split-settings' `include("base.py")` names."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "include":
        return []
    named = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    patterns = [name for name in named if isinstance(name, str) and name]
    found = [path for name in patterns for path in sorted(file.parent.glob(name))]
    return [path for path in found if path.suffix == ".py"]


def _names(node: ast.stmt) -> set[str]:
    """The settings that a statement assigns or changes, their parts included."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        changes = isinstance(function, ast.Attribute) and function.attr in _CHANGES
        targets = (
            [function.value] if isinstance(function, ast.Attribute) and changes else []
        )
    else:
        targets = []
    return {name for target in targets for name in _bases(target)}


def _bases(target: ast.expr) -> Iterator[str]:
    """The names behind `X`, `X["default"]` and `X, Y`."""
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _bases(element)
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id


def _value(node: ast.stmt) -> ast.expr | None:
    """What a statement assigns to a setting as a whole; None if it only changes it."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return node.value if isinstance(target, ast.Name) else None
    return None


def _pieces(lines: Sequence[str], node: ast.Constant) -> tuple[str, ...]:
    """The texts that are side by side in the source, and that Python reads as one."""
    segment = _segment(lines, node)
    try:
        tokens = tokenize.generate_tokens(io.StringIO(f"({segment})").readline)
        texts = [t.string for t in tokens if t.type == tokenize.STRING]
        pieces = tuple(_literal(text) for text in texts)
    except (SyntaxError, ValueError, tokenize.TokenError):  # a part of an f-string
        return (str(node.value),)
    return pieces if "".join(pieces) == node.value else (str(node.value),)


def _segment(lines: Sequence[str], node: ast.Constant) -> str:
    """What ast.get_source_segment() gives; that one splits the source anew for each node."""
    assert node.end_lineno is not None and node.end_col_offset is not None
    raw = [line.encode() for line in lines[node.lineno - 1 : node.end_lineno]]
    raw[-1] = raw[-1][: node.end_col_offset]  # columns are counted in bytes
    raw[0] = raw[0][node.col_offset :]
    return b"\n".join(raw).decode()


def _literal(text: str) -> str:
    """The value of one literal of the source."""
    [statement] = parse(text).body
    assert isinstance(statement, ast.Expr)
    return str(ast.literal_eval(statement.value))


def evaluated(node: ast.expr | None) -> str | None:
    """The text that an expression gives while no variable is set; None if that is unknown.

    `os.environ.get("SETTINGS", "numeneon.settings.dev")` gives its second argument.
    """
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return _joined(node.values)
    if isinstance(node, ast.FormattedValue):
        return evaluated(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([node.left, node.right])
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return evaluated(node.values[-1])
    if isinstance(node, ast.IfExp):
        return evaluated(node.orelse)
    if isinstance(node, ast.Call):
        named = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
        return evaluated([*node.args[1:], *named][0]) if node.args[1:] or named else None
    return None


def _joined(parts: list[ast.expr]) -> str | None:
    texts = [evaluated(part) for part in parts]
    known = [text for text in texts if text is not None]
    return "".join(known) if len(known) == len(texts) else None

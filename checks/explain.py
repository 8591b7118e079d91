"""Reads source and logs to explain a failure that behaviour has shown; it judges nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from checks.errors import Place
from checks.harness.project import Project, read
from course.source import definitions, parse

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_SETS_UP = {"get_asgi_application", "setup"}
_SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"
_ROUTES = re.compile(r"websocket_urlpatterns|URLRouter")
_LOOK_YOURSELF = "start it yourself to see the whole output"


@dataclass(frozen=True)
class Cause:
    """The line that has to change, where it is known, and what to do with it."""

    place: Place | None
    todo: str


# The order of imports in asgi.py


def import_order(project: Project, log: str) -> Cause:
    """What to move, after a traceback which says that Django is not set up yet."""
    frames = [
        (Path(file), int(line))
        for file, line in _FRAME.findall(log)
        if Path(file).is_relative_to(project.root) and "site-packages" not in file
    ]
    if not frames:
        return Cause(None, _LOOK_YOURSELF)
    # asgi.py may leave the set-up to another module, where the order then matters.
    setting_up = [frame for frame in frames if _sets_up(_tree(frame[0]))]
    file, line = (setting_up or frames[:1])[-1]
    statement = _statement_at(_tree(file), line)
    if statement is None or _has_import(statement):
        return Cause(
            _place(project, file, line),
            "move that import below the line that calls get_asgi_application(); if a formatter "
            "such as autopep8 moved it up, `# noqa: E402` at its end keeps it there",
        )
    return _unnamed_settings(project, file, line)


def _unnamed_settings(project: Project, file: Path, setup_line: int) -> Cause:
    """Django was set up without knowing its settings: the line is missing, or too late."""
    naming = next(
        (s for s in _tree(file).body if _SETTINGS_VARIABLE in ast.unparse(s)), None
    )
    if naming is None:
        return Cause(
            _place(project, file, setup_line),
            f'add os.environ.setdefault("{_SETTINGS_VARIABLE}", '
            f'"{project.settings_module}") above that line',
        )
    if naming.lineno < setup_line:
        return Cause(_place(project, file, setup_line), _LOOK_YOURSELF)
    return Cause(
        _place(project, file, naming), f"move that line above line {setup_line} of the file"
    )


def _tree(file: Path) -> ast.Module:
    """A file's syntax tree, an empty one if it does not parse; a byte order mark is fine."""
    try:
        return parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _sets_up(tree: ast.Module) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(getattr(f, "attr", getattr(f, "id", "")) in _SETS_UP for f in calls)


def _statement_at(tree: ast.Module, line: int) -> ast.stmt | None:
    return next(
        (s for s in tree.body if s.lineno <= line <= (s.end_lineno or s.lineno)), None
    )


def _has_import(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.Import | ast.ImportFrom) for n in ast.walk(statement))


# Places in the project


def _place(project: Project, file: Path, at: int | ast.stmt | ast.expr) -> Place:
    """A line of the project, with its text."""
    line = at if isinstance(at, int) else at.lineno
    return Place(project.relative(file), line, _line(file, line).strip())


def _line(file: Path, number: int) -> str:
    lines = read(file).splitlines()
    return lines[number - 1] if number <= len(lines) else ""


# Routes


def taken_before(project: Project, path: str) -> Cause | None:
    """The pattern that matches an address before the one that is meant to, if there is one."""
    for file in _sources(project, _ROUTES):
        for node in ast.walk(_tree(file)):
            if not isinstance(node, ast.List | ast.Tuple):
                continue
            matching = [part for part in node.elts if _matches(part, path)]
            if len(matching) > 1:
                return Cause(
                    _place(project, file, matching[0]),
                    "patterns are tried from top to bottom, and this one matches every "
                    f"address: move it below line {matching[-1].lineno}",
                )
    return None


def place_of_routing(project: Project) -> Place | None:
    """A file routing.py in which nobody found routes; the symbol says what it has instead."""
    for file in sorted(project.backend.rglob("routing.py")):
        if "site-packages" in file.parts:
            continue
        names = {name: node for name, node in definitions(_tree(file)) if "." not in name}
        if not names:
            said = "defines nothing" if read(file).strip() else "is empty"
            return Place(project.relative(file), symbol=said)
        name, node = list(names.items())[-1]
        return Place(
            project.relative(file), node.lineno, f"defines {name}, line {node.lineno}"
        )
    return None


def is_imported(project: Project, place: Place) -> bool:
    """Whether a module takes the name at that place from its file: it may be called anything."""
    name = re.escape(place.symbol)
    using = re.compile(rf"\b{re.escape(Path(place.file).stem)}\b.*\b{name}\b")
    return any(_sources(project, using))


def place_of_routes(project: Project) -> Place | None:
    """Where the list of socket routes begins."""
    return _first_line(project, re.compile(r"^websocket_urlpatterns\s*[:=]"))


def place_of_consumer(project: Project) -> Place | None:
    """Where a consumer decides whom it lets in."""
    return _first_line(project, re.compile(r"^\s+(async )?def connect\b"))


def place_of_middleware(project: Project) -> Place | None:
    """Where the ASGI middleware begins that knows whose socket it is."""
    return _first_line(
        project, re.compile(r"^(class|def|async def) \w*(JWT|Token|Auth)\w*Middle")
    )


def place_of_bare_accept(project: Project) -> Place | None:
    """Where a consumer accepts a socket without choosing a subprotocol."""
    return _first_line(project, re.compile(r"^\s+(await )?self\.accept\(\)"))


def kept_on_self(project: Project, place: Place | None) -> Place | None:
    """The line of the class at that place which changes the object itself after it is made.

    A middleware is one object for all connections: what it keeps of one, the next changes.
    """
    if place is None:
        return None
    file = project.root / place.file
    classes = [node for node in ast.walk(_tree(file)) if isinstance(node, ast.ClassDef)]
    around = [c for c in classes if c.lineno <= (place.line or 0) <= (c.end_lineno or 0)]
    for method in around[-1].body if around else []:
        if getattr(method, "name", "__init__") == "__init__":
            continue
        for node in ast.walk(method):
            if _changes_self(node):
                return _place(project, file, node)
    return None


def _changes_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Whether it is `self.name`, or a part of it, on the left of an assignment."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def dispatching_line(project: Project, consumer: Place | None) -> Place | None:
    """The line of a consumer's file that calls a method by a name which comes from outside."""
    if consumer is None:
        return None
    file = project.root / consumer.file
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Call) and _called(node) in ("getattr", "dispatch"):
            name = node.args[1] if len(node.args) > 1 else None
            if not isinstance(name, ast.Constant):
                return _place(project, file, node)
    return method_of(project, consumer, "receive", "receive_json", "websocket_receive")


def closing_line(project: Project, consumer: Place | None) -> Place | None:
    """The line of connect() that closes the socket, else that method, or the consumer."""
    decides = method_of(project, consumer, "connect", "websocket_connect")
    if decides is None:
        return None
    file = project.root / decides.file
    for method in ast.walk(_tree(file)):
        if isinstance(method, ast.AsyncFunctionDef | ast.FunctionDef):
            calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
            closing = [node for node in calls if ast.unparse(node.func) == "self.close"]
            if method.lineno == decides.line and closing:
                return _place(project, file, closing[0])
    return decides


def method_of(project: Project, part: Place | None, *names: str) -> Place | None:
    """The first method of one of these names in the class at that place, else the class."""
    if part is None:
        return None
    file = project.root / part.file
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ClassDef) and node.lineno == part.line:
            for method in node.body:
                if getattr(method, "name", "") in names:
                    return _place(project, file, method)
    return part


def _first_line(project: Project, pattern: re.Pattern[str]) -> Place | None:
    for file in sorted(project.backend.rglob("*.py")):
        if {"site-packages", "tests"} & set(file.parts) or file.name.startswith("test"):
            continue
        for number, text in enumerate(read(file).splitlines(), 1):
            if pattern.match(text):
                return Place(project.relative(file), number, text.strip().rstrip(":=[ "))
    return None


def class_in_routes(project: Project) -> Cause | None:
    """The route that holds a consumer's class itself instead of what as_asgi() returns."""
    for file in _sources(project, _ROUTES):
        for node in ast.walk(_tree(file)):
            if not (isinstance(node, ast.Call) and _called(node) in ("path", "re_path")):
                continue
            target = node.args[1] if len(node.args) > 1 else None
            if isinstance(target, ast.Name | ast.Attribute):
                name = ast.unparse(target)
                return Cause(
                    _place(project, file, target), f"write {name}.as_asgi() in that route"
                )
    return None


def _sources(project: Project, pattern: re.Pattern[str]) -> Iterator[Path]:
    """The project's modules that hold that text."""
    for file in sorted(project.backend.rglob("*.py")):
        if "site-packages" not in file.parts and pattern.search(read(file)):
            yield file


def _matches(route: ast.expr, path: str) -> bool:
    """Whether a call of re_path() has a pattern which matches that address."""
    if not (isinstance(route, ast.Call) and _called(route) == "re_path" and route.args):
        return False
    pattern = route.args[0]
    if not (isinstance(pattern, ast.Constant) and isinstance(pattern.value, str)):
        return False
    try:
        return re.search(pattern.value, path.lstrip("/")) is not None
    except re.error:
        return False


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))

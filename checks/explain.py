"""Reads source and logs to explain a failure that behaviour has shown; it judges nothing."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.errors import EnvironmentFault, Place
from checks.harness.logs import last_words
from checks.harness.project import Project, read

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_NO_MODULE = re.compile(r"No module named '?([\w.]+)")
_SETS_UP = {"get_asgi_application", "setup"}
_SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"
_ROUTES = re.compile(r"websocket_urlpatterns|URLRouter")
_LOOK_YOURSELF = "start it yourself to see the whole output"


@dataclass(frozen=True)
class Cause:
    """The line that has to change, where it is known, and what to do with it."""

    place: Place | None
    todo: str


# Why a process died


def culprit(project: Project, log: str, place: Place | None) -> Cause:
    """What has to change after a process died; `place` is where its traceback ended."""
    if "(daphne.E001)" in log:
        todo = 'move "daphne" above "django.contrib.staticfiles" in INSTALLED_APPS'
        return Cause(place_of_text(project, "daphne") or place, todo)
    named = _NO_MODULE.search(last_words(log))
    if named and (cause := _misnamed(project, named[1], place)):
        return cause
    if place is None or _is_passed_on(project, log, place):
        return Cause(None, _LOOK_YOURSELF)
    return Cause(place, "fix that line, then check again")


def _misnamed(project: Project, module: str, place: Place | None) -> Cause | None:
    """The text, in the settings or where it failed, that names a module which is not there."""
    if place and place.line and module in _line(project.root / place.file, place.line):
        return None  # an import says the name itself
    spots = list(_texts_in_settings(project))
    if place:
        spots += _texts_in(project.root / place.file)
    for file, node in spots:
        if node.value != module and not str(node.value).startswith(f"{module}."):
            continue
        found = _place(project, file, node)
        if node.end_lineno != node.lineno:
            todo = (
                f"add a comma after line {node.lineno}: without it Python joins two texts"
            )
            return Cause(found, todo)
        return Cause(found, "correct that name, or remove it if it is not there yet")
    return None


def _is_passed_on(project: Project, log: str, place: Place) -> bool:
    """Whether the learner's last line is manage.py, which every command passes through."""
    frames = [Path(file) for file, _ in _FRAME.findall(log)]
    return place.file.endswith("manage.py") and not frames[-1].is_relative_to(project.root)


def require_package(project: Project, log: str) -> None:
    """Raise EnvironmentFault if a process died of an unfit interpreter, not of its code.

    That is one which cannot start at all, or which lacks a package that the course uses:
    one that the tutorial's own environment has.
    """
    named = _NO_MODULE.search(last_words(log))
    package = named[1].partition(".")[0] if named else ""
    if "Fatal Python error" in log or package == "encodings":
        raise EnvironmentFault(
            f"{project.python} does not start: {last_words(log)}",
            todo="make the virtual environment again, or name another Python with --python",
        )
    if project.python == Path(sys.executable) or not _is_installed_here(package):
        return
    own = (project.backend / package, project.backend / f"{package}.py")
    if not any(path.exists() for path in own):
        raise EnvironmentFault(
            f"{project.python} has no package {package!r}",
            todo="install the project's packages there: "
            f"{project.python} -m pip install -r requirements.txt",
        )


def _is_installed_here(package: str) -> bool:
    """Whether it is a package that was installed into the tutorial's own environment."""
    spec = importlib.util.find_spec(package) if package else None
    return bool(spec and spec.origin and "site-packages" in Path(spec.origin).parts)


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
            "move that import below the line that calls get_asgi_application(); a formatter "
            "that sorts imports will move it back, so tell it to leave this file alone",
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
        return ast.parse(file.read_bytes())
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


def place_of_text(project: Project, text: str) -> Place | None:
    """Where the settings have that text, in quotes and alone."""
    for file, node in _texts_in_settings(project):
        if node.value == text:
            return _place(project, file, node)
    return None


def place_of_setting(project: Project, name: str) -> Place:
    """Where a setting gets its value, the settings file where that cannot be seen."""
    for file in _settings_files(project):
        for node in ast.walk(_tree(file)):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                return Place(project.relative(file), targets[0].lineno, name)
    return Place(project.relative(project.settings_file), symbol=name)


def _settings_files(project: Project) -> list[Path]:
    """The settings module, and the others beside it if settings are a package."""
    file = project.settings_file
    folder = file.parent if file.parent.name == "settings" else file.with_suffix("")
    own = [file] if file.is_file() else []
    return [*own, *sorted(other for other in folder.glob("*.py") if other != file)]


def _texts_in_settings(project: Project) -> Iterator[tuple[Path, ast.Constant]]:
    for file in _settings_files(project):
        yield from _texts_in(file)


def _texts_in(file: Path) -> Iterator[tuple[Path, ast.Constant]]:
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield file, node


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

"""Finds the environment variables that a project reads, by recording what it reads.

The settings are loaded as on a developer's machine, as in production, and in production
without each variable in turn: what they say then is what the reference quotes.
"""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from tools.site.introspection import Variable

# Production is where Django's DEBUG is off; what the host sets is added to it.
_PRODUCTION = {"DEBUG": "false"}
# What a variable that the settings demand may look like, tried in this order.
_SAMPLES = (
    "a-long-text-that-nobody-guesses-0123456789-abcdefghijklmnopqrstuvwxyz",
    "postgres://user:password@127.0.0.1:5432/name",
    "redis://127.0.0.1:6379/0",
    "https://example.com",
    "example.com",
    "1",
)
# Names of modules that are known to belong to no project.
_FOREIGN: set[str] = set()
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")

# Line and column, as ast and code objects count them.
End = tuple[int | None, int | None]


class NotReadable(Exception):
    """The settings do not load; the text says with which variables, and how they end."""


@dataclass(frozen=True)
class Project:
    """Where a backend is, its settings module, and what its host is known to set."""

    backend: Path
    settings: str
    values: Mapping[str, str] = field(default_factory=dict)

    def owns(self, filename: str) -> bool:
        """Whether a file is the project's own code, not that of a library."""
        inside = filename.startswith(str(self.backend) + os.sep)
        return inside and "site-packages" not in filename


@dataclass(frozen=True)
class Read:
    """One variable that the project's code asked for, the default, and where it asked."""

    name: str
    default: str
    file: str
    line: int


class RecordingEnviron(dict[str, str]):
    """Takes the place of os.environ, and remembers what the project reads from it.

    The project sees the variables that it was given and no others. Libraries see those of
    the process: what they read for themselves is not a setting of the project.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.project: Project | None = None
        self.given: dict[str, str] = {}
        self.reads: list[Read] = []
        self._process = dict(environ)

    def begin(self, project: Project, given: Mapping[str, str]) -> None:
        """Become the environment of a project, as if a process of its own had just started.

        Its modules are imported anew; those of libraries stay, which saves a second each.
        """
        if self.project is not None:
            _forget(self.project)
            sys.path.remove(str(self.project.backend))
        sys.path.insert(0, str(project.backend))
        os.chdir(project.backend)
        self.project, self.given, self.reads = project, dict(given), []

    def _seen(self, name: str, default: object = None) -> dict[str, str]:
        """The variables that the caller may see; if it is the project, its read is recorded."""
        frame = self._project_frame()
        if frame is None or name == "DJANGO_SETTINGS_MODULE":  # that one is Django's
            return self._process
        file = frame.f_code.co_filename
        given = str(default) if isinstance(default, str | int | float) else ""
        self.reads.append(
            Read(name, given or _default_at(frame), file, frame.f_lineno or 0)
        )
        return self.given

    def _project_frame(self) -> FrameType | None:
        """The project's code that asks for a variable, itself or through a library's function.

        None if a library asks for itself. That is so while it is being imported, and always
        in the standard library: Path.home() reads HOME, and no project calls that a setting.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and self.project is not None:
            file = frame.f_code.co_filename
            if self.project.owns(file):
                return frame
            # os.getenv() is part of the standard library, but only passes the question on.
            passes_on = frame.f_globals.get("__name__") in {"os", __name__}
            if not passes_on and _is_standard(file):
                return None
            frame = frame.f_back
        return None

    # Whatever a mapping offers for reading one variable

    def get(self, name: str, default: Any = None) -> Any:
        return self._seen(name, default).get(name, default)

    def __getitem__(self, name: str) -> str:
        return self._seen(name)[name]

    def __contains__(self, name: object) -> bool:
        return name in self._seen(str(name))

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self._seen(name, default):
            self[name] = default
        return self.given.get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        seen = self._seen(name, *default)
        dict.pop(self, name, None)
        return seen.pop(name, *default)

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name, value)
        self.given[name] = self._process[name] = value


class Settings:
    """One project's settings, which can be loaded under any variables."""

    def __init__(self, project: Project, environ: RecordingEnviron) -> None:
        self.project = project
        self._environ = environ

    def variables(self) -> list[Variable]:
        """Every variable that they read, in development or in production, in their order.

        Raises NotReadable.
        """
        development, production = self.development(), self.production()
        reads = self._reads(development) + self._reads(production)
        files = list(dict.fromkeys(read.file for read in reads))
        reads.sort(key=lambda read: (files.index(read.file), read.line))
        return [
            Variable(found.name, found.default, self._said_without(found.name, production))
            for found in merged(Variable(read.name, read.default) for read in reads)
        ]

    def development(self) -> dict[str, str]:
        """The variables without which they do not even load on a developer's machine."""
        return self._completed({})

    def production(self) -> dict[str, str]:
        """Variables with which they load in production, made up where need be."""
        return self._completed(_PRODUCTION | dict(self.project.values))

    def _completed(self, given: dict[str, str]) -> dict[str, str]:
        """`given`, and what the settings demand besides, one after the other."""
        while (error := self._error(given)) is not None:
            given = self._one_more(given, error)
        return given

    def _one_more(self, given: dict[str, str], error: BaseException) -> dict[str, str]:
        """`given` with a value for the variable that the settings ended for the lack of.

        It is one that they have read: if the error names one, that one, else the last.
        """
        names = [read.name for read in reversed(self._environ.reads)]
        names = [name for name in dict.fromkeys(names) if name not in given]
        for name in sorted(names, key=lambda name: name not in str(error)):
            for sample in _SAMPLES:
                after = self._error(given | {name: sample})
                if after is None or _is_about_another(after, error, name):
                    return given | {name: sample}
        known = ", ".join(given) or "no variable"
        raise NotReadable(
            f"{self.project.settings} does not load with {known} set: "
            f"{type(error).__name__}: {error}"
        )

    def _said_without(self, name: str, production: Mapping[str, str]) -> str:
        """How they end in production without that variable; '' if they load."""
        if name not in production:
            return ""
        error = self._error({k: v for k, v in production.items() if k != name})
        if error is None:
            return ""
        if isinstance(error, ImproperlyConfigured):
            return " ".join(str(error).split())
        return f"Without it the settings end with {type(error).__name__}: {error}"

    def _error(self, given: Mapping[str, str]) -> BaseException | None:
        """The error with which they end under these variables, if they do."""
        self._environ.begin(self.project, given)
        try:
            importlib.import_module(self.project.settings)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code
            return error
        return None

    def _reads(self, given: Mapping[str, str]) -> list[Read]:
        self._error(given)
        return self._environ.reads


def merged(variables: Iterable[Variable]) -> list[Variable]:
    """Each name once, where it comes first, with the first default that there is for it."""
    found: dict[str, Variable] = {}
    for variable in variables:
        known = found.setdefault(variable.name, variable)
        found[variable.name] = replace(known, default=known.default or variable.default)
    return list(found.values())


def _is_about_another(after: BaseException, before: BaseException, name: str) -> bool:
    """Whether settings that lacked a variable have got past it, and now lack the next."""
    lacks = isinstance(after, ImproperlyConfigured | KeyError)
    return lacks and name not in str(after) and str(after) != str(before)


def _is_standard(file: str) -> bool:
    """Whether a file belongs to Python itself; parts of it are frozen into the interpreter."""
    inside = file.startswith(("<frozen", _STANDARD_LIBRARY + os.sep))
    return inside and "site-packages" not in file


def _forget(project: Project) -> None:
    """Make Python import a project's modules anew."""
    for name in sys.modules.keys() - _FOREIGN:
        if any(project.owns(place) for place in _places(sys.modules[name])):
            del sys.modules[name]
        else:
            _FOREIGN.add(name)


def _places(module: ModuleType) -> Iterator[str]:
    """The file of a module; the folders of a package that has no file."""
    file = getattr(module, "__file__", None)
    yield from [file] if file else map(str, getattr(module, "__path__", ()))


def _default_at(frame: FrameType) -> str:
    """The default that the source gives where it reads a variable: `or "x"`, `default="x"`."""
    _, last_line, _, last_column = _position(frame)
    return _defaults_in(frame.f_code.co_filename).get((last_line, last_column), "")


@functools.cache
def _defaults_in(file: str) -> dict[End, str]:
    """The defaults in a source file, by where the expressions end that they replace."""
    found: dict[End, str] = {}
    for node in ast.walk(ast.parse(Path(file).read_bytes())):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            for part in node.values[:-1]:
                found[part.end_lineno, part.end_col_offset] = _constant(node.values[-1])
        elif isinstance(node, ast.Call):
            for word in node.keywords:
                if word.arg == "default":
                    found[node.end_lineno, node.end_col_offset] = _constant(word.value)
    return found


def _position(
    frame: FrameType,
) -> tuple[int | None, int | None, int | None, int | None]:
    """First line, last line, first and last column of what a frame is computing right now."""
    # Two bytes per instruction, hence the half.
    positions = itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None)
    return next(positions, (None, None, None, None))


def _constant(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""

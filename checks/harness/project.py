"""Finds a learner's project: its manage.py, its settings, the Python that runs it."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness.settings_files import (
    SettingsFiles,
    evaluated,
    module_file,
    parsed,
)
from checks.harness.settings_files import read as read  # for who reads other source
from course import contract, processes
from course.processes import Process

_VARIABLE = "DJANGO_SETTINGS_MODULE"
# Where a project without a word about its settings is likely to have them, best first.
_LIKELY = (
    "*/settings.py",
    "*/settings/dev*.py",
    "*/settings/local.py",
    "*/settings/base.py",
)
_PRINT_ASGI = (
    "import importlib, sys; settings = importlib.import_module(sys.argv[1]); "
    "print('RESULT', getattr(settings, 'ASGI_APPLICATION', None))"
)


@dataclass(frozen=True)
class Project:
    """Where things are in a project; `backend` and `root` are absolute folders."""

    root: Path
    backend: Path
    python: Path
    settings_module: str

    @property
    def package(self) -> str:
        """The package that holds asgi.py (`numeneon` in the course), '' if none does.

        It is seldom the one of the settings where those are a package themselves.
        """
        above = self.settings_module.split(".")[:-1]
        packages = [".".join(above[:n]) for n in range(len(above), -1, -1)]
        for name in ("asgi.py", "wsgi.py", "urls.py"):
            for package in packages:
                if self._folder(package).joinpath(name).is_file():
                    return package
            if others := sorted(self.backend.glob(f"*/{name}")):
                return others[0].parent.name
        return above[0] if above else ""

    def _folder(self, package: str) -> Path:
        return self.backend.joinpath(*package.split(".")) if package else self.backend

    @property
    def settings(self) -> SettingsFiles:
        """The source of the settings as it is now."""
        return SettingsFiles(self.backend, self.settings_module)

    @property
    def settings_file(self) -> Path:
        """The file to change settings in: the one with the apps, where there are several."""
        apps = self.settings.assignments("INSTALLED_APPS")
        return apps[-1].file if apps else module_file(self.backend, self.settings_module)

    def setting(self, name: str) -> Place:
        """Where a setting gets its value, or the file it belongs into.

        What is read last counts; of the branches of one `if` the first is named.
        """
        if found := self.settings.assignments(name):
            last = (found[-1].file, found[-1].block)
            first = next(one for one in found if (one.file, one.block) == last)
            return Place(self.relative(first.file), first.line, name)
        return Place(self.relative(self.settings_file), symbol=name)

    def text_in_settings(self, text: str) -> Place | None:
        """Where the settings have that text, in quotes and alone."""
        found = next((one for one in self.settings.texts() if one.value == text), None)
        return Place(self.relative(found.file), found.line, f'"{text}"') if found else None

    @property
    def asgi(self) -> str:
        """`module:attribute` of the ASGI application, as daphne wants it.

        It is what ASGI_APPLICATION says: the text in the source if there is one, else what
        a fresh process says, which loads the settings. Without the setting it is
        `application` in the package with asgi.py.
        """
        found = self.settings.assignments("ASGI_APPLICATION")
        texts = {_literal(assignment.value) for assignment in found}
        said = texts.pop() if len(texts) == 1 else None
        if said is None and found:
            said = self._loaded_asgi()
        module, _, name = (said or "").rpartition(".")
        if module:
            return f"{module}:{name}"
        return f"{self.package}.asgi:application".lstrip(".")

    def _loaded_asgi(self) -> str | None:
        """What ASGI_APPLICATION is in a process that has read the settings."""
        env = contract.without_steering(os.environ) | {
            _VARIABLE: self.settings_module,
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECRET_KEY": "a-key-for-reading-one-setting",
        }
        argv = [str(self.python), "-c", _PRINT_ASGI, self.settings_module]
        process = Process(argv, cwd=self.backend, env=env)
        try:
            process.wait(processes.START_SECONDS)
            _, found, rest = process.log().rpartition("RESULT ")
            return rest.strip() if found else None
        finally:
            process.kill()

    def relative(self, path: Path) -> str:
        """A path as the learner writes it, with forward slashes."""
        return path.relative_to(self.root).as_posix()


def _literal(node: ast.expr | None) -> str | None:
    text = node.value if isinstance(node, ast.Constant) else None
    return text if isinstance(text, str) else None


def find(root: Path, python: str | None = None) -> Project:
    """Describe the project in `root`.

    `python` names the interpreter; without it the project's own virtual environment is
    taken, and where it has none the one that runs this command. Raises NotYet if there
    is no Django project, EnvironmentFault if the interpreter cannot be started.
    """
    root = root.absolute()
    if not root.is_dir():
        raise NotYet(
            f"the folder {root} does not exist",
            expected="a folder with a Django project in it",
            todo="give the project's folder with --project",
        )
    backend = _backend(root)
    return Project(root, backend, _python(root, backend, python), _settings(backend))


def _backend(root: Path) -> Path:
    for folder in (root, root / "backend"):
        if (folder / "manage.py").is_file():
            return folder
    others = sorted(root.glob("*/manage.py"))
    if others:
        return others[0].parent
    raise NotYet(
        f"no manage.py in {root} nor one folder below it",
        expected="a Django project: a folder with manage.py",
        todo="give the project's folder with --project, or start over in a new folder "
        "with: python3 tutorial.py catch-up 0",
    )


def _settings(backend: Path) -> str:
    """The settings module that manage.py names while no variable is set, or a guess."""
    said = (evaluated(value) for value in _said_of_settings(parsed(backend / "manage.py")))
    if named := next((text for text in said if text), None):
        return named
    guesses = [path for pattern in _LIKELY for path in sorted(backend.glob(pattern))]
    if not guesses:
        return "settings"
    parts = guesses[0].relative_to(backend).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _said_of_settings(tree: ast.Module) -> Iterable[ast.expr]:
    """What a file gives to DJANGO_SETTINGS_MODULE: by setdefault(), or as an item."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > 1:
            key, value = node.args[0], node.args[1]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key, value = node.targets[0].slice, node.value
        else:
            continue
        if isinstance(key, ast.Constant) and key.value == _VARIABLE:
            yield value


def _python(root: Path, backend: Path, named: str | None) -> Path:
    if named:
        return _startable(Path(named).expanduser(), "the interpreter given with --python")
    below = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    for folder in dict.fromkeys((root, backend)):
        for name in (".venv", "venv", "env"):
            if (folder / name / "pyvenv.cfg").is_file():
                what = f"the project's virtual environment {folder / name}"
                return _startable(folder / name / below, what)
    return Path(sys.executable)


def _startable(path: Path, what: str) -> Path:
    if path.is_file() and os.access(path, os.X_OK):
        return path.absolute()
    raise EnvironmentFault(
        f"{what} cannot be started: {path}",
        todo="recreate the virtual environment, or use another interpreter with --python",
    )

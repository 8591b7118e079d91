"""Finds a learner's project: its manage.py, its settings, the Python that runs it."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from checks.errors import EnvironmentFault, NotYet

_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*[,\]]\s*=?\s*["']([\w.]+)["']""")
_ASGI = re.compile(r"""^ASGI_APPLICATION\s*=\s*["']([\w.]+)\.(\w+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """Where things are in a project; `backend` and `root` are absolute folders."""

    root: Path
    backend: Path
    python: Path
    settings_module: str

    @property
    def package(self) -> str:
        """The package that holds the settings (`numeneon` in the course)."""
        return self.settings_module.rpartition(".")[0]

    @property
    def settings_file(self) -> Path:
        return self.backend.joinpath(*self.settings_module.split(".")).with_suffix(".py")

    @property
    def asgi(self) -> str:
        """`module:attribute` of the ASGI application, as daphne wants it."""
        named = _ASGI.search(read(self.settings_file))
        if named:
            return f"{named[1]}:{named[2]}"
        return f"{self.package}.asgi:application".lstrip(".")

    def relative(self, path: Path) -> str:
        """A path as the learner writes it, with forward slashes."""
        return path.relative_to(self.root).as_posix()


def read(path: Path) -> str:
    """A source file's text, '' where there is none; undecodable bytes are replaced."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def find(root: Path, python: str | None = None) -> Project:
    """Describe the project in `root`.

    `python` names the interpreter; without it the project's own virtual environment is
    taken, and where it has none the one that runs this command. Raises NotYet if there
    is no Django project, EnvironmentFault if the interpreter cannot be started.
    """
    root = root.absolute()
    if not root.is_dir():
        raise NotYet(
            f"there is no folder {root}",
            expected="a folder with a Django project in it",
            todo="name the project's folder with --project",
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
        todo="name the project's folder with --project, or start over in a new folder "
        "with: python3 tutorial.py catch-up 0",
    )


def _settings(backend: Path) -> str:
    named = _SETTINGS.search(read(backend / "manage.py"))
    if named:
        return named[1]
    guesses = sorted(backend.glob("*/settings.py"))
    return f"{guesses[0].parent.name}.settings" if guesses else "settings"


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
        todo="make the virtual environment anew, or name another interpreter with --python",
    )

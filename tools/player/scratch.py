"""A scratch copy of the tutorial, in which the player does what a learner does."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course import ROOT, Step, contract
from course.files import OWN_FILES, copy_tree, files_of
from course.processes import Process, free_port
from tools.player.matching import as_shown, rewritten
from tools.player.warm import Cold, Started
from tools.site import differences

PACKAGES = ("checks", "course", "tools", "workshop")
FOLDERS = ("docs", "steps", "final")
TYPIST = Path(__file__).with_name("typist.py").as_posix()
FILES = ("tutorial.py", "mkdocs.yml", "requirements.in", "requirements.txt")
# What our own pytest, or CI, may hold that a learner's terminal does not.
OURS = {
    "BUILD_NUMBER",
    "CI",
    "COLORTERM",
    "FORCE_COLOR",
    "NUMENEON_IN_VENV",
    "NUMENEON_PIPE",
    "PYTHONPATH",
    "PY_COLORS",
}
OUR_PREFIXES = ("COV_", "PYTEST_")
SETTLED = {
    "COLUMNS": "80",
    "NO_COLOR": "1",
    # A learner's edits are seconds apart; ours could leave a stale file in the cache.
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    # Every package is here already: pip has to say so, and cannot fetch anything.
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INDEX": "1",
}


@dataclass(frozen=True)
class Scratch:
    """The copy: its folder, and the ports that take the place of 8000 and 8001 in it.

    `commands` starts what is typed.
    """

    root: Path
    port: int
    second_port: int
    commands: Cold

    @property
    def workspace(self) -> Path:
        """The learner's own project."""
        return self.root / "workspace"

    def start(
        self, command: str, folder: Path, variables: Mapping[str, str] | None = None
    ) -> Started:
        """Start a command of a page; it ends when we do, however we end."""
        env = environment() | dict(variables or {})
        return self.commands.start(self._argv(command), folder, env, self.root)

    def shell(self, folder: Path, variables: Mapping[str, str]) -> Process:
        """Start `manage.py shell`: it types what say() names, and ends when we do."""
        command = (
            f"""python manage.py shell --no-imports -c "exec(open('{TYPIST}').read())" """
        )
        return Process(self._argv(command), cwd=folder, env=environment() | dict(variables))

    def _argv(self, command: str) -> list[str]:
        """What is run for a command: as in a terminal with the environment switched on."""
        name, *arguments = shlex.split(self.rewritten(command))
        if name == "python3" and arguments[:1] == ["tutorial.py"]:
            return [sys.executable, "-m", "workshop", *arguments[1:]]
        return [sys.executable if name == "python" else name, *arguments]

    def rewritten(self, text: str) -> str:
        """What a page has people type, with the copy's ports in the place of 8000 and 8001."""
        return rewritten(text, self.port, self.second_port)

    def said(self, process: Started) -> list[str]:
        """What a process has printed so far, as a page would show it."""
        lines = process.log().splitlines()
        return as_shown(lines, self.port, str(self.root), self.second_port)

    def port_of(self, command: str) -> int:
        """The port at which the server of a command answers."""
        second = "8001" in command or "8443" in command
        return self.second_port if second else self.port


def make(root: Path, step: Step | None, commands: Cold) -> Scratch:
    """A copy of the tutorial in the folder `root`, which is made.

    For a step's page the workspace is as after the step before; for other pages there is
    none yet.
    """
    root = root.resolve()
    root.mkdir(parents=True)
    for name in (*PACKAGES, *FOLDERS):
        # Packages come with what is compiled, or each command of a page would do that again;
        # another process may be writing such a file, under a name that ends with a number.
        left_out = "*.pyc.*" if name in PACKAGES else "__pycache__"
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns(left_out))
    for name in FILES:
        shutil.copy2(ROOT / name, root)
    scratch = Scratch(root, free_port(), free_port(), commands)
    if step:
        copy_tree((differences.before(step) or step).folder, scratch.workspace)
    return scratch


def environment() -> dict[str, str]:
    """A learner's environment variables: those of this process without what steers, with
    the interpreter that runs this first in the path."""
    kept_ones = {
        name: value
        for name, value in contract.without_steering(os.environ).items()
        if name not in OURS and not name.startswith(OUR_PREFIXES)
    }
    folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    return kept_ones | SETTLED | {"PATH": path, "VIRTUAL_ENV": sys.prefix}


def unlike(step: Step, workspace: Path) -> list[str]:
    """How a workspace differs from a step's snapshot, in words; READMEs, databases and
    caches left out."""
    there, wanted = contents(workspace), contents(step.folder)
    words: list[str] = []
    for path in sorted({*there, *wanted}):
        if there.get(path) == wanted.get(path):
            continue
        if path not in wanted:
            words.append(f"{path} is there, and not in steps/{step.slug}")
        elif path not in there:
            words.append(f"{path} is missing")
        else:
            words.append(_unlike(path, there[path], wanted[path]))
    return words


def contents(root: Path) -> dict[str, bytes]:
    """The files of a project with what is in them, without READMEs and its own files."""
    paths = [
        path
        for path in files_of(root)
        if not differences.is_readme(path) and path not in OWN_FILES
    ]
    return {path: (root / path).read_bytes() for path in paths}


def _unlike(path: str, there: bytes, wanted: bytes) -> str:
    """The first lines that a file lacks or has too many of."""
    change = differences.Change(path, there.decode(), wanted.decode())
    lines = [line for line in change.unified() if line[:1] in "+-"]
    return f"{path} differs (+ is never shown, - is left over): " + " | ".join(lines[:6])

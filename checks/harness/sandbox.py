"""A scratch copy of the project, so that a check cannot touch the learner's files."""

from __future__ import annotations

import functools
import importlib.util
import marshal
import os
import re
import shutil
import stat
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from checks.errors import EnvironmentFault, Place
from checks.harness.project import Project
from course import scratch
from course.files import tree_to_judge

# A tutorial backend is some hundred files; ten times the generous guess means that
# somebody pointed the command at a home folder.
_MOST_FILES = 10_000
_MOST_BYTES = 50 * 1024 * 1024
# As a traceback has it, or without a comma, as faulthandler does.
_FRAME = re.compile(r'File "([^"]+)", line (\d+)(?:,? in (\S+))?')

# Flags of a .pyc that Python compares with the source by its hash.
_CHECKED_HASH = 0b11

# When a file was changed, and its size.
Stamp = tuple[int, int]


class Sandbox:
    """A private folder with a copy of the project in it; removed by close()."""

    def __init__(self, project: Project) -> None:
        self.original = project
        self.folder = scratch.make(scratch.CHECK)
        self._copied: dict[str, Stamp] = {}
        self._folders: set[Path] = set()
        self._compiled: dict[str, Stamp] = {}
        root = self.folder / "project"
        self.project = replace(
            project, root=root, backend=root / project.backend.relative_to(project.root)
        )
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    @property
    def files(self) -> set[str]:
        """The files that it has, relative to the project."""
        return set(self._copied)

    def refresh(self) -> set[str]:
        """Bring the copy up to date; returns the changed paths, relative to the project."""
        folders, files = _tree(self.original.root)
        before = self._copied
        self._copied = {}
        self._drop(before.keys() - files.keys())  # a folder may have taken a file's name
        self._copy_folders(folders)
        for name, stamp in files.items():
            if before.get(name) == stamp or self._copy(name):
                self._copied[name] = stamp
        names = before.keys() | self._copied.keys()
        return {name for name in names if before.get(name) != self._copied.get(name)}

    def _drop(self, names: set[str]) -> None:
        for name in names:
            (self.project.root / name).unlink(missing_ok=True)

    def _copy_folders(self, folders: set[Path]) -> None:
        """Have the same folders, empty ones too: a project may write its log into one."""
        # What a removed app leaves behind could still be imported, as a namespace package.
        for gone in self._folders - folders:
            shutil.rmtree(self.project.root / gone, ignore_errors=True)
        for folder in folders:
            (self.project.root / folder).mkdir(parents=True, exist_ok=True)
        self._folders = folders

    def _copy(self, name: str) -> bool:
        """Copy one file; False if it has gone, as the temporary file of an editor has."""
        source, target = self.original.root / name, self.project.root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
        except FileNotFoundError:
            self._drop({name})
            return False
        except OSError as error:
            raise EnvironmentFault(
                f"cannot read {source}: {error.strerror}",
                todo="make the file readable, then check again",
            ) from error
        return True

    def compile(self) -> None:
        """Compile what has changed, so that the programs to come need not: each of them would.

        A Python compares such a file with its source, and ignores one of another Python.
        """
        for name, stamp in self._copied.items():
            if name.endswith(".py") and self._compiled.get(name) != stamp:
                self._compiled[name] = stamp
                _compile(str(self.project.root / name))

    def as_learner(self, text: str) -> str:
        """Text from a process, with the scratch paths put back to the learner's own."""
        return text.replace(str(self.project.root), str(self.original.root))

    def place_in(self, traceback: str) -> Place | None:
        """The last line of the learner's own code in a traceback (or SyntaxError).

        manage.py calls everything, so it is the place only if the error is raised there.
        """
        frames = _FRAME.findall(traceback)
        for file, line, symbol in reversed(frames):
            own = self._own(Path(file))
            if own and (own != self._manage or (file, line, symbol) == frames[-1]):
                return Place(own, int(line), "" if symbol == "<module>" else symbol)
        return None

    @property
    def _manage(self) -> str:
        return self.project.relative(self.project.backend / "manage.py")

    def _own(self, path: Path) -> str | None:
        """A file of the learner's, as a relative path; None for everybody else's."""
        for root in (self.project.root, self.original.root):
            if path.is_relative_to(root) and "site-packages" not in path.parts:
                return path.relative_to(root).as_posix()
        return None

    def close(self) -> None:
        scratch.remove(self.folder)


def _tree(root: Path) -> tuple[set[Path], dict[str, Stamp]]:
    """The folders of a project, as relative paths, and the files worth a copy, by name."""
    folders: set[Path] = set()
    files: dict[str, Stamp] = {}
    for folder, names in tree_to_judge(root):
        inside = folder.relative_to(root)
        folders.add(inside)
        above = "" if inside == Path() else f"{inside.as_posix()}/"
        for name in names:
            if stamp := _stamp(os.path.join(folder, name)):
                files[above + name] = stamp
        if len(files) > _MOST_FILES:
            raise EnvironmentFault(
                f"{root} holds more than {_MOST_FILES:,} files",
                todo="give the project's own folder with --project",
            )
    return folders, files


def _compile(file: str) -> None:
    """Compile one file, if that is possible: what is wrong with it is the programs' news."""
    with suppress(OSError):
        if compiled := _compiled(Path(file).read_bytes()):
            target = Path(importlib.util.cache_from_source(file))
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(compiled)


@functools.lru_cache(maxsize=1_000)
def _compiled(source: bytes) -> bytes | None:
    """What belongs into the .pyc of any file with that source, None if it is no Python.

    Python compares a hash of the source (PEP 552), and puts in the file's own name when it
    imports it. So a project that differs in a line from one before is compiled in no time.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, "<project>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    made = importlib.util.MAGIC_NUMBER + _CHECKED_HASH.to_bytes(4, "little")
    return made + importlib.util.source_hash(source) + marshal.dumps(code)


def _stamp(file: str) -> Stamp | None:
    """What tells a file's state; None for a dangling link, no file, or one too large."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        return None
    return status.st_mtime_ns, status.st_size

"""A scratch copy of the project, so that a check cannot touch the learner's files."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from checks.errors import EnvironmentFault, Place
from checks.harness.project import Project

_SKIPPED_FOLDERS = {".git", ".hg", ".tutorial", "node_modules", "__pycache__", ".tox"}
_SKIPPED_FILES = re.compile(r"\.(pyc|log|sqlite3?|db)(-\w+)?$")
# A tutorial backend is some hundred files; ten times the generous guess means that
# somebody pointed the command at a home folder.
_MOST_FILES = 10_000
_MOST_BYTES = 50 * 1024 * 1024
_FRAME = re.compile(r'File "([^"]+)", line (\d+)(?:, in (\S+))?')


class Sandbox:
    """A private folder with a copy of the project in it; removed by close()."""

    def __init__(self, project: Project) -> None:
        self.original = project
        self.folder = Path(tempfile.mkdtemp(prefix="numeneon-check-")).resolve()
        self._copied: dict[str, tuple[int, int]] = {}
        root = self.folder / "project"
        self.project = replace(
            project, root=root, backend=root / project.backend.relative_to(project.root)
        )
        self.changed: set[str] = set()
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    def refresh(self) -> set[str]:
        """Bring the copy up to date; returns the changed paths, relative to the project."""
        seen: dict[str, tuple[int, int]] = {}
        changed = set()
        for source in _files(self.original.root):
            name = source.relative_to(self.original.root).as_posix()
            try:
                status = source.stat()
                seen[name] = (status.st_mtime_ns, status.st_size)
                if self._copied.get(name) != seen[name]:
                    self._copy(source, self.project.root / name)
                    changed.add(name)
            except FileNotFoundError:  # an editor's temporary file, or a dangling link
                seen.pop(name, None)
            except OSError as error:
                raise EnvironmentFault(
                    f"cannot read {source}: {error.strerror}",
                    todo="make the file readable for you, then check again",
                ) from error
        for name in self._copied.keys() - seen.keys():
            (self.project.root / name).unlink(missing_ok=True)
            changed.add(name)
        self._copied = seen
        self.changed = changed
        return changed

    def _copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)

    def as_learner(self, text: str) -> str:
        """Text from a process, with the scratch paths put back to the learner's own."""
        return text.replace(str(self.project.root), str(self.original.root))

    def place_in(self, traceback: str) -> Place | None:
        """The last line of the learner's own code in a traceback (or SyntaxError)."""
        for file, line, symbol in reversed(_FRAME.findall(traceback)):
            for root in (self.project.root, self.original.root):
                path = Path(file)
                if path.is_relative_to(root) and "site-packages" not in path.parts:
                    relative = path.relative_to(root).as_posix()
                    return Place(
                        relative, int(line), "" if symbol == "<module>" else symbol
                    )
        return None

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _files(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED_FOLDERS
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        for name in sorted(names):
            path = Path(folder, name)
            if _SKIPPED_FILES.search(name) or _too_large(path):
                continue
            found.append(path)
        if len(found) > _MOST_FILES:
            raise EnvironmentFault(
                f"{root} holds more than {_MOST_FILES:,} files",
                todo="name the project's own folder with --project",
            )
    return found


def _too_large(path: Path) -> bool:
    try:
        return not path.is_file() or path.stat().st_size > _MOST_BYTES
    except OSError:
        return False

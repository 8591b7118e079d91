"""The files of a project: which ones belong to it, and writing them so that none is half."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

# What belongs to a project, in one place; who wants something else says so by name.

# Never a part of a project: caches, environments, other tools' records.
_FOREIGN_FOLDERS = {
    ".git",
    ".hg",
    ".idea",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".tutorial",
    ".venv",
    ".vscode",
    "__pycache__",
    "htmlcov",
    "node_modules",
    "venv",
}
# What `collectstatic` makes from the project can be made again: it needs no backup, and a
# change there is not a save. A scratch copy has it, because some storages read it.
_COLLECTED_FOLDERS = {"staticfiles"}
SKIPPED_FOLDERS = _FOREIGN_FOLDERS | _COLLECTED_FOLDERS
# What a running project writes. A backup holds logs, and databases where asked for; a
# check reads neither, and neither is a save.
DATABASE = re.compile(r"\.(sqlite3?|db)(-(journal|wal|shm))?$")
# A learner's project has its own, no snapshot's: they are no part of what is compared.
OWN_FILES = ("README.md", ".gitignore")
_LOG = re.compile(r"\.log(\.\d+|-\w+)?$")
_SKIPPED_FILES = re.compile(
    r"(\.py[cod]|\.sw[op]|~|^\.DS_Store|^Thumbs\.db|^\.coverage(\..*)?)$"
)
# Files that an editor keeps for a moment beside the one that it writes.
_MOMENTARY = (".swp", ".swx", "~", ".tmp", ".DS_Store", ".pyc", ".pyo")


def is_environment(folder: str) -> bool:
    """Whether a folder is a virtual environment, whatever its name."""
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def files_of(root: Path, *, databases: bool = False) -> list[str]:
    """The project's files below `root`, as sorted relative paths with forward slashes.

    Links count as files and are not followed. Databases are left out unless asked for.
    """
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        inside = [name for name in folders if name not in SKIPPED_FOLDERS]
        links = [name for name in inside if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(
            name
            for name in inside
            if name not in links and not is_environment(os.path.join(folder, name))
        )
        # By text: a Path for each file takes longer than the walk.
        inside_root = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside_root == "." else f"{inside_root}/"
        for name in [*names, *links]:
            if _SKIPPED_FILES.search(name) or (DATABASE.search(name) and not databases):
                continue
            found.append(prefix + name)
    return sorted(found)


def tree_to_judge(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below `root`, itself first, with the names of the files a check reads.

    Folders come even if they are empty: a project may write its log into one. Links to
    folders of the project are followed, since an app may be one.
    """
    linked: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _FOREIGN_FOLDERS
            and not is_environment(os.path.join(folder, name))
            and not _leads_away(Path(folder, name), root, linked)
        )
        yield Path(folder), [name for name in sorted(names) if _is_read(name)]


def _leads_away(folder: Path, root: Path, linked: set[str]) -> bool:
    """Whether a folder is a link out of the project, in a circle, or to where one led before.

    `linked` remembers where links led, so that every walk has an end.
    """
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    circle = folder.parent.resolve().is_relative_to(target)
    if circle or not target.is_relative_to(root.resolve()) or str(target) in linked:
        return True
    linked.add(str(target))
    return False


def _is_read(name: str) -> bool:
    return not (_SKIPPED_FILES.search(name) or DATABASE.search(name) or _LOG.search(name))


def is_source(project: Path, path: str) -> bool:
    """Whether a change of this path, below the folder `project`, can change a verdict."""
    try:
        inside = Path(path).relative_to(project)
    except ValueError:
        return False
    if path.endswith(_MOMENTARY) or _LOG.search(path) or DATABASE.search(path):
        return False
    if SKIPPED_FOLDERS & set(inside.parts):
        return False
    folders = [project / parent for parent in inside.parents if parent != Path()]
    return not any(is_environment(str(folder)) for folder in folders)


def is_executable(path: Path) -> bool:
    """Whether the file carries the executable bit (never on Windows, which has none)."""
    return os.name != "nt" and bool(path.stat().st_mode & 0o100)


def write_bytes(path: Path, content: bytes, *, executable: bool = False) -> None:
    """Put a file in place in one move: whoever reads sees the old one or the new one.

    Makes missing folders. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if os.name != "nt":
            mode = 0o755 if executable else 0o644
            os.chmod(temporary, mode & ~_umask())
        elif path.exists():
            os.chmod(path, 0o666)  # Windows does not replace a read-only file
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_text(path: Path, text: str) -> None:
    """Like write_bytes(), for text, as UTF-8 with the line endings that it has."""
    write_bytes(path, text.encode("utf-8"))


def copy_file(source: Path, target: Path) -> None:
    """Copy content and the executable bit in one move; a link at `target` is replaced."""
    write_bytes(target, source.read_bytes(), executable=is_executable(source))


def copy_tree(
    source: Path, target: Path, instead: Mapping[str, Path] | None = None
) -> None:
    """Make `target` a copy of the project in `source`: all of it, or nothing at all.

    `instead` gives files that come from elsewhere, by their names in `target`, which must
    not exist. Raises OSError.
    """
    files = {name: source / name for name in files_of(source)} | dict(instead or {})
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, file in files.items():
            copy_file(file, temporary / name)
        os.chmod(temporary, 0o777 & ~_umask())
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

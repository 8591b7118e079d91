"""The files of a project: which ones belong to it, and writing them so that none is half."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Never a part of a project's source: caches, environments, other tools' records.
SKIPPED_FOLDERS = {
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
    "staticfiles",
    "venv",
}
DATABASE = re.compile(r"\.(sqlite3?|db)(-(journal|wal|shm))?$")
# A learner's project has its own, no snapshot's: they are no part of what is compared.
OWN_FILES = ("README.md", ".gitignore")
_SKIPPED_FILES = re.compile(
    r"(\.py[cod]|\.sw[op]|~|^\.DS_Store|^Thumbs\.db|^\.coverage(\..*)?)$"
)


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
        for name in [*names, *links]:
            if _SKIPPED_FILES.search(name) or (DATABASE.search(name) and not databases):
                continue
            found.append(Path(folder, name).relative_to(root).as_posix())
    return sorted(found)


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

"""Carries the uncommitted changes of one step into later ones, three-way, all or nothing.

For each file: the base is the step's committed version, one side the later step's own file,
the other the step's changed file. Everything is worked out before anything is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course.files import files_of, is_executable, write_bytes


class GitTrouble(Exception):
    """Git is missing, or this is no checkout with a commit; the text says which."""


class Conflict(Exception):
    """A change and a later step's own text meet; `sides` shows both."""

    def __init__(self, file: str, line: int | None, sides: str) -> None:
        super().__init__(file)
        self.file = file
        self.line = line
        self.sides = sides


@dataclass(frozen=True)
class Version:
    """A file's content and whether it may be executed."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class FileEdit:
    """What happened to one file of a step since the last commit; paths are relative to it.

    `old` is None for a new file, `new` for a deleted one; different for a renamed one.
    """

    old: str | None
    new: str | None
    base: Version | None
    theirs: Version | None


@dataclass
class Outcome:
    """What carrying the changes did, or will do, to one folder; paths are relative to it."""

    folder: Path
    writes: dict[str, Version] = field(default_factory=dict)
    deletes: set[str] = field(default_factory=set)
    had: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def changes(root: Path, folder: Path) -> list[FileEdit]:
    """The uncommitted changes below `folder`, renames recognised. Raises GitTrouble."""
    _require_commit(root)
    inside = folder.relative_to(root).as_posix()
    with _private_index(root) as environment:
        _git(root, "add", "--all", "--", inside, environment=environment)
        # Relative to HEAD; the private index holds the working files, new ones included.
        raw = _git(
            root,
            "diff",
            "--cached",
            "--raw",
            "-z",
            "--no-abbrev",
            "--find-renames",
            "HEAD",
            "--",
            inside,
            environment=environment,
        )
        return [_change(root, inside, *entry) for entry in _entries(raw)]


@contextlib.contextmanager
def _private_index(root: Path) -> Iterator[dict[str, str]]:
    """An index and an object store of our own: the repository's are only read."""
    git_folder = Path(_git(root, "rev-parse", "--absolute-git-dir").decode().strip())
    objects = _git(root, "rev-parse", "--git-path", "objects").decode().strip()
    with tempfile.TemporaryDirectory(prefix="numeneon-propagate-") as scratch:
        index = Path(scratch, "index")
        with contextlib.suppress(FileNotFoundError):
            # With its time: git trusts no entry that is as new as its index (racy-git).
            shutil.copy2(git_folder / "index", index)
        own = Path(scratch, "objects")
        own.mkdir()
        yield {
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": str(own),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((root / objects).resolve()),
        }


def _entries(raw: bytes) -> Iterator[tuple[str, str, str, str, str]]:
    """(status, old mode, blob, old path, new path) for each entry of `git diff --raw -z`."""
    fields = iter(raw.decode("utf-8", "surrogateescape").split("\0"))
    for head in fields:
        if not head:
            return
        old_mode, _, blob, _, status = head.lstrip(":").split(" ")
        old = next(fields)
        new = next(fields) if status[0] in "RC" else old
        yield status[0], old_mode, blob, old, new


def _change(
    root: Path, inside: str, status: str, mode: str, blob: str, old: str, new: str
) -> FileEdit:
    base = theirs = None
    if status not in "AC":
        base = Version(_git(root, "cat-file", "blob", blob), mode == "100755")
    if status != "D":
        path = root / new
        theirs = Version(path.read_bytes(), is_executable(path))
    start = len(inside) + 1
    return FileEdit(
        old[start:] if base else None, new[start:] if theirs else None, base, theirs
    )


def carry(changed: Sequence[FileEdit], folder: Path) -> Outcome:
    """What the changes make of a later step's folder; nothing is written. Raises Conflict."""
    outcome = Outcome(folder)
    for change in changed:
        _carry_one(change, folder, outcome)
    return outcome


def _carry_one(change: FileEdit, folder: Path, outcome: Outcome) -> None:
    old, new, base, theirs = change.old, change.new, change.base, change.theirs
    if theirs is None or new is None:
        _carry_deletion(str(old), base, folder, outcome)
        return
    ours = _version(folder / old) if old else None
    there = _version(folder / new)
    if old != new and ours is None and there is not None:
        ours, old = there, new  # renamed, or new, and the later step has it already
    if ours is None:
        if base is None:
            outcome.writes[new] = theirs
        else:
            outcome.absent.append(str(old))
        return
    if old != new and there is not None and there != theirs:
        sides = "this step has a file of that name already"
        raise Conflict(new, None, f"renamed from {old}, but {sides}")
    merged = merge(base, ours, theirs, new)
    if old == new and merged == ours:
        outcome.had.append(new)
        return
    outcome.writes[new] = merged
    if old and old != new:
        outcome.deletes.add(old)


def _carry_deletion(old: str, base: Version | None, folder: Path, outcome: Outcome) -> None:
    ours = _version(folder / old)
    if ours is None:
        outcome.had.append(old)
    elif base is not None and ours.content == base.content:
        outcome.deletes.add(old)
    else:
        raise Conflict(old, None, "deleted in the one, changed in the other")


def merge(base: Version | None, ours: Version, theirs: Version, name: str) -> Version:
    """The three-way merge of one file. Raises Conflict with both sides."""
    executable = ours.executable
    if base is None or ours.executable == base.executable:
        executable = theirs.executable
    before = base.content if base else b""
    if theirs.content in (before, ours.content) and (
        base or ours.content == theirs.content
    ):
        content = ours.content
    elif base and ours.content == before:
        content = theirs.content
    elif any(b"\0" in side for side in (before, ours.content, theirs.content)):
        raise Conflict(name, None, "not a text, and changed in both")
    else:
        content = _merge_text(before, ours.content, theirs.content, name)
    return Version(content, executable)


def _merge_text(base: bytes, ours: bytes, theirs: bytes, name: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="numeneon-merge-") as scratch:
        paths = [Path(scratch, side) for side in ("ours", "base", "theirs")]
        for path, content in zip(paths, (ours, base, theirs), strict=True):
            path.write_bytes(content)
        labels = [
            "-L",
            "the later step has",
            "-L",
            "both came from",
            "-L",
            "the change says",
        ]
        done = subprocess.run(
            ["git", "merge-file", "-p", "--diff3", *labels, *map(str, paths)],
            capture_output=True,
        )
    if done.returncode == 0:
        return done.stdout
    if done.returncode > 127:
        raise GitTrouble(done.stderr.decode(errors="replace").strip())
    merged = _settle_neighbours(done.stdout)
    if _CONFLICT.search(merged):
        raise Conflict(name, *_first_conflict(merged))
    return merged


_CONFLICT = re.compile(
    rb"^<<<<<<< .*\n((?:.*\n)*?)\|\|\|\|\|\|\| .*\n((?:.*\n)*?)=======\n((?:.*\n)*?)>>>>>>> .*\n",
    re.MULTILINE,
)


def _settle_neighbours(merged: bytes) -> bytes:
    """Settle the conflicts in which one side only added lines beside what the other changed.

    Git calls a change and its direct neighbour a conflict. Where all that both came from
    still stands, once, on one side, the other side's version of it can take its place.
    """

    def settle(conflict: re.Match[bytes]) -> bytes:
        ours, base, theirs = conflict.groups()
        if theirs and b"\n" + theirs in b"\n" + ours:
            return ours  # carried before
        for added, changed in ((ours, theirs), (theirs, ours)):
            before, found, after = (b"\n" + added).partition(b"\n" + base)
            if base and found and (b"\n" + base) not in b"\n" + after:
                return (before + b"\n" + changed + after)[1:]
        return conflict[0]

    return _CONFLICT.sub(settle, merged)


def _first_conflict(merged: bytes) -> tuple[int, str]:
    """The line where the first conflict begins in the later step's file, and both sides."""
    lines = merged.decode("utf-8", errors="replace").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("<<<<<<< "))
    last = next(n for n in range(first, len(lines)) if lines[n].startswith(">>>>>>> "))
    return first + 1, "\n".join(lines[first : last + 1])


def apply(outcome: Outcome) -> None:
    """Write what carry() worked out, each file in one move."""
    for name in sorted(outcome.deletes):
        path = outcome.folder / name
        path.unlink(missing_ok=True)
        _remove_empty(path.parent, outcome.folder)
    for name, version in sorted(outcome.writes.items()):
        write_bytes(outcome.folder / name, version.content, executable=version.executable)


def mirror(source: Path, target: Path) -> list[str]:
    """Make `target` an exact copy of the project in `source`; the paths that changed."""
    wanted = files_of(source)
    outcome = Outcome(target)
    for name in wanted:
        version = _version(source / name)
        if version and version != _version(target / name):
            outcome.writes[name] = version
    if target.is_dir():
        outcome.deletes = set(files_of(target)) - set(wanted)
    apply(outcome)
    return sorted({*outcome.writes, *outcome.deletes})


def _version(path: Path) -> Version | None:
    try:
        return Version(path.read_bytes(), is_executable(path))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _require_commit(root: Path) -> None:
    if shutil.which("git") is None:
        raise GitTrouble("Git is not installed here, and it is needed to find the changes.")
    try:
        top = _git(root, "rev-parse", "--show-toplevel").decode().strip()
    except GitTrouble as error:
        raise GitTrouble(
            f"{root} is not a Git checkout, so changes cannot be found."
        ) from error
    if Path(top).resolve() != root.resolve():
        raise GitTrouble(f"{root} is not the top of a Git checkout; {top} is.")
    try:
        _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    except GitTrouble as error:
        raise GitTrouble("There is no commit yet to compare with. Commit first.") from error


def _git(root: Path, *arguments: str, environment: dict[str, str] | None = None) -> bytes:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", "-c", "core.safecrlf=false", *arguments],
        cwd=root,
        capture_output=True,
        env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"} | (environment or {}),
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise GitTrouble(said or f"git {arguments[0]} failed")
    return done.stdout

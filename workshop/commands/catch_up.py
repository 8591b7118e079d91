"""`catch-up`: put a project into the state after a step, after a backup of all of it."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from course import Step
from course.files import (
    DATABASE,
    OWN_FILES,
    copy_file,
    copy_tree,
    files_of,
    is_executable,
)
from course.terminal import COMMAND, listed, plural, say, wrap
from workshop.arguments import project_options
from workshop.errors import EnvironmentTrouble, Exit, Stop, UsageError
from workshop.home import Home
from workshop.progress import load

# What a new project gets of its own. The file here has no dot: Git would obey it.
TEMPLATES = {
    name: Path(__file__).parent.parent / "workspace" / name.lstrip(".")
    for name in OWN_FILES
}
_JOURNAL = re.compile(r"-(journal|wal|shm)$")


@dataclass(frozen=True)
class Plan:
    """What has to happen to a project, as relative paths with forward slashes.

    `add` and `change` list the files that the project lacks or has otherwise, `remove` the
    ones that have to go, `keep` what the learner added. `sources` says where the content
    of each file comes from.
    """

    add: tuple[str, ...]
    change: tuple[str, ...]
    remove: tuple[str, ...]
    keep: tuple[str, ...]
    sources: Mapping[str, Path]

    @property
    def write(self) -> tuple[str, ...]:
        return (*self.add, *self.change)

    def __bool__(self) -> bool:
        return bool(self.write or self.remove)


HELP = "bring your project to the end of a step, after a backup"
MORE = (
    "Files you added are kept, and so are your README, the database and virtual "
    "environments. A second run changes nothing. `restore` puts the backup back."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("step", metavar="STEP")
    parser.add_argument(
        "--before", action="store_true", help="to the state before STEP instead"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only print what would happen"
    )
    project_options(parser, python=False)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Back the project up, then make it what the step's folder is."""
    step = _target(home, arguments.step, before=arguments.before)
    project = project_to_change(home, arguments.project)
    where = home.shown(project)
    if not project.exists():
        return _make(home, step, project, dry=arguments.dry_run)
    made = plan(home, step, project)
    if not made:
        say(f"{where} already matches the end of step {step.number}: nothing was changed.")
        _note(home, step, project, dry=arguments.dry_run)
        return Exit.PASSED
    if arguments.dry_run:
        aim = f"bring {where} to the end of step {step.number}, {step.title}"
        say(*rehearsed(aim, made))
        return Exit.PASSED
    saved = carry_out(home, project, made)
    _note(home, step, project, dry=False)
    say(f"{where} now matches the end of step {step.number}, {step.title}.", "")
    say(*described(made), "", *saved_at(home, saved))
    say(*_afterwards(made))
    return Exit.PASSED


def plan(home: Home, step: Step, project: Path) -> Plan:
    """What turns the project into the step's. Raises EnvironmentTrouble if unreadable.

    Files of other steps go, files that the learner added stay; so does a README that is
    not one of the snapshots'.
    """
    folder = home.folder(step)
    wanted = {name: folder / name for name in files_of(folder)}
    for name, source in TEMPLATES.items():
        wanted.pop(name, None)
        if _is_missing_or_ours(home, project, name):
            wanted[name] = source
    known = {name for other in home.steps for name in _files_if_there(home, other)}
    return compare(wanted, project, known.difference(OWN_FILES).__contains__)


def compare(
    wanted: Mapping[str, Path],
    project: Path,
    goes: Callable[[str], bool],
    *,
    databases: bool = False,
) -> Plan:
    """What turns the project into the wanted files, given by name with their sources.

    `goes` tells of another file of the project whether it has to go; databases are left
    out of it unless asked for. Raises EnvironmentTrouble if something cannot be read.
    """
    present = files_of(project, databases=databases)
    write = [name for name, source in wanted.items() if not _same(source, project / name)]
    add = tuple(name for name in write if not os.path.lexists(project / name))
    shadowed = {name.removesuffix(".py") for name in wanted if name.endswith(".py")}
    shadowing = {name for name in shadowed if f"{name}/__init__.py" in present}
    gone = [
        name
        for name in present
        if name not in wanted and (goes(name) or _in_the_way(name, wanted, shadowing))
    ]
    keep = tuple(
        name
        for name in present
        if name not in wanted and name not in gone and name not in OWN_FILES
    )
    change = tuple(name for name in write if name not in add)
    return Plan(add, change, tuple(gone), keep, wanted)


def _is_missing_or_ours(home: Home, project: Path, name: str) -> bool:
    """Whether the project has no such file yet, or a snapshot's, put there unread."""
    file = project / name
    if not os.path.lexists(file):
        return True
    return any(_same(home.root / "steps" / step.slug / name, file) for step in home.steps)


def _files_if_there(home: Home, step: Step) -> list[str]:
    folder = home.root / "steps" / step.slug
    return files_of(folder) if folder.is_dir() else []


def _same(source: Path, target: Path) -> bool:
    """Whether a project's file is the wanted one, link, bytes and executable bit alike."""
    try:
        if source.is_symlink():
            return target.is_symlink() and source.readlink() == target.readlink()
        if target.is_symlink() or not target.is_file():
            return False
        same_mode = is_executable(source) == is_executable(target)
        return same_mode and source.read_bytes() == target.read_bytes()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise EnvironmentTrouble(f"{target} cannot be read: {error.strerror}.") from error


def _in_the_way(name: str, wanted: Iterable[str], shadowing: Iterable[str]) -> bool:
    """Whether a file stands where the step needs a folder, or the other way round.

    `shadowing` names the packages that hide a module of the step: of `tests/__init__.py`
    and `tests.py` Python takes the package.
    """
    return any(
        other.startswith(name + "/") or name.startswith(other + "/") for other in wanted
    ) or any(name.startswith(package + "/") for package in shadowing)


def carry_out(home: Home, project: Path, made: Plan, label: str = "") -> Path | None:
    """Back the project up, if it is there, then apply the plan; where the backup is.

    Raises EnvironmentTrouble before anything is changed, or Stop from apply().
    """
    _require_writable(project, made)
    saved = None
    if project.is_dir():
        say(f"Backing up {home.shown(project)} ...")
        saved = back_up(home, project, label)
        load(home, project).copy_to(saved)
    apply(project, made, saved)
    return saved


def back_up(home: Home, project: Path, label: str = "") -> Path:
    """Copy the whole project into `.tutorial/backups/`; complete when this returns.

    `label` is added to the name, which has the time and the project's name.

    Virtual environments, caches and .git are left out (they are not touched either);
    databases are in it, copied in a consistent state. Raises EnvironmentTrouble.
    """
    folder = home.state / "backups"
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    name = f"{stamp}-{project.name}{label}"
    target = folder / name
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{name}-{number}"
    partial = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        _save_all(project, partial)
        partial.rename(target)
    except BaseException as error:
        if partial:
            shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise EnvironmentTrouble(
                f"The backup could not be created: {error.strerror or error} "
                f"({error.filename}). Nothing was changed."
            ) from error
        raise
    return target


def _save_all(project: Path, target: Path) -> None:
    """Copy the project's files; a database without its journals, whose changes are in it."""
    whole = set()
    for name in files_of(project, databases=True):
        if _JOURNAL.sub("", name) in whole:
            continue
        if _save(project / name, target / name):
            whole.add(name)


def _save(source: Path, target: Path) -> bool:
    """Copy one file; whether it was a database, saved whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if DATABASE.search(source.name) and _save_database(source, target):
        return True
    try:
        shutil.copy2(source, target, follow_symlinks=False)
    except OSError:
        if not source.is_symlink():
            raise
        shutil.copy2(source, target)  # a Windows that lets nobody make links
    return False


def _save_database(source: Path, target: Path) -> bool:
    """Copy an SQLite database as one moment has it, even while a server writes to it.

    False if it is not one (a journal, another kind of file): to be copied as it is.
    """
    if source.is_symlink() or not source.is_file():
        return False
    with source.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            return False
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)
            ) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
    except sqlite3.Error:
        target.unlink(missing_ok=True)
        return False
    shutil.copystat(source, target)
    return True


def apply(project: Path, made: Plan, saved: Path | None) -> None:
    """Carry the plan out, file by file, each in one move. The backup is complete by now.

    A database goes or comes without journals: SQLite would play those of the one before
    into the new one, and reading it for the backup may have made some.

    Raises Stop saying how far it came and where the backup is.
    """
    done = 0
    total = len(made.write) + len(made.remove)
    try:
        for name in made.remove:
            _remove(project, name)
            _remove_journals(project / name)
            done += 1
        for name in made.write:
            _clear_folder(project / name)
            _remove_journals(project / name)
            _put(made.sources[name], project / name)
            done += 1
    except (OSError, KeyboardInterrupt) as error:
        why, code = "Stopped", Exit.INTERRUPTED
        if isinstance(error, OSError):
            why, code = f"{error.strerror or error} ({error.filename})", Exit.ENVIRONMENT
        before = f" The project as it was is in {saved}." if saved else ""
        raise Stop(
            f"{why}: {done} of {plural(total, 'file')} were written, none of them partly."
            f"{before} Run the same command again to finish.",
            code,
        ) from error


def _put(source: Path, target: Path) -> None:
    """Put one file, or a link that a backup kept, in place."""
    if not source.is_symlink():
        copy_file(source, target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(source.readlink())


def _remove(project: Path, name: str) -> None:
    """Remove a file, and the folders that are empty then."""
    path = project / name
    if os.name == "nt" and path.exists():
        path.chmod(0o666)
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == project:
            return
        cache = parent / "__pycache__"
        if cache.is_dir() and os.listdir(parent) == ["__pycache__"]:
            shutil.rmtree(cache, ignore_errors=True)
        try:
            parent.rmdir()
        except OSError:
            return


def _remove_journals(path: Path) -> None:
    if DATABASE.search(path.name) and not _JOURNAL.search(path.name):
        for ending in ("-journal", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)


def _clear_folder(path: Path) -> None:
    """Remove the empty folder that is in the way of a file of the same name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path / "__pycache__", ignore_errors=True)
        path.rmdir()


def _target(home: Home, named: str, *, before: bool) -> Step:
    step = home.step(named)
    if not before:
        return step
    earlier = home.before(step)
    if earlier is None:
        raise UsageError(f"Nothing comes before step {step.number}.")
    return earlier


def project_to_change(home: Home, named: str | None) -> Path:
    """The folder to change: never the tutorial's own, nor one that holds something else."""
    if named is None:
        if home.workspace.exists() and not home.workspace.is_dir():
            raise UsageError(f"{home.workspace} is in the way: it is a file. Move it.")
        return home.workspace
    project = home.project(named).resolve()
    root = home.root.resolve()
    own = [root / "steps", root / "final", home.state.resolve()]
    if project == root or any(project.is_relative_to(folder) for folder in own):
        raise UsageError(f"{project} is the tutorial's own folder. Name your project's.")
    if any(project.iterdir()) and not (project / "backend").is_dir():
        raise UsageError(
            f"{project} does not look like this course's project: it has no folder backend. "
            "Name the folder that holds it, or an empty one."
        )
    return project


def _require_writable(project: Path, made: Plan) -> None:
    """Find out before the first write what could not be written. Raises EnvironmentTrouble."""
    for name in (*made.write, *made.remove):
        folder = (project / name).parent
        inside = [parent for parent in (folder, *folder.parents) if parent != project]
        for parent in inside:
            if parent.is_relative_to(project) and parent.is_symlink():
                raise EnvironmentTrouble(
                    f"{parent} is a link to {parent.resolve()}: writing there would change "
                    "files outside the project. Put a real folder in its place, then start "
                    "again. Nothing was changed."
                )
        existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise EnvironmentTrouble(
                f"{existing} cannot be written to. Change its permissions, then start "
                "again. Nothing was changed."
            )


def _make(home: Home, step: Step, project: Path, *, dry: bool) -> int:
    """There is no project yet: make it from the step."""
    if dry:
        say(
            f"{home.shown(project)} does not exist: it would be created as it is after {step.slug}."
        )
        return Exit.PASSED
    make_project(home, step, project)
    _note(home, step, project, dry=False)
    say(
        f"{home.shown(project)} was created: it matches the end of step {step.number}, "
        f"{step.title}."
    )
    say(*_afterwards(None))
    return Exit.PASSED


def make_project(home: Home, step: Step, project: Path) -> None:
    """Make a project as after a step, with files of its own and nothing passed yet.

    Raises EnvironmentTrouble if it cannot be made.
    """
    try:
        copy_tree(home.folder(step), project, TEMPLATES)
    except OSError as error:
        raise EnvironmentTrouble(
            f"{project} could not be created: {error.strerror or error}. Check that the folder "
            "above it can be written to, then start again."
        ) from error
    load(home, project).forget()


def _note(home: Home, step: Step, project: Path, *, dry: bool) -> None:
    """From now on the current step is the one after."""
    progress = load(home, project)
    current = progress.current()
    following = home.after(step)
    if not dry and current != following:
        progress.catch_up(step)


def described(made: Plan) -> list[str]:
    """What a plan does, one line a file."""
    titled = (
        ("new", made.add),
        ("changed", made.change),
        ("removed", made.remove),
        ("yours, kept", made.keep),
    )
    return [
        f"  {title:<12} {name}" for title, names in titled for name in listed(names, 40)
    ]


def rehearsed(aim: str, made: Plan) -> list[str]:
    """What a dry run says."""
    return [wrap(f"To {aim}:"), "", *described(made), "", "Nothing was changed: a dry run."]


def saved_at(home: Home, saved: Path | None) -> list[str]:
    """Where the project as it was is now, and how to get it back."""
    if saved is None:
        return []
    return [
        f"The project as it was: {home.shown(saved)}",
        f"To get it back:      {COMMAND} restore {saved.name}",
    ]


def _afterwards(made: Plan | None) -> list[str]:
    """What to do now: the database follows the code only when told to."""
    lines = []
    if made and any("/migrations/" in name for name in (*made.write, *made.remove)):
        lines.append("Its database was not changed: run `python manage.py migrate` there.")
    return [*lines, f"See where you are with: {COMMAND} steps"]

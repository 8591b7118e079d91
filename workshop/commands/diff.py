"""`diff`: what changes from one step to another, or between a step and the learner's own."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from course.files import OWN_FILES, files_of, is_executable
from course.terminal import COMMAND, has_colour, paint, say
from workshop.arguments import project_options
from workshop.errors import Exit, UsageError
from workshop.home import Home


@dataclass(frozen=True)
class Side:
    """One side of a comparison: how it is called, and its folder."""

    name: str
    folder: Path


HELP = "show what changes between two steps, or between a step and your project"
MORE = (
    "A and B are steps or `mine`, the project in workspace/. One step alone is compared "
    "with the one before it: `diff 3` shows what step 3 changes. READMEs and .gitignore are "
    "shown only when named."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B", nargs="?")
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="only these files, folders or patterns"
    )
    project_options(parser, python=False)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Print the differences as a unified diff, or say that there are none."""
    first, second = arguments.a, arguments.b
    if second is None:
        first, second = _before(home, first), first
    a = side(home, first, arguments.project)
    b = side(home, second, arguments.project)
    paths = [path.replace("\\", "/").rstrip("/") for path in arguments.paths]
    _require_known(a, b, paths)
    colour = has_colour()
    seen = False
    for line in differences(a, b, paths):
        seen = True
        say(painted(line, colour))
    if not seen:
        within = f" in {', '.join(arguments.paths)}" if paths else ""
        say(f"No difference between {a.name} and {b.name}{within}.")
    return Exit.PASSED


def _before(home: Home, name: str) -> str:
    """The step to compare one step with. Raises UsageError if there is none."""
    if name.lower() == "mine":
        raise UsageError(
            "Name what to compare your project with. For example, how it differs from step "
            f"4: {COMMAND} diff 4 mine"
        )
    step = home.step(name)
    earlier = home.before(step)
    if earlier is None:
        raise UsageError(
            f"Nothing comes before step {step.number}. Name two to compare, for example: "
            f"{COMMAND} diff {step.number} mine"
        )
    return earlier.slug


def side(home: Home, name: str, project: str | None = None) -> Side:
    """The project that `mine`, `final` or a step's name refers to. Raises UsageError."""
    if name.lower() == "mine":
        return Side("mine", home.project(project))
    if name.lower() == "final" and home.final.is_dir():
        return Side("final", home.final)
    step = home.step(name)
    return Side(step.slug, home.folder(step))


def differences(a: Side, b: Side, paths: Sequence[str] = ()) -> Iterator[str]:
    """The lines of the diff from a to b, without newlines."""
    names = sorted({*files_of(a.folder), *files_of(b.folder)})
    for name in names:
        if _wanted(name, paths):
            yield from _file_difference(a, b, name)


def _wanted(name: str, paths: Sequence[str]) -> bool:
    """Whether a file is to be shown: it, a folder above it or a pattern was named."""
    if not paths:
        return PurePosixPath(name).name.lower() != "readme.md" and name not in OWN_FILES
    return any(
        name == path
        or name.startswith(path + "/")
        or path in {"", "."}
        or PurePosixPath(name).name == path
        or fnmatch.fnmatch(name, path)
        for path in paths
    )


def _require_known(a: Side, b: Side, paths: Sequence[str]) -> None:
    names = {*files_of(a.folder), *files_of(b.folder)} if paths else set()
    for path in paths:
        if not any(_wanted(name, [path]) for name in names):
            raise UsageError(f"Neither {a.name} nor {b.name} has {path!r}.")


def _file_difference(a: Side, b: Side, name: str) -> Iterator[str]:
    before, after = _content(a.folder / name), _content(b.folder / name)
    old = f"{a.name}/{name}" if before is not None else "(no file)"
    new = f"{b.name}/{name}" if after is not None else "(no file)"
    if before == after:
        yield from _mode_difference(a, b, name)
        return
    lines = _lines(before), _lines(after)
    if lines[0] is None or lines[1] is None:
        yield f"--- {old}"
        yield f"+++ {new}"
        yield "  (not a text file; the contents differ)"
        return
    if lines[0] == lines[1]:  # an empty file that only one side has
        yield f"--- {old}"
        yield f"+++ {new}"
        yield "  (an empty file)"
        return
    for line in difflib.unified_diff(lines[0], lines[1], old, new, lineterm=""):
        yield line.rstrip("\n")


def _mode_difference(a: Side, b: Side, name: str) -> Iterator[str]:
    old, new = a.folder / name, b.folder / name
    if old.exists() and new.exists() and is_executable(old) != is_executable(new):
        yield f"--- {a.name}/{name}"
        yield f"+++ {b.name}/{name}"
        now = "now executable" if is_executable(new) else "no longer executable"
        yield f"  (the contents are equal; {now})"


def _content(path: Path) -> bytes | None:
    """A file's bytes with Unix line endings, None if there is no such file."""
    try:
        return path.read_bytes().replace(b"\r\n", b"\n")
    except FileNotFoundError:
        if path.is_symlink():
            return b"(a link that leads nowhere)\n"
        return None
    except IsADirectoryError:
        return b"(a link to a folder)\n"
    except OSError as error:
        return f"(cannot be read: {error.strerror})\n".encode()


def _lines(content: bytes | None) -> list[str] | None:
    if content is None:
        return []
    if b"\0" in content:
        return None
    return content.decode("utf-8", errors="replace").splitlines()


def painted(line: str, colour: bool) -> str:
    """A line of a diff in its colour; the sign in front says the same without."""
    if line.startswith(("--- ", "+++ ")):
        return paint(line, "bold", colour=colour)
    style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return paint(line, style, colour=colour) if style else line

"""`new-step`: for maintainers; a step more, and all that follows from the list of steps."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import course
from course import Step
from course.files import copy_tree, write_text
from course.outline import Part, page_of, read
from course.terminal import COMMAND, plural, say
from workshop.authoring import generated, renumbering, skeleton
from workshop.errors import EnvironmentTrouble, Exit, UsageError
from workshop.home import Home
from workshop.propagation import mirror

HELP = "for maintainers: create a new step and everything that depends on the list of steps"
MORE = (
    "The step begins as a copy of the one before it with a small example of everything: "
    "code, a test, an item and what proves it, a page. It passes all tests; its author "
    "replaces the example. Without a SLUG it only updates what README.md and mkdocs.yml "
    "take from course/course.toml, and makes final/ equal to the last step."
)
_LIST = "course/course.toml"
_SLUG = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RESERVED = {"final", "mine"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument(
        "slug", metavar="SLUG", nargs="?", help="its name without a number: browser-client"
    )
    parser.add_argument("--title", metavar="TITLE", help="default: made from the slug")
    parser.add_argument(
        "--after",
        metavar="STEP",
        help="insert it there: later steps get new numbers (default: at the end)",
    )
    parser.add_argument(
        "--part",
        metavar="SLUG",
        action="append",
        default=[],
        help="the step comes in parts: the name of one (repeat it)",
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Make the step, then write all that follows from the list."""
    if arguments.slug is None:
        if arguments.title or arguments.after or arguments.part:
            raise UsageError("A new step needs a name: new-step SLUG")
        say(*_follow(home))
        return Exit.PASSED
    before = home.step(arguments.after) if arguments.after else home.steps[-1]
    step = _planned(home, before, arguments.slug, arguments.title, arguments.part)
    later = [other for other in home.steps if other.number > before.number]
    if later:
        _require_clean(home)
        _make_room(home, before, step, later)
    _write(home, step, before, len(later))
    course.steps.cache_clear()  # the checklists are read next, by the new list
    now = replace(home, steps=read(home.root / _LIST))
    say(f"Step {step.number}, {step.title}, was created from step {before.number}.")
    if later:
        say(f"{plural(len(later), 'step')} after it got new numbers.")
    say(*_follow(now), "", *_by_hand(now, step))
    return Exit.PASSED


def _planned(
    home: Home, before: Step, slug: str, title: str | None, parts: Sequence[str]
) -> Step:
    """The step as course.toml will have it. Raises UsageError for a name that cannot be."""
    for name in (slug, *parts):
        if not _SLUG.fullmatch(name) or name in _RESERVED:
            raise UsageError(
                f"{name!r} cannot name a step: use lowercase letters and dashes, 40 at most."
            )
    if slug in {step.name for step in home.steps}:
        raise UsageError(f"There is a step called {slug} already.")
    if len(parts) == 1 or len(set(parts)) != len(parts):
        raise UsageError("A step comes in two parts or more, each with a name of its own.")
    if home.steps[-1].number >= 98:
        raise UsageError("A step's number has two digits: there is no room for another.")
    title = title or _title(slug)
    return Step(
        number=before.number + 1,
        slug=f"{before.number + 1:02}-{slug}",
        title=title,
        minutes=skeleton.MINUTES,
        touches=(),
        adds=skeleton.LINES * max(1, len(parts)),
        after=f"{title}: say in a few words what there is now",
        given=("backend/*/tests/*",),
        parts=tuple(
            Part(number, part, _title(part), skeleton.MINUTES)
            for number, part in enumerate(parts, 1)
        ),
    )


def _title(slug: str) -> str:
    """`Browser client`."""
    words = slug.replace("-", " ")
    return words[:1].upper() + words[1:]


def _require_clean(home: Home) -> None:
    """Renumbering writes into many files, and Git is the way back. Raises UsageError."""
    if not (home.root / ".git").exists():
        return
    command = ["git", "status", "--porcelain"]
    try:
        said = subprocess.run(command, cwd=home.root, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EnvironmentTrouble(f"Git could not say what has changed: {error}") from error
    if said.stdout.strip():
        raise UsageError(
            "There are changes that are not committed. Inserting a step writes into many files: "
            "commit or stash them first, so that Git can undo it."
        )


def _make_room(home: Home, before: Step, step: Step, later: Sequence[Step]) -> None:
    """Give the later steps new numbers, and let both neighbours speak of the new step."""
    following = later[0]
    moved = replace(
        following,
        number=following.number + 1,
        slug=f"{step.number + 1:02}-{following.name}",
    )
    renumbering.renumbered(home.root, later).apply(home.root)
    ends = (
        home.root
        / "docs"
        / f"{page_of(before, before.parts[-1] if before.parts else None)}.md"
    )
    begins = (
        home.root / "docs" / f"{page_of(moved, moved.parts[0] if moved.parts else None)}.md"
    )
    _redirect(ends, "Next", moved, step)
    _redirect(begins, "Start", before, step)


def _redirect(page: Path, heading: str, old: Step, new: Step) -> None:
    text = page.read_text("utf-8")
    write_text(page, renumbering.redirected(text, heading, old, new))


def _write(home: Home, step: Step, before: Step, behind: int) -> None:
    """The step's own files, its entry in the list, its example in every later step."""
    listed = home.root / _LIST
    write_text(listed, with_entry(listed.read_text("utf-8"), before.slug, step))
    steps = read(listed)
    later = steps[len(steps) - behind :] if behind else ()
    copy_tree(home.root / "steps" / before.slug, home.root / "steps" / step.slug)
    for each in (step, *later):
        for name, text in skeleton.project_files(step).items():
            write_text(home.root / "steps" / each.slug / name, text)
    write_text(home.root / "steps" / step.slug / "README.md", skeleton.readme(step))
    files = skeleton.course_files(step, before, later[0] if later else None)
    for name, text in files.items():
        write_text(home.root / name, text)
    modules = [name for name in files if name.endswith(".py")]
    _format(home, modules)


def _format(home: Home, modules: Sequence[str]) -> None:
    """Wrap the new modules as the linter wants them: how long names are is the author's."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", *modules]
    done = subprocess.run(command, cwd=home.root, capture_output=True)
    if done.returncode:
        raise EnvironmentTrouble(f"ruff could not format the new modules: {done.stderr!r}")


def with_entry(text: str, before: str, step: Step) -> str:
    """course.toml with a step more behind the one with that slug; all else stays as it is."""
    entries = [found.start() for found in re.finditer(r"(?m)^\[\[step\]\]", text)]
    place = text.index(f'slug = "{before}"')
    behind = next((start for start in entries if start > place), len(text))
    head = text[:behind].rstrip("\n")
    rest = text[behind:]
    return f"{head}\n\n{skeleton.entry(step)}" + (f"\n{rest}" if rest else "")


def _follow(home: Home) -> list[str]:
    """Write what follows from the list; what was written, in words."""
    written = generated.refresh(home)
    if mirror(home.folder(home.steps[-1]), home.final):
        written.append("final/")
    return [f"Updated: {', '.join(written) or 'nothing, all was up to date'}."]


def _by_hand(home: Home, step: Step) -> list[str]:
    """What only its author can write."""
    module = f"step{step.number:02}"
    return [
        "Now replace the example, in",
        f"  {_LIST}   minutes, after, touches, adds, given",
        f"  steps/{step.slug}/   the project, then: {COMMAND} propagate {step.number}",
        *(f"  docs/{page}.md" for page in step.pages),
        f"  checks/items/{module}.py and .toml, tests/variants/{module}.py",
        f"Then: {COMMAND} test",
    ]

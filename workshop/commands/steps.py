"""`steps`: where you are."""

from __future__ import annotations

import argparse

from course import Step
from course.terminal import has_colour, paint, say, width
from workshop.arguments import project_options
from workshop.errors import Exit
from workshop.home import Home
from workshop.progress import Progress, load

HELP = "show where you are"
MORE = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    project_options(parser, python=False)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Print the table of steps with how far each is."""
    project = home.project(arguments.project) if arguments.project else home.workspace
    progress = load(home, project)
    say(table(progress, colour=has_colour()), "", position(progress))
    return Exit.PASSED


def table(progress: Progress, *, colour: bool, columns: int | None = None) -> str:
    """One line per step: a mark, number, title, minutes, state; `>` is at the current one.

    Lines are cut to so many columns, or to those of the terminal.
    """
    current = progress.current()
    titles = max(len(step.title) for step in progress.home.steps)
    lines = []
    for step in progress.home.steps:
        here = step == current
        mark = "[x]" if progress.is_done(step) else "[ ]"
        arrow = ">" if here else " "
        line = f"{arrow} {mark} {step.number:>2}  {step.title:<{titles}}  "
        line += f"{step.minutes:>2} min  {state(progress, step)}"
        lines.append(_fitted(line, here, mark == "[x]", colour, columns or width()))
    return "\n".join(lines)


def _fitted(line: str, here: bool, done: bool, colour: bool, columns: int) -> str:
    """A line cut to the columns, then coloured: cutting a coloured line would cut codes."""
    line = line.rstrip()
    if len(line) > columns:
        line = line[: columns - 3].rstrip() + "..."
    if here:
        return paint(line, "bold", colour=colour)
    return paint(line, "green", colour=colour) if done else line


def state(progress: Progress, step: Step) -> str:
    """`done`, `caught up`, `3 of 8`, `not started`."""
    done, total = progress.count(step)
    if progress.is_done(step):
        return "done" if done else "caught up"
    if step.slug in progress.verdicts:
        return f"{done} of {total}"
    return "not started"


def position(progress: Progress) -> str:
    """One sentence: which step you are at, or that all are finished."""
    current = progress.current()
    if current is None:
        return "All steps are finished."
    return f"You are at step {current.number}, {current.title} ({current.minutes} minutes)."

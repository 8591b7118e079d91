"""`propagate`: for maintainers; carry a step's uncommitted changes into all later ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from course import Step
from course.terminal import COMMAND, listed, plural, say
from workshop.errors import EnvironmentTrouble, Exit, Stop, UsageError
from workshop.home import Home
from workshop.propagation import (
    Conflict,
    FileEdit,
    GitTrouble,
    Outcome,
    apply,
    carry,
    changes,
    mirror,
)

HELP = "for maintainers: carry a step's uncommitted changes into all later ones"
MORE = (
    "Three-way, and all or nothing: at the first conflict it shows both sides and writes "
    "nothing. final/ is made equal to the last step."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("step", metavar="STEP")
    parser.add_argument("--to", metavar="STEP", help="the last step to carry them into")


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Carry the changes, or show the first conflict and write nothing."""
    step = home.step(arguments.step)
    last = home.step(arguments.to) if arguments.to else home.steps[-1]
    if last.number < step.number:
        raise UsageError(f"Step {last.number} comes before step {step.number}.")
    later = [other for other in home.steps if step.number < other.number <= last.number]
    changed = _changes(home, step) if later else []
    if later and not changed:
        say(f"steps/{step.slug} has no uncommitted changes: nothing to carry.")
    outcomes = _carried(home, step, changed, later)
    for outcome in outcomes:
        apply(outcome)
    for other, outcome in zip(later, outcomes, strict=True):
        say(*described(other, outcome))
    written = any(outcome.writes or outcome.deletes for outcome in outcomes)
    refreshed = mirror(home.folder(home.steps[-1]), home.final)
    if refreshed:
        say(f"final/ is made equal to steps/{home.steps[-1].slug}:")
        say(*(f"  {name}" for name in listed(refreshed)))
    if not (written or refreshed):
        say("All steps have it already: nothing was written.")
    else:
        say("", f"Now run the tests: {COMMAND} test")
    return Exit.PASSED


def _changes(home: Home, step: Step) -> list[FileEdit]:
    try:
        return changes(home.root, home.folder(step))
    except GitTrouble as error:
        raise EnvironmentTrouble(str(error)) from error


def _carried(
    home: Home, step: Step, changed: Sequence[FileEdit], later: Sequence[Step]
) -> list[Outcome]:
    """What becomes of every later step; at the first conflict Stop, nothing written."""
    outcomes = []
    for other in later:
        try:
            outcomes.append(carry(changed, home.folder(other)))
        except Conflict as conflict:
            raise Stop(explained(step, other, conflict), Exit.FAILED) from conflict
        except GitTrouble as error:
            raise EnvironmentTrouble(f"Git could not merge: {error}") from error
    return outcomes


def explained(step: Step, other: Step, conflict: Conflict) -> str:
    """Where the conflict is, both sides, and the way out of it."""
    place = f"steps/{other.slug}/{conflict.file}"
    if conflict.line:
        place += f":{conflict.line}"
    sides = "\n".join(f"    {line}" for line in conflict.sides.splitlines())
    up_to = f"{COMMAND} propagate {step.number} --to {other.number - 1}"
    before = f"  - {up_to}   (the steps before it)\n"
    return (
        f"Conflict at {place}: the change in step {step.number} and what step "
        f"{other.number} has there do not fit together.\n\n{sides}\n\n"
        "Nothing was written. To go on:\n"
        f"{before if other.number - 1 > step.number else ''}"
        f"  - edit steps/{other.slug}/{conflict.file} so that it has the change\n"
        f"  - {COMMAND} propagate {other.number}   (carries your edit to the steps after it)\n"
        "If earlier edits of the same lines were carried before, commit them first: changes "
        "are counted from the last commit."
    )


def described(other: Step, outcome: Outcome) -> list[str]:
    """What happened to one later step, a line a file."""
    written, deleted = sorted(outcome.writes), sorted(outcome.deletes)
    total = len(written) + len(deleted)
    lines = [f"steps/{other.slug}: {plural(total, 'file')} changed"]
    lines += [f"  written      {name}" for name in written]
    lines += [f"  deleted      {name}" for name in deleted]
    lines += [f"  had it       {name}" for name in outcome.had]
    lines += [
        f"  not there    {name} (this step has deleted it)" for name in outcome.absent
    ]
    return lines

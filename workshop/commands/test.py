"""`test`: everything that CI runs."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from course import ROOT, Step, contract
from course.files import copy_tree
from course.terminal import has_colour, paint, say
from workshop.errors import Exit
from workshop.home import Home

OURS = ("tutorial.py", "course", "checks", "workshop", "tools", "tests", "benchmarks")
# A step's own tests run at least so many percent of the lines of its code.
COVERAGE = ("--cov=.", f"--cov-config={ROOT / 'pyproject.toml'}", "--cov-fail-under=95")
COVERAGE += ("--cov-report=",)


@dataclass(frozen=True)
class GateStage:
    """One part of the whole: its name, whether it passed, the seconds it took."""

    name: str
    passed: bool
    seconds: float


HELP = "everything that CI runs"
MORE = (
    "The formatter, the linter, this project's tests and each step's own. With arguments, "
    "only this project's tests: they go to pytest as they are."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Run the linter, the formatter, our tests and each step's own; or only ours, with ARGS."""
    extra = [text for text in arguments.arguments if text != "--"]
    if extra:
        stage = _shown("tests", _pytest(extra), home.root)
        return Exit.PASSED if stage.passed else Exit.FAILED
    ours = [name for name in OURS if (home.root / name).exists()]
    stages = [
        _shown("lint", [sys.executable, "-m", "ruff", "check", *ours], home.root),
        _shown(
            "format", [sys.executable, "-m", "ruff", "format", "--check", *ours], home.root
        ),
        *steps(home),
        _shown("tests", _pytest([]), home.root),
    ]
    say("", *(summary(stage, colour=has_colour()) for stage in stages))
    return Exit.PASSED if all(stage.passed for stage in stages) else Exit.FAILED


def _pytest(extra: Sequence[str]) -> list[str]:
    chosen = list(extra) or ["-n", "auto"]
    return [sys.executable, "-m", "pytest", *chosen]


def _shown(name: str, command: list[str], folder: Path) -> GateStage:
    """Run a program whose output is seen as it comes."""
    say("", f"== {name}: {' '.join(command[1:])}")
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder)
    return GateStage(name, done.returncode == 0, time.monotonic() - start)


def steps(home: Home) -> list[GateStage]:
    """Each step's own tests, in a copy outside the repository, some at a time."""
    say("", "== the steps' own tests, each in a copy of its own")
    there = [step for step in home.steps if (home.root / "steps" / step.slug).is_dir()]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(lambda step: step_tests(home, step), there))


def step_tests(home: Home, step: Step) -> GateStage:
    """The tests of one step: its output is printed if they fail."""
    start = time.monotonic()
    kept = contract.without_steering(os.environ)
    with tempfile.TemporaryDirectory(prefix="numeneon-step-") as scratch:
        copy = Path(scratch, step.slug)
        copy_tree(home.folder(step), copy)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *COVERAGE],
            cwd=copy / "backend",
            env=kept
            | {
                "PYTHONDONTWRITEBYTECODE": "1",
                "COVERAGE_FILE": str(Path(scratch, "coverage")),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    seconds = time.monotonic() - start
    output = done.stdout.decode("utf-8", errors="replace").rstrip()
    ends = " · ".join(output.splitlines()[-2:]) if output else "no output"
    say(f"steps/{step.slug}: {ends}" if done.returncode == 0 else output)
    return GateStage(f"steps/{step.slug}", done.returncode == 0, seconds)


def summary(stage: GateStage, *, colour: bool) -> str:
    """One line on a stage."""
    mark, style = ("[x]", "green") if stage.passed else ("[ ]", "red")
    return paint(f"{mark} {stage.name} ({stage.seconds:.1f} s)", style, colour=colour)

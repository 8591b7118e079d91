"""`test`: everything that CI runs."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from course.terminal import has_colour, paint, say
from workshop.errors import Exit
from workshop.home import Home

OURS = ("tutorial.py", "course", "checks", "workshop", "tools", "tests", "benchmarks")


@dataclass(frozen=True)
class GateStage:
    """One part of the whole: its name, whether it passed, the seconds it took."""

    name: str
    passed: bool
    seconds: float


HELP = "run everything that CI runs"
MORE = (
    "The linter, the formatter, the type checker, each step's own tests and this project's. "
    "--fast leaves out whatever starts a server, plays a page or needs a browser; --full adds "
    "what only the scheduled job runs. With other ARGS, only this project's tests: they go to "
    "pytest as they are."
)

# What --fast leaves out; pyproject.toml says what each marker means.
SLOW = ("server", "variants", "played", "browser", "slow")
# Workers, their servers and browsers share few processors: what would take a second alone was
# seen to take three.
_PATIENCE = "3"
# Options of pytest that do not go together with several processes, or choose their number.
ONE_PROCESS = ("-n", "--numprocesses", "--pdb", "--trace", "-s", "--capture=no")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Run the whole gate, its fast part, or only this project's tests, with ARGS."""
    extra = [text for text in arguments.arguments if text != "--"]
    if extra in ([], ["--fast"], ["--full"]):
        stages = gate(home, fast=extra == ["--fast"], full=extra == ["--full"])
        say("", *(summary(stage, colour=has_colour()) for stage in stages))
    else:
        stages = [_shown("tests", _pytest(extra), home.root)]
    return Exit.PASSED if all(stage.passed for stage in stages) else Exit.FAILED


def gate(home: Home, *, fast: bool, full: bool) -> list[GateStage]:
    """Every stage, whether or not one before it failed."""
    ours = [name for name in OURS if (home.root / name).exists()]
    ruff = [sys.executable, "-m", "ruff"]
    chosen = ["-m", " and ".join(f"not {name}" for name in SLOW)] if fast else []
    return [
        _shown("lint", [*ruff, "check", *ours], home.root),
        _shown("format", [*ruff, "format", "--check", *ours], home.root),
        *types(home),
        _shown(
            "tests",
            _pytest([*chosen, *(["--full"] if full else [])], spare=0 if fast else 5),
            home.root,
        ),
    ]


def types(home: Home) -> list[GateStage]:
    """The type checker, which learners have no use for: CI must have it."""
    if importlib.util.find_spec("mypy") is not None:
        return [_shown("types", [sys.executable, "-m", "mypy"], home.root)]
    say("", "== types: left out, because mypy is not installed here (.ci/run installs it)")
    return [GateStage("types", False, 0)] if os.environ.get("CI") else []


def _pytest(extra: Sequence[str], *, spare: int = 2) -> list[str]:
    """Pytest with so many more workers than there are processors.

    Many cases wait for a server, or in silence; few of the fast ones do, and each worker
    takes seconds to collect them all.
    """
    alone = any(option.startswith(ONE_PROCESS) for option in extra)
    # Tests of one group (of the built site) share a worker: what they need is made once. They
    # begin in the order of tests/conftest.py, and not the largest group first.
    several = ["-n", str((os.cpu_count() or 1) + spare), "--dist", "loadgroup"]
    several.append("--no-loadscope-reorder")
    workers = [] if alone else several
    return [sys.executable, "-m", "pytest", *workers, *extra]


def _shown(name: str, command: list[str], folder: Path) -> GateStage:
    """Run a program whose output is seen as it comes."""
    say("", f"== {name}: {' '.join(command[1:])}")
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=_environment())
    return GateStage(name, done.returncode == 0, time.monotonic() - start)


def _environment() -> dict[str, str]:
    """Ours, with patience for several workers on each processor. What is compiled is kept,
    whatever the shell says: hundreds of programs start, and every pytest among them would
    compile its plugins anew."""
    kept = {"NUMENEON_PATIENCE": _PATIENCE, **os.environ}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


def summary(stage: GateStage, *, colour: bool) -> str:
    """One line on a stage."""
    mark, style = ("[x]", "green") if stage.passed else ("[ ]", "red")
    return paint(f"{mark} {stage.name} ({stage.seconds:.1f} s)", style, colour=colour)

"""Whether a save at any moment of a check is checked: random moments of real checks.

    python benchmarks/saves.py [--saves 50] [--step 2] [--seed 1] [--each 10]

Runs `watch STEP` on a copy of the step, with a new start after each ten saves so that first
checks have their share. Each save comes at a random moment of a check, and is lost if no
check begins after it; or, for the last one before a new start, if the verdict that stays is
not that of the saved file. Exit status 1 if one was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from course import step as find_step  # noqa: E402
from course.processes import wait_until  # noqa: E402

SETTINGS = "backend/numeneon/settings.py"
CHECKING = re.compile(r"checking .*\.\.\.$")
# Much more than a check of a very busy machine, and the report of a save. Seconds.
LOST = 240.0


class Watched:
    """A running watch: its lines so far, and how many of them began a check."""

    def __init__(self, step: str, project: Path) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workshop", "watch", step, "--project", project],
            cwd=ROOT,
            env=os.environ | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def begun(self) -> int:
        return sum(bool(CHECKING.search(line)) for line in self.lines)

    def checks_after(self, begun: int) -> bool:
        """Wait for a check after the first so many; False if none comes."""
        return wait_until(lambda: self.begun > begun, seconds=LOST)

    def verdict(self) -> bool:
        """Wait until nothing is checked any more; whether all passed then."""
        idle = wait_until(
            lambda: self.lines[-1:] != [] and "Waiting for" in self.lines[-1], seconds=LOST
        )
        assert idle, "\n".join(self.lines[-20:])
        return any("all passed" in line for line in self.lines[-4:])


@contextlib.contextmanager
def watch(step: str, project: Path) -> Iterator[Watched]:
    watched = Watched(step, project)
    try:
        yield watched
    finally:
        watched.process.terminate()
        watched.process.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=int, default=50)
    parser.add_argument("--step", default="2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=10)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    lost = []
    with tempfile.TemporaryDirectory(prefix="nns-") as place:
        project = Path(place, "project")
        shutil.copytree(find_step(int(arguments.step)).folder, project)
        good = (project / SETTINGS).read_text("utf-8")
        duration = 1.0
        for number in range(0, arguments.saves, arguments.each):
            count = min(arguments.each, arguments.saves - number)
            # Good and broken in turn; after the last one green would be wrong.
            states = [
                good + f"# {each}\n" + "x = (\n" * ((count - each) % 2)
                for each in range(count)
            ]
            with watch(arguments.step, project) as watched:
                took, missed = save_all(watched, project, states, duration, chance)
            duration = took
            lost += [number + each for each in missed]
            (project / SETTINGS).write_text(good, "utf-8")
    print(f"saves {arguments.saves}, lost {len(lost)} {lost or ''}")
    return int(bool(lost))


def save_all(
    watched: Watched,
    project: Path,
    states: list[str],
    duration: float,
    chance: random.Random,
) -> tuple[float, list[int]]:
    """Save each state in a check; (seconds of a check, the numbers of the lost ones)."""
    missed = []
    assert watched.checks_after(0)
    for number, state in enumerate(states):
        time.sleep(chance.uniform(0, duration))  # the moment is what is measured
        begun = watched.begun
        (project / SETTINGS).write_text(state, "utf-8")
        if not watched.checks_after(begun):
            missed.append(number)
    if watched.verdict():
        missed.append(len(states) - 1)
    took = [float(s) for s in re.findall(r"in ([\d.]+) s", "\n".join(watched.lines))]
    print(f"{watched.begun} checks of {min(took):.1f} to {max(took):.1f} s", flush=True)
    return max(took), sorted(set(missed))


if __name__ == "__main__":
    sys.exit(main())

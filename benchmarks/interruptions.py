"""What two signals at a random moment of a check leave behind: nothing, and no hang.

    python benchmarks/interruptions.py [--runs 50] [--step 6] [--seed 1] [--within 20]

Each run starts `check STEP` on a copy of the step, in a temporary directory of its own, and
ends it with two signals, the second soon after the first. It then counts what is there when
the process has ended (or been given up), starts the command once more, and counts again.
Exit status 1 if a run hung, or a process or a folder was left.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from course import step as find_step  # noqa: E402
from course.processes import wait_until  # noqa: E402

PAIRS = (
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGHUP),
    (signal.SIGHUP, signal.SIGTERM),
    (signal.SIGINT, signal.SIGTERM),
)
# The second signal comes so soon at the latest: two nervous fingers. Seconds.
BETWEEN = 0.6
# A process that takes longer after the second signal hangs. Seconds.
HANGS = 12.0
# Orphans end by themselves, once they see that nobody holds their pipe. Seconds.
LETTING_GO = 10.0


@dataclass
class Outcome:
    """What one interrupted run came to."""

    moment: float
    names: str
    seconds: float  # from the last signal to the end
    hung: bool
    processes: list[str]
    at_end: list[str]
    after_next: list[str]
    memory: int  # segments without a user, which may be another program's


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--step", default="6")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--within", type=float, default=20.0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="nni-") as place:
        os.chmod(place, 0o711)  # PostgreSQL runs as another user where we are root
        project = Path(place, "project")
        shutil.copytree(find_step(int(arguments.step)).folder, project)
        for number in range(arguments.runs):
            outcome = interrupted(
                arguments.step,
                project,
                Path(place, f"t{number}"),
                moment=chance.uniform(0, arguments.within),
                pair=chance.choice(PAIRS),
                between=chance.uniform(0, BETWEEN),
            )
            outcomes.append(outcome)
            print(told(number, outcome), flush=True)
    return report(outcomes)


def interrupted(
    step: str,
    project: Path,
    scratch: Path,
    *,
    moment: float,
    pair: tuple[signal.Signals, signal.Signals],
    between: float,
) -> Outcome:
    """Start a check, send two signals, and see what is left at the end and later."""
    scratch.mkdir()
    scratch.chmod(0o711)
    shared = shared_memory()
    process = start(step, project, scratch)
    sent = []
    for seconds, number in ((moment, pair[0]), (between, pair[1])):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            sent.append(number.name)
    began = time.monotonic()
    hung = False
    try:
        process.wait(HANGS)
    except subprocess.TimeoutExpired:
        hung = True
        process.kill()
        process.wait()
    seconds = time.monotonic() - began
    at_end = names_in(scratch)
    next_start(project, scratch)
    wait_until(lambda: not processes_in(scratch), seconds=LETTING_GO)
    after_next = names_in(scratch)
    memory = len(shared_memory() - shared)
    names = " ".join(sent) or "none"
    left = processes_in(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    return Outcome(moment, names, seconds, hung, left, at_end, after_next, memory)


def start(step: str, project: Path, scratch: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "workshop", "check", step, "--project", project],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def next_start(project: Path, scratch: Path) -> None:
    """The cheapest command that sweeps: a check of an item that needs no server."""
    process = subprocess.run(
        [sys.executable, "-m", "workshop", "check", "0", "--project", scratch / "none"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
    )
    assert process.returncode == 2, process.stderr


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def processes_in(folder: Path) -> list[str]:
    """The processes that work below a folder, or have it in their environment."""
    found = []
    mark = f"TMPDIR={folder}\0".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = Path(os.readlink(entry / "cwd")).is_relative_to(folder)
            if inside or mark in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it ended while we looked
            continue
    return found


def shared_memory() -> set[str]:
    """The segments that a PostgreSQL left in memory: to those in use somebody is attached."""
    table = Path("/proc/sysvipc/shm")
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    rows = [line.split() for line in lines]
    return {f"segment {row[1]}" for row in rows if row[6] == "0"}


def told(number: int, outcome: Outcome) -> str:
    """One line on a run."""
    hung = "HUNG" if outcome.hung else f"{outcome.seconds:4.1f} s"
    left = [*outcome.processes, *outcome.after_next]
    more = f" LEFT {left}" if left else ""
    swept = f" (swept by the next start: {outcome.at_end})" if outcome.at_end else ""
    return f"{number:3} at {outcome.moment:4.1f} s {outcome.names:16} {hung}{more}{swept}"


def report(outcomes: list[Outcome]) -> int:
    """Print the counts; 1 if any of them is not 0."""
    hangs = sum(outcome.hung for outcome in outcomes)
    processes = sum(len(outcome.processes) for outcome in outcomes)
    folders = sum(len(outcome.after_next) for outcome in outcomes)
    slowest = max(outcome.seconds for outcome in outcomes)
    swept = sum(bool(outcome.at_end) for outcome in outcomes)
    early = sum(outcome.names == "none" for outcome in outcomes)
    print(f"runs {len(outcomes)} ({early} had ended before the signals)")
    print(f"hangs {hangs}, processes left {processes}, folders left {folders}")
    print(f"slowest end {slowest:.1f} s; left until the next start: {swept} runs")
    print(f"shared memory without a user: {sum(outcome.memory for outcome in outcomes)}")
    return int(bool(hangs or processes or folders))


if __name__ == "__main__":
    sys.exit(main())

"""How long a learner waits for a verdict, against `manage.py check` in the same run.

    python benchmarks/verdict_speed.py [--runs 7]

Prints, for step 5 on its finished snapshot, everything real:
  check    wall time of `tutorial.py check 5` over wall time of `manage.py check`
  watch    from a save to the verdict in `watch`, over the same baseline
  beyond   processor time of `check 5` without what its two servers take to start
Each run measures all of them in turn, so a machine that changes speed changes all alike.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from course.processes import free_port, listening, wait_until  # noqa: E402

# A person reads, thinks and types between two saves. Seconds.
BETWEEN_SAVES = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(ROOT / "steps" / "05-asgi", project)
        measure(project, runs)


def measure(project: Path, runs: int) -> None:
    """Take all figures in turn and print their medians and ratios."""
    rows = []
    with Watch(project) as watch:
        for number in range(runs + 1):  # the first warms the file cache and is dropped
            time.sleep(BETWEEN_SAVES)
            baseline, _ = timed([sys.executable, "manage.py", "check"], project / "backend")
            wall, processor = timed(check_command(project), ROOT)
            servers = sum(server_seconds(project, argv) for argv in SERVERS)
            rows.append(
                (baseline, wall, watch.save_to_verdict(number), processor - servers)
            )
    baseline, wall, again, beyond = (
        statistics.median(column) for column in zip(*rows[1:], strict=True)
    )
    print(f"manage.py check   {baseline:5.2f} s   the baseline, median of {runs}")
    print(f"check 5           {wall:5.2f} s   {ratios(rows, 1)} times the baseline")
    print(f"save to verdict   {again:5.2f} s   {ratios(rows, 2)} times the baseline")
    print(f"beyond servers    {beyond:5.2f} s   of processor time")


def ratios(rows: list[tuple[float, ...]], column: int) -> str:
    """The median ratio to the baseline of the same round, and its range."""
    each = sorted(row[column] / row[0] for row in rows[1:])
    return f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})"


def check_command(project: Path) -> list[str | Path]:
    return [sys.executable, "tutorial.py", "check", "5", "--project", project]


def timed(argv: list[str | Path], cwd: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command with all its children."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system
    return wall, used - before.children_user - before.children_system


SERVERS = (
    ["-m", "daphne", "-p", "{port}", "numeneon.asgi:application"],
    ["manage.py", "runserver", "--noreload", "{port}"],
)


def server_seconds(project: Path, argv: list[str]) -> float:
    """Processor seconds of a server from its start until it listens."""
    before, port = os.times(), free_port()
    process = subprocess.Popen(
        [sys.executable, *(part.replace("{port}", str(port)) for part in argv)],
        cwd=project / "backend",
        env=os.environ | {"DATABASE_URL": "sqlite://:memory:"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert wait_until(lambda: listening(port), seconds=30)
    process.kill()
    process.wait()
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


class Watch:
    """A running `watch 5`, and the moments at which it gives its verdicts."""

    def __init__(self, project: Path) -> None:
        self.file = project / "backend" / "numeneon" / "asgi.py"
        self._text = self.file.read_text("utf-8")
        self._verdict = threading.Semaphore(0)
        self._process = subprocess.Popen(
            [sys.executable, "-u", "tutorial.py", "watch", "5", "--project", project],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        self._verdict.acquire()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if re.match(r"Step 5: ", line):
                self._verdict.release()

    def save_to_verdict(self, number: int) -> float:
        """Save a change of asgi.py; the seconds until the verdict on it is printed."""
        start = time.perf_counter()
        self.file.write_text(f"{self._text}\n# save {number}\n", "utf-8")
        self._verdict.acquire()
        return time.perf_counter() - start

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


if __name__ == "__main__":
    main()

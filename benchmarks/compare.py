"""What an event costs: the textbook's way, ours, a bare loop and Socket.IO, side by side.

    python benchmarks/compare.py [--sizes 500 1000 5000] [--rounds 5] [--only bare final]
                                 [--sqlite] [--brief] [--limit 20] [--json FILE]

All contenders run at once, each with sockets of as many users, and are measured in turns, so
that a slow moment of the machine hits all of them. Clients are processes apart; servers and
clients are pinned to processors where the system can do that. Each frame is counted. Exit
status 1 if a contender other than the textbook lost one. `charts.py` draws the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.servers import (  # noqa: E402
    CONTENDERS,
    FINAL,
    Contender,
    Missing,
    arena,
    busy,
    manage,
    processors,
)
from checks.harness import services  # noqa: E402

FIGURES = ROOT / "docs" / "assets" / "benchmarks" / "compare.json"
# The first sockets make a server import what it needs: they are not measured.
WARM = 20
CONNECTS = 200
BURST = 500
RATE, PACE_SECONDS, WRITERS, FLOOD_SECONDS = 50, 4.0, 4, 2.0
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
PACKAGES = [
    "Django",
    "channels",
    "channels-redis",
    "daphne",
    "redis",
    "uvicorn",
    "uvloop",
    "websockets",
    "psycopg",
]
APART = """
from notifications.services import send_notification
users = range({first}, {first} + {count})
send_notification(user_ids=users, kind="mark", data={{"mark": "mark-{number}-"}})
"""


class Results:
    """Figures by contender and measure, one for each round; and what went missing."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.faults: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, contender: Contender, measure: str, value: float | None) -> None:
        """Note a figure, unless nobody knows it."""
        if value is not None:
            self.figures[contender.key][measure].append(value)

    def count(self, contender: Contender, told: dict[str, Any]) -> None:
        """Note what was expected and received."""
        for name in ("expected", "received", "missing", "twice", "strangers", "failed"):
            if isinstance(told.get(name), int):
                self.faults[contender.key][name] += told[name]

    def wrong(self) -> list[str]:
        """Who lost, doubled or mixed up anything, in words. The textbook does: a finding."""
        return [
            f"{key}: {counts[name]} {name}"
            for key, counts in self.faults.items()
            for name in ("missing", "twice", "strangers", "failed")
            if counts[name] and key != "textbook"
        ]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times the other's figure ours is: round by round, so that both had one machine."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=False) if b]
    return spread(pairs)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    if not values:
        return {}
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


def fan_out(contender: Contender, name: str, size: int, times: int = 1) -> dict[str, Any]:
    """POST once; each of the first `size` sockets has to get a frame, `times` times."""
    request = dict(contender.requests[name])
    if name == "event":
        said = {"first": request["first"], "count": size, "times": times, "mark": "MARK"}
        request |= {"body": json.dumps(said), "times": times}
    before = busy(contender.pids)
    told = contender.crowd.ask("post", request=request, places=list(range(size)))
    after = busy(contender.pids)
    told["failed"] = int(told["status"] not in (200, 201, 204))
    told["ms"] = 1000 * told["last"]
    if before is not None and after is not None and told["received"]:
        told["us"] = 1e6 * (after - before) / told["received"]
    return told


def grow(contender: Contender, size: int, results: Results) -> None:
    """Open sockets until there are so many, and note what one of them costs.

    The first half offers no compression, as a program does, the rest does, as browsers do.
    """
    offers = contender.size > 0
    more = OFFER if offers else {}
    if not contender.size:
        contender.connect(contender.heads[:WARM], 0)
        contender.size = WARM
    heads = [head | more for head in contender.heads[contender.size : size]]
    memory, used = contender.memory(), busy(contender.pids)
    told = contender.connect(heads, contender.size)
    results.faults[contender.key]["failed"] += size - told["open"]
    for line in told["failed"]:
        print(f"  {contender.title}: {told['failed'][line]} times {line}")
    if memory is not None:
        name = "KB a socket" + (" that offers compression" if offers else "")
        if contender.size < 1000:
            results.add(
                contender, name, ((contender.memory() or 0) - memory) / 1024 / len(heads)
            )
    if used is not None:
        results.add(
            contender,
            "connect ms",
            1000 * ((busy(contender.pids) or 0) - used) / len(heads),
        )
    print(f"  {contender.title}: {told['open']} sockets, {told['seconds']:.1f} s")
    contender.size = size


def measure(contender: Contender, size: int, results: Results) -> None:
    """One turn of a contender: an event to each, a broadcast, a post that is stored."""
    for name in ("event", "broadcast", f"post {size}"):
        if name not in contender.requests:
            continue
        told = fan_out(contender, name, size)
        results.count(contender, told)
        if told["missing"] or told["failed"]:
            print(f"  {contender.title}, {name}: {told}")
        label = name if name.startswith("post") else f"{name} {size}"
        if told["missing"] == 0:
            results.add(contender, f"{label} ms", told["ms"])
        else:
            results.add(contender, f"{label} missing", told["missing"])
        results.add(contender, f"{label} us a delivery", told.get("us"))


def measure_connects(contender: Contender, results: Results) -> None:
    """Sockets of users who have one already: how many a second."""
    heads = contender.heads[:CONNECTS]
    told = contender.connect(heads, contender.size)
    results.count(contender, {"failed": len(heads) + contender.size - told["open"]})
    results.add(contender, "connects a second", len(heads) / told["seconds"])
    contender.crowd.ask("drop", first=contender.size)
    time.sleep(0.5)


def measure_messages(contender: Contender, results: Results) -> None:
    """A message a user sends another one, with the notification and without it."""
    if "message" not in contender.requests:
        return
    both = (("silent", None), ("message", 1))
    for name, receiver in both:
        flood = contender.crowd.ask(
            "flood",
            request=contender.requests[name],
            place=receiver,
            writers=WRITERS,
            seconds=FLOOD_SECONDS,
        )
        results.count(contender, flood)
        results.add(contender, f"{name} a second", flood["rate"])
    # On a machine that cannot keep the rate up, queues would be measured.
    silent = results.figures[contender.key]["silent a second"][-1]
    rate = min(RATE, round(silent / 2))
    results.add(contender, "paced at a second", rate)
    for name, receiver in both:
        paced = contender.crowd.ask(
            "pace",
            request=contender.requests[name],
            place=receiver,
            rate=rate,
            seconds=PACE_SECONDS,
        )
        results.count(contender, paced)
        taken = sorted(1000 * seconds for seconds in paced["seconds"])
        results.add(contender, f"{name} p50 ms", statistics.median(taken))
        results.add(contender, f"{name} p99 ms", taken[int(0.99 * len(taken))])


def measure_burst(contender: Contender, results: Results) -> None:
    """So many events to one socket, as fast as they can be sent."""
    told = fan_out(contender, "event", 1, times=BURST)
    results.count(contender, told)
    results.add(contender, f"burst of {BURST} missing", told["missing"])


def measure_apart(contender: Contender, results: Results) -> None:
    """An event that no server sends, but a command beside them."""
    if not contender.env:
        return
    size, first = contender.size, contender.requests["event"]["first"]
    number = contender.crowd.ask("listen")["number"]
    code = APART.format(first=first, count=size, number=number)
    manage(contender.env, FINAL, "shell", "-v0", "--no-imports", "-c", code)
    time.sleep(1)
    told = contender.crowd.ask("tally", places=list(range(size)))
    results.count(contender, told)
    results.add(contender, "from a process apart missing", told["missing"])


def machine(postgres: bool) -> dict[str, Any]:
    """What this ran on."""
    redis = services.redis_executable()
    said = subprocess.run([str(redis), "--version"], capture_output=True, text=True).stdout
    found = {"Python": platform.python_version(), "Redis": said.split("v=")[-1].split()[0]}
    if postgres:
        binary = services.postgres_folder() / "postgres"  # type: ignore[operator]
        said = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
        found["PostgreSQL"] = said.split()[-1]
    with contextlib.suppress(OSError):
        said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
        found["Node"] = said.strip()
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if "model name" in x), "")
    return {
        "date": datetime.date.today().isoformat(),
        "processors": len(processors()) or os.cpu_count(),
        "model": model,
        "system": platform.system(),
        "database": "PostgreSQL" if postgres else "SQLite",
        "pinned": bool(processors()),
        "versions": found | {name: version(name) for name in PACKAGES},
    }


def summary(results: Results) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Each figure's median and spread, and how many times the bare loop's it is."""
    ceiling = results.figures.get("bare", {})
    return {
        key: {
            name: {"figures": spread(values)}
            | ({"ratio": ratios(values, ceiling[name])} if name in ceiling else {})
            for name, values in figures.items()
        }
        for key, figures in results.figures.items()
    }


def against_control(results: Results) -> dict[str, dict[str, dict[str, float]]]:
    """How many times the figure of the same request without a notification ours is."""
    return {
        key: {
            name: ratios(figures[f"message {name}"], figures[f"silent {name}"])
            for name in ("p50 ms", "p99 ms", "a second")
        }
        for key, figures in results.figures.items()
        if "message a second" in figures
    }


def run(options: argparse.Namespace, folder: Path, results: Results) -> dict[str, Any]:
    """Start everybody, measure in turns; what is written."""
    notes: list[str] = []
    with contextlib.ExitStack() as stack:
        field = stack.enter_context(arena(folder, options.sizes, sqlite=options.sqlite))
        if field.postgres is None and not options.sqlite:
            notes.append("SQLite in place of PostgreSQL, which is not here")
        contenders: list[Contender] = []
        for key in options.only or CONTENDERS:
            try:
                contenders.append(CONTENDERS[key](field))
            except Missing as missing:
                notes.append(str(missing))
                print(missing)
                continue
            stack.callback(contenders[-1].stop)
        began = time.monotonic()
        for size in options.sizes:
            stage(options, contenders, size, results)
        held = time.monotonic() - began
        for contender in contenders:
            told = contender.crowd.ask("state")
            results.add(contender, "gone", contender.size - told["open"])
            results.count(contender, {"missing": contender.size - told["open"]})
        described = machine(field.postgres is not None)
    return {
        "machine": described,
        "notes": notes,
        "sizes": options.sizes,
        "rounds": options.rounds,
        "seconds held": round(held),
        "titles": {contender.key: contender.title for contender in contenders},
        "counts": results.faults,
        "message against silent": against_control(results),
        "summary": summary(results),
        "figures": results.figures,
    }


MEASURES = (measure_connects, measure_messages, measure_burst, measure_apart)


def stage(
    options: argparse.Namespace, contenders: list[Contender], size: int, results: Results
) -> None:
    """Measure with so many sockets each: a round to warm up, and then the rounds."""
    print(f"{size} sockets each", flush=True)
    for contender in contenders:
        grow(contender, size, results)
    warm = Results()
    for number in range(options.rounds + 1):
        began = time.monotonic()
        for contender in contenders:
            measure(contender, size, results if number else warm)
        print(f"  round {number} of {options.rounds}: {time.monotonic() - began:.0f} s")
    if options.brief or size != max(
        (each for each in options.sizes if each <= 1000), default=0
    ):
        return
    for _ in range(min(3, options.rounds)):
        for each in MEASURES:
            for contender in contenders:
                each(contender, results)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS)
    parser.add_argument("--sqlite", action="store_true", help="instead of PostgreSQL")
    parser.add_argument("--brief", action="store_true", help="events and broadcasts only")
    parser.add_argument("--limit", type=float, default=20, help="minutes, then it gives up")
    parser.add_argument("--json", type=Path, default=FIGURES)
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("the time is over"))
    signal.alarm(int(60 * options.limit))
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        figures = run(options, Path(name), results)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    report(figures)
    for line in results.wrong():
        print(f"wrong: {line}")
    return 1 if results.wrong() else 0


def report(figures: dict[str, Any]) -> None:
    """Print the medians, and how many times the bare loop's they are."""
    for key, measures in figures["summary"].items():
        print(figures["titles"][key], dict(figures["counts"][key]))
        for name, found in measures.items():
            ratio = found.get("ratio")
            times = f"   {ratio['median']:.2f} times" if ratio else ""
            each = found["figures"]
            print(f"  {name}: {each['median']} ({each['min']} to {each['max']}){times}")
        print(" ", figures["message against silent"].get(key, ""))


if __name__ == "__main__":
    sys.exit(main())

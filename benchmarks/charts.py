"""Draws what compare.py has measured: docs/assets/pictures/benchmark-*.svg.

    python benchmarks/charts.py

Each bar is a median, with a line from the least to the most of the rounds. The scale is
logarithmic: on a linear one, whatever is not the textbook's would be a dot.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.compare import FIGURES  # noqa: E402

PICTURES = ROOT / "docs" / "assets" / "pictures"
# The name of the file, what it shows, the measure, its unit.
CHARTS = (
    ("event", "One event to 1,000 users, until the last one has it", "event 1000 ms", "ms"),
    (
        "broadcast",
        "A broadcast to 1,000 sockets, until the last one has it",
        "broadcast 1000 ms",
        "ms",
    ),
    (
        "delivery",
        "Processor time of the server for one delivery",
        "event 1000 us a delivery",
        "µs",
    ),
    ("memory", "Memory for an idle socket", "KB a socket", "KB"),
    ("connects", "Connects with authentication, a second", "connects a second", "a second"),
)
WIDTH, LEFT, RIGHT, HEIGHT, TOP = 520, 140, 155, 34, 48


def rounded(value: float) -> str:
    """A figure with as many digits as it is worth."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def chart(
    title: str, unit: str, bars: list[tuple[str, dict[str, float], float | None]]
) -> str:
    """A drawing with a bar for each (name, median and spread, times the bare loop's)."""
    least = 10 ** math.floor(math.log10(min(figures["min"] for _, figures, _ in bars)))
    most = max(figures["max"] for _, figures, _ in bars)
    wide = (WIDTH - LEFT - RIGHT) / math.log10(max(10.0, most / least))

    def at(value: float) -> float:
        return round(LEFT + wide * math.log10(max(1.0, value / least)), 1)

    lines = [f'<text class="title" x="16" y="24">{escape(title)}</text>']
    for number, (name, figures, times) in enumerate(bars):
        y = TOP + HEIGHT * number
        length = round(max(2.0, at(figures["median"]) - LEFT), 1)
        lines += [
            f'<text class="end" x="{LEFT - 8}" y="{y + 15}">{escape(name)}</text>',
            f'<rect class="box" x="{LEFT}" y="{y}" width="{length}" height="20" rx="3"/>',
            f'<path class="line" d="M{at(figures["min"])} {y + 10}H{at(figures["max"])}"/>',
        ]
        said = f"{rounded(figures['median'])} {unit}"
        if times is not None:
            said += f", {times:.2g} times" if times < 10 else f", {times:,.0f} times"
        lines.append(
            f'<text x="{at(max(figures["max"], figures["median"])) + 8}" y="{y + 15}">'
            f"{escape(said)}</text>"
        )
    bottom = TOP + HEIGHT * len(bars)
    ticks = range(
        round(math.log10(least)), math.floor(math.log10(max(most, least * 10))) + 1
    )
    for power in ticks:
        x = at(10.0**power)
        lines += [
            f'<path class="line" d="M{x} {bottom}v6"/>',
            f'<text class="middle" x="{x}" y="{bottom + 22}">{10.0**power:,g}</text>',
        ]
    size = f"0 0 {WIDTH} {bottom + 30}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">'
    return "\n".join([head, *lines, "</svg>"]) + "\n"


def bars_of(measured: dict[str, Any], measure: str) -> list[Any]:
    """Every contender that has the measure, the least figure first."""
    bars = []
    for key, measures in measured["summary"].items():
        if figures := measures.get(measure, {}).get("figures"):
            times = measures[measure].get("ratio", {}).get("median")
            bars.append(
                (measured["titles"][key], figures, times if key != "bare" else None)
            )
    return sorted(bars, key=lambda bar: bar[1]["median"])


def main() -> int:
    measured = json.loads(FIGURES.read_text("utf-8"))
    for name, title, measure, unit in CHARTS:
        if bars := bars_of(measured, measure):
            drawing = PICTURES / f"benchmark-{name}.svg"
            drawing.write_text(chart(title, unit, bars), "utf-8")
            print(drawing.relative_to(ROOT))
        else:
            print(f"nothing to draw: nobody has {measure!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

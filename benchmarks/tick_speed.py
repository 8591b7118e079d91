"""How soon a page ticks after a save, against the check's own time in the same run.

    python benchmarks/tick_speed.py [--runs 9] [--json FILE]

Runs the tool with its pages in a copy of the repository, with the workspace as after step 5.
A headless Chromium shows the page of step 5. Each round breaks and then mends asgi.py, and
measures the mending: from the save to the last tick drawn on the page, over the duration
that the check reports for that run. Prints the median of the ratios (the bar is 1.5).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import Tool, Visit, catch_up, checkout, chromium, use_step, visit  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGE = "steps/05-asgi/1-two-protocols/"
PASSED = re.compile(r"all passed, \d+ items in ([\d.]+) s")
SLUG = "05-asgi"
ASGI = "workspace/backend/numeneon/asgi.py"
# A person reads, thinks and types between two saves. Seconds.
BETWEEN_SAVES = 2.0
# Notes when the list became all ticked, or not, after the browser has drawn it.
WATCHER = """
window.ticks = [];
window.watchTicks = () => {
  let before = null;
  const look = () => {
    const items = [...document.querySelectorAll("ol.checklist > li[data-item]")];
    const settled = items.every((item) => !item.hasAttribute("data-running"));
    const all = settled && items.every((item) => item.dataset.status === "passed");
    const state = settled ? (all ? "all" : "some") : "running";
    if (state !== before) {
      before = state;
      requestAnimationFrame(() => window.ticks.push([state, Date.now() / 1000]));
    }
  };
  new MutationObserver(look).observe(document.querySelector("ol.checklist"), {
    attributes: true, subtree: true,
  });
  look();
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if importlib.util.find_spec("playwright") is None:
        sys.exit(
            "This looks at a page in a real browser and needs the package playwright:\n"
            "    python -m pip install playwright"
        )
    with tempfile.TemporaryDirectory() as folder:
        root = checkout(Path(folder) / "tutorial")
        catch_up(root, 4)
        use_step(root, SLUG)
        with Tool(root) as tool, chromium_window() as browser:
            rows = measure(root, tool, visit(browser), arguments.runs)
    report(rows, arguments.json)


@contextmanager
def chromium_window() -> Iterator[Browser]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield made
        made.close()


def measure(root: Path, tool: Tool, seen: Visit, runs: int) -> list[tuple[float, float]]:
    """(seconds from save to tick, seconds of the check itself) of each round."""
    seen.page.goto(tool.ready() + PAGE)
    seen.page.evaluate(WATCHER)
    seen.page.evaluate("window.watchTicks()")
    wait(seen, "all", since=0)
    good = (root / ASGI).read_text("utf-8")
    rows = []
    for number in range(runs + 1):  # the first warms the file cache and is dropped
        save(seen, root, f"{good}\nbroken = missing_{number}\n", "some")
        before = len(PASSED.findall(tool.said))
        took = save(seen, root, f"{good}\n# {number}\n", "all")
        rows.append((took, own_time(tool, before)))
    return rows[1:]


def save(seen: Visit, root: Path, text: str, wanted: str) -> float:
    """Save asgi.py; the seconds until the page shows the state that is wanted."""
    time.sleep(BETWEEN_SAVES)
    start = time.time()
    (root / ASGI).write_text(text, "utf-8")
    return wait(seen, wanted, since=start) - start


def wait(seen: Visit, wanted: str, *, since: float) -> float:
    """When the page first showed a state after a moment (both clocks are this machine's)."""
    seen.page.wait_for_function(
        "([wanted, since]) => window.ticks.some(([state, at]) => "
        "state === wanted && at >= since)",
        arg=[wanted, since],
    )
    ticks = seen.page.evaluate("window.ticks")
    return next(at for state, at in ticks if state == wanted and at >= since)


def own_time(tool: Tool, before: int) -> float:
    """What the run after the first `before` passed ones says that it took."""
    tool.wait_for(f"(?s)(?:{PASSED.pattern}.*?){{{before + 1}}}")
    return float(PASSED.findall(tool.said)[before])


def report(rows: list[tuple[float, float]], target: Path | None) -> None:
    """Print the medians and the ratio's range, and keep them in a file if asked for."""
    took, own = (statistics.median(column) for column in zip(*rows, strict=True))
    each = sorted(tick / check for tick, check in rows)
    ratio = statistics.median(each)
    print(f"check itself   {own:5.2f} s   median of {len(rows)}")
    print(f"save to tick   {took:5.2f} s")
    print(
        f"ratio          {ratio:5.2f}     ({each[0]:.2f} to {each[-1]:.2f}); the bar is 1.5"
    )
    if target:
        found = {
            "check_s": own,
            "tick_s": took,
            "ratio": round(ratio, 3),
            "runs": len(rows),
        }
        target.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""What the site costs to build, for each page, against highlighting in the same run.

    python benchmarks/site_build.py [--runs 5] [--json FILE]

Builds the site as the tests do. The measure is what the processor needs to highlight the
standard library's argparse, before and after each build. Prints each build's processor time,
and the median of the ratios for a page; above the bar, 1.2, it exits with 1. Not a test: on a
busy machine, whose processors share their caches, 1.4 was seen.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
BAR = 1.2

from tests.test_site import copy_of_sources, run_mkdocs  # noqa: E402


@dataclass(frozen=True)
class Build:
    """One build: its pages, seconds of the processor, and these for a page in measures."""

    pages: int
    seconds: float
    ratio: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    builds = [measured() for _ in range(arguments.runs)]
    for build in builds:
        print(f"{build.seconds:5.1f} s for {build.pages} pages, {build.ratio:.2f} a page")
    median = statistics.median(build.ratio for build in builds)
    print(f"median {median:.2f} of a measure for a page")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(build) for build in builds]), "utf-8")
    sys.exit(median > BAR)


def measured() -> Build:
    """Build the site once."""
    with tempfile.TemporaryDirectory() as folder:
        sources = copy_of_sources(Path(folder) / "site")
        measure = highlighting()
        before = os.times()
        done = run_mkdocs(sources)
        after = os.times()
        measure = (measure + highlighting()) / 2
        if done.returncode:
            sys.exit(done.stderr)
        pages = len(list((sources / "site").rglob("*.html")))
        seconds = sum(after[2:4]) - sum(
            before[2:4]
        )  # what the children used of a processor
        return Build(pages, seconds, seconds / measure / pages)


def highlighting() -> float:
    """The processor's seconds for highlighting a module that is the same everywhere."""
    source = inspect.getsource(argparse)
    before = time.process_time()
    for _ in range(3):
        pygments.highlight(source, PythonLexer(), HtmlFormatter())
    return (time.process_time() - before) / 3


if __name__ == "__main__":
    main()

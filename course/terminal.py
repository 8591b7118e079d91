"""Words on a terminal, and the same words where there is none."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import TextIO

COMMAND = "py tutorial.py" if os.name == "nt" else "python3 tutorial.py"

# Readable on light and on dark; every mark says the same without colour.
_CODES = {
    "bold": "1",
    "faint": "2",
    "red": "31",
    "green": "32",
    "magenta": "35",
    "cyan": "36",
}


def prepare_streams() -> None:
    """No character may end the command: what the console cannot show becomes a `?`.

    Output goes out line by line, so that a pipe shows it when it is said.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace", line_buffering=True)


def has_colour(stream: TextIO | None = None) -> bool:
    """Whether to colour: a terminal that can, and nobody said NO_COLOR."""
    stream = stream or sys.stdout
    if (
        os.environ.get("NO_COLOR")
        or os.environ.get("TERM") == "dumb"
        or not is_live(stream)
    ):
        return False
    if os.name == "nt":
        os.system("")  # switches the old console to understanding colours
    return True


def is_live(stream: TextIO | None = None) -> bool:
    """Whether a person sees this stream as it is written."""
    try:
        return (stream or sys.stdout).isatty()
    except ValueError:
        return False


def paint(text: str, *styles: str, colour: bool) -> str:
    """The text in these styles (`bold`, `green`, ...), or unchanged without colour."""
    if not colour or not text:
        return text
    return f"\033[{';'.join(_CODES[style] for style in styles)}m{text}\033[0m"


def width() -> int:
    """How many columns to write: the terminal's, within reason; 80 where there is none."""
    return max(30, min(shutil.get_terminal_size((80, 24)).columns, 100))


def height(stream: TextIO | None = None) -> int | None:
    """How many rows the terminal shows at once; None where nobody watches the stream."""
    return shutil.get_terminal_size((80, 24)).lines if is_live(stream) else None


def wrap(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Text broken into lines of the terminal's width, words kept whole."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def fitted(text: str, stream: TextIO) -> str:
    """Text for a stream: each line wrapped where a person watches, as it is for programs,
    which look for whole sentences."""
    if not is_live(stream):
        return text
    starts = [line[: len(line) - len(line.lstrip())] for line in text.splitlines()]
    lines = zip(text.splitlines(), starts, strict=True)
    return "\n".join(wrap(line.lstrip(), start, start) for line, start in lines)


def say(*lines: str) -> None:
    """Print lines and make sure that they are seen before anything slow begins."""
    print(*lines, sep="\n", flush=True)


def complain(*lines: str) -> None:
    """Print lines to standard error."""
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def plural(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Iterable[str], most: int = 12) -> list[str]:
    """Names one below the other, shortened when there are many."""
    names = list(names)
    if len(names) <= most:
        return names
    return [*names[: most - 1], f"... and {len(names) - most + 1} more"]

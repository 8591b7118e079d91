"""What the player rewrites, and how it compares what a page shows with what really came.

The two tables are all that is rewritten; everything else has to be equal, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ELLIPSIS = "..."

# In a command, before it is run: every page gets ports of its own, {port} and {second}.
COMMANDS = (
    (r"\b8000\b", "{port}"),
    (r"\b8001\b|\b8443\b", "{second}"),
    (r"manage\.py runserver$", "manage.py runserver {port}"),
    (r"manage\.py runasgi\b", "manage.py runasgi --port {port}"),
)
# In what a page shows and in what came, before the two are compared.
OUTPUT = (
    (r"\b\d+\.\d+ ?s\b( \(\d+:\d\d:\d\d\))?", "N s"),  # how long something took
    (r"\b\d+\.\d+ ms\b", "N ms"),
    (r"\bseconds: \d+\.\d+", "seconds: N"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\[\d\d/\w{3}/\d{4}[ :]\d\d:\d\d:\d\d\]", "[TIME]"),  # logs of runserver and Daphne
    (r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "TIME"),  # at the beginning of Daphne's
    (r"^127\.0\.0\.1:\d+ - - ", "127.0.0.1:PORT - - "),  # whom it answered
    (r"\[127\.0\.0\.1:\d+\]$", "[127.0.0.1:PORT]"),  # the same in runserver's log
    (r'(" \d{3}) \d+$', r"\1 SIZE"),  # its error pages hold the port, so their sizes differ
    (r"\bprocess \[\d+\]", "process [ID]"),
    (r"\(_ssl\.c:\d+\)", "(_ssl.c:LINE)"),  # of a version of Python
    (r"\b0x[0-9a-fA-F]+\b", "0xADDRESS"),
    (r"^\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d+", "ID TIME"),  # Redis' log
)


def rewritten(command: str, port: int, second: int = 8001) -> str:
    """A command of a page as it is run: with ports of its own in the place of 8000, 8001
    and 8443, at which a second server has TLS."""
    for pattern, new in COMMANDS:
        command = re.sub(pattern, new.format(port=port, second=second), command)
    return command


def as_shown(lines: Sequence[str], port: int, root: str, second: int = 8001) -> list[str]:
    """What came, as a page would show it: its ports, and no path of the scratch copy."""
    ports = {str(port): "8000", str(second): "8001"}
    pattern = re.compile(rf"\b({port}|{second})\b")
    return [
        pattern.sub(lambda found: ports[found[0]], line.replace(root, "~"))
        for line in lines
    ]


def normal(lines: Sequence[str]) -> list[str]:
    """Lines with what differs from run to run replaced, without blank ones at either end."""
    made = [_normal(line) for line in lines]
    while made and not made[-1]:
        made.pop()
    while made and not made[0]:
        made.pop(0)
    return made


def _normal(line: str) -> str:
    for pattern, new in OUTPUT:
        line = re.sub(pattern, new, line)
    return line.rstrip()


def matches(shown: Sequence[str], came: Sequence[str]) -> bool:
    """Whether the two are the same; a line `...` stands for any number of lines."""
    parts = _parts(normal(shown))
    rest = normal(came)
    first, *others = parts
    if not others:
        return rest == first
    last = others.pop()
    if rest[: len(first)] != first:
        return False
    rest = rest[len(first) :]
    for part in others:
        place = _place(part, rest)
        if place is None:
            return False
        rest = rest[place + len(part) :]
    return len(rest) >= len(last) and rest[len(rest) - len(last) :] == last


def contains(shown: Sequence[str], came: Sequence[str]) -> bool:
    """Whether what is shown is somewhere in what came."""
    return matches([ELLIPSIS, *shown, ELLIPSIS], came)


def _parts(lines: Sequence[str]) -> list[list[str]]:
    """The lines between the `...`: always one part more than there are of those."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def _place(part: Sequence[str], lines: Sequence[str]) -> int | None:
    """Where the lines of `part` stand first, one after the other."""
    for place in range(len(lines) - len(part) + 1):
        if list(lines[place : place + len(part)]) == list(part):
            return place
    return None

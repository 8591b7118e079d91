"""Reads what a program printed before it died."""

from __future__ import annotations

import re

# What Django's system checks print of one error: `?: (daphne.E001) Daphne must be ...`.
_CHECK_ERROR = re.compile(r"^\S.*?: \(\w+\.E\d+\) .+")
_START = "Traceback (most recent call last):"


def last_words(log: str) -> str:
    """The line that names the error: an exception's, or the last one printed."""
    lines = [line for line in log.splitlines() if line.strip()]
    for number, line in reversed(list(enumerate(lines))):
        name = line.split(":", 1)[0]
        if (
            name.endswith(("Error", "Exception", "NotReady", "Configured"))
            and " " not in name
        ):
            found = filter(_CHECK_ERROR.match, lines[number:])
            return next(found, line).strip()  # "SystemCheckError" alone says nothing
    return lines[-1].strip() if lines else "(nothing printed)"


def last_traceback(log: str) -> str:
    """The last traceback in a log, its chained ones included; '' if none is complete."""
    starts = [match.start() for match in re.finditer(rf"^{re.escape(_START)}", log, re.M)]
    for start in reversed(starts):
        if _begins_a_chain(log[:start]):
            trace = first_traceback(log[start:]).rstrip()
            if not trace.rpartition("\n")[2].startswith((" ", "Traceback")):
                return trace
    return ""


def _begins_a_chain(before: str) -> bool:
    """Whether a traceback after this text is not the continuation of an earlier one."""
    words = before.rstrip().rpartition("\n")[2]
    return not words.startswith(("During handling", "The above"))


def first_traceback(log: str) -> str:
    """The first traceback in a log, its chained ones included, without what follows it."""
    lines = log[log.index("Traceback") :].splitlines() if "Traceback" in log else []
    kept: list[str] = []
    inside = False
    for line in lines:
        if line.startswith("Traceback"):
            inside = True
        elif not inside and line and not line.startswith(("During handling", "The above")):
            break
        elif inside and line and not line.startswith(" "):
            inside = False  # the line that names the error
        kept.append(line)
    return "\n".join(kept)

"""Reads what a program printed before it died."""

from __future__ import annotations


def last_words(log: str) -> str:
    """The line that names the error: an exception's, or the last one printed."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        name = line.split(":", 1)[0]
        if (
            name.endswith(("Error", "Exception", "NotReady", "Configured"))
            and " " not in name
        ):
            return line.strip()
    return lines[-1].strip() if lines else "(nothing printed)"


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

"""Reads in a server's log why its channel layer cannot use Redis; it judges nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.harness.logs import last_words

_FROM_REDIS = re.compile(r'File "[^"]*[/\\](channels_redis|redis)[/\\]')
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


@dataclass(frozen=True)
class Trouble:
    """The error, the setting's name that it is about if it tells, and what to do."""

    error: str
    option: str = ""
    advice: str = ""


def redis_trouble(log: str) -> Trouble | None:
    """The last error in that log which the Redis client or its channel layer raised."""
    traces = log.split("Traceback (most recent call last)")[1:]
    theirs = [trace for trace in traces if _FROM_REDIS.search(trace)]
    if not theirs:
        return None
    error = last_words(_until_next_record(theirs[-1]))
    if (unexpected := _UNEXPECTED.search(error)) and unexpected[1].startswith("ssl"):
        advice = (
            "TLS options need a URL that begins with rediss://; Render's internal "
            "URL begins with redis://, so leave them out"
        )
        return Trouble(error, unexpected[1], advice)
    if "ssl" in error.lower():
        advice = "Render's internal Redis has no TLS: use REDIS_URL as it is"
        return Trouble(error, "rediss", advice)
    return Trouble(error, unexpected[1] if unexpected else "")


def _until_next_record(trace: str) -> str:
    """A traceback up to the line that names its error."""
    kept = []
    for line in trace.splitlines():
        kept.append(line)
        if line and not line.startswith((" ", ":")):
            break
    return "\n".join(kept)

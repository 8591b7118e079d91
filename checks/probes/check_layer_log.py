"""Writes down what the channel layer is asked to do, for the exchange shown with a verdict.

One line of JSON for each call: when, for which socket or request, and what. The tool reads
the file when an item has been judged, so nothing is asked for and nobody waits.
"""

import contextlib
import contextvars
import json
import os
import time

_MOST_LINES = 2_000  # a loop over 200 friends, several times

# The number of the socket or request (X-Check-Socket, X-Check-Journal) that this code runs for.
number = contextvars.ContextVar("numeneon_check_number", default="")


class LayerLog:
    """The file of this process, in the folder where the guard writes its facts."""

    def __init__(self):
        folder = json.loads(os.environ["NUMENEON_CHECK"])["facts"]
        name = os.path.join(folder, f"{os.getpid()}.layer")
        self._file = open(name, "w", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._left = _MOST_LINES

    def note(self, text):
        """One line, if the tool knows whom it is about."""
        if not number.get() or self._left <= 0:
            return
        self._left -= 1
        # Whatever fails here, the learner's code goes on.
        with contextlib.suppress(OSError, ValueError):
            self._file.write(json.dumps([time.time(), number.get(), text[:500]]) + "\n")


def kind_of(message):
    """The type of an event that is sent to a group, as text."""
    return str(message.get("type", "?") if isinstance(message, dict) else "?")

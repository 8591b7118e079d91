"""How a line of the log is written: for people, or for programs."""

import json
import logging
import re
from datetime import UTC, datetime

from numeneon.logs import context

# The only extra fields that are written: others could contain a whole request.
FIELDS = ["status", "milliseconds", "code", "seconds"]


def fields_of(record):
    """Return the fields of a line: those of its request or socket, and its own."""
    own = {name: vars(record)[name] for name in FIELDS if name in vars(record)}
    return {**context.get({}), **own}


def message_of(record):
    """Return the message without what follows a "?" in an address: it may be a secret."""
    return re.sub(r"\?[^\s\"']+", "?...", record.getMessage())


class TextFormatter(logging.Formatter):
    """For people: the fields, then the message."""

    def formatMessage(self, record):
        """Called by logging for each line; a traceback follows it."""
        fields = [f"{name}={value}" for name, value in fields_of(record).items()]
        return " ".join([record.levelname, *fields, message_of(record)])


class JsonFormatter(logging.Formatter):
    """For programs: a JSON object on one line, which includes the traceback."""

    def format(self, record):
        """Called by logging for each line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            **fields_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)

"""What a running server says of itself to those who look after it: its metrics and its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from checks.errors import NotYet, Place
from checks.harness.client import Answer, shorten
from checks.harness.events import first_line
from checks.harness.harness import Harness
from checks.harness.people import Person, signed_up
from checks.harness.servers import LOCAL, Server, need, serve
from checks.harness.stage import Stage, whole_stage_of
from course import processes
from course.contract import METRICS_PATH
from course.deadline import patient

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_IS_CONNECTION = re.compile("connection|socket")
_HOST = "numeneon.example"
TOKEN = "a-token-for-one-prometheus-0123456789"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metrics:
    """The numbers of one answer, each by its name and its labels."""

    text: str
    values: dict[tuple[str, Labels], float]

    @classmethod
    def of(cls, answer: Answer) -> Metrics:
        """Raises NotYet if there are none in it."""
        text = str(answer.body)
        found = {
            (name, tuple(_LABEL.findall(labels))): float(value)
            for name, labels, value in _SAMPLE.findall(text)
        }
        if not found:
            raise NotYet(str(answer), expected="metrics in Prometheus' text format")
        return cls(text, found)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all numbers of that name that have these labels."""
        return sum(
            value
            for (own, theirs), value in self.values.items()
            if own == name and labels.items() <= dict(theirs).items()
        )

    def grown(self, before: Metrics, name: str) -> dict[Labels, float]:
        """By how much each number of that name has grown, if it has."""
        return {
            labels: value - before.values.get((own, labels), 0)
            for (own, labels), value in self.values.items()
            if own == name and value != before.values.get((own, labels), 0)
        }

    def series(self, beginning: str) -> set[tuple[str, Labels]]:
        """The names and labels of all numbers whose name begins like this."""
        return {each for each in self.values if each[0].startswith(beginning)}


def staff(harness: Harness) -> Person:
    """Somebody who looks after the server that the stage is."""

    def make() -> Person:
        stage = whole_stage_of(harness)
        person = signed_up(harness, stage.server, "stella")
        stage.control("save", id=person.id, is_staff=True)
        return person

    return harness.once("staff", make)


def metrics_of(stage: Stage) -> Metrics:
    """What the stage's server says at this moment, to staff."""
    token = staff(stage.harness).access
    return Metrics.of(need(stage.server.ask("GET", METRICS_PATH, token=token), 200))


def in_production(harness: Harness) -> Server:
    """The project under uvicorn with DEBUG off, a METRICS_TOKEN, and the scratch database."""
    return harness.once("a server in production", lambda: _in_production(harness))


def _in_production(harness: Harness) -> Server:
    variables = {
        "DEBUG": "false",
        "SECRET_KEY": "k8Zq-3vWm_Lr0TxB9yHc5NfJ2pGdQ7sE1uAo4iXb6",
        "ALLOWED_HOSTS": _HOST,
        # The settings want both; the check's own are put in their place.
        "DATABASE_URL": "postgresql://numeneon:scratch@127.0.0.1:9/numeneon",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "METRICS_TOKEN": TOKEN,
    }
    argv = ["-m", "uvicorn", harness.project.asgi, "--host", LOCAL, "--port", "{port}"]
    argv += ["--lifespan", "off"]
    name = "uvicorn with the settings of production"
    server = serve(harness, name, argv, harness.env(variables=variables))
    server.proxy_headers = {"Host": _HOST, "X-Forwarded-Proto": "https"}
    server.origin, server.way = f"https://{_HOST}", "header"
    harness.database()
    return server


Line = dict[str, Any]


def lines_of(server: Server, printed: int) -> list[Line]:
    """What the server has logged after its first `printed` lines: each line is a JSON object."""
    return list(_parsed(server, printed))


def _parsed(server: Server, printed: int) -> Iterator[Line]:
    for text in filter(str.strip, server.process.log_since(printed).splitlines()):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            raise NotYet(
                f"with DEBUG off the server logged a line that is not JSON: "
                f"{shorten(server.sandbox.as_learner(text), 160)}",
                expected="each line is one JSON object, also those of uvicorn and Django",
            )
        yield line


def lines_until(server: Server, printed: int, text: str) -> list[Line]:
    """The same, when there is a line with that text; raises NotYet if it does not come."""
    lines: list[Line] = []

    def logged() -> bool:
        lines[:] = lines_of(server, printed)
        return any(text in str(line) for line in lines)

    if not processes.wait_until(logged, seconds=patient(5)):
        raise NotYet(
            f"none of {len(lines)} new lines in the log has {text}",
            expected="a line for each request, with its path",
        )
    return lines


def connections_of(server: Server, printed: int) -> set[str]:
    """The ids of connections that lines after those have by now. Others may be no JSON."""
    found: set[str] = set()
    for text in server.process.log_since(printed).splitlines():
        with suppress(ValueError):
            line = json.loads(text)
            fields = line if isinstance(line, dict) else {}
            found.update(str(fields[key]) for key in fields if _IS_CONNECTION.search(key))
    return found


def place_of(harness: Harness, text: str) -> Place | None:
    """The first line of the project's code that has that text, outside its tests."""
    return first_line(harness, re.escape(text), elsewhere=("test",))

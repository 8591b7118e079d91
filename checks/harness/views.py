"""Finds the code of a project that answers a request, to say where a wrong answer comes from."""

from __future__ import annotations

from pathlib import Path

from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness.client import Answer
from checks.harness.events import place_of_function
from checks.harness.harness import Harness
from checks.harness.servers import need


def unexpected(
    harness: Harness, answer: Answer, expected: str, *, decides: str = ""
) -> NotYet:
    """The news that an answer is not what it should be, with the view that gave it.

    `decides` names the function behind the view that does, if the project has one.
    """
    place = _origin(harness, answer, decides)
    return NotYet(str(answer), expected=expected, look_at=place)


def needed(harness: Harness, answer: Answer, status: int, *, decides: str = "") -> Answer:
    """As servers.need(), but with that place where nothing better is known."""
    try:
        return need(answer, status)
    except NotYet as news:
        news.look_at = news.look_at or _origin(harness, answer, decides)
        raise


def _origin(harness: Harness, answer: Answer, decides: str) -> Place | None:
    return answer.place or place_of_function(harness, decides) or _view_of(harness, answer)


def _view_of(harness: Harness, answer: Answer) -> Place | None:
    """Where the view of that request is; asked in a process of its own, after a failure."""
    method, _, path = answer.request.partition(" ")
    variables = {"DJANGO_SETTINGS_MODULE": harness.project.settings_module}
    try:
        found = harness.probe("check_view", method, path, variables=variables)
    except (NotYet, EnvironmentFault):
        return None  # it explains a failure: whatever fails here is not the news
    if found is None:
        return None
    file = harness.project.relative(Path(found["file"]).resolve())
    return Place(file, found["line"], found["name"])

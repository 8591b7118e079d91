"""The channel layer of a project: loaded, used by one process or by two, its errors explained."""

from __future__ import annotations

import re
from typing import Any

from checks.errors import NotYet, Place
from checks.harness.harness import Harness
from course import processes
from course.deadline import patient

TALKS_TO_REDIS = "a layer that talks to the Redis that REDIS_URL names"
# Of our Redis, as every hosted one has a password: settings that lose it cannot connect.
PASSWORD = "a-password-for-one-check-only"
# How redis-py and Redis itself say that a client gave no password, or a wrong one.
_NO_PASSWORD = re.compile(r"Authentication|NOAUTH|WRONGPASS|password", re.IGNORECASE)


def probe(harness: Harness, name: str, *args: str, **variables: str) -> Any:
    """What that probe reports, run with the project's own layer and these variables."""
    env = _variables(harness, **variables)
    return harness.probe(name, *args, layer="project", variables=env)


def _variables(harness: Harness, **more: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": harness.project.settings_module, **more}


def fault(
    harness: Harness,
    seen: dict[str, Any],
    expected: str = "a channel layer that works without any other service",
) -> NotYet:
    """The news that the layer failed, with the setting and the line that caused it."""
    layer = seen.get("config") or {}
    own = harness.place_in(seen.get("traceback", ""))
    if layer.get("why") and not own:
        found = f'CHANNEL_LAYERS["default"]["BACKEND"]: {layer["why"]}'
        if alike := layer.get("alike"):
            todo = f'write "{alike}"'
        else:
            todo = "correct the name, or install the package that it belongs to"
        place = _text_place(harness, str(layer["backend"]))
        return NotYet(
            found, expected="the dotted path of a channel layer", look_at=place, todo=todo
        )
    return NotYet(
        harness.sandbox.as_learner(seen["error"]),
        expected=expected,
        look_at=own or harness.project.setting("CHANNEL_LAYERS"),
    )


def _text_place(harness: Harness, text: str) -> Place:
    """The line of the settings that holds this text, else that of CHANNEL_LAYERS."""
    for found in harness.project.settings.texts():
        if text and found.value == text:
            file = harness.project.relative(found.file)
            return Place(file, found.line, f'"{text}"')
    return harness.project.setting("CHANNEL_LAYERS")


def judge_hosts(harness: Harness, config: dict[str, Any]) -> None:
    """The `hosts` of a layer of channels-redis must be there, and a list.

    The layers themselves say little: one of them drops keys that it does not know and goes
    to localhost, where another Redis may answer; a text is refused by the first message.
    """
    if not str(config.get("backend")).startswith("channels_redis."):
        return
    where = 'CHANNEL_LAYERS["default"]["CONFIG"]'
    hosts, keys = config["hosts"], config["keys"]
    if hosts == "list":
        return
    wrong = next((key for key in keys if key.lower() in ("hosts", "host", "url")), None)
    if hosts is not None:
        found, key = f'{where}["hosts"] is a {hosts}', "hosts"
        todo = "put it in a list: [redis_url]"
    elif wrong:
        found, key = (
            f'{where} has the key "{wrong}", which channels-redis does not know',
            wrong,
        )
        todo = f'write "hosts" instead of "{wrong}"'
    else:
        found, key = f'{where} has no "hosts", so the layer connects to localhost:6379', ""
        todo = 'add "hosts": [redis_url]'
    raise NotYet(
        found,
        expected='"hosts": a list with the address in REDIS_URL',
        look_at=_text_place(harness, key),
        todo=todo,
    )


def heard_by_listeners(
    harness: Harness, url: str, *, members: int, idle: float, **variables: str
) -> list[str | None]:
    """What the members of a group in one process heard after another process sent to it.

    `variables` are what the settings need besides.
    """
    # Its own group: another item may talk through the same Redis at this moment.
    group = f"numeneon-check-{members}"
    variables = {**variables, "REDIS_URL": url}
    env = harness.env(layer="project", variables=_variables(harness, **variables))
    listen = harness.script("check_layer", "listen", group, str(members), str(idle + 10))
    listener = harness.start(listen, env)
    processes.prints(listener, "READY", seconds=processes.START_SECONDS)
    processes.prints(listener, "LOST", seconds=idle)
    told = probe(harness, "check_layer", "tell", group, "hello", **variables)
    seen = harness.result_of(listener, seconds=patient(20))
    for report in (told, seen):
        if report.get("error"):
            raise _redis_fault(harness, report, url)
    return seen["heard"]


def _redis_fault(harness: Harness, report: dict[str, Any], url: str) -> NotYet:
    """The news that the layer could not use the Redis at that address."""
    found = fault(harness, report, TALKS_TO_REDIS)
    refused = _NO_PASSWORD.search(report["error"])
    return NotYet(
        f"with REDIS_URL={masked(url)}: {found.found}",
        expected=found.expected,
        look_at=found.look_at,
        todo="give the layer the whole REDIS_URL: the password in it gets lost on the way"
        if refused
        else found.todo,
    )


def masked(url: str) -> str:
    """A Redis address without its password, as a message may show it."""
    return url.replace(PASSWORD, "***")


def said(harness: Harness, heard: list[str | None]) -> str:
    """What listeners heard, for a message."""
    return "; ".join(
        harness.sandbox.as_learner(text or "nothing arrived") for text in heard
    )

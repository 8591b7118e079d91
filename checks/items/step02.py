"""Step 2: the project starts as an ASGI application and has a channel layer."""

from __future__ import annotations

import re
from typing import Any

from checks.errors import NotYet, Place
from checks.harness.harness import Harness
from checks.harness.servers import runserver
from checks.items import Checklist
from course import processes
from course.processes import Process

_TALKS_TO_REDIS = "a layer that talks to the Redis that REDIS_URL names"
# Five seconds, after which redis-py and channels-redis lose patience by default, and the
# time that a listener takes on a busy machine before it begins to wait.
_IDLE_SECONDS = 7.5
_IDLE_MEMBERS = 5
# Of our Redis, as every hosted one has a password: settings that lose it cannot connect.
_PASSWORD = "a-password-for-one-check-only"
# How redis-py and Redis itself say that a client gave no password, or a wrong one.
_NO_PASSWORD = re.compile(r"Authentication|NOAUTH|WRONGPASS|password", re.IGNORECASE)


def _probe(harness: Harness, name: str, *args: str, **variables: str) -> Any:
    env = _variables(harness, **variables)
    return harness.probe(name, *args, layer="project", variables=env)


def _variables(harness: Harness, **more: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": harness.project.settings_module, **more}


def _settings(harness: Harness) -> Any:
    """How the settings look to a fresh process without a REDIS_URL."""
    return harness.once("settings", lambda: _load(harness))


def _load(harness: Harness) -> Any:
    try:
        return _probe(harness, "check_settings")
    except NotYet as error:
        raise NotYet(
            error.found,
            expected="Django sets itself up: it can import every app of INSTALLED_APPS",
            look_at=error.look_at or harness.project.setting("INSTALLED_APPS"),
            todo=error.todo,
        ) from error


checklist = Checklist(__name__, prefetch=[_settings, lambda harness: runserver(harness)])
item = checklist.item


@item("settings.load")
def settings_load(harness: Harness) -> None:
    """The settings load in a fresh process, and every app that they name exists."""
    _settings(harness)


@item("settings.daphne-first", needs=["settings.load"])
def daphne_comes_first(harness: Harness) -> None:
    """Daphne is installed and comes before `django.contrib.staticfiles`."""
    apps = _settings(harness)["apps"]
    static = "django.contrib.staticfiles"
    if "daphne" not in apps:
        found = "daphne is not among the installed apps"
    elif static in apps and apps.index(static) < apps.index("daphne"):
        found = f"daphne is number {apps.index('daphne') + 1}, after {static}"
    else:
        return
    raise NotYet(
        found,
        expected=f'"daphne" before "{static}": its `runserver` speaks WebSocket',
        look_at=harness.project.setting("INSTALLED_APPS"),
    )


@item("settings.asgi-application", needs=["settings.load"])
def asgi_application_can_be_imported(harness: Harness) -> None:
    """`ASGI_APPLICATION` names something that can be imported and called."""
    asgi = _settings(harness)["asgi"]
    expected = f'ASGI_APPLICATION = "{harness.project.package}.asgi.application"'
    if asgi["setting"] is None:
        place = harness.project.setting("ASGI_APPLICATION")
        raise NotYet("there is no ASGI_APPLICATION", expected=expected, look_at=place)
    if asgi["error"]:
        raise NotYet(
            f"importing {asgi['setting']}: {harness.sandbox.as_learner(asgi['error'])}",
            expected=expected,
            look_at=harness.place_in(asgi["traceback"])
            or harness.project.setting("ASGI_APPLICATION"),
        )


@item("settings.runserver", needs=["settings.daphne-first", "settings.asgi-application"])
def runserver_is_daphne(harness: Harness) -> None:
    """`manage.py runserver` says ASGI/Daphne, and the REST API answers there."""
    server = runserver(harness)
    # The port may be open a moment before we have read what was printed.
    if not _await(server.process, "Starting ASGI", seconds=3):
        raise NotYet(
            f"runserver printed:\n{harness.sandbox.as_learner(server.process.log())}",
            expected="Starting ASGI/Daphne development server",
            look_at=harness.project.setting("INSTALLED_APPS"),
        )
    answer = server.ask("GET", "/api/auth/me/")
    if answer.status != 401:
        raise NotYet(
            f"{answer}; the server's last lines:\n"
            f"{harness.sandbox.as_learner(server.process.log(4))}",
            expected="401, as before: nobody is logged in",
            look_at=harness.place_in(server.process.log())
            or harness.project.setting("ASGI_APPLICATION"),
        )


@item("settings.layer", needs=["settings.load"])
def default_layer_carries_a_message(harness: Harness) -> None:
    """Without a REDIS_URL the default channel layer carries a message, to one and to a group."""
    seen = _probe(harness, "check_layer", "alone")
    if seen.get("error"):
        raise _layer_fault(harness, seen)
    for way, text in (("channel", "one"), ("group", "many")):
        if seen[way] != text:
            raise NotYet(
                f"sent to a {way}: {seen[way] or 'nothing arrived'}",
                expected="what was sent",
                look_at=harness.project.setting("CHANNEL_LAYERS"),
            )


def _layer_fault(
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


@item("settings.redis-url", needs=["settings.layer"])
def redis_url_switches_the_layer(harness: Harness) -> None:
    """Setting `REDIS_URL` switches the default layer to Redis; an empty one does not."""
    for url, memory in (("redis://127.0.0.1:9/0", False), ("", True)):
        layer = _probe(harness, "check_settings", REDIS_URL=url)["layer"]
        if not memory:
            _judge_hosts(harness, layer.get("config") or {})
        if layer.get("error"):
            raise _layer_fault(harness, layer, _TALKS_TO_REDIS)
        if layer["memory"] != memory:
            raise NotYet(
                f"with REDIS_URL={url!r} the default layer is {layer['class']}",
                expected="the layer in memory" if memory else _TALKS_TO_REDIS,
                look_at=harness.project.setting("CHANNEL_LAYERS"),
            )


def _judge_hosts(harness: Harness, config: dict[str, Any]) -> None:
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
        found, key = f'{where}["hosts"] is one {hosts}', "hosts"
        todo = "put it between brackets: [redis_url]"
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


@item("settings.redis-crosses", needs=["settings.redis-url"])
def message_crosses_processes(harness: Harness) -> None:
    """Through the Redis that `REDIS_URL` names, a message crosses from one process to another."""
    url = harness.redis(password=_PASSWORD).url
    heard = _tell_listeners(harness, url, members=1, idle=0)
    if heard != ["hello"]:
        raise NotYet(
            f"a process listened to a group, another one sent to it, both with "
            f"REDIS_URL={_masked(url)}: {_say(harness, heard)}",
            expected="the message arrives in the other process",
            look_at=harness.project.setting("CHANNEL_LAYERS"),
        )


@item("settings.redis-idle", needs=["settings.redis-crosses"], parallel=True)
def idle_listeners_live(harness: Harness) -> None:
    """Listeners that heard nothing for seven seconds still get the next message through Redis."""
    heard = _tell_listeners(
        harness,
        harness.distant_redis(password=_PASSWORD),
        members=_IDLE_MEMBERS,
        idle=_IDLE_SECONDS,
    )
    lost = [text for text in heard if text != "hello"]
    if lost:
        raise NotYet(
            f"{len(lost)} of {len(heard)} idle listeners lost the message: "
            f"{_say(harness, lost[:1])}",
            expected="a connection may be silent for as long as it likes",
            look_at=harness.project.setting("CHANNEL_LAYERS"),
            todo="use channels_redis.pubsub.RedisPubSubChannelLayer, or give the core layer's "
            "host a socket_timeout of None",
        )


def _tell_listeners(
    harness: Harness, url: str, *, members: int, idle: float
) -> list[str | None]:
    """What the members of a group in one process heard after another process sent to it."""
    # Its own group: another item may talk through the same Redis at this moment.
    group = f"numeneon-check-{members}"
    variables = _variables(harness, REDIS_URL=url)
    listen = harness.script("check_layer", "listen", group, str(members), str(idle + 10))
    listener = harness.start(listen, harness.env(layer="project", variables=variables))
    _await(listener, "READY", processes.START_SECONDS)
    _await(listener, "LOST", idle)
    told = _probe(harness, "check_layer", "tell", group, "hello", REDIS_URL=url)
    seen = harness.result_of(listener, seconds=20)
    for report in (told, seen):
        if report.get("error"):
            raise _redis_fault(harness, report, url)
    return seen["heard"]


def _redis_fault(harness: Harness, report: dict[str, Any], url: str) -> NotYet:
    """The news that the layer could not use the Redis at that address."""
    fault = _layer_fault(harness, report, _TALKS_TO_REDIS)
    refused = _NO_PASSWORD.search(report["error"])
    return NotYet(
        f"with REDIS_URL={_masked(url)}: {fault.found}",
        expected=fault.expected,
        look_at=fault.look_at,
        todo="give the layer the whole REDIS_URL: the password in it gets lost on the way"
        if refused
        else fault.todo,
    )


def _masked(url: str) -> str:
    """A Redis address without its password, as a message may show it."""
    return url.replace(_PASSWORD, "***")


def _await(process: Process, word: str, seconds: float) -> bool:
    """Wait for that word in what a process prints, until it ends or the time is over."""
    return processes.wait_until(
        lambda: word in process.log(),
        seconds=seconds,
        alive=lambda: process.exit_code is None,
    )


def _say(harness: Harness, heard: list[str | None]) -> str:
    return "; ".join(
        harness.sandbox.as_learner(text or "nothing arrived") for text in heard
    )

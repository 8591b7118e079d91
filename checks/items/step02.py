"""Step 2: the project starts as an ASGI application and has a channel layer."""

from __future__ import annotations

from typing import Any

from checks import processes
from checks.bench import Bench
from checks.errors import NotYet, Place
from checks.items import Checklist, Hints
from checks.processes import Process
from checks.project import read

_SETTINGS = "backend/numeneon/settings.py"
_LAYERS = f"{_SETTINGS}::CHANNEL_LAYERS"
# Five seconds, after which redis-py and channels-redis lose patience by default, and the
# time that a listener takes on a busy machine before it begins to wait.
_IDLE_SECONDS = 7.5
_IDLE_MEMBERS = 5


def _probe(bench: Bench, name: str, *args: str, **variables: str) -> Any:
    env = _variables(bench, **variables)
    return bench.probe(name, *args, layer="project", variables=env)


def _variables(bench: Bench, **more: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": bench.project.settings_module, **more}


def _settings(bench: Bench) -> Any:
    """How the settings look to a fresh process without a REDIS_URL."""
    return bench.once("settings", lambda: _load(bench))


def _load(bench: Bench) -> Any:
    try:
        return _probe(bench, "check_settings")
    except NotYet as error:
        if error.look_at:
            raise
        raise NotYet(
            error.found,
            expected="Django sets itself up: it can import every app of INSTALLED_APPS",
            look_at=_place(bench, "INSTALLED_APPS"),
            todo="take out what is not there yet, or mend its name",
        ) from error


checklist = Checklist(2, early=[_settings, lambda bench: bench.runserver])
item = checklist.item


def _place(bench: Bench, symbol: str) -> Place:
    """Where that setting stands in the settings file, or belongs."""
    lines = read(bench.project.settings_file).splitlines()
    line = next(
        (n for n, text in enumerate(lines, 1) if text.lstrip().startswith(symbol)), None
    )
    return Place(bench.project.relative(bench.project.settings_file), line, symbol)


@item(
    "settings.load",
    docs="run",
    hints=Hints(
        think="Does every app that the settings name exist already? One that comes later "
        "is added later.",
        look="The last line of `python manage.py check`: which name could not be found?",
        code=f"{_SETTINGS}::INSTALLED_APPS",
    ),
)
def settings_load(bench: Bench) -> None:
    """The settings load in a fresh process, and every app that they name exists."""
    _settings(bench)


@item(
    "settings.daphne-first",
    docs="change-1",
    needs=["settings.load"],
    hints=Hints(
        think="Two apps bring a `runserver` command. Whose does Django take?",
        look="INSTALLED_APPS from the top: daphne must come before django.contrib.staticfiles.",
        code=f"{_SETTINGS}::INSTALLED_APPS",
    ),
)
def daphne_comes_first(bench: Bench) -> None:
    """Daphne is installed and stands before `django.contrib.staticfiles`."""
    apps = _settings(bench)["apps"]
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
        look_at=_place(bench, "INSTALLED_APPS"),
    )


@item(
    "settings.channels-installed",
    docs="change-1",
    needs=["settings.load"],
    hints=Hints(
        think="pip installed it. Who tells Django?",
        look='INSTALLED_APPS: "channels" is an app like the others.',
        code=f"{_SETTINGS}::INSTALLED_APPS",
    ),
)
def channels_is_an_app(bench: Bench) -> None:
    """Channels is among the installed apps."""
    apps = _settings(bench)["apps"]
    if "channels" not in apps:
        raise NotYet(
            f"the installed apps are {', '.join(apps)}",
            expected='"channels" among them',
            look_at=_place(bench, "INSTALLED_APPS"),
        )


@item(
    "settings.asgi-application",
    docs="change-2",
    needs=["settings.load"],
    hints=Hints(
        think="Who hands a new connection to Django? The server asks this setting.",
        look="ASGI_APPLICATION: the dotted path of `application` in asgi.py.",
        code=f"{_SETTINGS}::ASGI_APPLICATION",
    ),
)
def asgi_application_can_be_imported(bench: Bench) -> None:
    """`ASGI_APPLICATION` names something that can be imported and called."""
    asgi = _settings(bench)["asgi"]
    expected = f'ASGI_APPLICATION = "{bench.project.package}.asgi.application"'
    if asgi["setting"] is None:
        place = _place(bench, "ASGI_APPLICATION")
        raise NotYet("there is no ASGI_APPLICATION", expected=expected, look_at=place)
    if asgi["error"]:
        raise NotYet(
            f"importing {asgi['setting']}: {bench.sandbox.as_learner(asgi['error'])}",
            expected=expected,
            look_at=bench.place_in(asgi["traceback"]) or _place(bench, "ASGI_APPLICATION"),
        )


@item(
    "settings.runserver",
    docs="run",
    needs=["settings.daphne-first", "settings.asgi-application"],
    hints=Hints(
        think="Which server did runserver start? Its first lines say so.",
        look="The output of `python manage.py runserver`, and the first request to it.",
        code=f"{_SETTINGS}::INSTALLED_APPS",
    ),
)
def runserver_is_daphne(bench: Bench) -> None:
    """`manage.py runserver` says ASGI/Daphne, and the REST API answers there."""
    server = bench.runserver
    # The port may be open a moment before we have read what was printed.
    if not _await(server.process, "Starting ASGI", seconds=3):
        raise NotYet(
            f"runserver printed:\n{bench.sandbox.as_learner(server.process.log())}",
            expected="Starting ASGI/Daphne development server",
            look_at=_place(bench, "INSTALLED_APPS"),
        )
    answer = server.ask("GET", "/api/auth/me/")
    if answer.status != 401:
        raise NotYet(
            f"{answer}; the server's last lines:\n"
            f"{bench.sandbox.as_learner(server.process.log(4))}",
            expected="401, as before: nobody is logged in",
            look_at=bench.place_in(server.process.log())
            or _place(bench, "ASGI_APPLICATION"),
        )


@item(
    "settings.layer",
    docs="change-3",
    needs=["settings.load"],
    hints=Hints(
        think="What carries an event from the code that causes it to the socket that shows it?",
        look="CHANNEL_LAYERS: the entry `default` and the dotted path behind BACKEND.",
        code=_LAYERS,
    ),
)
def default_layer_carries_a_message(bench: Bench) -> None:
    """Without a REDIS_URL the default channel layer carries a message, to one and to a group."""
    seen = _probe(bench, "check_layer", "alone")
    if seen.get("error"):
        raise _layer_fault(bench, seen)
    for way, text in (("channel", "one"), ("group", "many")):
        if seen[way] != text:
            raise NotYet(
                f"sent to a {way}: {seen[way] or 'nothing arrived'}",
                expected="what was sent",
                look_at=_place(bench, "CHANNEL_LAYERS"),
            )


def _layer_fault(bench: Bench, seen: dict[str, Any]) -> NotYet:
    return NotYet(
        bench.sandbox.as_learner(seen["error"]),
        expected="a channel layer that works without any other service",
        look_at=bench.place_in(seen.get("traceback", ""))
        or _place(bench, "CHANNEL_LAYERS"),
    )


@item(
    "settings.redis-url",
    docs="change-3",
    needs=["settings.layer"],
    hints=Hints(
        think="One process can keep events in memory. When there are two, who tells them?",
        look="The condition in front of CHANNEL_LAYERS: it reads REDIS_URL.",
        code=_LAYERS,
    ),
)
def redis_url_switches_the_layer(bench: Bench) -> None:
    """Setting `REDIS_URL` switches the default layer to Redis; an empty one does not."""
    for url, memory in (("redis://127.0.0.1:9/0", False), ("", True)):
        layer = _probe(bench, "check_settings", REDIS_URL=url)["layer"]
        if layer.get("error"):
            raise _layer_fault(bench, layer)
        if layer["memory"] != memory:
            raise NotYet(
                f"with REDIS_URL={url!r} the default layer is {layer['class']}",
                expected="the layer in memory" if memory else "a layer that talks to Redis",
                look_at=_place(bench, "CHANNEL_LAYERS"),
            )


@item(
    "settings.redis-crosses",
    docs="change-3",
    needs=["settings.redis-url"],
    hints=Hints(
        think="Which address does the layer connect to: the one in REDIS_URL, or one written "
        "into the settings?",
        look="CONFIG of the Redis layer: `hosts` holds the URL from the environment.",
        code=_LAYERS,
    ),
)
def message_crosses_processes(bench: Bench) -> None:
    """Through the Redis that `REDIS_URL` names, a message crosses from one process to another."""
    heard = _tell_listeners(bench, bench.redis.url, members=1, idle=0)
    if heard != ["hello"]:
        raise NotYet(
            f"a process listened to a group, another one sent to it: {_say(bench, heard)}",
            expected="the message arrives in the other process",
            look_at=_place(bench, "CHANNEL_LAYERS"),
        )


@item(
    "settings.redis-idle",
    docs="change-3",
    needs=["settings.redis-crosses"],
    apart=True,
    hints=Hints(
        think="Most sockets are silent most of the time. How long does your Redis client wait "
        "before it takes silence for a fault?",
        look="The BACKEND: channels_redis.core gives up on a silent connection with redis-py 8, "
        "unless socket_timeout is None; channels_redis.pubsub does not.",
        code=_LAYERS,
    ),
)
def idle_listeners_live(bench: Bench) -> None:
    """Listeners that heard nothing for seven seconds still get the next message through Redis."""
    heard = _tell_listeners(
        bench, bench.distant_redis, members=_IDLE_MEMBERS, idle=_IDLE_SECONDS
    )
    lost = [text for text in heard if text != "hello"]
    if lost:
        raise NotYet(
            f"{len(lost)} of {len(heard)} idle listeners lost the message: {_say(bench, lost[:1])}",
            expected="a connection may be silent for as long as it likes",
            look_at=_place(bench, "CHANNEL_LAYERS"),
            todo="use channels_redis.pubsub.RedisPubSubChannelLayer, or give the core layer's "
            "host a socket_timeout of None",
        )


def _tell_listeners(
    bench: Bench, url: str, *, members: int, idle: float
) -> list[str | None]:
    """What the members of a group in one process heard after another process sent to it."""
    # Its own group: another item may talk through the same Redis at this moment.
    group = f"numeneon-check-{members}"
    variables = _variables(bench, REDIS_URL=url)
    listen = bench.script("check_layer", "listen", group, str(members), str(idle + 10))
    listener = bench.start(listen, bench.env(layer="project", variables=variables))
    _await(listener, "READY", processes.START_SECONDS)
    _await(listener, "LOST", idle)
    told = _probe(bench, "check_layer", "tell", group, "hello", REDIS_URL=url)
    seen = bench.result_of(listener, seconds=20)
    for report in (told, seen):
        if report.get("error"):
            raise _layer_fault(bench, report)
    return seen["heard"]


def _await(process: Process, word: str, seconds: float) -> bool:
    """Wait for that word in what a process prints, until it ends or the time is over."""
    return processes.wait_until(
        lambda: word in process.log(),
        seconds=seconds,
        alive=lambda: process.exit_code is None,
    )


def _say(bench: Bench, heard: list[str | None]) -> str:
    return "; ".join(bench.sandbox.as_learner(text or "nothing arrived") for text in heard)

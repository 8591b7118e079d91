"""Step 2: the project starts as an ASGI application and has a channel layer."""

from __future__ import annotations

from typing import Any

from checks.errors import NotYet
from checks.harness import layers
from checks.harness.harness import Harness
from checks.harness.servers import runserver
from checks.items import Checklist
from course import processes
from course.deadline import patient


def _settings(harness: Harness) -> Any:
    """How the settings look to a fresh process without a REDIS_URL."""
    return harness.once("settings", lambda: _load(harness))


def _load(harness: Harness) -> Any:
    try:
        return layers.probe(harness, "check_settings")
    except NotYet as error:
        raise NotYet(
            error.found,
            expected="Django starts: every app in INSTALLED_APPS can be imported",
            look_at=error.look_at or harness.project.setting("INSTALLED_APPS"),
            todo=error.todo,
        ) from error


checklist = Checklist(__name__, prefetch=[_settings, lambda harness: runserver(harness)])
item = checklist.item


@item("settings.load")
def settings_load(harness: Harness) -> None:
    """The settings load in a fresh process, and every app in `INSTALLED_APPS` can be imported."""
    _settings(harness)


@item("settings.daphne-first", needs=["settings.load"])
def daphne_comes_first(harness: Harness) -> None:
    """`daphne` is in `INSTALLED_APPS`, before `django.contrib.staticfiles`."""
    apps = _settings(harness)["apps"]
    static = "django.contrib.staticfiles"
    if "daphne" not in apps:
        found = "daphne is not in INSTALLED_APPS"
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
    """`manage.py runserver` starts ASGI/Daphne, and the REST API answers as before."""
    server = runserver(harness)
    # The port may be open a moment before we have read what was printed.
    if not processes.prints(server.process, "Starting ASGI", seconds=patient(3)):
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
            expected="401, as before: the request has no token",
            look_at=harness.place_in(server.process.log())
            or harness.project.setting("ASGI_APPLICATION"),
        )


@item("settings.layer", needs=["settings.load"])
def default_layer_carries_a_message(harness: Harness) -> None:
    """Without `REDIS_URL`, the default channel layer delivers to one channel and to a group."""
    seen = layers.probe(harness, "check_layer", "alone")
    if seen.get("error"):
        raise layers.fault(harness, seen)
    for way, text in (("channel", "one"), ("group", "many")):
        if seen[way] != text:
            raise NotYet(
                f"sent to a {way}: {seen[way] or 'nothing arrived'}",
                expected="what was sent",
                look_at=harness.project.setting("CHANNEL_LAYERS"),
            )

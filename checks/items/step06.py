"""Step 6: the project runs on Render, with PostgreSQL, Redis and several processes."""

from __future__ import annotations

import re
import sys
import time
import uuid
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from checks.errors import Blocked, EnvironmentFault, NotYet, Place
from checks.harness import layers
from checks.harness.causes import missing_comma, misspelt_middleware
from checks.harness.client import Answer, Socket
from checks.harness.harness import Crash, Harness
from checks.harness.logs import last_words
from checks.harness.people import Person, signed_up
from checks.harness.remote import WAKING_SECONDS, Remote
from checks.harness.servers import Server, need
from checks.items import Checklist
from checks.render.production import (
    NO_REDIS,
    PROXY_ADDRESS,
    NotCollected,
    Production,
    end,
    fitting,
    has_blueprint,
    looks_secret,
    place_in_lists,
    production,
    read_blueprint,
)
from checks.render.redis import redis_trouble
from checks.render.settings import debug_explained, layer_place, place_of
from course.contract import GREETING, TOKEN_WAYS
from course.deadline import patient
from course.processes import Process, listening, wait_until

IDLE_SECONDS = 15.0
_IDLE_PEOPLE = 5
_SOCKETS_EACH = 10
# How long listeners of the channel layer hear nothing: more than the five seconds after which
# redis-py and channels-redis lose patience by default, on a busy machine as well.
_LISTENING_SECONDS = 7.5
_LISTENERS = 5
# How long the frames may take that all idle sockets should get, in seconds.
_PATIENCE = patient(5)
# The longest end of a server that is waited for: a verdict has to come. Seconds.
_LONGEST_GOODBYE = 60.0
_COMMANDS = ("buildCommand", "startCommand", "preDeployCommand")
_NEIGHBOUR = "https://somebody-else.onrender.com"
# So much of a token's end is nowhere else. Characters.
_SIGNATURE = 24
_NOT_IN_MANIFEST = "Missing staticfiles manifest entry"
_STYLE_SHEET = re.compile(r'href="([^"]+\.css)"')

checklist = Checklist(__name__)
item = checklist.item


def _first(harness: Harness) -> Server:
    return production(harness).server("A")


def _second(harness: Harness) -> Server:
    """Another process with the same database and Redis, which answers it a little later."""
    return production(harness).server("B", redis_url=harness.distant_redis())


def _built(harness: Harness) -> None:
    production(harness).build()


def _migrated(harness: Harness) -> None:
    production(harness).migrate()


def _own_variables(harness: Harness) -> dict[str, str]:
    """What the blueprint gives the settings besides their services: a project may need it."""
    try:
        filled = production(harness).values("", NO_REDIS) if has_blueprint(harness) else {}
    except (NotYet, EnvironmentFault):  # the news of the blueprint's own items
        return {}
    known = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"}
    return {
        key: value
        for key, value in filled.items()
        if value and value != NO_REDIS and key not in known and "DEBUG" not in key.upper()
    }


@item("redis.url")
def redis_url_switches_the_layer(harness: Harness) -> None:
    """Setting `REDIS_URL` switches the default layer to Redis; an empty value does not."""
    for url, memory in (("redis://127.0.0.1:9/0", False), ("", True)):
        own = _own_variables(harness)
        try:
            layer = layers.probe(harness, "check_settings", **own, REDIS_URL=url)["layer"]
        except Crash:
            _loads_in_production(
                harness
            )  # else that is the news, and this item waits for it
            raise
        if not memory:
            layers.judge_hosts(harness, layer.get("config") or {})
        if layer.get("error"):
            raise layers.fault(harness, layer, layers.TALKS_TO_REDIS)
        if layer["memory"] != memory:
            raise NotYet(
                f"with REDIS_URL={url!r} the default layer is {layer['class']}",
                expected="the in-memory layer" if memory else layers.TALKS_TO_REDIS,
                look_at=harness.project.setting("CHANNEL_LAYERS"),
            )


@item("redis.crosses", needs=["redis.url"])
def message_crosses_processes(harness: Harness) -> None:
    """Through the Redis that `REDIS_URL` names, a message crosses from one process to another."""
    url = harness.redis(password=layers.PASSWORD).url
    heard = layers.heard_by_listeners(
        harness, url, members=1, idle=0, **_own_variables(harness)
    )
    if heard != ["hello"]:
        raise NotYet(
            f"one process listened to a group and another sent to it, both with "
            f"REDIS_URL={layers.masked(url)}: {layers.said(harness, heard)}",
            expected="the message arrives in the other process",
            look_at=harness.project.setting("CHANNEL_LAYERS"),
        )


@item("redis.idle", needs=["redis.crosses"], parallel=True)
def idle_listeners_live(harness: Harness) -> None:
    """Listeners that heard nothing for seven seconds still get the next message through Redis."""
    heard = layers.heard_by_listeners(
        harness,
        harness.distant_redis(password=layers.PASSWORD),
        members=_LISTENERS,
        idle=_LISTENING_SECONDS,
        **_own_variables(harness),
    )
    lost = [text for text in heard if text != "hello"]
    if lost:
        raise NotYet(
            f"{len(lost)} of {len(heard)} idle listeners lost the message: "
            f"{layers.said(harness, lost[:1])}",
            expected="a connection may be silent for as long as it likes",
            look_at=harness.project.setting("CHANNEL_LAYERS"),
            todo="use channels_redis.pubsub.RedisPubSubChannelLayer, or give the core layer's "
            "host a socket_timeout of None",
        )


# What the items of production settings need. They are judged before there is a blueprint,
# and where there is one, what is wrong with it is the news of its own items.


def _loads_in_production(harness: Harness) -> None:
    """The settings load with DEBUG off and the variables of production."""
    try:
        variables_are_provided(harness)
    except (NotYet, EnvironmentFault) as error:
        if not has_blueprint(harness):
            raise
        raise Blocked("deploy.variables") from error


def _first_in_production(harness: Harness) -> Server:
    """The first server, once it is known to start as a whole."""
    try:
        if has_blueprint(harness):
            server_boots_and_is_well(harness)
        return _first(harness)
    except NotCollected as error:
        raise Blocked("deploy.static") from error
    except (NotYet, EnvironmentFault) as error:
        if not has_blueprint(harness):
            raise  # nothing else would say it
        raise Blocked("deploy.boots") from error


def _deploy_check(harness: Harness) -> Process:
    """`manage.py check --deploy` under the variables of the blueprint, ended."""
    return harness.once("check --deploy", lambda: _run_deploy_check(harness))


def _run_deploy_check(harness: Harness) -> Process:
    plan = production(harness)
    process = plan.manage("check", "--deploy", "--fail-level", "WARNING")
    if process.wait(60) is None:
        process.kill()
        raise NotYet(
            f"`manage.py check --deploy` had not finished after 60 s; its last lines:\n"
            f"{plan.log(process, 5)}",
            expected="it ends by itself",
        )
    return process


def _stopped_by_an_error(process: Process) -> bool:
    """Whether Django's own commands cannot even begin: a mistake in the urls, say."""
    return "Traceback (most recent call last)" in process.log()


@item("deploy.check", prefetch=[_deploy_check])
def deploy_check_is_clean(harness: Harness) -> None:
    """`manage.py check --deploy` gives no warnings about the production settings."""
    _loads_in_production(harness)
    process = _deploy_check(harness)
    if _stopped_by_an_error(process):
        raise NotYet(
            f"it stopped with an error: {production(harness).said(process)}",
            expected="no warnings",
            look_at=production(harness).sandbox.place_in(process.log()),
            todo="correct that line, then check again",
        )
    if process.exit_code:
        lines = [
            line for line in process.log().splitlines() if re.match(r"\?: |\w.*: \(", line)
        ]
        shown = "\n".join(lines[:5]) or production(harness).log(process, 6)
        found = f"it prints:\n{production(harness).sandbox.as_learner(shown)}"
        log, project = process.log(), harness.project
        if cause := missing_comma(log, project) or misspelt_middleware(log, project):
            raise NotYet(
                f"{found}\n{cause.found}",
                expected="no warnings",
                look_at=cause.look_at,
                todo=cause.todo,
            )
        raise NotYet(
            found,
            expected="no warnings",
            look_at=production(harness).sandbox.place_in(process.log())
            or Place(harness.project.relative(harness.project.settings_file)),
        )


@item("deploy.needs-secret", needs=["deploy.check"], parallel=True)
def no_start_without_secret(harness: Harness) -> None:
    """Without SECRET_KEY the server refuses to start and says what is missing."""
    facts = harness.facts_of(_deploy_check(harness)) or {}
    key = facts.get("jwt", {}).get("key", "")
    _must_refuse(harness, production(harness).key_variable(key))


@item("deploy.needs-database", needs=["deploy.check"], parallel=True)
def no_start_without_database(harness: Harness) -> None:
    """Without the database's variables the server refuses to start and says what is missing."""
    _must_refuse(harness, production(harness).database_variable())


@item("deploy.needs-redis", needs=["deploy.check"], parallel=True)
def no_start_without_redis_url(harness: Harness) -> None:
    """Without its Redis variable the server refuses to start and says what is missing."""
    _must_refuse(harness, production(harness).redis_variable())


def _must_refuse(harness: Harness, name: str) -> None:
    """Judge a start without that variable, once a start with all of them is known to work."""
    try:
        _first_in_production(harness)
    except (Blocked, NotYet, EnvironmentFault) as error:
        raise Blocked("deploy.https") from error
    if news := production(harness).refusal(name):
        raise news


@item("deploy.https", needs=["deploy.check"])
def https_is_the_way_in(harness: Harness) -> None:
    """Under its Render host name the API answers over https, and plain http is redirected to it."""
    server = _first_in_production(harness)
    settings = Place(harness.project.relative(harness.project.settings_file))
    over_tls = server.ask("GET", "/api/auth/me/", source=PROXY_ADDRESS)
    if over_tls.status != 401:
        raise NotYet(
            f"with Render's headers {over_tls}",
            expected="401: nobody is logged in (a redirect would never end, and 400 means "
            "that the host name is not allowed)",
            look_at=settings,
        )
    http = {"X-Forwarded-Proto": "http"}
    plain = server.ask("GET", "/api/auth/me/", headers=http, source=PROXY_ADDRESS)
    target = plain.headers.get("location", "")
    if not (300 <= plain.status < 400 and target.startswith("https://")):
        raise NotYet(
            f"over plain http {plain}",
            expected="a redirect to https: unencrypted traffic can be read and changed",
            look_at=settings,
        )


@item("deploy.static", needs=["deploy.check"])
def static_files_are_served(harness: Harness) -> None:
    """The admin's login page is served together with its style sheet."""
    server, plan = _first_over_https(harness), production(harness)
    page = server.ask("GET", "/admin/login/")
    if page.status == 404:
        return  # a project without the admin has nothing to serve here
    if page.status >= 500 or plan.discarded:
        _judge_collected(plan, page)
    need(page, 200)
    sheet = _STYLE_SHEET.search(str(page.body))
    if sheet is None:
        raise NotYet("the page links to no style sheet", expected="the admin's login page")
    answer = server.ask("GET", sheet[1])
    if answer.status != 200:
        raise plan.not_collected() or NotYet(
            f"GET {sheet[1]} answered {answer.status}",
            expected="200 and the style sheet",
            look_at=plan.sandbox.place_in(server.process.log())
            or Place(harness.project.relative(harness.project.settings_file)),
        )


def _first_over_https(harness: Harness) -> Server:
    """The first server, once it answers over https.

    Not through `needs`: without its static files no server may start, and that is no news of
    the items before.
    """
    try:
        https_is_the_way_in(harness)
    except (Blocked, NotYet, EnvironmentFault) as error:
        if isinstance(error.__cause__, NotCollected):
            raise error.__cause__ from None
        raise Blocked("deploy.https") from error
    return _first(harness)


def _judge_collected(plan: Production, page: Answer) -> None:
    """Static files that nobody collected, or the pre-deploy command, are missing: say so."""
    if news := plan.not_collected():
        raise news
    static = [name for name in plan.discarded if "/admin/css/" in name]
    if static:
        raise NotYet(
            f"{page}; the pre-deploy command wrote {static[0]} and "
            f"{len(plan.discarded) - 1} other files",
            expected="static files that the deployed instance has: the pre-deploy command runs "
            "on another one, whose files are discarded",
            look_at=plan.plan.place(*plan.spot, "preDeployCommand"),
            todo="run `manage.py collectstatic` in the build command",
        )
    if _NOT_IN_MANIFEST in page.error:
        raise NotYet(
            f"{page}\nthe server's error: {page.error}",
            expected="the server finds what collectstatic has copied",
            look_at=plan.harness.project.setting("STATIC_ROOT"),
            todo="run `manage.py collectstatic` in the build; STATIC_ROOT has to be an absolute "
            'path, such as BASE_DIR / "staticfiles", for both to use the same folder',
        )


# Render


@item("deploy.blueprint")
def blueprint_is_valid(harness: Harness) -> str | None:
    """`render.yaml` is a valid blueprint with a Python web service."""
    plan = read_blueprint(harness)
    plan.web_service()
    return "\n".join(plan.remarks)


@item("deploy.references", needs=["deploy.blueprint"])
def parts_fit_each_other(harness: Harness) -> str | None:
    """Everything that the blueprint refers to exists: services, databases, folders and scripts."""
    _, web = fitting(harness).web_service()
    named = " ".join(str(web.get(key, "")) for key in _COMMANDS)
    if web.get("rootDir") and "../" in named:
        return (
            f"`rootDir` is {web['rootDir']}, and a command uses `../`: Render's monorepo "
            "support promises only what is inside rootDir"
        )
    return None


@item("deploy.variables", needs=["deploy.references"], prefetch=[_deploy_check])
def variables_are_provided(harness: Harness) -> None:
    """The settings load with DEBUG off and exactly the variables that the blueprint provides."""
    process, plan = _deploy_check(harness), production(harness)
    facts = harness.facts_of(process)
    place = plan.plan.place(*plan.spot, "envVars")
    if facts is None:
        _refuse_what_we_made_up(plan, process)
        raise NotYet(
            f"the settings did not load: {plan.said(process)}",
            expected=f"every variable that they need has a value in {plan.source}",
            look_at=plan.sandbox.place_in(process.log()) or place,
            todo="add the variable to `envVars`, or give it a default",
        )
    if facts["debug"]:
        raise _debug_is_on(harness, plan, place)


def _refuse_what_we_made_up(plan: Production, process: Process) -> None:
    """Nobody can know what a person will enter: raise EnvironmentFault where it mattered."""
    if key := plan.made_up(process):
        raise EnvironmentFault(
            f"{key} is entered by hand (`sync: false`), and the settings did not accept the "
            f"text that this check made up for it: {plan.said(process)}",
            todo=f"give {key} a `value` in render.yaml if it is not a secret, or judge the "
            "deployment itself with `check 6 --url https://...`",
        )


def _debug_is_on(harness: Harness, plan: Production, place: Place) -> NotYet:
    spots = [at for at, entry in plan.plan.variables() if entry.get("key") == "DEBUG"]
    cause = debug_explained(harness.project)
    found = f"DEBUG is on with the variables of {plan.source}"
    todo = 'add `key: DEBUG` with `value: "false"` to `envVars`'
    if cause and (cause[1] or spots):
        place, why = cause
        found = f"{found}: {why}" if why else found
        todo = 'write `DEBUG = os.environ.get("DEBUG", "true").lower() == "true"`'
    return NotYet(
        found, expected='DEBUG off with DEBUG set to "false"', look_at=place, todo=todo
    )


@item("deploy.secrets", needs=["deploy.variables"], prefetch=[_deploy_check])
def no_secret_is_written_down(harness: Harness) -> str | None:
    """No secret is written in `render.yaml`: Render generates it, or somebody enters it."""
    plan, remarks = production(harness), []
    secret_key = harness.facts_of(_deploy_check(harness))["jwt"]["key"]  # type: ignore[index]
    for spot, entry in plan.plan.variables():
        key, value = entry.get("key", ""), str(entry.get("value", ""))
        place = plan.plan.place(*spot, "value")
        if value and (value == secret_key or key.endswith("SECRET_KEY")):
            raise _published(key, place, "`generateValue: true`")
        if _has_password(value):
            raise _published(key, place, "`fromDatabase`, `fromService` or `sync: false`")
        if value and looks_secret(key):
            remarks.append(f"{place}: is the value of {key} a secret? Then `sync: false`")
    return "\n".join(remarks)


def _has_password(value: str) -> bool:
    try:
        return bool(urlsplit(value).password)
    except ValueError:
        return False


def _published(key: str, place: Place, instead: str) -> NotYet:
    return NotYet(
        f"the value of {key} is written in the blueprint",
        expected="no secret in a file that everybody who sees the repository can read",
        look_at=place,
        todo=f"write {instead} in place of `value`, and change the secret: the old one has "
        "been in the repository",
    )


@item("deploy.build", needs=["deploy.variables"], prefetch=[_built])
def build_works(harness: Harness) -> str | None:
    """The build command works in a fresh copy, with nothing but the packages it installs."""
    plan = production(harness)
    try:
        plan.build()
    except NotCollected as error:
        raise Blocked("deploy.static") from error
    asked = plan.shelf.asked
    if not any(re.search(r"\b(install|sync|run)\b", line) for line in asked):
        raise NotYet(
            f"the build succeeded, but installed nothing: {'; '.join(asked) or 'no pip'}",
            expected="pip install -r requirements.txt, or another installer's equivalent",
            look_at=plan.plan.place(*plan.spot, "buildCommand"),
        )
    if plan.shelf.has_everything:
        return "this check cannot read what the build installs: a missing package goes unnoticed"
    return None


@item("deploy.migrates", needs=["deploy.build"], prefetch=[_migrated])
def migrations_run(harness: Harness) -> None:
    """Before the server starts, all tables are created in a real PostgreSQL."""
    plan = production(harness)
    if _stopped_by_an_error(_deploy_check(harness)):
        raise Blocked("deploy.check")
    plan.migrate()
    no_start: NotYet | EnvironmentFault | None = None
    if not plan.web.get("preDeployCommand"):
        try:
            _first(harness)  # the start command may do it
        except (NotYet, EnvironmentFault) as fault:
            no_start = fault  # its own item's news, if the tables are there
    process = plan.manage("migrate", "--check", real=True)
    if process.wait(60) != 0:
        raise (
            no_start
            or plan.explained(process)
            or NotYet(
                "`manage.py migrate --check` finds unapplied migrations",
                expected="no unapplied migrations when the server starts",
                look_at=plan.plan.place(*plan.spot, "startCommand"),
                todo="let the start command run `python manage.py migrate --no-input &&` before "
                "the server, or on a paid plan a `preDeployCommand`",
            )
        )


@item("deploy.boots", needs=["deploy.migrates", "redis.crosses"], prefetch=[_first])
def server_boots_and_is_well(harness: Harness) -> None:
    """The start command serves on `$PORT`, and the health path answers 200."""
    plan, server = production(harness), _first(harness)
    if not _open_to_others(server.port):
        raise NotYet(
            "the server listens on 127.0.0.1 only",
            expected="host 0.0.0.0: Render's proxy connects from another machine",
            look_at=plan.plan.place(*plan.spot, "startCommand"),
        )
    path = plan.web["healthCheckPath"]
    for protocol in ("https", "http"):
        answer = server.ask("GET", path, headers={"X-Forwarded-Proto": protocol})
        # Without TLS a redirect is as good: Render counts 2xx and 3xx as healthy, which is
        # why no item asks for SECURE_REDIRECT_EXEMPT.
        if answer.status != 200 and (protocol == "https" or not 300 <= answer.status < 400):
            raise _unhealthy(harness, server, str(answer))


def _unhealthy(harness: Harness, server: Server, answer: str) -> NotYet | EnvironmentFault:
    plan, expected = production(harness), "200 while the database and Redis are there"
    if fault := plan.explained(server.process):
        return fault
    if redis_trouble(server.process.log()):
        return _no_event(harness, server, answer, expected)
    return NotYet(
        f"{answer}; the server's last lines:\n{plan.log(server.process, 4)}",
        expected=expected,
        look_at=plan.sandbox.place_in(server.process.log())
        or plan.plan.place(*plan.spot, "healthCheckPath"),
    )


def _open_to_others(port: int) -> bool:
    """Whether an address besides 127.0.0.1 is served; Linux has a second one to try."""
    return not sys.platform.startswith("linux") or listening(port, "127.0.0.2")


@item("deploy.crosses", needs=["deploy.https"], prefetch=[_second])
def event_crosses_processes(harness: Harness) -> None:
    """A user connected to one process gets an event triggered in another."""
    first, second = _first(harness), _second(harness)
    alice, bob = signed_up(harness, first, "alice"), signed_up(harness, second, "bob")
    with _greeted(harness, first, alice) as socket:
        _send_message(harness, second, bob, alice, "across")
        _expect_message(harness, socket, "across", first)


@item("deploy.other-sites", needs=["deploy.crosses"])
def other_sites_are_refused(harness: Harness) -> None:
    """A page of another site on onrender.com cannot open a socket, but a page of this one can."""
    server = _first(harness)
    alice = signed_up(harness, server, "alice")
    _greeted(harness, server, alice).close()
    with server.socket(alice.access, origin=_NEIGHBOUR) as socket:
        if socket.opened:
            hosts = harness.project.setting("ALLOWED_HOSTS")
            raise NotYet(
                f"with Origin {_NEIGHBOUR}: {socket}",
                expected="the handshake is refused with HTTP 403: anyone can get a host "
                "name under onrender.com",
                look_at=hosts,
                todo="allow the service's own name, which Render puts into "
                "RENDER_EXTERNAL_HOSTNAME, and not `.onrender.com`",
            )


@item("deploy.quiet-log", needs=["deploy.crosses"])
def no_token_is_logged(harness: Harness) -> str | None:
    """The server writes no access token to its log when a socket connects."""
    plan, server = production(harness), _first(harness)
    alice = signed_up(harness, server, "alice")
    before = server.process.printed
    _greeted(harness, server, alice).close()
    server.ask(
        "GET", "/api/auth/me/", token=alice.access
    )  # what it logged is printed by now
    lines = server.process.log_since(before).splitlines()
    line = next((line for line in lines if alice.access[-_SIGNATURE:] in line), None)
    if line is None:
        return None
    if server.way == "query":
        return "the token is in the socket's URL, which servers and proxies write to logs"
    raise NotYet(
        f"the log contains it: {line.replace(alice.access, '(the token)')[:200]}",
        expected="no token: anybody who reads the log could act as that user",
        look_at=plan.plan.place(*plan.spot, "startCommand"),
        todo="take `--log-level debug` or `trace` out of the start command, or leave the "
        "handshake's headers out of what the project logs",
    )


def _send_message(
    harness: Harness, server: Any, sender: Any, receiver: Any, text: str
) -> None:
    body = {"receiver_id": receiver.id, "content": text}
    sent = server.ask("POST", "/api/messages/", body=body, token=sender.access)
    need(sent, 201)


def _expect_message(harness: Harness, socket: Socket, text: str, server: Server) -> None:
    event = socket.event("new_message")
    if event is None or event.get("data", {}).get("content") != text:
        raise _no_event(
            harness,
            server,
            f"a message was sent through the other process: {socket}",
            expected="a new_message frame in the socket to this process",
        )


def _no_event(harness: Harness, server: Server, found: str, expected: str) -> NotYet:
    """The news that something did not arrive, with what the channel layer said of Redis."""
    trouble = redis_trouble(server.process.log())
    layer = layer_place(harness.project)
    if trouble is None:
        place = server.sandbox.place_in(server.process.log()) or layer
        return NotYet(found, expected=expected, look_at=place)
    return NotYet(
        f"{found}\nthe channel layer cannot use Redis: {trouble.error}",
        expected=expected,
        look_at=place_of(harness.project, trouble.option) or layer,
        todo=trouble.advice,
    )


@item("deploy.redis-down", needs=["deploy.crosses"], parallel=True)
def redis_down_is_no_reason_to_restart(harness: Harness) -> None:
    """While only Redis is down, the health path answers 200."""
    plan = production(harness)
    server = plan.server("without Redis", redis_url=NO_REDIS)
    answer = server.ask("GET", plan.web["healthCheckPath"])
    if answer.status != 200:
        raise NotYet(
            f"with the database up and Redis down: {answer}",
            expected="200: the REST API still works, and Render restarts a server whose health "
            "check fails, which closes every socket and does not bring Redis back",
            look_at=answer.place or plan.plan.place(*plan.spot, "healthCheckPath"),
            todo="answer 503 only if the database fails; report Redis in the body",
        )


@item("deploy.idle", needs=["deploy.crosses", "redis.idle"], parallel=True)
def idle_sockets_live(harness: Harness) -> None:
    """Fifty sockets that were silent for fifteen seconds are still open and get the next event."""
    server = _second(harness)
    people = [signed_up(harness, server, f"idle{n}") for n in range(_IDLE_PEOPLE)]
    sender = signed_up(harness, _first(harness), "alice")
    with ExitStack() as stack:
        sockets = [
            (person, stack.enter_context(_greeted(harness, server, person)))
            for person in people
            for _ in range(_SOCKETS_EACH)
        ]
        _stay_silent([socket for _, socket in sockets])
        for person in people:
            _send_message(harness, _first(harness), sender, person, "still there?")
        # For all of them together: the messages were sent at the same moment.
        end_of_patience = time.monotonic() + _PATIENCE
        lost = [
            str(socket)
            for _, socket in sockets
            if not socket.event(
                "new_message", patience=max(0.05, end_of_patience - time.monotonic())
            )
        ]
    if lost:
        raise NotYet(
            f"{len(lost)} of {len(sockets)} idle sockets missed the message; one of them: "
            f"{lost[0]}",
            expected="a socket may be silent for as long as it likes",
            look_at=layer_place(harness.project),
        )


def _greeted(harness: Harness, server: Server, person: Person) -> Socket:
    """A socket of that person, by whichever way the project takes a token."""
    printed = server.process.printed
    for way in dict.fromkeys((server.way, *TOKEN_WAYS)):
        socket = server.socket(person.access, way=way)
        if socket.event(GREETING):
            server.way = way
            return socket
        socket.close()
    raise _no_greeting(harness, server, person, socket, printed)


def _no_greeting(
    harness: Harness, server: Server, person: Person, socket: Socket, printed: int
) -> NotYet | EnvironmentFault:
    plan = production(harness)
    found = f"{person.username}'s socket to {server.name}: {socket}"
    expected = f"a {GREETING} frame"
    if fault := plan.explained(server.process):
        return fault
    place = plan.plan.place(*plan.spot, "startCommand")
    if "wsgi" in plan.web["startCommand"]:
        return NotYet(
            f"{found}; the start command serves a WSGI application, which has no WebSockets",
            expected=expected,
            look_at=place,
            todo="serve the ASGI application: uvicorn numeneon.asgi:application ...",
        )
    if "No supported WebSocket library" in server.process.log():
        return NotYet(
            f"{found}; uvicorn has no WebSocket library",
            expected=expected,
            look_at=place_in_lists(plan, "uvicorn") or place,
            todo="write `uvicorn[standard]`, which installs `websockets` too",
        )
    log = server.process.log_since(printed)
    if redis_trouble(log) or not server.sandbox.place_in(log):
        return _no_event(harness, server, found, expected)
    return NotYet(
        f"{found}\nthe server's error: {server.sandbox.as_learner(last_words(log))}",
        expected=expected,
        look_at=server.sandbox.place_in(log),
    )


def _stay_silent(sockets: list[Socket]) -> None:
    """Let the time pass, listening; a socket that closes meanwhile has lost."""
    end_of_silence = time.monotonic() + IDLE_SECONDS
    for socket in sockets:
        while (left := end_of_silence - time.monotonic()) > 0:
            if socket.receive(patience=left) is None:
                break


@item("deploy.shutdown", needs=["deploy.crosses"], parallel=True)
def sigterm_ends_it_in_time(harness: Harness) -> str | None:
    """On SIGTERM the server stops within `maxShutdownDelaySeconds`, and its sockets are closed."""
    plan, server = production(harness), production(harness).server("to be ended")
    place = plan.plan.place(*plan.spot, "startCommand")
    remark = ""
    with _greeted(harness, server, signed_up(harness, server, "alice")) as socket:
        # Render signals what the start command has become: the server, or a shell before it.
        server.process.ask_to_end()
        ended = _ends(plan, server)
        if ended and listening(server.port):
            remark = (
                f"{place}: the shell of the start command ended and the server went on: it "
                "may never get Render's SIGTERM. Write `exec` before the server"
            )
            end(server.process)
            wait_until(lambda: not listening(server.port), seconds=_allowed(plan))
        code = socket.until_closed(patience=patient(5))
    if not ended or listening(server.port):
        raise _still_running(plan, server, place)
    if code is None:
        raise NotYet(f"the server has ended, the socket: {socket}", expected="it is closed")
    return remark


def _allowed(plan: Production) -> float:
    """How long the server may take to end, in seconds; we do not wait for minutes."""
    return min(plan.web.get("maxShutdownDelaySeconds", 30), _LONGEST_GOODBYE)


def _ends(plan: Production, server: Server) -> bool:
    return server.process.wait(_allowed(plan)) is not None


def _still_running(
    plan: Production, server: Server, place: Place
) -> NotYet | EnvironmentFault:
    waited = _allowed(plan)
    found = (
        f"{waited:g} s after SIGTERM the server is still running; its last lines:\n"
        f"{plan.log(server.process, 4)}"
    )
    if waited < plan.web.get("maxShutdownDelaySeconds", 30):
        return EnvironmentFault(
            f"{found}\nRender would wait longer, this check does not",
            todo="set a smaller `maxShutdownDelaySeconds` to have it checked",
        )
    return NotYet(
        found,
        expected=f"it ends within maxShutdownDelaySeconds ({waited:g} s); then Render sends "
        "SIGKILL",
        look_at=place,
    )


# A deployment, judged from outside


def _remote(harness: Harness) -> Remote:
    assert harness.url
    return harness.once("remote", lambda: Remote.at(harness.url or ""))


def _account(harness: Harness, index: int) -> Any:
    return harness.once(f"account {index}", lambda: _log_in(harness, index))


def _log_in(harness: Harness, index: int) -> Person:
    if len(harness.logins) < index + 1:
        raise _two_logins()
    email, password = harness.logins[index]
    remote = _remote(harness)
    body = {"email": email, "password": password}
    login = need(remote.ask("POST", "/api/auth/login/", body=body), 200)
    access = str(login.get("access"))
    me = need(remote.ask("GET", "/api/auth/me/", token=access), 200)
    return Person(
        me.get("id"), me.get("username"), email, "", access, str(login.get("refresh"))
    )


def _two_logins() -> EnvironmentFault:
    return EnvironmentFault(
        "two accounts on the deployment are needed",
        todo="give both: --login EMAIL:PASSWORD --login EMAIL:PASSWORD",
    )


@item("live.health", live=True)
def deployment_is_well(harness: Harness) -> None:
    """The deployment answers 200 at its health path."""
    try:
        path = fitting(harness).web_service()[1]["healthCheckPath"]
    except NotYet:
        path = "/healthz/"
    need(_remote(harness).ask("GET", path, patience=WAKING_SECONDS), 200)


@item("live.login", needs=["live.health"], live=True)
def accounts_can_log_in(harness: Harness) -> None:
    """Both accounts can log in there, and `/api/auth/me/` returns the right user to each."""
    first, second = _account(harness, 0), _account(harness, 1)
    if first.id == second.id:
        raise _two_logins()


@item("live.socket", needs=["live.login"], live=True)
def live_socket_greets(harness: Harness) -> None:
    """A WebSocket with a valid token is greeted with connection_established."""
    with _live_socket(harness) as socket:
        assert socket.opened


def _live_socket(harness: Harness) -> Socket:
    """A greeted socket of the first account; raises NotYet with what came instead."""
    remote, seen = _remote(harness), []
    person = _account(harness, 0)
    for way in TOKEN_WAYS:
        socket = remote.socket(person.access, way=way)
        if socket.event(GREETING):
            return socket
        seen.append(f"token in the {way}: {socket}")
        socket.close()
    raise NotYet("\n".join(seen), expected="a connection_established frame")


@item("live.event", needs=["live.socket"], live=True)
def live_event_arrives(harness: Harness) -> None:
    """A message from the second account reaches the first one's socket at once."""
    text = f"A check of the deployment, {uuid.uuid4().hex[:8]}"
    receiver, sender = _account(harness, 0), _account(harness, 1)
    with _live_socket(harness) as socket:
        _send_message(harness, _remote(harness), sender, receiver, text)
        while (event := socket.event("new_message")) is not None:
            if event.get("data", {}).get("content") == text:
                return
    raise NotYet(
        f"the message was stored; the socket: {socket}",
        expected="a new_message frame with it",
    )

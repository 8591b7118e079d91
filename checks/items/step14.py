"""Step 14: the server says how it is, what it can do, and what it is doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from checks.browser.app import place_of_module
from checks.browser.window import Window
from checks.errors import NotYet, Place
from checks.harness.client import Answer, Socket, shorten
from checks.harness.documents import Messages, faults_of_openapi
from checks.harness.harness import Harness
from checks.harness.operations import (
    TOKEN,
    Metrics,
    connections_of,
    in_production,
    lines_until,
    metrics_of,
    place_of,
    staff,
)
from checks.harness.outage import Link
from checks.harness.people import Person, altered, signed_up
from checks.harness.servers import Server, need, serve
from checks.harness.services import redis_url
from checks.harness.stage import Stage, frames_of, people, whole_stage_of
from checks.harness.tickets import ticket_for
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from checks.items.step04 import accept, ask, done, post, write
from checks.items.step08 import mark
from checks.items.step09 import on_postgres
from checks.items.step12 import change, clerk, customer, some_order
from course import processes
from course.contract import (
    ANNOUNCEMENTS_PATH,
    AUTH,
    CLIENT_PATH,
    CLOSES,
    CONNECTIONS_PATH,
    CONNECTS,
    DASHBOARD_PATH,
    DOCS_PATH,
    ERROR,
    EVENTS_DROPPED,
    FRAMES_SENT,
    HEALTH_PATH,
    METRICS_PATH,
    OPEN_SOCKETS,
    PING,
    PUBLISH_TO_SEND,
    RESUME,
    RESUMED,
    RESUMES,
    SCHEMA_PATH,
    SOCKET_DOCUMENT_PATH,
    TICKET_SUBPROTOCOL,
    is_greeting,
)
from course.deadline import patient

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: whole_stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(whole_stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
# Render's health check has waited long enough then. Seconds.
_LONGEST = patient(5)
# How long a project may need until it uses a database that is back. Seconds.
_RECOVERS = patient(10)
# What the page of the documentation may take to be drawn, and the browser to block a request.
# Seconds.
_DRAWN = patient(15)
_BLOCKED = 0.5
_STATES = {"ok", "degraded", "unavailable"}
# What a project has documented that has documented its API, and what its page shows.
_SHOWN = "/api/auth/me/"
_SOME_PATHS = (_SHOWN, "/api/posts/", "/api/friends/", "/api/notifications/")


# Part 1: is it healthy?


@dataclass(frozen=True)
class _Linked:
    """A server, and the links to its database and its Redis, which can fail."""

    server: Server
    database: Link
    redis: Link

    def health(self) -> Answer:
        return self.server.ask("GET", HEALTH_PATH, patience=_LONGEST + 1)


def _linked(harness: Harness) -> _Linked:
    return harness.once("a server with links that can fail", lambda: _link(harness))


def _link(harness: Harness) -> _Linked:
    database, redis = (
        Link(service.port).start() for service in (harness.postgres(), harness.redis())
    )
    for link in (database, redis):
        harness.at_end(link.close)
    url = harness.postgres().url.replace(
        f":{harness.postgres().port}/", f":{database.port}/"
    )
    variables = {"DATABASE_URL": url, "REDIS_URL": redis_url(redis.port)}
    plan: dict[str, Any] = {**on_postgres(url), "layer": "project", "caches": True}
    argv = ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"]
    env = harness.env(variables=variables, **plan)
    server = serve(
        harness, "the server with PostgreSQL and Redis", [*argv, harness.project.asgi], env
    )
    linked = _Linked(server, database, redis)
    if linked.health().status != 200:
        # A health check that reads a table needs one.
        migrate = ["manage.py", "migrate", "--noinput"]
        harness.finish(migrate, env, seconds=processes.START_SECONDS * 2)
    return linked


@item("root.accept")
def root_leads_on(harness: Harness) -> None:
    """`/` redirects a browser to `/app/`, and tells a program in JSON what the API has."""
    server = whole_stage_of(harness).server
    answer = server.ask("GET", "/", headers={"Accept": _BROWSER})
    target = urlsplit(answer.headers.get("location", "")).path
    if answer.status not in (301, 302, 303, 307, 308) or target != CLIENT_PATH:
        raise unexpected(harness, answer, f"a browser is redirected to {CLIENT_PATH}")
    for kind in ("application/json", "*/*"):
        answer = needed(harness, server.ask("GET", "/", headers={"Accept": kind}), 200)
        if HEALTH_PATH not in str(answer.body) or not isinstance(answer.body, dict):
            expected = f"a JSON object with addresses, {HEALTH_PATH} among them"
            raise unexpected(harness, answer, expected)
        if "accept" not in answer.headers.get("vary", "").lower():
            raise unexpected(
                harness,
                answer,
                "the header `Vary: Accept`: without it, a cache gives everybody the answer that "
                "the first one got",
            )


@item("health.well", needs=["root.accept"], prefetch=[_linked])
def health_names_the_parts(harness: Harness) -> None:
    """`/api/v1/health/` answers 200 with `ok`, and with the milliseconds that each part took."""
    answer = needed(harness, _linked(harness).health(), 200)
    _expect_state(harness, answer, "ok", ready=True)
    parts = answer.get("parts")
    _expect_parts(harness, answer, dict.fromkeys(parts, "ok"))
    for name, part in parts.items():
        took = part.get("ms")
        if isinstance(took, bool) or not isinstance(took, int | float) or took < 0:
            expected = f"the part {name} has `ms`: how many milliseconds it took to answer"
            raise unexpected(harness, answer, expected)


def _expect_state(harness: Harness, answer: Answer, state: str, *, ready: bool) -> None:
    """The document has that status, and the parts "database" and "events"."""
    body = answer.body if isinstance(answer.body, dict) else {}
    found = body.get("status"), body.get("live"), body.get("ready")
    parts = body.get("parts")
    named = isinstance(parts, dict) and {"database", "events"} <= set(parts)
    if found != (state, True, ready) or not named:
        says = str(ready).lower()
        raise unexpected(
            harness,
            answer,
            f'{{"status": "{state}", "live": true, "ready": {says}, "parts": {{"database": '
            '{"status": ..., "ms": ...}, "events": {...}}}',
        )


def _expect_parts(harness: Harness, answer: Answer, expected: dict[str, str]) -> None:
    for name, state in expected.items():
        if answer.get("parts", name, "status") != state:
            raise unexpected(harness, answer, f"the part {name} has the status {state}")


@item("health.redis-down", needs=["health.well"])
def redis_down_is_degraded(harness: Harness) -> None:
    """While Redis is down, the health check answers 200 `degraded`, and says which part fails."""
    linked = _linked(harness)
    with linked.redis.fails("down"):
        answer = needed(harness, linked.health(), 200)
    _expect_state(harness, answer, "degraded", ready=True)
    _expect_parts(harness, answer, {"database": "ok", "events": "unavailable"})


@item("health.database-down", needs=["health.well"])
def database_down_is_unavailable(harness: Harness) -> None:
    """While the database is down, the health check answers 503 `unavailable`; then 200 again."""
    linked = _linked(harness)
    with linked.database.fails("down"):
        answer = linked.health()
        if answer.status != 503:
            raise unexpected(harness, answer, "503: without its database it cannot serve")
        _expect_state(harness, answer, "unavailable", ready=False)
        _expect_parts(harness, answer, {"database": "unavailable", "events": "ok"})
    # A pool of connections tries again every few seconds.
    processes.wait_until(lambda: linked.health().status == 200, seconds=_RECOVERS)
    needed(harness, linked.health(), 200)


@item("health.in-time", needs=["health.database-down"])
def hanging_parts_are_not_waited_for(harness: Harness) -> None:
    """If the database and Redis hang, the health check still answers within a few seconds."""
    linked = _linked(harness)
    with linked.database.fails("silent"), linked.redis.fails("silent"):
        for _ in range(2):
            began = time.monotonic()
            answer = linked.health()
            took = time.monotonic() - began
            if took > _LONGEST or answer.status != 503:
                raise unexpected(
                    harness,
                    answer,
                    f"503 within {_LONGEST:g} s: Render waits for five; this took {took:.1f} s",
                )


@item("toolbar.development", needs=["root.accept"])
def toolbar_stays_out_of_the_way(harness: Harness) -> None:
    """With `DEBUG_TOOLBAR=1`, pages have the debug toolbar: in development, and only there."""
    env = harness.env(variables={"DEBUG_TOOLBAR": "1"})
    argv = ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"]
    server = serve(
        harness, "the server with the toolbar", [*argv, harness.project.asgi], env
    )
    page = need(server.ask("GET", CLIENT_PATH, headers={"Accept": _BROWSER}), 200)
    if "djDebug" not in str(page.body):
        raise NotYet(
            f"with DEBUG_TOOLBAR=1, {CLIENT_PATH} has no debug toolbar",
            expected="it has one: in INSTALLED_APPS, in MIDDLEWARE, and its callback says yes",
            look_at=harness.project.setting("MIDDLEWARE"),
        )
    script = {"Accept": "*/*", "X-Requested-With": "XMLHttpRequest"}
    for path, headers in ((CLIENT_PATH, script), ("/api/auth/me/", {})):
        answer = server.ask("GET", path, headers=headers)
        if "djDebug" in str(answer.body) or answer.status >= 500:
            raise NotYet(
                f"with DEBUG_TOOLBAR=1 and {headers or 'no header'}: {answer}",
                expected="requests of scripts are answered as without it",
                look_at=answer.place or harness.project.setting("MIDDLEWARE"),
            )
    _expect_none_in_production(harness)
    plain = need(whole_stage_of(harness).server.ask("GET", CLIENT_PATH), 200)
    if "djDebug" in str(plain.body):
        raise NotYet(
            f"without DEBUG_TOOLBAR, {CLIENT_PATH} has the toolbar",
            expected="only those get it who ask for it",
            look_at=harness.project.setting("MIDDLEWARE"),
        )


def _expect_none_in_production(harness: Harness) -> None:
    """Settings with DEBUG off do not even have the app."""
    variables = {
        "DEBUG": "false",
        "DEBUG_TOOLBAR": "1",
        "DATABASE_URL": "postgresql://numeneon:scratch@127.0.0.1:9/numeneon",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "ALLOWED_HOSTS": "numeneon.example",
        "SECRET_KEY": "k8Zq-3vWm_Lr0TxB9yHc5NfJ2pGdQ7sE1uAo4iXb6",
    }
    process = harness.finish(
        ["manage.py", "diffsettings"], harness.env(variables=variables), seconds=patient(60)
    )
    facts = harness.facts_of(process)
    if facts is None:
        raise harness.crash(process, "with the variables of production the settings failed")
    if "debug_toolbar" in facts["installed_apps"]:
        raise NotYet(
            "with DEBUG=false and DEBUG_TOOLBAR=1, debug_toolbar is in INSTALLED_APPS",
            expected="production never has it: it shows queries and settings",
            look_at=harness.project.setting("INSTALLED_APPS"),
        )


# Part 2: an API that documents itself


def _asked(harness: Harness, path: str) -> Answer:
    """A document of the project as JSON."""
    server = whole_stage_of(harness).server
    answer = needed(harness, server.ask("GET", path), 200)
    if not isinstance(answer.body, dict):
        raise unexpected(harness, answer, "a document in JSON")
    return answer


def _schema(harness: Harness) -> dict[str, Any]:
    return harness.once("OpenAPI", lambda: _asked(harness, SCHEMA_PATH).body)


@item("docs.openapi", needs=["root.accept"])
def api_is_documented(harness: Harness) -> None:
    """`/api/schema/` is a valid OpenAPI 3.1 document that describes the API."""
    schema = _schema(harness)
    paths = schema.get("paths", {})
    if not str(schema.get("openapi")).startswith("3.1"):
        raise NotYet(
            f"{SCHEMA_PATH} has openapi: {schema.get('openapi')}", expected="OpenAPI 3.1"
        )
    if faults := faults_of_openapi(schema):
        shown = "\n".join(faults)
        raise NotYet(
            f"{SCHEMA_PATH} is not valid:\n{shown}", expected="a valid OpenAPI 3.1 document"
        )
    missing = [path for path in (*_SOME_PATHS, HEALTH_PATH) if path not in paths]
    if missing:
        raise NotYet(
            f"{SCHEMA_PATH} has {len(paths)} paths, and not {', '.join(missing)}",
            expected="the whole API",
        )


@item("docs.no-warnings", needs=["docs.openapi"], parallel=True)
def documentation_guesses_nothing(harness: Harness) -> None:
    """`python manage.py spectacular --validate --fail-on-warn` finds nothing to complain about."""
    argv = ["manage.py", "spectacular", "--validate", "--fail-on-warn"]
    argv += ["--file", str(harness.folder / "schema.yaml")]
    process = harness.finish(argv, harness.env(), seconds=patient(60))
    if process.exit_code:
        lines = harness.sandbox.as_learner(process.log()).splitlines()
        told = [line for line in lines if "Warning [" in line or "Error [" in line]
        raise NotYet(
            "\n".join(["it ended with an error:", *(told or lines)[-4:]]),
            expected="no warnings: each view says what it takes and what it answers",
            look_at=_place_in(harness, told),
            todo="@extend_schema(request=..., responses=...) on the method that is named",
        )


def _place_in(harness: Harness, lines: list[str]) -> Place | None:
    """The file that a line of the generator begins with."""
    for line in lines:
        file = line.partition(": ")[0].partition(":")[0]
        root = str(harness.sandbox.original.root)
        if root in file:
            return Place(file[file.index(root) + len(root) :].lstrip("/"))
    return None


@item("docs.answers", needs=["docs.openapi"])
def documented_addresses_answer(harness: Harness) -> None:
    """Each GET in the document answers a signed-in user with one of its documented statuses."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    published = post(stage, alice, "Documented").answer
    values = {"user_id": bob.id, "id": published.get("id")}
    for path, operation in _gets(_schema(harness)):
        address = _filled(path, values)
        answer = stage.server.ask("GET", address, token=alice.access)
        documented = {str(status) for status in operation.get("responses", {})}
        if answer.status >= 500 or (
            answer.status < 400 and not {str(answer.status), "default"} & documented
        ):
            shown = ", ".join(sorted(documented))
            raise unexpected(harness, answer, f"an answer that is documented: {shown}")


def _gets(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in sorted(schema.get("paths", {}).items()):
        if "get" in operations:
            yield path, operations["get"]


def _filled(path: str, values: dict[str, Any]) -> str:
    """An address with something in each of its places."""
    head, brace, rest = path.partition("{")
    if not brace:
        return path
    name, _, tail = rest.partition("}")
    return _filled(f"{head}{values.get(name, 1)}{tail}", values)


@item("docs.page", needs=["docs.openapi"], prefetch=[lambda h: h.browsers.start()])
def page_needs_no_other_site(harness: Harness) -> None:
    """`/api/docs/` shows the API in a browser, and all that it loads comes from this server."""
    server = whole_stage_of(harness).server
    own = f"http://{server.address}"
    needed(harness, server.ask("GET", DOCS_PATH, headers={"Accept": _BROWSER}), 200)
    window = harness.browsers.window()
    harness.at_end(window.close)
    window.open(f"{own}{DOCS_PATH}")
    _expect_own(harness, window, own)
    drawn = window.until(f"document.body.innerText.includes({_SHOWN!r})", _DRAWN)
    _expect_own(harness, window, own)
    if not drawn or window.failures:
        raise _wrong_page(
            harness,
            window,
            f"{DOCS_PATH} does not show {_SHOWN}",
            "the page shows the addresses of the API",
        )


def _expect_own(harness: Harness, window: Window, own: str) -> None:
    """The page has loaded from this server all that it has loaded so far."""

    def foreign() -> list[str]:
        sent = window.requests
        return [url for url in sent if not url.startswith((own, "data:", "blob:"))]

    # The browser names a request before it says that the page's own policy has blocked it.
    if not processes.wait_until(lambda: not foreign(), seconds=_BLOCKED):
        raise _wrong_page(
            harness,
            window,
            f"{DOCS_PATH} loads {shorten(foreign()[0], 120)}",
            "all files come from this server: a page that loads scripts from elsewhere does "
            "not work offline, and trusts whoever can change them",
        )


def _wrong_page(harness: Harness, window: Window, found: str, expected: str) -> NotYet:
    told = [*window.failures, *window.errors][:3]
    said = "".join(f"\nthe browser: {shorten(each)}" for each in told)
    settings = harness.project.relative(harness.project.settings_file)
    return NotYet(f"{found}{said}", expected=expected, look_at=Place(settings))


@item("docs.socket", needs=["root.accept"])
def frames_are_documented(harness: Harness) -> None:
    """Each frame that the server sends is in its AsyncAPI document, with exactly its keys."""
    messages = Messages(_asked(harness, SOCKET_DOCUMENT_PATH).body)
    stage = whole_stage_of(harness)
    for frame in _frames(stage):
        if fault := messages.fault_of(frame):
            raise NotYet(
                f"the server sent {shorten(frame, 200)}\n{SOCKET_DOCUMENT_PATH}: {fault}",
                expected="a message of the document has these keys, and these types",
                look_at=stage.place("consumer"),
            )


def _frames(stage: Stage) -> list[Any]:
    """Every kind of frame, as two people cause them."""
    reader, author = people(stage, "dora", "emil")
    with ExitStack() as stack:
        socket = stack.enter_context(stage.greeted(reader))
        other = stack.enter_context(stage.greeted(author))
        _cause_events(stage, reader, author)
        for frame in ({"type": RESUME, "epoch": "?", "seq": 0}, "nonsense", {"type": PING}):
            socket.send(frame)
        socket.send({"type": AUTH, "token": reader.access})
        greeting = socket.frames[0]
        resume = {"type": RESUME, "epoch": greeting.get("epoch"), "seq": 0}
        other.send({"type": RESUME, "epoch": other.frames[0].get("epoch"), "seq": 0})
        socket.send(resume)
        for each in (socket, other):
            # Whatever was sent before this pong has arrived when it has.
            each.send({"type": PING})
            list(frames_of(each, patient(1)))
        return [*socket.frames, *socket.presence, *other.frames, *other.presence]


def _cause_events(stage: Stage, reader: Person, author: Person) -> None:
    asked = done(ask(stage, author, reader.id), 201, "friend_request")
    done(accept(stage, reader, asked.get("id")), 200)
    done(write(stage, author, reader.id, "Hello"), 201, "new_message")
    done(post(stage, author, "News"), 201, "new_post")
    order = some_order(stage, customer(stage, reader.username))
    staff = clerk(stage)
    done(change(stage, staff, order, "paid"), 200, "order_status")
    words = {"text": "We are open"}
    done(stage.do("POST", ANNOUNCEMENTS_PATH, body=words, token=staff.access), 201)
    rows = need(
        stage.server.ask("GET", "/api/notifications/", token=reader.access), 200
    ).rows
    for row in rows[:1]:
        mark(stage, reader, row.get("id"))


# Part 3: metrics


def _quiet(stage: Stage, *people: Person) -> Metrics:
    """The metrics while no socket is open, when it is known how these people open one."""
    for person in people:
        stage.greeted(person).close()
    stage.settled(0)
    before = metrics_of(stage)
    processes.wait_until(
        lambda: metrics_of(stage).total(OPEN_SOCKETS) == 0, seconds=patient(2)
    )
    return metrics_of(stage) if before.total(OPEN_SOCKETS) else before


def _expect_changes(
    stage: Stage, before: Metrics, when: str, changes: Mapping[str, float]
) -> Metrics:
    """Since `before`, the sums of these numbers have changed by exactly so much."""
    now = before

    def changed() -> dict[str, float]:
        return {name: now.total(name) - before.total(name) for name in changes}

    def as_expected() -> bool:
        nonlocal now
        now = metrics_of(stage)
        return changed() == changes

    if not processes.wait_until(as_expected, seconds=patient(3)):
        found = changed()
        name = next(name for name in changes if found[name] != changes[name])
        raise NotYet(
            f"{when}: {name} has changed by {found[name]:+g}",
            expected=f"{changes[name]:+g}",
            look_at=place_of(stage.harness, name.removesuffix("_total"))
            or stage.place("consumer"),
        )
    return now


@item("metrics.private", needs=["root.accept"], prefetch=[in_production])
def metrics_are_not_public(harness: Harness) -> None:
    """`/metrics` answers staff, and clients with the `METRICS_TOKEN`; it refuses everybody else."""
    stage, prometheus = whole_stage_of(harness), in_production(harness)
    [alice] = people(stage, "alice")
    metrics_of(stage)
    Metrics.of(need(prometheus.ask("GET", METRICS_PATH, token=TOKEN), 200))
    asked = [
        (stage.server, None, "nobody"),
        (stage.server, alice.access, "alice, who is not staff"),
        (stage.server, TOKEN, "somebody with a token, while METRICS_TOKEN is not set"),
        (prometheus, None, "nobody, while METRICS_TOKEN is set"),
        (prometheus, altered(TOKEN), "somebody with another token"),
    ]
    for server, token, who in asked:
        _expect_closed(harness, server.ask("GET", METRICS_PATH, token=token), who)
    empty = stage.server.ask("GET", METRICS_PATH, headers={"Authorization": "Bearer "})
    _expect_closed(harness, empty, "somebody with an empty token, which is what is not set")


def _expect_closed(harness: Harness, answer: Answer, who: str) -> None:
    if answer.status not in (401, 403, 404):
        raise unexpected(harness, answer, f"401 or 403 for {who}")


@item("metrics.sockets", needs=["root.accept"])
def sockets_are_counted(harness: Harness) -> None:
    """The metrics count the sockets that are open and were opened, and the codes they end with."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    before = _quiet(stage, alice, bob)
    with stage.greeted(alice), stage.greeted(bob) as lost:
        opened = {OPEN_SOCKETS: 2, CONNECTS: 2, CLOSES: 0}
        _expect_changes(stage, before, "two sockets were opened", opened)
        with stage.open(altered(alice.access)) as refused:
            refused.until_closed(patient(5))
        lost.cut()
        when = (
            "a third one was closed with 4401, and the connection of the second one was cut"
        )
        now = _expect_changes(
            stage, before, when, {OPEN_SOCKETS: 1, CONNECTS: 3, CLOSES: 2}
        )
        if now.total(CLOSES, code="4401") - before.total(CLOSES, code="4401") != 1:
            raise NotYet(
                f"{when}: {sorted(now.grown(before, CLOSES))}",
                expected=f'{CLOSES}{{code="4401"}} has grown by 1',
                look_at=place_of(harness, CLOSES.removesuffix("_total")),
            )
    ended = {OPEN_SOCKETS: 0, CONNECTS: 3, CLOSES: 3}
    _expect_changes(stage, before, "the first one was closed, too", ended)


@item("metrics.frames", needs=["metrics.sockets"])
def frames_are_counted(harness: Harness) -> None:
    """The metrics count the frames that are sent to sockets."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.greeted(alice) as one, stage.greeted(alice) as other:
        before = metrics_of(stage)
        _write_many(stage, bob, alice, 3, one, other)
        when = "bob wrote three messages to alice, who has two sockets"
        _expect_changes(stage, before, when, {FRAMES_SENT: 6})


def _write_many(
    stage: Stage, sender: Person, receiver: Person, count: int, *sockets: Socket
) -> None:
    """So many messages, and each of these sockets has got them all."""
    for number in range(count):
        done(write(stage, sender, receiver.id, f"Number {number}"), 201, "new_message")
    for socket in sockets:
        for _ in range(count):
            if socket.event("new_message", patient(5)) is None:
                raise stage.news(
                    f"{receiver.username}'s socket: {socket}",
                    expected=f"{count} frames of the type new_message",
                    part="consumer",
                    socket=socket,
                )


@item("metrics.crash", needs=["metrics.sockets"])
def crashed_sockets_are_not_open(harness: Harness) -> None:
    """A socket whose consumer has raised an exception is not counted as open any more."""
    stage = whole_stage_of(harness)
    [carla] = people(stage, "carla")
    before = _quiet(stage, carla)
    with stage.greeted(carla) as socket:
        # Not one of the errors of a database that has gone, for which there is a close code.
        stage.control("fail", error="Error")
        try:
            socket.send({"type": PING})
            socket.until_closed(patient(5))
        finally:
            stage.control("fail", error=None)
        when = "the code of a socket raised an exception"
        ended = {OPEN_SOCKETS: 0, CONNECTS: 1, CLOSES: 1}
        _expect_changes(stage, before, when, ended)


# Part 4: a dashboard


@item("metrics.labels", needs=["metrics.sockets"])
def labels_are_bounded(harness: Harness) -> None:
    """No client can add labels to the metrics, for example with a close code or a method."""
    stage = whole_stage_of(harness)
    _strange_things(stage, "ada", 3001)
    before = metrics_of(stage)
    _strange_things(stage, "ole", 3101)
    added = metrics_of(stage).series("") - before.series("")
    if added:
        name, labels = sorted(added)[0]
        raise NotYet(
            f"another client did something strange, and there are {len(added)} more numbers: "
            f"{name} {dict(labels)}",
            expected="as many as before: labels have values that the server chooses, such as "
            '"other"',
            look_at=place_of(harness, name.removesuffix("_total")),
            todo="whoever can invent labels can fill the memory of the server and of Prometheus",
        )


def _strange_things(stage: Stage, name: str, code: int) -> None:
    """What a client may invent: paths, methods, types of frames, and codes to close with."""
    [person] = people(stage, name)
    stage.greeted(person).close()
    for number in range(code, code + 3):
        stage.server.ask("GET", f"/api/no-such-{number}/", token=person.access)
        stage.server.ask(f"INVENTED{number}", "/api/posts/", token=person.access)
        with stage.greeted(person) as socket:
            socket.send({"type": f"invented-{number}"})
            socket.event(ERROR, patient(5))
            socket.close_with(number)
    stage.settled(0)


@item("metrics.django", needs=["root.accept"])
def requests_and_queries_are_counted(harness: Harness) -> None:
    """The metrics also count the requests over HTTP, and the queries to the database."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    before = metrics_of(stage)
    for _ in range(3):
        need(stage.server.ask("GET", "/api/posts/", token=alice.access), 200)
    now = metrics_of(stage)
    for what, words in (
        ("requests over HTTP", ("http", "request", "response")),
        ("queries to the database", ("_db_", "sql", "quer", "database")),
    ):
        names = {name for name, _ in now.values if any(word in name for word in words)}
        if not any(now.total(name) - before.total(name) >= 3 for name in names):
            raise NotYet(
                f"three requests were answered, and nothing among the {len(names)} numbers "
                f"about {what} has grown by 3",
                expected="django_prometheus in INSTALLED_APPS, its two middlewares, and its "
                "ENGINE for the database",
                look_at=harness.project.setting("MIDDLEWARE"),
            )


@item("metrics.delay", needs=["metrics.sockets"])
def delay_is_measured(harness: Harness) -> None:
    """The metrics measure the seconds from publishing an event to sending it to a socket."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    total = f"{PUBLISH_TO_SEND}_sum"
    with stage.greeted(alice) as one, stage.greeted(alice) as other:
        before, began = metrics_of(stage), time.time()
        _write_many(stage, bob, alice, 2, one, other)
        when = "bob wrote two messages to alice, who has two sockets"
        counted = {f"{PUBLISH_TO_SEND}_count": 4.0}
        now = _expect_changes(stage, before, when, counted)
        took = now.total(total) - before.total(total)
    if not 0 < took < 4 * (time.time() - began):
        raise NotYet(
            f"{when}: {total} has changed by {took:+g}",
            expected=f"less than 4 times the {time.time() - began:.2f} s that all this took",
            look_at=place_of(harness, PUBLISH_TO_SEND),
            todo="the event carries the time at which it was published: time.time()",
        )


@item("metrics.resumes", needs=["metrics.sockets"])
def resumes_are_counted(harness: Harness) -> None:
    """The metrics count clients that resume, by outcome: some cannot be sent what they missed."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.greeted(alice) as socket:
        seen = {"epoch": socket.frames[0].get("epoch"), "seq": socket.frames[0]["last_seq"]}
    _write_many(stage, bob, alice, 2)
    before = metrics_of(stage)
    with stage.greeted(alice) as socket:
        for position in (seen, {"epoch": "unknown", "seq": 0}):
            socket.send({"type": RESUME, **position})
            socket.event(RESUMED, patient(5))
        when = "two clients resumed, one from a position that is not known"
        now = _expect_changes(stage, before, when, {RESUMES: 2})
    grown = now.grown(before, RESUMES)
    if len(grown) != 2:
        raise NotYet(
            f"{when}: {RESUMES} has grown for {sorted(grown)}",
            expected="each outcome has a label of its own",
            look_at=place_of(harness, RESUMES.removesuffix("_total")),
        )


@item("metrics.dropped", needs=["metrics.sockets"])
def lost_events_are_counted(harness: Harness) -> None:
    """The metrics count events that the channel layer lost, even if clients got them later."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.greeted(alice) as socket:
        before = metrics_of(stage)
        stage.control("lose", yes=True)
        try:
            _write_many(stage, bob, alice, 2)
        finally:
            stage.control("lose", yes=False)
        _write_many(stage, bob, alice, 1)
        for _ in range(3):
            socket.event("new_message", patient(5))
        when = "two events were lost, and a third one arrived"
        _expect_changes(stage, before, when, {EVENTS_DROPPED: 2})


def _listed(stage: Stage, *people: Person) -> list[int]:
    """Whose sockets staff see in the list, of these people's."""
    token = staff(stage.harness).access
    answer = needed(
        stage.harness, stage.server.ask("GET", CONNECTIONS_PATH, token=token), 200
    )
    users = [row.get("user", {}).get("id") for row in answer.rows if isinstance(row, dict)]
    return sorted(id for id in users if id in {person.id for person in people})


def _expect_listed(stage: Stage, when: str, known: list[Person], *open_: Person) -> None:
    expected = sorted(person.id for person in open_)
    found: list[int] = []

    def as_expected() -> bool:
        found[:] = _listed(stage, *known)
        return found == expected

    if not processes.wait_until(as_expected, seconds=patient(3)):
        names = {person.id: person.username for person in known}
        shown = ", ".join(names[id] for id in found) or "nobody"
        raise NotYet(
            f"{when}: {CONNECTIONS_PATH} lists {shown}",
            expected=", ".join(person.username for person in open_) or "nobody of them",
            look_at=place_of(stage.harness, "connections/"),
        )


@item("tracking.lists", needs=["root.accept"])
def open_sockets_are_listed(harness: Harness) -> None:
    """`/api/v1/connections/` lists exactly the open sockets, and forgets one that closes."""
    stage = whole_stage_of(harness)
    known = people(stage, "tara", "theo")
    tara, theo = known
    with stage.greeted(tara), stage.greeted(theo) as lost:
        _expect_listed(stage, "both have a socket", known, tara, theo)
        with stage.greeted(tara):
            _expect_listed(stage, "tara has a second one", known, tara, tara, theo)
        _expect_listed(stage, "it was closed", known, tara, theo)
        lost.cut()
        _expect_listed(stage, "theo's connection was cut", known, tara)
    _expect_listed(stage, "all are closed", known)


@item("tracking.staff", needs=["tracking.lists"])
def others_do_not_see_sockets(harness: Harness) -> None:
    """Nobody but staff sees who is connected."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    for token, who in ((None, "nobody"), (alice.access, "alice, who is not staff")):
        answer = stage.server.ask("GET", CONNECTIONS_PATH, token=token)
        _expect_closed(harness, answer, who)


_NUMBER = """(() => {
  const heading = [...document.querySelectorAll("h2")].find(
    ({ textContent }) => textContent === "Open sockets"
  );
  return heading?.parentElement.querySelector("output")?.textContent ?? null;
})()"""
_SIGN_IN = """(email, password) => {
  const form = document.getElementById("sign-in");
  form.elements.email.value = email;
  form.elements.password.value = password;
  form.requestSubmit();
}"""


@item("dashboard.live", needs=["metrics.sockets"], prefetch=[lambda h: h.browsers.start()])
def dashboard_is_live(harness: Harness) -> None:
    """At `/dashboard/`, staff see the number of open sockets change, and others see no numbers."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    _quiet(stage, alice)
    window = harness.browsers.window()
    harness.at_end(window.close)

    def expect(script: str, found: str, expected: str) -> None:
        if not window.until(script, patient(10)):
            told = [*window.failures, *window.errors][:3]
            said = "".join(f"\nthe browser: {shorten(each)}" for each in told)
            raise NotYet(
                found + said,
                expected=expected,
                look_at=place_of_module(harness, "dashboard.js"),
            )

    address = f"http://{stage.server.address}{DASHBOARD_PATH}"
    window.open(address)
    expect(
        "document.getElementById('sign-in')",
        f"{DASHBOARD_PATH} has no form to sign in",
        "it has",
    )
    window.call(_SIGN_IN, alice.email, alice.password)
    told = "document.getElementById('problem')?.textContent"
    expect(told, "alice, who is not staff, signed in and was told nothing", "what is wrong")
    if window.run(_NUMBER) is not None:
        raise NotYet("alice, who is not staff, sees numbers", expected="only staff do")
    stella = staff(harness)
    window.call(_SIGN_IN, stella.email, stella.password)
    expect(f"{_NUMBER} === '0'", "stella signed in, and no socket is open", "the number 0")
    with stage.greeted(alice), stage.greeted(alice):
        expect(
            f"{_NUMBER} === '2'",
            "two sockets were opened",
            "the number 2, without a reload",
        )


# Part 5: logs


@item("logs.json", needs=["root.accept"], prefetch=[in_production])
def lines_are_json(harness: Harness) -> None:
    """With `DEBUG` off, every log line is a JSON object, including those of Django and uvicorn."""
    server = in_production(harness)
    lena = signed_up(harness, server, "lena")
    printed = server.process.printed
    _greeted_in_production(server, lena).close()
    server.ask("GET", "/api/no-such-page/", token=lena.access)
    lines_until(server, printed, "/api/no-such-page/")


def _greeted_in_production(server: Server, person: Person) -> Socket:
    socket = server.socket(person.access)
    if not is_greeting(socket.receive(), person.id):
        socket.close()
        raise NotYet(
            f"{person.username}'s socket at {server.name}: {socket}", expected="a greeting"
        )
    return socket


@item("logs.request", needs=["logs.json"])
def requests_have_ids(harness: Harness) -> None:
    """Each request has an id: it is in the answer's `X-Request-ID`, and on its lines in the log."""
    server = in_production(harness)
    printed = server.process.printed
    paths = ["/api/no-such-one/", "/api/no-such-two/"]
    ids = [server.ask("GET", path).headers.get("x-request-id") for path in paths]
    if not all(ids) or ids[0] == ids[1]:
        raise NotYet(
            f"two requests were answered with X-Request-ID: {ids[0]} and {ids[1]}",
            expected="an id, and another one for each request",
            look_at=place_of(harness, "x-request-id") or place_of(harness, "X-Request-ID"),
        )
    lines = lines_until(server, printed, paths[1])
    for id, path in zip(ids, paths, strict=True):
        for line in lines:
            if path in str(line) and id not in line.values():
                raise NotYet(
                    f"the request had the id {id}, and its line is {shorten(line, 200)}",
                    expected="each line that is written for a request has its id",
                    look_at=harness.project.setting("LOGGING"),
                )


@item("logs.connection", needs=["logs.json"])
def sockets_have_ids(harness: Harness) -> None:
    """Each socket has an id, which is on all of its lines, and the same on each of them."""
    server = in_production(harness)
    lena = signed_up(harness, server, "lena")
    # Sockets of other items may log their end meanwhile.
    known = connections_of(server, 0)
    sockets = {}
    for when in ("a first socket was opened", "a second socket was opened"):
        printed = server.process.printed
        socket = _greeted_in_production(server, lena)
        wanted = "an id that no other socket has"
        ids = _expect_ids(harness, printed, when, wanted, lambda ids: len(ids - known) == 1)
        [own] = ids - known
        known.add(own)
        sockets[own] = socket
    for own, socket in sockets.items():
        printed = server.process.printed
        socket.close()
        right = partial(_is_about, own, known)
        _expect_ids(harness, printed, "the socket was closed", f"the id {own}", right)


def _is_about(own: str, known: set[str], ids: set[str]) -> bool:
    """Whether the lines with those ids are about that socket, and others that are known."""
    return own in ids and ids <= known


def _expect_ids(
    harness: Harness,
    printed: int,
    when: str,
    wanted: str,
    right: Callable[[set[str]], bool],
) -> set[str]:
    """The ids of connections that lines of the log after those have, once they are right."""
    server = in_production(harness)
    processes.wait_until(lambda: right(connections_of(server, printed)), seconds=patient(5))
    found = connections_of(server, printed)
    if not right(found):
        shown = ", ".join(sorted(found)) or "no id of a connection"
        raise NotYet(
            f"{when}, and the new lines have {shown}",
            expected=wanted,
            look_at=harness.project.setting("LOGGING"),
        )
    return found


@item("logs.private", needs=["logs.json"])
def nobody_reads_secrets(harness: Harness) -> None:
    """No line has a ticket, a token, or what people write to each other, not even in an address."""
    server = in_production(harness)
    lena, olaf = (signed_up(harness, server, name) for name in ("lena", "olaf"))
    words, printed = "Zebras-in-the-attic", server.process.printed
    ticket = ticket_for(server, lena)
    offer = {"subprotocols": [TICKET_SUBPROTOCOL, ticket]}
    # The second time, the ticket is refused.
    for options in (offer, offer, {"way": "query"}):
        token = None if "subprotocols" in options else lena.access
        with server.socket(token, **options) as socket:
            socket.receive()
            socket.send({"type": words})
            socket.send(words)
            socket.send({"type": AUTH, "token": altered(lena.access)})
            socket.until_closed(patient(5))
    body = {"receiver_id": lena.id, "content": words}
    with _greeted_in_production(server, lena) as socket:
        need(server.ask("POST", "/api/messages/", body=body, token=olaf.access), 201)
        socket.event("new_message", patient(5))
    server.ask("GET", f"/api/posts/?token={lena.access}", token=lena.access)
    server.ask("GET", f"/api/no-such-end/?token={lena.access}")
    lines_until(server, printed, "/api/no-such-end/")
    log = server.process.log_since(printed)
    secrets = {"what olaf wrote": words, "a ticket": ticket}
    secrets["an access token"] = lena.access.rpartition(".")[2][:20]
    for what, secret in secrets.items():
        if secret in log:
            line = next(line for line in log.splitlines() if secret in line)
            raise NotYet(
                f"{what} is in the log: {shorten(line, 160)}",
                expected="log who did what, never what was said, and no address with its query",
                look_at=harness.project.setting("LOGGING"),
            )

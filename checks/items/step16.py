"""Step 16: thousands of sockets in several processes, and nothing lost when one of them ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from checks.errors import NotYet
from checks.harness.client import Answer, Socket
from checks.harness.harness import Harness
from checks.harness.latency_proxy import LatencyProxy
from checks.harness.operations import place_of, staff
from checks.harness.outage import Link
from checks.harness.people import Person
from checks.harness.servers import LOCAL, Server, serve
from checks.harness.services import redis_url
from checks.harness.stage import Stage, people, stage_with, whole_stage_of
from checks.harness.together import stopped
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from checks.items.step04 import done, write
from checks.items.step09 import missed_since, stage_on_postgres
from checks.render.production import read_blueprint
from course.contract import (
    CLOSE_CODES,
    CONNECTIONS_PATH,
    HEALTH_PATH,
    TRY_AGAIN_LATER,
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

_RESTART = 1012
# How late each answer of Redis is, and the number of users that one event is for.
_DISTANCE, _CROWD = 0.02, 200
_BURST = 300
# How many sockets a process has to close, in how many seconds, and how old one may become.
_SOCKETS, _WINDOW, _LIFETIME = 8, round(patient(2)), 2
_QUERY = patient(2)
# How many requests there are at a time, and how long each of their statements takes.
_REQUESTS, _SLOW = 60, 0.1


# Part 1: what a delivery costs


@item("delivery.thread")
def delivery_waits_for_no_query(harness: Harness) -> None:
    """While the sockets' thread for the database is busy, events still arrive in sockets."""
    stage = whole_stage_of(harness)
    _, bob = people(stage, "alice", "bob")
    with stage.greeted(bob) as socket:
        stage.control("busy", seconds=_QUERY)
        began = time.monotonic()
        stage.notify([bob.id], "new_message", {"id": 1})
        frame = socket.event("new_message", patience=_QUERY + patient(3))
        took = time.monotonic() - began
        stage.control("idle")
        if frame is None or took > 0.7 * _QUERY:
            raise stage.news(
                f"a query of another socket took {_QUERY:g} s. An event arrived "
                + (f"after {took:.1f} s" if frame else "never"),
                expected="an event that needs no query does not wait for one",
                part="consumer",
                socket=socket,
                place=place_of(harness, "def dispatch"),
                todo="Channels' dispatch() asks the thread to close old database connections "
                "before each event: override it",
            )


# Part 2: one connection to Redis


@dataclass
class _Far:
    """The project with a Redis on another machine, whose network can fail."""

    stage: Stage
    link: Link
    url: str  # without that network


def _far(harness: Harness) -> _Far:
    return harness.once("the project with a distant Redis", lambda: _make_far(harness))


def _make_far(harness: Harness) -> _Far:
    redis = harness.redis()
    far = LatencyProxy(redis.port, delay=_DISTANCE).start()
    link = Link(far.port).start()
    harness.at_end(far.close)
    harness.at_end(link.close)
    stage = stage_with(
        harness,
        "the project with a distant Redis",
        argv=["-m", "uvicorn", "composed_asgi:application", "--host", LOCAL]
        + ["--port", "{port}", "--lifespan", "off", "--log-level", "warning"],
        whole=True,
        layer="project",
        variables={"REDIS_URL": redis_url(link.port)},
    )
    return _Far(stage, link, redis.url)


@item("hub.pipelined", needs=["delivery.thread"], prefetch=[_far])
def one_event_for_many_is_sent_at_once(harness: Harness) -> None:
    """One event for 200 users takes a few round trips to Redis, not 200."""
    stage = _far(harness).stage
    [bob] = people(stage, "bob")
    others = range(1_000_000, 1_000_000 + _CROWD - 1)
    with stage.greeted(bob) as socket:
        stage.notify([bob.id], "new_message", {"id": 0})  # connects
        began = time.monotonic()
        stage.notify([*others, bob.id], "new_message", {"id": 1})
        took = time.monotonic() - began
        frames = [socket.event("new_message") for _ in range(2)]
        if None in frames:
            raise stage.news(
                f"an event for {_CROWD} users did not reach one of them",
                expected="each gets it",
                part="sender",
                socket=socket,
            )
    if took > _CROWD * _DISTANCE / 4:
        raise NotYet(
            f"with a Redis that is {1000 * _DISTANCE:g} ms away, it took {took:.1f} s to send "
            f"one event to {_CROWD} users",
            expected="far less than a round trip for each of them",
            look_at=stage.place("sender"),
            todo="send all with one pipeline, or publish one message for all of them",
        )


@item("hub.back", needs=["hub.pipelined"])
def sockets_are_told_when_redis_is_back(harness: Harness) -> None:
    """When Redis is back, a socket gets what was stored meanwhile, without asking for it."""
    far = _far(harness)
    alice, bob = people(far.stage, "alice", "bob")
    with far.stage.greeted(bob) as socket:
        with far.link.fails("down"):
            done(write(far.stage, alice, bob.id, "Meanwhile"), 201, "new_message")
        frame = socket.event("new_message", patience=patient(8))
        if frame is None:
            raise far.stage.news(
                f"a message was stored while Redis was down. 8 seconds after it was back: "
                f"{socket}",
                expected="the socket stays open and is sent that message",
                part="consumer",
                socket=socket,
                todo="when the subscription is there again, have all sockets read what they "
                "have not been sent",
            )


# Part 3: a socket that falls behind


@item("behind.caught-up", needs=["hub.pipelined"])
def burst_arrives_without_a_question(harness: Harness) -> None:
    """300 events sent at the same moment all reach a socket, in order, without a `resume`."""
    far = _far(harness)
    stage = far.stage
    alice, bob = people(stage, "alice", "bob")
    texts = [f"Message {number}" for number in range(_BURST)]
    bodies = [{"receiver_id": bob.id, "content": text} for text in texts]
    burst = {"path": "/api/messages/", "token": alice.access, "bodies": bodies}
    variables = {
        "DJANGO_SETTINGS_MODULE": harness.project.settings_module,
        "REDIS_URL": far.url,
    }
    with stage.greeted(bob) as socket:
        with stopped(stage.server.process.pid):
            given = json.dumps(burst)
            harness.probe("check_burst", given, layer="project", variables=variables)
        shown: list[Any] = []
        # The first one that does not come is enough: each would be waited for.
        while len(shown) < _BURST and (frame := socket.event("new_message")):
            shown.append(frame.get("data", {}).get("content"))
        if shown != texts:
            raise stage.news(
                f"of {_BURST} messages at one moment {len(shown)} arrived",
                expected="all of them, in order, without a resume or a ping",
                part="consumer",
                socket=socket,
                todo="what does not fit into a socket's outbox is in the database: read it "
                "when there is time",
            )


# Part 4: a server that leaves


@dataclass
class _Farewell:
    """What happened when a server was asked to end while it had sockets."""

    server: Server
    ends: list[tuple[float, int | None]]  # seconds after SIGTERM, and the close code
    health: Answer | None
    entered: bool
    lasted: float
    missed: list[Any]
    listed: list[Any]


def _leaving(harness: Harness) -> Server:
    """`manage.py runasgi`, which has a few seconds to close its sockets."""
    return _runasgi(harness, "runasgi, which is to end", DRAIN_SECONDS=_WINDOW)


def _runasgi(harness: Harness, name: str, **shorter: float) -> Server:
    argv = ["manage.py", "runasgi", "--host", LOCAL, "--port", "{port}"]
    env = harness.env(caches=True, shorter=shorter)
    return harness.once(name, lambda: serve(harness, name, argv, env))


@contextmanager
def _greeted(server: Server, person: Person) -> Iterator[tuple[Socket, Any]]:
    """An open socket, and its greeting."""
    with server.socket(person.access, way="header") as socket:
        frame = socket.receive() if socket.opened else None
        if not is_greeting(frame, person.id):
            error, place = server.error_of(socket)
            found = f"{server.name}: {socket}{f'; its error: {error}' if error else ''}"
            raise NotYet(found, expected="the socket is greeted", look_at=place)
        yield socket, frame


def _farewell(harness: Harness) -> _Farewell:
    return harness.once("the farewell", lambda: _say_farewell(harness))


def _say_farewell(harness: Harness) -> _Farewell:
    stage, server = whole_stage_of(harness), _leaving(harness)
    alice, bob = people(stage, "alice", "bob")
    with ExitStack() as stack, ThreadPoolExecutor(_SOCKETS) as threads:
        opened = [
            stack.enter_context(_greeted(server, bob if number else alice))
            for number in range(_SOCKETS)
        ]
        server.process.ask_to_end()
        began = time.monotonic()

        def end_of(socket: Socket) -> tuple[float, int | None]:
            code = socket.until_closed(patience=_WINDOW + patient(8))
            return time.monotonic() - began, code

        ends = [threads.submit(end_of, socket) for socket, _ in opened]
        time.sleep(0.3 * _WINDOW)
        health, entered = _asked(server), _lets_in(server, bob)
        done(write(stage, alice, bob.id, "While a server leaves"), 201, "new_message")
        ended = sorted((end.result() for end in ends), key=lambda end: end[0])
        greeting = opened[-1][1]
    server.process.wait(patient(15))
    lasted = time.monotonic() - began
    with stage.greeted(bob) as socket:
        missed = missed_since(stage, socket, greeting["epoch"], greeting["last_seq"])
    answer = stage.server.ask("GET", CONNECTIONS_PATH, token=staff(harness).access)
    listed = needed(harness, answer, 200).rows
    return _Farewell(server, ended, health, entered, lasted, missed, listed)


def _asked(server: Server) -> Answer | None:
    """What the health check answers; None if nobody does."""
    try:
        return server.ask("GET", HEALTH_PATH)
    except NotYet:
        return None


def _lets_in(server: Server, person: Person) -> bool:
    """Whether a new socket is greeted."""
    try:
        with server.socket(person.access, way="header") as socket:
            return socket.opened and is_greeting(socket.receive(), person.id)
    except NotYet:
        return False


@item("leaving.spread", needs=["delivery.thread"], prefetch=[_leaving])
def sockets_end_one_after_the_other(harness: Harness) -> None:
    """After SIGTERM, runasgi closes its sockets with 1012, spread over DRAIN_SECONDS."""
    farewell = _farewell(harness)
    codes = {code for _, code in farewell.ends}
    moments = [moment for moment, _ in farewell.ends]
    told = ", ".join(f"{code} after {moment:.1f} s" for moment, code in farewell.ends)
    if codes != {_RESTART}:
        raise NotYet(
            f"the sockets were closed with {told}",
            expected=f"all are closed with {_RESTART}: the service restarts",
            look_at=place_of(harness, "SIGTERM"),
        )
    middle = [m for m in moments if 0.2 * _WINDOW < m < 0.8 * _WINDOW]
    if len(middle) < _SOCKETS / 4 or moments[-1] > _WINDOW + patient(1.5):
        raise NotYet(
            f"with DRAIN_SECONDS = {_WINDOW}, {_SOCKETS} sockets were closed with {told}",
            expected=f"evenly, within {_WINDOW} seconds",
            look_at=place_of(harness, "SIGTERM"),
            todo="all at once, thousands of clients would connect elsewhere in one second",
        )


@item("leaving.health", needs=["leaving.spread"])
def leaving_server_says_so(harness: Harness) -> None:
    """While a server drains, its health check answers 503, and new sockets are refused."""
    farewell = _farewell(harness)
    answer = farewell.health
    if answer is not None and answer.status != 503:
        raise NotYet(
            f"while the sockets were closed, GET {HEALTH_PATH}: {answer}",
            expected="503, so that new requests are sent elsewhere",
            look_at=place_of(harness, "ready ="),
        )
    if farewell.entered:
        raise NotYet(
            "while the server closed its sockets, it let a new one in",
            expected="it is refused: its client gets to another server",
            look_at=place_of(harness, "class ObserverMiddleware"),
        )


@item("leaving.traces", needs=["leaving.spread"])
def nothing_is_lost_and_nobody_left(harness: Harness) -> None:
    """After draining, the server ends, nobody counts as connected, and a resume loses nothing."""
    farewell = _farewell(harness)
    if farewell.server.process.exit_code is None:
        raise NotYet(
            f"{farewell.lasted:.0f} s after SIGTERM the server is still running",
            expected="it ends when its sockets are closed",
            look_at=place_of(harness, "SIGTERM"),
        )
    left = [row for row in farewell.listed if _name(row) in ("alice", "bob")]
    if left:
        raise NotYet(
            f"the server has ended, and {CONNECTIONS_PATH} still lists {len(left)} sockets",
            expected="a socket that was closed has no open row",
            look_at=place_of(harness, "def leave"),
        )
    texts = [
        event.get("data", {}).get("content")
        for event in farewell.missed
        if event.get("type") == "new_message"
    ]
    if texts != ["While a server leaves"]:
        raise NotYet(
            f"a message was written meanwhile; a resume at another server brought {texts}",
            expected="that message, once",
            look_at=place_of(harness, "def resume"),
        )


def _name(row: Any) -> Any:
    user = row.get("user")
    return user.get("username") if isinstance(user, dict) else row.get("username", user)


# Part 5: several instances


@item("lifetime.closed", needs=["delivery.thread"])
def sockets_have_a_lifetime(harness: Harness) -> None:
    """After SOCKET_LIFETIME_SECONDS a socket is closed: its client connects again."""
    name = "runasgi with short lives"
    server = _runasgi(harness, name, SOCKET_LIFETIME_SECONDS=_LIFETIME)
    _, bob = people(whole_stage_of(harness), "alice", "bob")
    with _greeted(server, bob) as (socket, _):
        code = socket.until_closed(patience=_LIFETIME + patient(3))
    if code not in (TRY_AGAIN_LATER, _RESTART):
        raise NotYet(
            f"with SOCKET_LIFETIME_SECONDS = {_LIFETIME}: {socket}",
            expected=f"it is closed with {TRY_AGAIN_LATER}: {CLOSE_CODES[TRY_AGAIN_LATER]}",
            look_at=place_of(harness, "async def watch"),
        )


@item("pool.bounded", needs=["delivery.thread"])
def connections_are_shared(harness: Harness) -> None:
    """Sixty requests at once need far fewer connections to PostgreSQL."""
    stage = harness.once("stage on PostgreSQL", lambda: stage_on_postgres(harness))
    [ada] = people(stage, "pg-ada")
    slow = {"X-Check-Slow": str(_SLOW)}

    def ask(_: int) -> Answer:
        return stage.server.ask("GET", "/api/auth/me/", token=ada.access, headers=slow)

    with ThreadPoolExecutor(_REQUESTS) as threads:
        answers = threads.map(ask, range(_REQUESTS))
        most = _most_connections(harness.postgres().url, patient(1))
        failed = [answer for answer in answers if answer.status != 200]
    if failed:
        raise unexpected(harness, failed[0], f"200 for each of {_REQUESTS} at a time")
    if most > _REQUESTS / 2:
        raise NotYet(
            f"{_REQUESTS} requests at a time had {most} connections to PostgreSQL",
            expected="a few, which the requests share",
            look_at=harness.project.setting("DATABASES"),
            todo='give OPTIONS a "pool" with a max_size: under ASGI each request has a thread, '
            "and each thread a connection",
        )


def _most_connections(url: str, seconds: float) -> int:
    """How many connections the project has to its database at most, in so many seconds."""
    import psycopg

    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    most, until = 0, time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            [[number]] = connection.execute(count).fetchall()
            most = max(most, number - 1)
            time.sleep(0.02)
    return most


@item("deploy.instances")
def blueprint_has_several_instances(harness: Harness) -> None:
    """`render.yaml` starts two instances or more, and migrates once for all of them."""
    plan = read_blueprint(harness)
    spot, web = plan.web_service()
    # With autoscaling, Render ignores the fixed number.
    scaling = web.get("scaling")
    key = "minInstances" if isinstance(scaling, dict) else "numInstances"
    number = (scaling if isinstance(scaling, dict) else web).get(key, 1)
    if not isinstance(number, int) or number < 2:
        raise NotYet(
            f"`{key}` is {number}",
            expected="2 or more",
            look_at=plan.place(*spot, "numInstances"),
        )
    if web.get("plan") == "free":
        raise NotYet(
            f"`plan: free` with {number} instances",
            expected="a plan that can have several, such as starter",
            look_at=plan.place(*spot, "plan"),
        )
    if _migrates(harness, web.get("startCommand")):
        raise NotYet(
            f"`startCommand` migrates: {number} instances do so at the same time",
            expected="`preDeployCommand`, which runs once for each deploy",
            look_at=plan.place(*spot, "startCommand"),
        )


def _migrates(harness: Harness, command: object) -> bool:
    """Whether a command says so, or a shell script of the project that it names."""
    root = harness.project.root
    words = [word.lstrip("/") for word in str(command).split() if word.endswith(".sh")]
    files = [folder / word for word in words for folder in (root, root / "backend")]
    scripts = [file.read_text("utf-8", "replace") for file in files if file.is_file()]
    lines = "\n".join([str(command), *scripts]).splitlines()
    said = [line.partition("#")[0] for line in lines]
    return any("migrate" in line and "--check" not in line for line in said)

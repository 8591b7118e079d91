"""Step 9: each client gets every notification, in order, whatever was down in between."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from checks.browser import app as pages
from checks.browser.app import App
from checks.errors import NotYet
from checks.harness import services
from checks.harness.client import Answer, Socket, shorten
from checks.harness.events import place_of_kind
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.reader import Reader, ask_to_resume, position_in
from checks.harness.recorder import current, recording
from checks.harness.servers import need
from checks.harness.stage import Stage, frames_of, people, stage_of, stage_with
from checks.harness.together import stopped
from checks.items import Checklist
from checks.items.step04 import done, make_friends, post, write
from checks.items.step08 import LIST
from course import processes
from course.contract import PING, PONG, RESUMED, STORED_EVENTS, TRY_AGAIN_LATER
from course.deadline import patient

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

# How long each statement of concurrent requests takes, and how many posts each author writes.
_SLOW = "0.03"
_POSTS = 3
# The burst, more than a page of anything, and how many events the layer holds for a process.
_BURST = 1000
_CAPACITY = 10
# Positions that no client has ever been at.
_FORGED: list[Any] = [-1, 2**31, 2**70, "0", None, 0.5, [], {}]
_PRUNE = "prune_notifications"
# What a query may raise: the database failed, or the connection to it is no more.
_ERRORS = ("OperationalError", "InterfaceError")
_MINUTE = 60


# Numbers


def _events(socket: Socket, count: int) -> list[Any]:
    """The next events of a socket, as many as that or all that come."""
    found: list[Any] = []
    for frame in frames_of(socket):
        if isinstance(frame, dict) and frame.get("type") in STORED_EVENTS:
            found.append(frame)
        if len(found) == count:
            break
    return found


def _numbers(events: list[Any]) -> list[Any]:
    return [event.get("seq") for event in events]


def _follow(numbers: list[Any]) -> bool:
    """Whether these are whole numbers, each one more than the one before."""
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
    return whole and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _expect_numbers(harness: Harness, events: list[Any], count: int, when: str) -> None:
    numbers = _numbers(events)
    if len(numbers) != count or not _follow(numbers):
        raise NotYet(
            f"{when} the events had the numbers {', '.join(map(str, numbers)) or '(none)'}",
            expected=f'{count} events, each with a "seq" that is one more than the last',
            look_at=place_of_kind(harness, "new_message"),
            todo="keep the last number of each user in a row of the database; increase it in the "
            "transaction that writes the notification",
        )


@item("resume.numbers")
def events_are_numbered(harness: Harness) -> None:
    """Each event has a number, `seq`: one more than the user's previous event."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    with stage.greeted(bob) as first, stage.greeted(bob) as second:
        for number in range(3):
            done(write(stage, alice, bob.id, f"Message {number}"), 201, "new_message")
            done(write(stage, alice, carol.id, "For somebody else"), 201, "new_message")
        when = "bob got three messages on each of two devices, and carol as many:"
        for socket in (first, second):
            _expect_numbers(harness, _events(socket, 3), 3, when)


@item("resume.no-hole", needs=["resume.numbers"])
def rollback_leaves_no_hole(harness: Harness) -> None:
    """A request that is rolled back leaves no hole in the numbers."""
    stage = stage_of(harness)
    alice, bob = people(stage, "anna", "ben")
    undo = {"X-Check-Rollback": "1"}
    with stage.greeted(bob) as socket:
        done(write(stage, alice, bob.id, "One"), 201, "new_message")
        done(write(stage, alice, bob.id, "Never said", headers=undo), 201)
        done(write(stage, alice, bob.id, "Two"), 201, "new_message")
        events = _events(socket, 2)
    _expect_numbers(harness, events, 2, "with a rolled back message between two others,")


@item("resume.writers", needs=["resume.no-hole"])
def writers_do_not_collide(harness: Harness) -> None:
    """On PostgreSQL, posts at the same moment leave out no number and repeat none."""
    stage = harness.once("stage on PostgreSQL", lambda: stage_on_postgres(harness))
    readers = people(stage, "pg-xenia", "pg-yuri")
    authors = people(stage, "pg-ada", "pg-bert", "pg-cleo")
    for author in authors:
        for reader in readers:
            make_friends(stage, author, reader)
    with stage.greeted(readers[0]) as first, stage.greeted(readers[1]) as second:
        for answer in _at_once(stage, authors):
            need(answer, 201)
        count = _POSTS * len(authors)
        for reader, socket in zip(readers, (first, second), strict=True):
            # In any order: two requests that have committed may send in either.
            events = sorted(_events(socket, count), key=lambda event: event.get("seq") or 0)
            when = f"three authors posted at the same moment; for {reader.username}"
            _expect_numbers(harness, events, count, when)


def _at_once(stage: Stage, authors: list[Person]) -> list[Answer]:
    """What each author is answered who posts a few times, each at the same time as the others."""
    recorder = current()

    def posts(author: Person) -> list[Answer]:
        with recording(recorder):
            slow = {"X-Check-Slow": _SLOW}
            deeds = [post(stage, author, f"Post {n}", headers=slow) for n in range(_POSTS)]
            return [deed.answer for deed in deeds]

    with ThreadPoolExecutor(len(authors)) as pool:
        return [answer for answers in pool.map(posts, authors) for answer in answers]


def on_postgres(url: str) -> dict[str, Any]:
    """What makes sure that a process uses that PostgreSQL, and no other database."""
    parts = urlsplit(url)
    proof = {"HOST": parts.hostname, "PORT": str(parts.port), "NAME": parts.path[1:]}
    return {"database": "verify", "database_is": proof}


def stage_on_postgres(harness: Harness) -> Stage:
    """The project on a PostgreSQL of its own, migrated."""
    url = harness.postgres().url
    plan = {**on_postgres(url), "variables": {"DATABASE_URL": url}}
    argv = ["manage.py", "migrate", "--noinput"]
    process = harness.finish(argv, harness.env(**plan), seconds=processes.START_SECONDS * 2)
    if process.exit_code:
        what = "`python manage.py migrate` failed on PostgreSQL"
        raise harness.crash(process, what, expected="all migrations apply")
    return stage_with(harness, "the project's WebSocket code on PostgreSQL", **plan)


@item("resume.pruned", needs=["resume.no-hole"])
def pruned_numbers_are_not_given_again(harness: Harness) -> None:
    """Numbers continue where they were, even when every notification has been pruned."""
    stage = stage_of(harness)
    alice, bob = people(stage, "agda", "balder")
    with stage.greeted(bob) as socket:
        for text in ("One", "Two"):
            done(write(stage, alice, bob.id, text), 201, "new_message")
        events = _events(socket, 2)
        _prune(harness, "0")
        done(write(stage, alice, bob.id, "Three"), 201, "new_message")
        events += _events(socket, 1)
    _expect_numbers(harness, events, 3, "two were pruned before the third was sent:")


def _prune(harness: Harness, keep: str) -> None:
    """Delete all but the newest of each user, as many as that."""
    argv = ["manage.py", _PRUNE, "--keep", keep]
    process = harness.finish(argv, harness.env(), seconds=patient(60))
    if process.exit_code:
        raise harness.crash(process, f"`python manage.py {_PRUNE}` failed")


# Where a client is


@item("resume.position", needs=["resume.no-hole"], events=[PONG])
def greeting_has_the_position(harness: Harness) -> None:
    """The greeting and every `pong` say which number the user's last event has."""
    stage = stage_of(harness)
    alice, bob = people(stage, "art", "bela")
    with stage.greeted(bob) as socket:
        epoch, _ = position_in(stage, socket)
        done(write(stage, alice, bob.id, "One"), 201, "new_message")
        [number] = _numbers(_events(socket, 1)) or [None]
        socket.send({"type": PING})
        pong = socket.event(PONG) or {}
    with stage.greeted(bob) as socket:
        again = position_in(stage, socket)
        if again != (epoch, number) or pong.get("last_seq") != number:
            raise stage.news(
                f"the last event had seq {number}; pong is {shorten(pong)}, a new greeting "
                f"{shorten(socket.frames[0])}",
                expected=f'"last_seq": {number} in both, and the epoch {epoch} as before',
                part="consumer",
                socket=socket,
            )


@item("resume.missed", needs=["resume.position"], events=[RESUMED])
def missed_events_follow(harness: Harness) -> None:
    """A client that sends `resume` gets what it missed, in order and as it was first sent."""
    stage = stage_of(harness)
    alice, bob = people(stage, "abe", "bud")
    with stage.greeted(bob) as witness:
        with contextlib.closing(Reader.of(stage, bob).socket) as socket:
            epoch, seen = position_in(stage, socket)
        for number in range(3):
            done(write(stage, alice, bob.id, f"Message {number}"), 201, "new_message")
        sent = _events(witness, 3)
    with stage.greeted(bob) as socket:
        *missed, last = missed_since(stage, socket, epoch, seen)
    if (
        missed != sent
        or last.get("recovered") is not True
        or last.get("last_seq") != seen + 3
    ):
        got = [shorten(frame, 120) for frame in [*missed, last] if frame]
        if not last:
            got.append(f"no `{RESUMED}`")
        raise stage.news(
            f"a client that had seen {seen} got {', then '.join(got)}",
            expected="the three events that another device got, then "
            f'{{"type": "{RESUMED}", "recovered": true, "last_seq": {seen + 3}}}',
            part="consumer",
            socket=socket,
        )


def missed_since(stage: Stage, socket: Socket, epoch: Any, seq: Any) -> list[Any]:
    """What a socket gets when it resumes there: events, and the frame at their end ({} if none)."""
    ask_to_resume(socket, epoch, seq)
    found: list[Any] = []
    for frame in frames_of(socket, patience=patient(2)):
        kind = frame.get("type") if isinstance(frame, dict) else None
        if kind in STORED_EVENTS or kind == RESUMED:
            found.append(frame)
        if kind == RESUMED:
            return found
    return [*found, {}]


# Trouble


@item("resume.gap", needs=["resume.missed"])
def gap_heals(harness: Harness) -> None:
    """A client whose event was lost on the way gets it with the next event, or the next ping."""
    stage = stage_of(harness)
    alice, bob = people(stage, "asa", "bill")
    reader = Reader.of(stage, bob)
    with reader.socket:
        with lost(stage):
            done(write(stage, alice, bob.id, "Lost"), 201, "new_message")
        done(write(stage, alice, bob.id, "Not lost"), 201, "new_message")
        _expect_shown(reader, ["Lost", "Not lost"], "and the next one arrived")
        reader.read_rest()  # until then the server may still look for more
        with lost(stage):
            done(write(stage, alice, bob.id, "The last one"), 201, "new_message")
        wanted = ["Lost", "Not lost", "The last one"]
        _expect_shown(reader, wanted, "and the client sent a ping")


@contextlib.contextmanager
def lost(stage: Stage) -> Iterator[None]:
    """What is sent to groups inside is lost, as while a Redis starts again."""
    stage.control("lose", yes=True)
    try:
        yield
    finally:
        stage.control("lose", yes=False)


def _expect_shown(reader: Reader, texts: list[str], when: str) -> None:
    """A client that asks for what it lacks has shown these messages, each once, in order."""
    shown = [event.get("data", {}).get("content") for event in reader.read(len(texts), 5)]
    if shown != texts:
        raise reader.news(
            f"an event was lost {when}; the client has shown "
            f"{', '.join(map(str, shown)) or 'nothing'}",
            f"{', '.join(texts)}, each once and in this order",
        )


@item("resume.burst", needs=["resume.missed"])
def burst_is_complete(harness: Harness) -> None:
    """A thousand events at one moment, through a Redis layer that holds ten, all arrive."""
    stage, layer = _small(harness), _small_layer(harness)
    alice, bob = people(stage, "abby", "bart")
    texts = [f"Message {number}" for number in range(_BURST)]
    bodies = [{"receiver_id": bob.id, "content": text} for text in texts]
    reader = Reader.of(stage, bob)
    with reader.socket:
        burst = {"path": "/api/messages/", "token": alice.access, "bodies": bodies}
        with stopped(stage.server.process.pid):
            settings = {"DJANGO_SETTINGS_MODULE": harness.project.settings_module}
            harness.probe("check_burst", json.dumps(burst), layer=layer, variables=settings)
        reader.read_rest()
    with stage.greeted(bob) as socket:
        last = reader.seen
        rest = missed_since(stage, socket, reader.epoch, last)[:-1]
    shown = [event.get("data", {}).get("content") for event in [*reader.shown, *rest]]
    if shown != texts:
        lost = len(set(texts) - set(shown))
        raise reader.news(
            f"of {_BURST} messages the client has shown {len(shown)}: {lost} were lost",
            "all of them after a resume, each once and in order",
        )


@item("resume.database", needs=["resume.missed"], close_codes=[TRY_AGAIN_LATER])
def database_failure_is_no_refusal(harness: Harness) -> None:
    """A socket whose database fails is closed with 4503, and the client resumes later."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alan", "benno")
    for error in _ERRORS:
        with stage.greeted(bob) as socket:
            epoch, seen = position_in(stage, socket)
            done(write(stage, alice, bob.id, "Still there"), 201, "new_message")
            with _failing(stage, error):
                ask_to_resume(socket, epoch, seen)
                code = socket.until_closed(patience=patient(5))
            if code != TRY_AGAIN_LATER:
                news = stage.news(
                    f"a query for a `resume` raised django.db.{error}: {socket}",
                    expected=f"the socket is closed with {TRY_AGAIN_LATER}: the client comes "
                    "back later, and resumes",
                    part="consumer",
                    socket=socket,
                    todo=f"catch {error} where the consumer begins, in dispatch()",
                )
                # The error ends where the query is, and is to be caught here.
                news.look_at = stage.place("consumer")
                raise news
        with stage.greeted(bob) as socket:
            *missed, end = missed_since(stage, socket, epoch, seen)
        if len(missed) != 1 or end.get("recovered") is not True:
            raise stage.news(
                f"with a database that works again, the same `resume` was answered "
                f"{shorten(end) if end else 'with nothing'}",
                expected="the event behind that position, and recovered: true",
                part="consumer",
                socket=socket,
            )


@contextlib.contextmanager
def _failing(stage: Stage, error: str) -> Iterator[None]:
    """Every query raises that error inside."""
    stage.control("fail", error=error)
    try:
        yield
    finally:
        stage.control("fail", error=None)


@item("resume.page", needs=["resume.gap"])
def page_shows_each_event_once(harness: Harness) -> None:
    """The page shows each event once and in order, even one that was lost or sent in a break."""
    stage = stage_of(harness)
    alice, bob = people(stage, "anton", "berta")
    page = pages.played(harness, stage.server, sockets=False)
    page.window.before_each_page(_WATCHED)
    page.open()
    page.sign_in(bob)
    if not page.wait_for("numeneonWatch.greetings"):
        raise page.news("bob signed in, and his page was not greeted", expected="it is")
    told = [_tell(stage, alice, bob, "the first")]
    _expect_announced(page, told, "one event was sent")
    with lost(stage):
        told.append(_tell(stage, alice, bob, "a lost one"))
    told.append(_tell(stage, alice, bob, "the one behind it"))
    _expect_announced(page, told, "the second of three events was lost on the way")
    with lost(stage):
        told.append(_tell(stage, alice, bob, "a lost one, and none behind it"))
    _expect_announced(page, told, "the last event was lost on the way")
    for missed in (["a missed one", "another"], []):
        before = page.window.run("numeneonWatch.greetings")
        page.window.run("numeneonWatch.drop()")
        told += [_tell(stage, alice, bob, text) for text in missed]
        page.window.run("numeneonWatch.hold()")
        _let_time_pass(page, f"numeneonWatch.greetings > {before}")
        told.append(_tell(stage, alice, bob, f"after {len(missed)}, before the resume"))
        page.window.run("numeneonWatch.release()")
        when = f"the page missed {len(missed)} events, and got another before it resumed"
        _expect_announced(page, told, when)
    told.append(_told_of_another(harness, page))
    _expect_announced(page, told, "another person signed in, whose position is not bob's")


def _told_of_another(harness: Harness, page: App) -> str:
    """Somebody else signs in there, and gets a message, whose text this is."""
    stage = stage_of(harness)
    alice, carol = people(stage, "anton", "clara")
    for number in range(2):
        done(write(stage, alice, carol.id, f"(old {number})"), 201, "new_message")
    before = page.window.run("numeneonWatch.greetings")
    page.sign_out()
    page.sign_in(carol)
    _let_time_pass(page, f"numeneonWatch.greetings > {before}")
    # What is sent before the page knows its new position is not announced, only listed.
    processes.wait_until(
        lambda: RESUMED in str(page.window.wires[-1].received), seconds=patient(1)
    )
    return _tell(stage, alice, carol, "one for somebody else")


# Runs in the page before its own scripts: notes what is announced, ends a socket as a network
# that breaks, and holds back what the page sends, as a slow one does.
_WATCHED = """\
window.numeneonWatch = (() => {
  const announced = [], held = [], sockets = [];
  const send = WebSocket.prototype.send;
  let holding = false;
  const watch = {
    announced,
    greetings: 0,
    drop: () => {
      const socket = sockets.pop();
      socket.close();
      socket.dispatchEvent(new CloseEvent("close", { code: 1006 }));
    },
    hold: () => { holding = true; },
    release: () => {
      holding = false;
      for (const [socket, data] of held.splice(0)) send.call(socket, data);
    },
  };
  WebSocket.prototype.send = function (data) {
    if (holding) held.push([this, data]);
    else send.call(this, data);
  };
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      sockets.push(this);
      this.addEventListener("message", () => { watch.greetings += 1; }, { once: true });
      this.addEventListener("close", (event) => {
        const dropped = !sockets.includes(this);
        if (dropped && event.isTrusted) event.stopImmediatePropagation();
      });
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("announcement");
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes } of changes) {
        const nodes = type === "characterData" ? [target] : [...addedNodes];
        announced.push(...nodes.map((node) => node.textContent));
      }
    }).observe(place, { characterData: true, childList: true, subtree: true });
  });
  return watch;
})();
"""


def _tell(stage: Stage, sender: Person, receiver: Person, text: str) -> str:
    """Write that message; its text."""
    done(write(stage, sender, receiver.id, f"({text})"), 201, "new_message")
    return f"({text})"


def _let_time_pass(page: App, until: str) -> None:
    """Up to a minute of the page's time, each second long enough for a frame and its answer."""
    for _ in range(_MINUTE):
        if page.window.until(until, 0.1):
            return
        page.advance(1)


def _expect_announced(page: App, told: list[str], when: str) -> None:
    """The page has announced these messages, each once and in this order."""
    _let_time_pass(page, f"numeneonWatch.announced.length >= {len(told)}")
    page.window.until(f"numeneonWatch.announced.length > {len(told)}", 0.2)
    said = page.window.run("numeneonWatch.announced")
    shown = [next((text for text in told if text in words), words) for words in said]
    if shown != told:
        raise page.news(
            f"{when}; the page announced: {', '.join(shown) or 'nothing'}",
            expected=f"{', '.join(told)}; each once, and in this order",
            todo="resume when the greeting, a pong or an event says that something is missing, "
            "and show only what has the next number",
        )


def _small_layer(harness: Harness) -> dict[str, Any]:
    """A layer that holds few events for a process."""
    url = harness.redis().url
    return {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [{"address": url, "socket_timeout": None}],
            "capacity": _CAPACITY,
        },
    }


def _small(harness: Harness) -> Stage:
    """The project with such a layer, in another process than its stage."""
    layer, name = _small_layer(harness), "the project with a small channel layer"
    return harness.once(name, lambda: stage_with(harness, name, layer=layer))


@item("resume.processes", needs=["resume.missed"])
def any_process_resumes(harness: Harness) -> None:
    """A position that one server process gave is valid in another one, and after a restart."""
    stage, other = stage_of(harness), _small(harness)
    alice, bob = people(stage, "arvid", "bosco")
    with stage.greeted(bob) as socket:
        epoch, seen = position_in(stage, socket)
    done(write(stage, alice, bob.id, "Meanwhile"), 201, "new_message")
    with other.greeted(bob) as socket:
        *missed, end = missed_since(other, socket, epoch, seen)
        if len(missed) != 1 or end.get("recovered") is not True:
            raise other.news(
                f"another process of the same server answered a `resume` with {shorten(end)}",
                expected="the event behind that position, and recovered: true",
                part="consumer",
                socket=socket,
                todo="keep the epoch in the database, with the numbers",
            )


@item("resume.redis", needs=["resume.gap"])
def redis_may_restart(harness: Harness) -> None:
    """While Redis is down, requests succeed; once it is back, clients get what they missed."""
    folder = harness.folder / "redis-that-restarts"
    redis = services.start_redis(folder)
    harness.at_end(lambda: redis.stop())
    stage = stage_with(
        harness,
        "the project with a Redis that restarts",
        layer="project",
        variables={"REDIS_URL": redis.url},
    )
    alice, bob = people(stage, "axel", "brit")
    reader = Reader.of(stage, bob)
    try:
        done(write(stage, alice, bob.id, "Before"), 201, "new_message")
        reader.read(1)
        redis.stop()
        done(write(stage, alice, bob.id, "Meanwhile"), 201, "new_message")
        redis = services.start_redis(folder, port=redis.port)
        done(write(stage, alice, bob.id, "After"), 201, "new_message")
        reader.read(3, patience=patient(5))
        if len(reader.shown) < 3:  # a layer that closes its sockets when Redis stops
            reader = reader.again()
        _expect_shown(reader, ["Before", "Meanwhile", "After"], "while Redis was down")
    finally:
        reader.socket.close()


# Positions that are not the client's


@item("resume.forged", needs=["resume.missed"])
def forged_positions_give_nothing(harness: Harness) -> None:
    """A client whose position never existed, or is somebody else's, gets no events at all."""
    stage = stage_of(harness)
    alice, bob, eve = people(stage, "ada", "bea", "eve")
    with stage.greeted(bob) as socket:
        others, _ = position_in(stage, socket)
    done(write(stage, alice, bob.id, "A secret"), 201, "new_message")
    done(write(stage, alice, eve.id, "Not a secret"), 201, "new_message")
    with stage.greeted(eve) as socket:
        own, last = position_in(stage, socket)
        epochs: list[Any] = ["", None, 0, [], "another"]
        epochs += [others] if others != own else []  # one for all users is fine, too
        attempts = [(epoch, 0) for epoch in epochs]
        attempts += [(own, seq) for seq in (*_FORGED, last + 1)]
        for epoch, seq in attempts:
            _expect_nothing(stage, socket, epoch, seq)
        *events, end = missed_since(stage, socket, own, last - 1)
        if len(events) != 1 or end.get("recovered") is not True:
            raise stage.news(
                f"after these attempts, a valid position was answered with {shorten(end)}",
                expected="the event after it, and recovered: true",
                part="consumer",
                socket=socket,
            )


def _expect_nothing(stage: Stage, socket: Socket, epoch: Any, seq: Any) -> None:
    """Resuming there is refused, without an event, and the socket stays open."""
    ask_to_resume(socket, epoch, seq)
    socket.send({"type": PING})
    for frame in frames_of(socket):
        kind = frame.get("type") if isinstance(frame, dict) else None
        if kind == PONG:
            return
        if kind in STORED_EVENTS or (kind == RESUMED and frame.get("recovered") is True):
            raise stage.news(
                f"a resume with epoch {epoch!r} and seq {seq!r} was answered with {shorten(frame)}",
                expected="recovered: false, and no event",
                part="consumer",
                socket=socket,
            )
    raise stage.news(
        f"after a resume with epoch {epoch!r} and seq {seq!r}: {socket}",
        expected="the socket stays open, and a ping is answered",
        part="consumer",
        socket=socket,
    )


@item("resume.too-old", needs=["resume.missed"])
def pruned_position_is_admitted(harness: Harness) -> None:
    """A client whose events were pruned is told `recovered: false`, and what to request."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alma", "bodo")
    with stage.greeted(bob) as socket:
        epoch, seen = position_in(stage, socket)
    for number in range(4):
        done(write(stage, alice, bob.id, f"Message {number}"), 201, "new_message")
    _prune(harness, "2")
    with stage.greeted(bob) as socket:
        *events, end = missed_since(stage, socket, epoch, seen)
        wanted = {"recovered": False, "last_seq": seen + 4}
        told = {name: end.get(name) for name in wanted}
        if told != wanted or not _is_list_of_paths(end.get("refetch")):
            got = ", then ".join(shorten(frame, 120) for frame in [*events, end])
            raise stage.news(
                f"two of four missed events are gone, and the client got {got}",
                expected=f'{{"type": "{RESUMED}", "recovered": false, "epoch": ..., '
                f'"last_seq": {seen + 4}, "refetch": ["{LIST}", ...]}}',
                part="consumer",
                socket=socket,
            )
        *events, end = missed_since(stage, socket, end.get("epoch"), end.get("last_seq"))
        if events or end.get("recovered") is not True:
            raise stage.news(
                f"from the position in that answer: {shorten(end)}",
                expected="recovered: true, because nothing is missing there",
                part="consumer",
                socket=socket,
            )
    for path in end.get("refetch") or []:
        need(stage.server.ask("GET", path, token=bob.access), 200)


def _is_list_of_paths(value: Any) -> bool:
    return isinstance(value, list) and LIST in value and all(map(_is_path, value))


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/")

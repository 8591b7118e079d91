"""Step 7: a page that shows everything live, and a module that keeps it connected."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Sequence
from itertools import cycle, islice, pairwise
from typing import Any
from urllib.parse import urlsplit

from checks.browser import app as pages
from checks.browser.app import App, place_of_module
from checks.browser.window import Reply
from checks.errors import NotYet
from checks.explain import place_of_consumer
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.people import Person, life_of_token, signed_up
from checks.harness.servers import LOCAL, Server, daphne, need, runserver, serve
from checks.items import Checklist
from checks.items.step05 import greet
from checks.render.production import HOSTNAME, production
from course import processes
from course.contract import (
    CLIENT_PATH,
    CLOSE_CODES,
    NOT_AUTHENTICATED,
    PING,
    PONG,
    SOCKET_PATH,
)
from course.deadline import patient

# The close codes after which trying again is pointless.
REFUSALS = (NOT_AUTHENTICATED, 4403, 4400)
_ABNORMAL, _RESTARTING, _EXCEPTION = 1006, 1012, 1011
# How long a page may take to notice that nobody answers, and to try again after a loss, and
# how long it is watched while it must not or cannot connect. Seconds of its own clock.
NOTICED = 40
_LONGEST_DELAY = 60
_OUTAGE = 20 * 60
_AFTERWARDS = 10 * 60
_QUIET = 3 * 60
_SETTLED = 20
# So many attempts are made in the first minute at most; delays that only grow from one
# second make six, full jitter twice as many on average.
_MOST_IN_A_MINUTE = 25
# So many attempts are flooding, whatever their times; the played server answers no more of them.
_MANY = 300
# After a connection that worked, delays are short again: so many of them, in seconds. A page
# that still waits for up to 30 s has one chance in a thousand to stay below.
_LOSSES, _SHORT = 5, 8
# How late an answer may be: later than any page waits for it. Seconds.
_LATE = 15
# What is taken for the life of an access token that does not say it.
_HOUR = 60 * 60
# Delays are compared once they are as long as they get.
_GROWING = 6
_SPREAD = 1.25
# By chance, so many random delays differ less than that once in a million checks.
_ENOUGH = _GROWING + 18
# Where a page may come from. At 127.0.0.1 it connects in the items about events.
_PLAIN, _SECURE = "http://numeneon.example", "https://numeneon.example"
_TOKEN = re.compile(r"eyJ[\w.-]{15,}")

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: runserver(harness),
        lambda harness: harness.database(),
        lambda harness: harness.browsers.start(),
        lambda harness: _person(harness, "alice"),
    ],
    starts_runserver=True,
)
item = checklist.item


def _person(harness: Harness, name: str) -> Person:
    return signed_up(harness, runserver(harness), name)


# Part 1: a page that connects


@item("client.page")
def page_is_served(harness: Harness) -> None:
    """`/app/` is served with all that it loads, and its scripts run without an error."""
    page = pages.app(harness, runserver(harness))
    need(runserver(harness).ask("GET", CLIENT_PATH), 200)
    page.open()
    if page.window.failures or page.window.errors:
        raise page.news(
            f"{CLIENT_PATH} has loaded, but with errors",
            expected="each file that the page loads is answered with 200, and no script stops",
            todo="put the files of this step in place with `python3 tutorial.py give`, and "
            "add the app to INSTALLED_APPS"
            if page.window.failures
            else "correct what the browser complains of",
        )


@item("client.connects", needs=["client.page"])
def page_connects(harness: Harness) -> None:
    """After a sign-in the page opens one socket to its own server: `ws:`, or `wss:` under https."""
    server, alice = runserver(harness), _person(harness, "alice")
    for address in (_PLAIN, _SECURE):
        page = pages.played_at(harness, server, address)
        wanted = f"{address.replace('http', 'ws')}{SOCKET_PATH}"
        _expect_url(_signed_in(page, alice), wanted)


def _signed_in(page: App, person: Person) -> App:
    """The page once somebody has signed in there and it has made its socket."""
    page.open()
    page.sign_in(person)
    if not page.wait_for("numeneonStage.attempts.length"):
        raise page.news(
            f"after {person.username} signed in, the page opened no WebSocket; it shows:\n"
            f"{page.window.text()}",
            expected="the page connects to notifications",
        )
    page.advance(1)
    return page


def _expect_url(page: App, wanted: str) -> None:
    made = [attempt["url"] for attempt in page.attempts]
    if [url.rstrip("/") for url in made] == [wanted.rstrip("/")]:
        return
    shown = [_TOKEN.sub("(a token)", url) for url in made]
    todo = "make the URL from location.protocol and location.host"
    if any(urlsplit(url).query for url in made):
        todo = "a token in a URL is logged: offer it as a subprotocol"
    raise page.news(
        f"the page at {page.address} opened {' and '.join(shown)}",
        expected=f"one socket, {wanted}",
        todo=todo,
    )


# Part 2: a client that comes back


@item("client.comes-back", needs=["client.connects"])
def page_comes_back(harness: Harness) -> None:
    """A lost connection is made again, however long the server is down."""
    alice = _person(harness, "alice")
    page = _signed_in(pages.played(harness, runserver(harness)), alice)
    page.drop(_RESTARTING)
    page.advance(_LONGEST_DELAY)
    if len(page.attempts) < 2:
        raise page.news(
            f"the server closed the socket with {_RESTARTING}, and {_LONGEST_DELAY} s later "
            "the page had not tried again",
            expected="a new attempt: a browser makes none by itself",
        )
    _expect_a_fresh_token(page, alice)
    tried = _outage(harness)
    last = _OUTAGE - tried[-1]
    if last > 2 * _LONGEST_DELAY and len(tried) < _MANY:
        raise page.news(
            f"while the server was down for {_OUTAGE // 60} minutes, the page tried "
            f"{len(tried)} times, the last time after {tried[-1]:.0f} s",
            expected=f"it never gives up: at least one attempt every {_LONGEST_DELAY} s",
        )


def _expect_a_fresh_token(page: App, person: Person) -> None:
    """What is offered once the token has expired is another one."""
    offered = page.attempts[-1]["protocols"]
    page.sleep((life_of_token(person) or _HOUR) + 60)
    page.drop(_ABNORMAL)
    page.advance(_LONGEST_DELAY)
    if page.attempts[-1]["protocols"] == offered:
        raise page.news(
            "the machine slept until the access token had expired; awake again, the page offered "
            "the same token",
            expected="a fresh token: the old one is refused",
            todo="ask for the token before each attempt, not once",
        )


def _outage(harness: Harness) -> list[float]:
    """When a page tried to connect while the server was down, in seconds after its loss."""
    return harness.once("outage", lambda: _lived_through(harness))


def _lived_through(harness: Harness) -> list[float]:
    page = _signed_in(pages.played(harness, runserver(harness)), _person(harness, "alice"))
    return _tries(page, "down")


def _tries(page: App, server: str | int) -> list[float]:
    """When the page tries to connect to such a server, in seconds after its loss."""
    page.advance(_QUIET)
    page.server_is(server)
    # Whatever follows a handshake takes real time: some attempts show how the delays grow.
    enough = math.inf if server == "down" else _ENOUGH
    tried = _tries_after_a_loss(page, _OUTAGE, enough=enough)
    if not tried:
        raise page.news(
            f"the connection broke ({_ABNORMAL}), and the page never tried again",
            expected="a new attempt",
        )
    return tried


def _tries_after_a_loss(
    page: App, seconds: float, code: int = _ABNORMAL, *, enough: float = math.inf
) -> list[float]:
    """When the page tries to connect, in seconds; ends with the minute in which it has tried
    `enough` times."""
    before, lost = len(page.attempts), page.window.run("performance.now()")
    page.drop(code)
    while seconds > 0 and len(page.attempts) - before < enough:
        page.advance(min(seconds, 60))
        seconds -= 60
    return [(each["at"] - lost) / 1000 for each in page.attempts[before:]]


@item("client.backoff", needs=["client.comes-back"])
def delays_grow_and_differ(harness: Harness) -> None:
    """While the server is down, the delays between attempts grow, and are random."""
    _expect_backoff(harness, _outage(harness))
    page = _signed_in(pages.played(harness, runserver(harness)), _person(harness, "alice"))
    _expect_backoff(
        harness,
        _tries(page, _EXCEPTION),
        f"the server accepted each socket and closed it with {_EXCEPTION}: ",
        "reset the delay when a frame arrives: a socket that opens may still be refused",
    )
    _expect_short_delays_again(page)


def _expect_backoff(
    harness: Harness, tried: list[float], when: str = "", todo: str = ""
) -> None:
    place = place_of_module(harness)
    minute = [moment for moment in tried if moment < 60]
    delays = [later - earlier for earlier, later in pairwise([0.0, *tried])]
    first, late = delays[:3], delays[_GROWING:]
    shown = ", ".join(f"{delay:.1f}" for delay in delays[:12])
    if len(minute) > _MOST_IN_A_MINUTE or not _grow(first, late):
        raise NotYet(
            f"{when}{len(minute)} attempts in the first minute; the delays in seconds: {shown} ...",
            expected="the limit of the delay doubles with each failure, up to 30 s: a server that "
            "starts again is not flooded",
            look_at=place,
            todo=todo,
        )
    if max(late) < _SPREAD * min(late):
        raise NotYet(
            f"{when}the delays in seconds: {shown} ...; the later ones differ by less than "
            f"{round(100 * (_SPREAD - 1))}%",
            expected="random delays: all clients lose their sockets at the same moment, and must "
            "not come back at the same moment",
            look_at=place,
            todo="multiply the limit by Math.random()",
        )


def _grow(first: Sequence[float], late: Sequence[float]) -> bool:
    return len(late) > 1 and statistics.mean(late) >= 2 * statistics.mean(first)


def _expect_short_delays_again(page: App) -> None:
    """After a long outage the page connects, and then loses a few working connections."""
    page.server_is("up")
    page.advance(_LONGEST_DELAY + _QUIET)
    codes = islice(cycle((_ABNORMAL, _RESTARTING)), _LOSSES)
    tried = [_tries_after_a_loss(page, _LONGEST_DELAY, code) for code in codes]
    delays = [first for first, *_ in filter(None, tried)]
    if len(delays) < _LOSSES or max(delays) > _SHORT:
        raise page.news(
            f"after an outage the page was connected again, and then lost {_LOSSES} connections "
            "that worked; until its next attempt it waited, in seconds: "
            + ", ".join(f"{delay:.1f}" for delay in delays),
            expected="short delays: they begin again after a connection that worked",
            todo="count the failures from 0 again once events or a pong arrive",
        )


@item("client.refused", needs=["client.comes-back"], close_codes=[NOT_AUTHENTICATED])
def refusal_is_final(harness: Harness) -> None:
    """After 4401, 4403 or 4400 the page does not try again until somebody signs in."""
    page = pages.played(harness, runserver(harness))
    page.open()
    for code in REFUSALS:
        page.server_is(code)
        before = _sign_in_again(page, harness)
        page.advance(_AFTERWARDS)
        tries = len(page.attempts) - before
        if tries != 1:
            raise page.news(
                f"the server refused the socket with {code}, and within "
                f"{_AFTERWARDS // 60} minutes the page tried {tries - 1} more times",
                expected=f"no more tries: {_meaning(code)}, so the next one would be refused too",
            )
    page.server_is("up")
    _sign_in_again(page, harness)
    _expect_end_at_sign_out(page)


def _expect_end_at_sign_out(page: App) -> None:
    """After a sign-out the page has no open socket, and opens none."""
    page.advance(1)
    before = len(page.attempts)
    page.sign_out()
    page.advance(_AFTERWARDS)
    sockets = page.attempts
    if len(sockets) > before or not all(socket["left"] for socket in sockets):
        done = (
            "made another socket" if len(sockets) > before else "still had its socket open"
        )
        raise page.news(
            f"somebody signed out, and {_AFTERWARDS // 60} minutes later the page {done}",
            expected="signing out ends the connection: the next person must not hear their events",
            todo="close() closes the socket and clears the timer",
        )


def _sign_in_again(page: App, harness: Harness) -> int:
    """Sign in, and wait for the attempt that follows; how many there were before."""
    before = len(page.attempts)
    page.sign_in(_person(harness, "alice"))
    if not page.wait_for(f"numeneonStage.attempts.length > {before}"):
        raise page.news(
            "somebody signed in again after a refusal, and the page made no new socket",
            expected="a new sign-in connects again",
        )
    return before


def _meaning(code: int) -> str:
    meanings = {
        4400: "the server did not understand",
        4403: "this user is not allowed to connect",
    }
    return meanings.get(code) or CLOSE_CODES[code].partition(":")[0]


@item("client.restart", needs=["client.comes-back"])
def page_survives_a_restart(harness: Harness) -> None:
    """After the server has restarted, the page receives events again, without a reload."""
    alice, bob = _person(harness, "alice"), _person(harness, "bob")
    server, argv = _own_server(harness)
    page = pages.played(harness, server, sockets=False)
    page.open()
    page.sign_in(bob)
    _expect_greeting(page, 1)
    server.process.kill()
    server.process = harness.start(
        [part.replace("{port}", str(server.port)) for part in argv], harness.env()
    )
    if not processes.listens(server.process, server.port):
        raise harness.crash(server.process, "the restarted server ended")
    _wait_while_time_passes(page)
    _expect_greeting(page, 2)
    text = "Are you still there?"
    body = {"receiver_id": bob.id, "content": text}
    need(server.ask("POST", "/api/messages/", body=body, token=alice.access), 201)
    if not page.wait_for(_shows("notification-list", text)):
        raise page.news(
            f"after the restart a message was sent to bob; his page shows:\n{page.window.text()}",
            expected="the message among his notifications",
        )


def _own_server(harness: Harness) -> tuple[Server, list[str]]:
    argv = ["manage.py", "runserver", "--noreload", f"{LOCAL}:{{port}}"]
    return serve(harness, "the server to be restarted", argv, harness.env()), argv


def _greetings(page: App) -> int:
    """How many sockets of the page have heard something."""
    return sum(bool(wire.received) for wire in page.window.wires)


def _expect_greeting(page: App, count: int) -> None:
    if processes.wait_until(lambda: _greetings(page) >= count, seconds=patient(5)):
        return
    raise page.news(
        "the page connected and was not greeted"
        if count == 1
        else f"the server has restarted; the page made {len(page.window.wires)} sockets and is "
        f"not connected; it shows:\n{page.window.text()}",
        expected="the page is connected",
    )


def _wait_while_time_passes(page: App) -> None:
    """A minute of the page's time, each second long enough for a handshake."""
    for _ in range(60):
        page.advance(1)
        if processes.wait_until(lambda: _greetings(page) > 1, seconds=0.05):
            return


def _shows(where: str, text: str) -> str:
    """A script that is true once the list has an entry with that text."""
    entries = f"document.getElementById({json.dumps(where)}).textContent"
    return f"{entries}.includes({json.dumps(text)})"


# Part 3: a client that notices


@item("client.ping", needs=["client.page"], events=[PONG], until="limits")
def ping_is_answered(harness: Harness) -> None:
    """The server answers `{"type": "ping"}` with `{"type": "pong"}`, and ignores other JSON."""
    server = daphne(harness)
    greet(harness, server)
    alice = signed_up(harness, server, "alice")
    with server.socket(alice.access) as socket:
        socket.receive()
        for ping in (f'{{"type": "{PING}"}}', f'{{"type":"{PING}"}}'):
            _expect_one_pong(harness, socket, ping)


def _expect_one_pong(harness: Harness, socket: Socket, ping: str) -> None:
    """That ping is answered, and what is said before it is not."""
    for said in ('{"type": "hello"}', "[]", "null", ping):
        socket.send(said)
    answer = socket.receive(patience=patient(3))
    # A later step puts a position into it.
    kind = answer.get("type") if isinstance(answer, dict) else None
    if kind != PONG or socket.receive(patience=0.2) is not None:
        raise NotYet(
            f'after {{"type": "hello"}}, [], null and {ping}: {socket}',
            expected=f'{{"type": "{PONG}"}}, and nothing else',
            look_at=place_of_consumer(harness.project),
        )


@item("client.dead-peer", needs=["client.comes-back", "client.ping"])
def silence_is_noticed(harness: Harness) -> None:
    """A server that stops answering is noticed within 40 s, and one that answers is kept."""
    page = _signed_in(pages.played(harness, runserver(harness)), _person(harness, "alice"))
    page.advance(_QUIET)
    if len(page.attempts) > 1:
        raise page.news(
            f"in {_QUIET // 60} minutes without events the page made {len(page.attempts)} "
            f"sockets, although the server answered each {PING}",
            expected="one socket, which stays open",
        )
    page.server_is("mute")
    _expect_another(page, NOTICED, "the server said nothing more, not even to a ping")
    _expect_no_other(page)
    page.server_is("hanging")
    page.advance(NOTICED)  # it leaves the silent one, and meets one that never answers
    _expect_another(page, NOTICED + _LONGEST_DELAY, "a handshake got no answer")


def _expect_no_other(page: App) -> None:
    """The sockets that were left close at last, and the one that works is kept."""
    page.server_is("up")
    page.advance(_SETTLED)
    before = len(page.attempts)
    page.advance(_QUIET)
    if more := len(page.attempts) - before:
        raise page.news(
            f"the page left a dead socket and connected again; a browser closes the dead one a "
            f"minute later, and the page then made {more} more",
            expected="an abandoned socket changes nothing",
            todo="remove the handlers of a socket before you close it",
        )


def _expect_another(page: App, seconds: int, what: str) -> None:
    """Within that time the page makes another socket."""
    before = len(page.attempts)
    page.advance(seconds)
    if len(page.attempts) > before:
        return
    sent = [frame["text"] for attempt in page.attempts for frame in attempt["sent"]]
    raise page.news(
        f"{what}, and {seconds} s later the page had not tried again; it had sent: "
        f"{', '.join(sent[-1:]) or 'nothing'}",
        expected="a page that notices, and connects again",
        todo=f'send {{"type": "{PING}"}} after some silence, and wait for an answer',
    )


@item("client.one-socket", needs=["client.dead-peer"])
def page_has_one_socket(harness: Harness) -> None:
    """However late the answer to its request for a token is, the page opens one socket."""
    alice = _person(harness, "alice")
    page = _signed_in(pages.played(harness, runserver(harness)), alice)
    page.sleep((life_of_token(alice) or _HOUR) + 60)
    page.answers_after(_LATE)
    page.drop(_ABNORMAL)
    page.advance(3 * _LATE)
    page.answers_after(0)
    page.advance(_LONGEST_DELAY)
    count = sum(not socket["left"] for socket in page.attempts)
    if count != 1:
        raise page.news(
            f"the connection broke, the token had expired, and the answer with a new one took "
            f"{_LATE} s; later the page had {count} open sockets",
            expected="one: with two, each event is shown twice",
            todo="an attempt that was given up must not open its socket when its token arrives",
        )


@item("client.failing", needs=["client.backoff"])
def failing_server_is_not_flooded(harness: Harness) -> None:
    """A server that fails right after its greeting is not flooded: the delays grow there, too."""
    page = _signed_in(pages.played(harness, runserver(harness)), _person(harness, "alice"))
    _expect_backoff(
        harness,
        _tries(page, "failing"),
        f"the server greeted each socket and then closed it with {_EXCEPTION}: ",
        "count the failures from 0 again at what follows the greeting: an event or a pong",
    )


@item("client.production", needs=["client.page"])
def production_serves_the_page(harness: Harness) -> None:
    """In production, the name of each file that the page loads changes with its content."""
    served: list[tuple[str, Reply]] = []
    server = _production_server(harness)
    window = harness.browsers.window()
    harness.at_end(window.close)

    def reply(asked: dict[str, Any]) -> Reply:
        answer = pages.forwarded(server, address, asked)
        served.append((urlsplit(asked["url"]).path, answer))
        return answer

    address = f"https://{HOSTNAME}"
    window.answer(f"{address}/*", reply)
    page = App(harness, window, address)
    page.open()
    if window.failures or window.errors:
        raise page.news(
            f"{CLIENT_PATH} has loaded, but with errors",
            expected="each file that the page loads is answered with 200, and no script stops",
        )
    for path, answer in sorted(served, key=lambda pair: pair[0]):  # a browser has no order
        if path != CLIENT_PATH and not _is_safe_to_keep(answer):
            raise _stale(harness, path, answer)


def _is_safe_to_keep(answer: Reply) -> bool:
    """Whether a browser that keeps this file never shows an old version."""
    kept = next((v for k, v in answer.headers.items() if k.lower() == "cache-control"), "")
    return any(word in kept for word in ("immutable", "no-cache", "no-store", "max-age=0"))


def _stale(harness: Harness, path: str, answer: Reply) -> NotYet:
    kept = next((v for k, v in answer.headers.items() if k.lower() == "cache-control"), "")
    return NotYet(
        f"{path} is served with `Cache-Control: {kept}`: after a deployment a browser uses the "
        "old version of this file together with the new version of the others",
        expected="a name with a hash of the content, such as api.3f2a1b0c4d5e.js",
        look_at=harness.project.setting("STORAGES"),
        todo="let the storage rewrite the imports of modules: support_js_module_import_aggregation",
    )


def _production_server(harness: Harness) -> Server:
    return harness.once("a production server for the page", lambda: _served(harness))


def _served(harness: Harness) -> Server:
    """The project with the variables of production and no services: the page needs none."""
    plan = production(harness)
    arguments = ("collectstatic", "--no-input", "--verbosity", "0")
    collect = plan.program("manage.py", *arguments)
    if collect.wait(60):
        raise harness.crash(
            collect,
            "`manage.py collectstatic` failed",
            expected="all static files are collected",
            todo="each import of a module has to name a file that is there",
        )
    server = plan.daphne()
    to_itself = f"https://{HOSTNAME}{CLIENT_PATH}"
    if server.ask("GET", CLIENT_PATH).headers.get("location") != to_itself:
        return server
    # For daphne it came over plain http. The service's own server may believe the proxy.
    return plan.server("A")


@item("client.events", needs=["client.connects"])
def two_windows_hear_each_other(harness: Harness) -> None:
    """Two windows show each other's friend requests, acceptances, messages and posts live."""
    dora, emil = _two_windows(harness)
    for deed in (_ask, _accept, _write, _publish):
        other, text = deed(dora, emil)
        has_come = other.wait_for(_shows("notification-list", text))
        _expect_no_html(other)
        if not has_come:
            heard = [frame for wire in other.window.wires for frame in wire.received]
            raise other.news(
                f"{deed.__name__[1:]}: the other window shows no notification with {text!r}; its "
                f"socket received:\n" + "\n".join(heard[-3:]),
                expected=f"a notification with {text!r}, without a reload",
            )


_MESSAGE = "Is <b>this</b> live?"
_HAS_BOLD = (
    '[...document.querySelectorAll("b")].some((each) => each.textContent === "this")'
)


def _expect_no_html(page: App) -> None:
    if page.window.run(_HAS_BOLD):
        raise page.news(
            f"somebody got the message {_MESSAGE!r}, and the page shows a word in bold",
            expected="a text that somebody wrote is shown as it is, never read as HTML",
            todo="textContent instead of innerHTML, wherever a text is shown or announced",
        )


def _two_windows(harness: Harness) -> tuple[App, App]:
    """Windows of two people who are not friends yet, both connected."""
    return harness.once(
        "two windows", lambda: (_connected(harness, "dora"), _connected(harness, "emil"))
    )


def _connected(harness: Harness, name: str) -> App:
    page = pages.app(harness, runserver(harness))
    page.open()
    page.sign_in(_person(harness, name))
    _expect_greeting(page, 1)
    return page


def _ask(dora: App, emil: App) -> tuple[App, str]:
    dora.submit("search", q="emil")
    dora.press("people", "Add friend")
    return emil, "dora"


def _accept(dora: App, emil: App) -> tuple[App, str]:
    emil.press("requests", "Accept")
    return dora, "emil"


def _write(dora: App, emil: App) -> tuple[App, str]:
    dora.wait_for('document.querySelector("#message option")')
    dora.submit("message", receiver="emil", content=_MESSAGE)
    return emil, _MESSAGE


def _publish(dora: App, emil: App) -> tuple[App, str]:
    emil.submit("post", content="It is live.")
    return dora, "It is live."


@item("client.no-token", needs=["client.events"])
def no_token_is_written_down(harness: Harness) -> None:
    """No token is in a URL, in the browser's console or in the server's log."""
    for page in _two_windows(harness):
        window = page.window
        for where, texts in (
            ("the browser's console", window.console),
            ("the URL of a request", window.requests),
            ("the URL of a socket", [wire.url for wire in window.wires]),
        ):
            if any(_TOKEN.search(text) for text in texts):
                raise page.news(
                    f"{where} holds a token", expected="tokens in headers and bodies only"
                )
    if _TOKEN.search(runserver(harness).process.log()):
        raise NotYet(
            "the server's log holds a token",
            expected="tokens in headers and bodies only",
            look_at=place_of_module(harness),
        )

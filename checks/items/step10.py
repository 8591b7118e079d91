"""Step 10: one-time tickets for browsers, and exact origins."""

from __future__ import annotations

import dataclasses
import re
import socket as sockets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

from checks.browser import app as pages
from checks.browser.app import App
from checks.browser.window import Reply
from checks.errors import NotYet, Place
from checks.explain import place_of_middleware
from checks.harness import services
from checks.harness.client import Answer, Socket
from checks.harness.harness import Harness
from checks.harness.latency_proxy import LatencyProxy
from checks.harness.people import Person, signed_up
from checks.harness.servers import LOCAL, Server, need, runserver
from checks.harness.tickets import (
    OTHER_SITES,
    Pair,
    control,
    daphne,
    expect_refusal,
    greeted,
    offer,
    pair,
    ticket_for,
    uvicorn,
)
from checks.harness.together import arrivals
from checks.items import Checklist
from checks.render.production import HOSTNAME, production
from course.contract import (
    SOCKET_PATH,
    TICKET_LIFE,
    TICKET_PATH,
    TICKET_SUBPROTOCOL,
    TOKEN_SUBPROTOCOL,
    TOO_LATE,
)
from course.deadline import Deadline, at_most, patient, waiting_for

# Signs that a subprotocol may have (RFC 9110, token), and those of hexadecimal numbers.
_SENDABLE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F-]+")
# What a ticket begins and ends with, up to a sign that may separate parts.
_FIRST_PART, _LAST_PART = re.compile(r"^[^\W_]*"), re.compile(r"[^\W_]*$")
# So many tickets are compared, and so many random bits are enough: uuid4() has 122.
_SAMPLE, _BITS = 12, 120
# How old a ticket is that still has to work, and one that must not. Seconds.
_YOUNG, _OLD = 20, TICKET_LIFE + 2
# How many sockets offer one ticket at each server, and how long a statement then takes.
_RIVALS, _SLOW = 2, 0.2
# How late Redis answers: between reading a ticket and deleting it there is time; and how long
# the server may take to notice that it is down. Seconds.
_DISTANCE, _PATIENT = 0.15, patient(6)
# How long a greeting may take that must not come. Seconds.
_GREETING = 1.0
# What a page has to do within this time. Seconds of its own clock.
_SOON = 3 * 60
_JWT = re.compile(r"eyJ[\w.-]{15,}")

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: daphne(harness),
        lambda harness: uvicorn(harness),
        lambda harness: harness.database(),
        lambda harness: _alice(harness),
    ],
)
item = checklist.item


def _alice(harness: Harness) -> Person:
    return signed_up(harness, pair(harness)[0], "alice")


def _middleware(harness: Harness) -> Place | None:
    return place_of_middleware(harness.project)


# Part 1: a ticket over HTTP


@item("tickets.issued")
def ticket_is_issued(harness: Harness) -> None:
    """`POST /api/v1/ws/ticket/` answers a signed-in user with a ticket that nobody can guess."""
    server, alice = pair(harness)[0], _alice(harness)
    need(server.ask("POST", TICKET_PATH), 401)
    answer = need(server.ask("POST", TICKET_PATH, token=alice.access), 201)
    ticket = answer.get("ticket")
    sendable = isinstance(ticket, str) and _SENDABLE.fullmatch(ticket)
    if not sendable or answer.get("expires_in") != TICKET_LIFE:
        raise NotYet(
            str(answer),
            expected=f'{{"ticket": "...", "expires_in": {TICKET_LIFE}}}; a browser offers the '
            "ticket as a subprotocol: letters, digits and characters such as - and _",
        )
    bits = _random_bits([ticket_for(server, alice) for _ in range(_SAMPLE)])
    if bits < _BITS:
        raise NotYet(
            f"{_SAMPLE} tickets such as {ticket} differ in about {bits} bits",
            expected="128 random bits in each",
            todo="secrets.token_urlsafe(16)",
        )


def _random_bits(tickets: Sequence[str]) -> int:
    """How many bits of these texts differ at most; 0 if two are the same."""
    if len(set(tickets)) < len(tickets):
        return 0
    each = 4 if all(map(_HEXADECIMAL.fullmatch, tickets)) else 6
    return each * sum(len(set(signs)) > 1 for signs in zip(*tickets, strict=False))


@item("tickets.hashed", needs=["tickets.issued"])
def store_holds_no_ticket(harness: Harness) -> None:
    """The database holds no ticket as it was issued, only something made from it."""
    ticket = ticket_for(pair(harness)[0], _alice(harness))
    for file in harness.database_path.parent.glob(f"{harness.database_path.name}*"):
        if ticket.encode() in file.read_bytes():
            raise NotYet(
                "the database file holds a ticket that was just issued",
                expected="a hash of it: nobody who reads the database or a backup can connect",
                todo="use a hash of the ticket as the key, such as "
                "hashlib.sha256(ticket.encode()).hexdigest()",
            )


@item("tickets.redis-down", needs=["tickets.issued"])
def redis_down_is_said(harness: Harness) -> None:
    """While Redis does not answer, a request for a ticket gets a 503 within seconds."""
    silent = sockets.socket()  # it listens, and nobody reads what it is sent
    harness.at_end(silent.close)
    silent.bind((LOCAL, 0))
    silent.listen()
    url = services.redis_url(silent.getsockname()[1])
    server = daphne(harness, " without Redis", variables={"REDIS_URL": url})
    began = time.monotonic()
    answer = server.ask("POST", TICKET_PATH, token=_alice(harness).access)
    took = time.monotonic() - began
    # One that turns to the database meanwhile is as good.
    if answer.status not in (503, 201) or took > _PATIENT:
        raise NotYet(
            f"with a Redis that does not answer: {answer}, after {took:.1f} s"
            + (f"; the server's error: {answer.error}" if answer.error else ""),
            expected="503 within a few seconds: the client tries again later",
            look_at=answer.place or harness.project.setting("CACHES"),
            todo="catch redis.exceptions.RedisError in the view; set socket_timeout and "
            "socket_connect_timeout in the options of the cache",
        )


# Part 2: one socket for each ticket


@item("tickets.opens", needs=["tickets.issued"])
def ticket_opens_a_socket(harness: Harness) -> None:
    """A ticket opens a socket of the user it was issued to, under daphne and under uvicorn."""
    for server in pair(harness):
        for name in ("alice", "bob"):
            person = signed_up(harness, server, name)
            with greeted(server, ticket_for(server, person), person) as socket:
                chosen = socket.subprotocol
            if chosen != TICKET_SUBPROTOCOL:
                raise NotYet(
                    f"{server.name}: the socket was opened with the subprotocol "
                    f"{'(the ticket itself)' if chosen else chosen}",
                    expected=f"the server chooses {TICKET_SUBPROTOCOL}: a browser closes a "
                    "socket if none of its subprotocols is chosen, and logs show the headers",
                    look_at=_middleware(harness),
                )


@item("tickets.shared", needs=["tickets.opens"])
def processes_share_tickets(harness: Harness) -> None:
    """A ticket opens a socket at any process of the server, whichever one issued it."""
    alice = _alice(harness)
    one, other = pair(harness)
    for issuer, server in ((one, other), (other, one)):
        ticket = ticket_for(issuer, alice)
        try:
            greeted(server, ticket, alice).close()
        except NotYet as news:
            raise NotYet(
                f"a ticket that the process {issuer.name} issued does not work at another "
                f"process: {news.found}",
                expected="all processes know it: a proxy hands each connection to any of them",
                look_at=harness.project.setting("CACHES") or _middleware(harness),
                todo="keep tickets in Redis or in the database; Django's default cache is in "
                "the memory of one process",
            ) from None


@item("tickets.once", needs=["tickets.opens"])
def ticket_is_good_once(harness: Harness) -> None:
    """A ticket opens one socket: offered again, it is refused like one that was never issued."""
    alice, servers = _alice(harness), pair(harness)
    for server in servers:
        ticket = ticket_for(server, alice)
        with greeted(server, ticket, alice):
            _expect_end(harness, server, ticket, "a ticket whose socket is open")
        _expect_end(harness, server, ticket, "a ticket whose socket was closed")
        _expect_end(harness, server, ticket[::-1], "a ticket that was never issued")
    bob = signed_up(harness, servers[0], "bob")
    for mixed in _mixed(ticket_for(servers[0], alice), ticket_for(servers[0], bob)):
        what = f"a ticket made of parts of alice's and bob's ({alice.id} and {bob.id})"
        todo = "let the store say whose a ticket is, or sign it: a client can change what it sends"
        _expect_end(harness, servers[0], mixed, what, todo)


def _mixed(one: str, other: str) -> Iterator[str]:
    """Each ticket with the first or the last part of the other: it may say whose they are."""
    for part in (_FIRST_PART, _LAST_PART):
        for ticket, giver in ((one, other), (other, one)):
            [given] = part.findall(giver)[:1]
            if (mixed := part.sub(given, ticket, count=1)) not in (one, other):
                yield mixed


def _expect_end(
    harness: Harness,
    server: Server,
    ticket: str,
    what: str,
    todo: str = "delete the ticket when it is redeemed",
) -> None:
    expect_refusal(
        offer(server, ticket),
        f"{server.name}: with {what}",
        look_at=_middleware(harness),
        todo=todo,
    )


@item("tickets.race", needs=["tickets.shared", "tickets.once"])
def race_has_one_winner(harness: Harness) -> None:
    """Of several sockets that offer one ticket at the same moment, exactly one is greeted."""
    servers = pair(harness)
    control(servers, slow=_SLOW)
    try:
        _expect_one_winner(harness, servers, _alice(harness))
    finally:
        control(servers, slow=0)


def _expect_one_winner(harness: Harness, servers: Pair, alice: Person) -> None:
    ticket = ticket_for(servers[0], alice)
    turns = iter(servers * _RIVALS)
    race = arrivals(
        lambda _, gate: offer(next(turns), ticket, gate=gate), [alice] * 2 * _RIVALS
    )
    with race as arrived:
        winners = sum(arrival.greeted for arrival in arrived)
    if winners != 1:
        raise NotYet(
            f"{len(arrived)} sockets offered the same ticket at one moment, to two processes; "
            f"{winners} of them were greeted",
            expected="one: between reading a ticket and deleting it, another process reads it too",
            look_at=_middleware(harness),
            todo="let the deletion decide: cache.delete(), Redis GETDEL and the row count of a "
            "DELETE tell one caller alone that the ticket was there",
        )


@item("tickets.expires", needs=["tickets.once"])
def ticket_expires(harness: Harness) -> None:
    """A ticket is good for 30 seconds, and not for longer."""
    servers, alice = pair(harness), _alice(harness)
    server = servers[0]
    early, late, last = (ticket_for(server, alice) for _ in range(3))
    issued = time.monotonic()
    try:
        control(servers, ahead=_YOUNG)
        greeted(server, early, alice).close()
        control(servers, ahead=_OLD)
        with offer(server, late) as socket:
            socket.receive(patience=_OLD)
    finally:
        control(servers, ahead=0)
    # It may go by a clock that nobody can set: then the time has to pass.
    if socket.greeted:
        with waiting_for(f"a ticket to become {_OLD} s old"):
            time.sleep(at_most(max(0.0, issued + _OLD - time.monotonic())))
        expect_refusal(
            offer(server, last),
            f"{server.name}: with a ticket that is {_OLD} s old",
            look_at=_middleware(harness),
            todo=f"give it {TICKET_LIFE} s when it is stored: timeout={TICKET_LIFE}",
        )


@item("tickets.former-user", needs=["tickets.once"])
def ticket_ends_with_its_account(harness: Harness) -> None:
    """The ticket of a user who has since been deactivated opens nothing."""
    servers = pair(harness)
    former = signed_up(harness, servers[0], "former")
    ticket = ticket_for(servers[0], former)
    control(servers, deactivate=former.id)
    expect_refusal(
        offer(servers[0], ticket),
        "with a ticket whose user was deactivated after it was issued",
        look_at=_middleware(harness),
        todo="look for a user with that id and is_active=True",
    )


@item("tickets.no-token", needs=["tickets.opens"])
def access_token_opens_nothing(harness: Harness) -> None:
    """An access token opens no socket as a subprotocol or in the URL: only a ticket does."""
    token = _alice(harness).access
    with ExitStack() as stack:
        tried = [
            (f"{server.name}: with {what}", stack.enter_context(socket))
            for server in pair(harness)
            for what, socket in _tries_with(server, token)
        ]
        # All of them at once: a server may wait for a while for better credentials.
        end = Deadline.after(_GREETING)
        for what, socket in tried:
            socket.receive(patience=end.left)
            if socket.greeted:
                raise NotYet(
                    f"{what}: {socket}",
                    expected="no greeting: an access token is good for an hour and for the "
                    "whole API, and servers and proxies write URLs to their logs",
                    look_at=_middleware(harness),
                    todo="a page offers a ticket instead, and a program sends a header",
                )


def _tries_with(server: Server, token: str) -> Iterator[tuple[str, Socket]]:
    """Sockets that bring an access token where none belongs."""
    for name in (TOKEN_SUBPROTOCOL, TICKET_SUBPROTOCOL, "Bearer"):
        socket = server.socket(None, subprotocols=[name, token])
        yield f"the subprotocols {name}, ACCESS_TOKEN", socket
    for name in ("token", "access_token", "ticket"):
        socket = server.socket(None, path=f"{SOCKET_PATH}?{name}={quote(token)}")
        yield f"?{name}=ACCESS_TOKEN in the URL", socket


@item("tickets.logs", needs=["tickets.once"])
def logs_hold_no_secret(harness: Harness) -> None:
    """No ticket and no token is in the log of daphne or uvicorn, whether it was accepted or not."""
    servers, alice = pair(harness), _alice(harness)
    for server in servers:
        before = server.process.printed
        used, unused = ticket_for(server, alice), ticket_for(server, alice)
        greeted(server, used, alice).close()
        offer(server, used).close()
        offer(server, unused, origin="https://evil.example").close()
        bearer = {"Authorization": f"Bearer {alice.access}"}
        server.socket(None, headers=bearer).close()
        server.ask("GET", TICKET_PATH, token=alice.access)  # the rest is printed by now
        log = server.process.log_since(before)
        secrets = {"a ticket": [used, unused], "an access token": [alice.access[-40:]]}
        for what, texts in secrets.items():
            line = next((s for s in log.splitlines() if any(t in s for t in texts)), None)
            if line is not None:
                for text in (used, unused, alice.access):
                    line = line.replace(text, "(secret)")
                raise NotYet(
                    f"{server.name} has logged {what}: {line[:200]}",
                    expected="no ticket and no token in any log",
                    look_at=_middleware(harness),
                    todo="leave credentials out of what the project prints and logs",
                )


# The page asks for a ticket


@item(
    "tickets.page", needs=["tickets.opens"], prefetch=[lambda harness: runserver(harness)]
)
def page_offers_tickets(harness: Harness) -> None:
    """The page requests a new ticket before each attempt to connect, and offers no token."""
    server, alice = runserver(harness), _alice(harness)
    page = pages.played(harness, server)
    page.open()
    _sign_in(page, alice)
    page.drop(1006)
    page.advance(_SOON)
    offers = [attempt["protocols"] for attempt in page.attempts]
    if any(_is_access_token(server, text) for offered in offers for text in offered):
        raise page.news(
            "the page offered the access token as a subprotocol",
            expected=f'["{TICKET_SUBPROTOCOL}", TICKET]',
        )
    if len(offers) < 2 or offers[0] == offers[1]:
        raise page.news(
            f"the connection broke, and the page made {len(offers)} attempts"
            + (" with the same subprotocols" if len(offers) > 1 else ""),
            expected="another attempt with another ticket: each is good once",
            todo="request the ticket in protocols(), which is called before each attempt",
        )
    *_, ticket = offers[-1] or [""]
    greeted(server, ticket, alice, origin=page.address).close()


def _is_access_token(server: Server, text: str) -> bool:
    """Whether the API takes it for one; a ticket may look like a token, too."""
    if not _JWT.search(text):
        return False
    return server.ask("GET", "/api/auth/me/", token=text).status == 200


def _sign_in(page: App, person: Person) -> None:
    """Sign in and wait for the socket that follows."""
    before = len(page.attempts)
    page.sign_in(person)
    if not page.wait_for(f"numeneonStage.attempts.length > {before}"):
        raise page.news(
            f"after {person.username} signed in, the page opened no WebSocket; it shows:\n"
            f"{page.window.text()}",
            expected="a page that requests a ticket, and connects with it",
        )
    page.advance(1)


@item("tickets.lost", needs=["tickets.page"], close_codes=[TOO_LATE])
def lost_ticket_is_no_refusal(harness: Harness) -> None:
    """A page whose ticket got lost, or cannot be issued now, tries again with another one."""
    server, alice = runserver(harness), _alice(harness)
    used = ticket_for(server, alice)
    greeted(server, used, alice).close()
    with offer(server, used) as socket:
        code = socket.until_closed() or 1006
    failing: list[str] = []
    page = _page_with(harness, server, failing)
    page.open()
    page.server_is(code)
    _sign_in(page, alice)
    _expect_attempts(
        page, f"the server closed the socket with {code} because of its ticket"
    )
    failing.append("the server cannot issue tickets")
    page.advance(_SOON)
    failing.clear()
    _expect_attempts(
        page, f"requests for a ticket were answered 503 for {_SOON // 60} minutes"
    )


def _page_with(harness: Harness, server: Server, failing: list[str]) -> App:
    """The page, played; requests for tickets fail while there is a reason for it in the list."""
    page = pages.played(harness, server)

    def reply(asked: dict[str, Any]) -> Reply:
        if failing:
            return Reply(503, {"Content-Type": "application/json"}, b"{}")
        return pages.forwarded(server, page.address, asked)

    page.window.answer(f"{page.address}{TICKET_PATH}*", reply)
    return page


def _expect_attempts(page: App, what: str) -> None:
    before = len(page.attempts)
    page.advance(_SOON)
    new = [attempt["protocols"] for attempt in page.attempts[before:]]
    if not new or any(offered == new[0] for offered in new[1:]):
        raise page.news(
            f"{what}; afterwards the page made {len(new)} attempts"
            + (" with the same ticket" if new else ""),
            expected="more attempts, each with a new ticket: nothing says that the user has to "
            "sign in again",
            todo=f"close such a socket with {TOO_LATE} instead of 4401, and let protocols() "
            "raise the error of a request that failed",
        )


# Several processes


@item("tickets.redis", needs=["tickets.race", "tickets.hashed", "tickets.expires"])
def redis_keeps_tickets(harness: Harness) -> None:
    """With `REDIS_URL`, processes share tickets too; Redis keeps them hashed, and not for long."""
    redis, servers = _with_redis(harness)
    alice = _alice(harness)
    before = set(redis.scan_iter())
    ticket = ticket_for(servers[0], alice)
    _expect_hashed_and_expiring(harness, redis, before, ticket)
    greeted(servers[1], ticket, alice).close()
    _expect_one_winner(harness, servers, alice)


def _expect_hashed_and_expiring(
    harness: Harness, redis: Any, before: set[bytes], ticket: str
) -> None:
    """What Redis got of a ticket, if it was not stored in the database."""
    keys = [key for key in redis.scan_iter() if key not in before]
    dumped = b"".join(key + (redis.dump(key) or b"") for key in keys)
    left = [redis.pttl(key) for key in keys]
    place = harness.project.setting("CACHES")
    if any(ttl < 0 or ttl > 1000 * TICKET_LIFE for ttl in left):
        raise NotYet(
            "a ticket was issued, and Redis holds a new key that does not expire in time",
            expected=f"a key that expires after {TICKET_LIFE} s",
            look_at=place,
        )
    if ticket.encode() in dumped:
        raise NotYet(
            "Redis holds a ticket that was just issued",
            expected="a hash of it: nobody who reads Redis can connect",
            look_at=place,
        )


def _with_redis(harness: Harness) -> tuple[Any, Pair]:
    """A client of that Redis, and two processes that use it over a network that takes time."""
    return harness.once("daphne and uvicorn with Redis", lambda: _made_with_redis(harness))


def _made_with_redis(harness: Harness) -> tuple[Any, Pair]:
    import redis

    service = services.start_redis(harness.folder / "redis-of-the-tickets")
    harness.at_end(service.stop)
    link = LatencyProxy(service.port, delay=_DISTANCE).start()
    harness.at_end(link.close)
    variables = {"REDIS_URL": services.redis_url(link.port)}
    servers = pair(harness, " with Redis", layer="project", variables=variables)
    return redis.Redis(port=service.port), servers


# Part 3: exact origins


@item("origins.allowed", needs=["tickets.opens"])
def allowed_origins_connect(harness: Harness) -> None:
    """The server's own pages may open sockets, and those of each origin in `ALLOWED_ORIGINS`."""
    alice = _alice(harness)
    for server in pair(harness):
        for origin in (server.origin, *OTHER_SITES):
            ticket = ticket_for(server, alice, origin=origin)
            with offer(server, ticket, origin=origin) as socket:
                socket.receive()
            if not socket.greeted:
                raise _origin_news(
                    harness,
                    server,
                    f"with Origin {origin} and a ticket requested from there: {socket}",
                    "the socket is greeted",
                )


def _origin_news(harness: Harness, server: Server, found: str, expected: str) -> NotYet:
    return NotYet(
        f"{server.name}, with ALLOWED_ORIGINS={','.join(OTHER_SITES)} and Host "
        f"{server.address}: {found}",
        expected=expected,
        look_at=_asgi_place(harness),
        todo="compare the whole Origin, with == : own pages send the scheme and the Host of "
        "the request, the others are listed in settings.ALLOWED_ORIGINS",
    )


def _asgi_place(harness: Harness) -> Place:
    module = harness.project.asgi.partition(":")[0]
    file = harness.project.backend.joinpath(*module.split(".")).with_suffix(".py")
    return Place(harness.project.relative(file), symbol="application")


# Origins that differ from an allowed one, and how.
_STRANGERS = {
    "https://evil.example": "another site",
    "http://app.example": "another scheme",
    "https://app.example:8443": "another port",
    "http://partner.example": "another port",
    "https://www.app.example": "a subdomain",
    "https://example": "the parent domain",
    "https://evil-app.example": "a longer name",
    "https://app.example.evil.example": "a name that begins with it",
    "https://app.example@evil.example": "a name behind a user",
    "https://app-example": "another sign in place of a dot",
    "http://127.0.0.1:8099": "this machine, another port",
    "https://127.0.0.1:8000": "this machine, another scheme",
    "null": "no site: a sandboxed frame, or a file",
}


@item("origins.refused", needs=["origins.allowed"], handshake=True)
def other_origins_are_refused(harness: Harness) -> None:
    """Any other origin is refused in the handshake with 403, whatever part of it differs."""
    for server in pair(harness):
        for origin, what in _STRANGERS.items():
            _expect_403(harness, server, server, origin, what)
        stranger = dataclasses.replace(
            server, proxy_headers={"Host": "evil.example"}, origin="http://evil.example"
        )
        what = "a name of its own that leads here, in Host too"
        _expect_403(harness, server, stranger, stranger.origin, what)


def _expect_403(
    harness: Harness, issuer: Server, server: Server, origin: str, what: str
) -> None:
    """A page of that origin gets no socket, even with a ticket for this very origin."""
    headers = {"Origin": origin}
    token = _alice(harness).access
    answer = issuer.ask("POST", TICKET_PATH, token=token, headers=headers)
    with offer(server, str(answer.get("ticket") or "none"), origin=origin) as socket:
        if socket.opened:
            socket.receive(patience=2)
    if socket.refused not in (403, 404):
        raise _origin_news(
            harness,
            server,
            f"with Origin {origin} ({what}): {socket}",
            "the handshake is refused with HTTP 403",
        )


@item("origins.bound", needs=["origins.allowed"])
def ticket_belongs_to_its_origin(harness: Harness) -> None:
    """A ticket opens no socket from another origin than the one it was requested from."""
    alice = _alice(harness)
    for server in pair(harness):
        own, other = server.origin, OTHER_SITES[0]
        for requested, offered in ((own, other), (other, own), (own, None)):
            ticket = ticket_for(server, alice, origin=requested)
            expect_refusal(
                offer(server, ticket, origin=offered),
                f"{server.name}: a ticket was requested by a page of {requested} and offered "
                + (f"with Origin {offered}" if offered else "without an Origin"),
                look_at=_middleware(harness),
                todo="keep the Origin of the request with the ticket, or make it a part of the "
                "key, and compare it with the Origin of the handshake",
            )


@item("origins.header", needs=["tickets.opens"])
def programs_connect_by_header(harness: Harness) -> None:
    """A program that sends no Origin connects with its access token in the Authorization header."""
    alice = _alice(harness)
    for server in pair(harness):
        with server.socket(alice.access, way="header") as socket:
            socket.receive()
        if not socket.greeted:
            raise NotYet(
                f"{server.name}: with Authorization: Bearer ACCESS_TOKEN and no Origin: {socket}",
                expected="the greeting: a browser always sends an Origin, and never that header",
                look_at=_asgi_place(harness) if socket.refused else _middleware(harness),
                todo="let a handshake without Origin pass the origin check, and read the header "
                "in the middleware",
            )
        for what, token in (
            ("no token", "not-a-token"),
            ("a refresh token", alice.refresh),
        ):
            expect_refusal(
                server.socket(token, way="header", origin=None),
                f"{server.name}: with {what} in that header",
                look_at=_middleware(harness),
                todo="verify it as your views do: JWTAuthentication().get_validated_token()",
            )


@item("origins.production", needs=["origins.refused"])
def production_allows_its_own_page(harness: Harness) -> None:
    """In production, behind a proxy that terminates TLS, the service's own page may connect."""
    server = harness.once("daphne in production", lambda: _in_production(harness))
    for name in ("evil.onrender.com", f"{HOSTNAME}.evil.example", f"evil-{HOSTNAME}"):
        _expect_403_in_production(harness, server, f"https://{name}")
    try:
        _judge_own_pages(harness, server)
    except NotYet:
        # Daphne sees plain http. The service's own server may believe the proxy's headers.
        _judge_own_pages(harness, production(harness).server("A"))


def _expect_403_in_production(harness: Harness, server: Server, origin: str) -> None:
    with server.socket(None, origin=origin) as socket:
        pass
    if socket.refused not in (403, 404):
        raise NotYet(
            f"in production, with Origin {origin}: {socket}",
            expected="the handshake is refused with HTTP 403",
            look_at=_asgi_place(harness),
        )


def _judge_own_pages(harness: Harness, server: Server) -> None:
    """Its page may connect over https, and only over https."""
    _expect_403_in_production(harness, server, f"http://{HOSTNAME}")
    # Last, because its end may wait for the database, which may not be there.
    own = f"https://{HOSTNAME}"
    with server.socket(None, origin=own) as socket:
        pass
    if socket.refused is not None:
        raise NotYet(
            f"with Host {HOSTNAME}, X-Forwarded-Proto https and Origin {own}: {socket}",
            expected="accepted: that page is the service's own",
            look_at=_asgi_place(harness),
            todo="take the scheme from the header in SECURE_PROXY_SSL_HEADER; the server itself "
            "sees plain HTTP",
        )


def _in_production(harness: Harness) -> Server:
    """The project with the variables of production; no request here needs its services."""
    return production(harness).daphne(redis_url=harness.redis().url)


@item("origins.cors", needs=["origins.allowed"])
def cors_agrees(harness: Harness) -> None:
    """CORS lets pages of the origins in `ALLOWED_ORIGINS`, and of no others, use the API."""
    server = pair(harness)[0]
    for origin in OTHER_SITES:
        for answer in _cross_site(harness, server, origin):
            if _allowed_origin(answer) != origin:
                raise _cors_news(
                    harness, answer, origin, f"Access-Control-Allow-Origin: {origin}"
                )
        _expect_preflight(harness, server, origin)
    for origin in _STRANGERS:
        for answer in _cross_site(harness, server, origin):
            if _allowed_origin(answer) in (origin, "*"):
                raise _cors_news(
                    harness, answer, origin, "no Access-Control-Allow-Origin for that site"
                )


def _preflight(server: Server, origin: str) -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return server.ask("OPTIONS", TICKET_PATH, headers=headers)


def _cross_site(harness: Harness, server: Server, origin: str) -> Iterator[Answer]:
    """What a page of that origin is answered: before it sends its token, and then."""
    yield _preflight(server, origin)
    token = _alice(harness).access
    yield server.ask("GET", "/api/auth/me/", token=token, headers={"Origin": origin})


def _allowed_origin(answer: Answer) -> str | None:
    return answer.headers.get("access-control-allow-origin")


def _expect_preflight(harness: Harness, server: Server, origin: str) -> None:
    """The page may send its token, and JSON."""
    answer = _preflight(server, origin)
    allowed = answer.headers.get("access-control-allow-headers", "").lower()
    methods = answer.headers.get("access-control-allow-methods", "")
    missing = [name for name in ("authorization", "content-type") if name not in allowed]
    if (
        (allowed.strip() != "*" and missing)
        or "POST" not in methods
        or answer.status >= 300
    ):
        raise _cors_news(
            harness, answer, origin, "POST, Authorization and Content-Type are allowed"
        )


def _cors_news(harness: Harness, answer: Answer, origin: str, expected: str) -> NotYet:
    told = {k: v for k, v in answer.headers.items() if k.startswith("access-control")}
    return NotYet(
        f"with Origin {origin}: {answer.request} answered {answer.status} with "
        + (", ".join(f"{k}: {v}" for k, v in told.items()) or "no Access-Control headers"),
        expected=expected,
        look_at=harness.project.setting("CORS_ALLOWED_ORIGINS")
        or harness.project.setting("MIDDLEWARE"),
        todo="CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS, and CorsMiddleware near the beginning of "
        "MIDDLEWARE",
    )

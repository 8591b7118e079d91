"""Step 5: one ASGI application answers HTTP and WebSockets."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from checks.errors import LeftOut, NotYet, Place
from checks.explain import (
    Cause,
    class_in_routes,
    import_order,
    kept_on_self,
    place_of_bare_accept,
    place_of_consumer,
    place_of_middleware,
    place_of_routes,
    taken_before,
)
from checks.harness.client import Socket
from checks.harness.harness import Crash, Harness
from checks.harness.people import Person, altered, expired, forged, signed_up
from checks.harness.project import Project, read
from checks.harness.servers import Server, daphne, need, runserver
from checks.harness.subprotocols import expect_name_chosen
from checks.harness.together import Arrival, arrivals
from checks.items import Checklist
from course.contract import DEMO_PATH, NOT_AUTHENTICATED, SOCKET_PATH, is_greeting
from course.deadline import patient

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: daphne(harness),
        lambda harness: harness.database(),
        lambda harness: runserver(harness),
        lambda harness: _libraries(),
    ],
    starts_runserver=True,
)
item = checklist.item

_NOT_SET_UP = re.compile(r"AppRegistryNotReady|settings are not configured|SynchronousOnly")
# How long a refusal may take. Seconds.
_REFUSAL = patient(5)
_WINDOWS = 6  # of each of two people, opened at one moment
_SCRIPT = re.compile(r"""<script[^>]*\ssrc=["']?([^"'\s>]+)""")
# What a page may take its socket from without naming it: another server, another module.
_FROM_ELSEWHERE = re.compile(r"""<script[^>]*\ssrc=["']?(https?:)?//|\bimport\b""")
_HOW_TO_SEE_IT = (
    "No browser is started here; look for yourself, in a minute. Start runserver, and sign in "
    f"at {DEMO_PATH} as bob. Save asgi.py: the line `Socket:` says "
    "`closed with 1006, next try in`, "
    "then `open`. Stop the server with Ctrl-C and start it again: the line says `closed with "
    "4401, please sign in again`, and stays."
)


def _libraries() -> None:
    """Import what the items need later, while this process only waits for the servers."""
    for name in ("websockets.sync.client", "jwt"):
        importlib.import_module(name)


@item("asgi.order")
def imports_come_after_setup(harness: Harness) -> None:
    """Anything that needs models is imported after Django is set up."""
    crash = _crash_of(harness)
    if crash is None or not _NOT_SET_UP.search(crash.found):
        return
    cause = import_order(harness.project, crash.log)
    raise NotYet(
        f"importing {harness.project.asgi} in a fresh process failed: {crash.found}",
        expected="os.environ.setdefault(), then get_asgi_application(), then the other imports",
        look_at=cause.place,
        todo=cause.todo,
    )


def _crash_of(harness: Harness) -> Crash | None:
    """How the process that imported asgi.py died, if it did."""
    try:
        daphne(harness)
    except Crash as crash:
        return crash
    except NotYet:  # it never listened: no news of this item
        return None
    return None


@item("asgi.imports", needs=["asgi.order"])
def asgi_imports_in_a_fresh_process(harness: Harness) -> None:
    """`daphne` can import the ASGI application in a process of its own."""
    daphne(harness)  # it imports the application before it listens


@item("asgi.http", needs=["asgi.imports"])
def http_still_answers(harness: Harness) -> None:
    """The REST API answers through the ASGI application as before."""
    alice = signed_up(harness, daphne(harness), "alice")
    me = need(daphne(harness).ask("GET", "/api/auth/me/", token=alice.access), 200)
    if me.get("username") != "alice":
        raise NotYet(str(me), expected="alice's own data")
    need(daphne(harness).ask("GET", "/api/auth/me/"), 401)


@item("asgi.greets", needs=["asgi.http"])
def valid_token_is_greeted(harness: Harness) -> None:
    """A client with a valid token connects under `daphne` and gets connection_established."""
    greet(harness, daphne(harness))


def greet(harness: Harness, server: Server) -> None:
    """Connect as alice from an origin and with a way of the token that the project takes."""
    alice = signed_up(harness, server, "alice")
    seen: list[Socket] = []
    for origin, way in server.entrances():
        if origin != server.origin and any(socket.refused != 403 for socket in seen):
            break  # it is not the origin that is refused
        sent = "" if origin == server.origin else origin
        with server.socket(alice.access, way=way, origin=sent) as socket:
            frame = socket.receive() if socket.opened else None
        if is_greeting(frame, alice.id):
            expect_name_chosen(socket, lambda: place_of_consumer(harness.project))
            server.origin, server.way = origin, way
            return
        seen.append(socket)
    raise _not_greeted(harness, server, alice, seen)


def _not_greeted(
    harness: Harness, server: Server, alice: Person, seen: list[Socket]
) -> NotYet:
    """What came instead of the greeting, and the line that has to change where it is known."""
    own = [socket for socket in seen if socket.origin in (server.origin, None)]
    found = [f"token in the {socket.way}: {socket}" for socket in own]
    if others := [str(socket.origin) for socket in seen if socket not in own]:
        found.append(f"the same with Origin {', '.join(dict.fromkeys(others))}")
    error, place = server.error_of(seen[0])
    if error:
        found.append(f"the server's error: {error}")
    cause = _cause_of(harness, server, seen[0], error)
    return NotYet(
        "\n".join(found),
        expected='first frame {"type": "connection_established", "message": "Connected as '
        f'alice", "user_id": {alice.id}}}',
        look_at=cause.place or place or _asgi_place(harness),
        todo=cause.todo,
    )


def _cause_of(harness: Harness, server: Server, socket: Socket, error: str) -> Cause:
    """Why a socket with a good token was not greeted, as far as the source tells."""
    if "can't be used in 'await' expression" in error and (
        cause := class_in_routes(harness.project)
    ):
        return cause
    if socket.refused != 403:
        return Cause(None, "")
    if cause := taken_before(harness.project, SOCKET_PATH):
        return cause
    hosts = (harness.facts_of(server.process) or {}).get("allowed_hosts")
    return Cause(
        None,
        f"the handshake came from {server.origin}, and ALLOWED_HOSTS is {hosts}: look at the "
        f"origin check, and at the pattern that has to match {SOCKET_PATH.lstrip('/')}",
    )


@item(
    "asgi.concurrent",
    needs=["asgi.greets"],
    prefetch=[lambda harness: signed_up(harness, daphne(harness), "bob")],
)
def sockets_at_once_are_greeted(harness: Harness) -> None:
    """Sockets that connect at the same time are all greeted, each as its own user."""
    server = daphne(harness)
    crowd = [signed_up(harness, server, name) for name in ("alice", "bob")] * _WINDOWS
    opened = arrivals(
        lambda person, gate: server.socket(person.access, gate=gate),
        crowd,
        server=server.process.pid,
    )
    with opened as arrived:
        wrong = [a for a in arrived if not a.greeted]
    if wrong:
        raise _crowd_news(harness, wrong, len(crowd))


def _crowd_news(harness: Harness, wrong: list[Arrival], of: int) -> NotYet:
    """Some sockets were not greeted, or as somebody else, because others connected too."""
    worst = min(wrong, key=lambda a: a.frame is None)
    name = worst.person.username
    error, place = daphne(harness).error_of(worst.socket)
    if worst.frame is not None:
        middleware = place_of_middleware(harness.project)
        place = place or kept_on_self(harness.project, middleware) or middleware
        todo = "one middleware object serves all sockets: keep the token and the user in "
        todo += "local variables and in a copy of the scope, never in self or in a global"
    else:
        todo = "look for a lock or a limit that a socket keeps for as long as it is open"
    return NotYet(
        f"{len(wrong)} of {of} sockets that connected at the same moment were not greeted as "
        f"their own user; {name}'s: {worst.socket}"
        + (f"\nthe server's error: {error}" if error else ""),
        expected=f"all are greeted while the others are open, this one as {name}, "
        f"user_id {worst.person.id}",
        look_at=place or _asgi_place(harness),
        todo=todo,
    )


# Who is refused: first that they are, each of these with one cause more than the one before
# (nobody is refused, no token is verified, no expiry is), then that they can read why


def strangers_token(harness: Harness) -> str:
    """Alice's token with a signature that is not the server's."""
    alice = signed_up(harness, daphne(harness), "alice")
    key = "another-key-than-the-server-has-0123456789"
    return forged(alice, _facts(harness), key=key) or altered(alice.access)


def expired_token(harness: Harness) -> str:
    """Alice's token, made to have expired; raises LeftOut if that cannot be made."""
    alice = signed_up(harness, daphne(harness), "alice")
    if token := expired(alice, _facts(harness)):
        return token
    raise LeftOut(
        "this project's tokens are not JWTs, or are signed with a key that its settings do "
        "not name: an expired one cannot be made. Wait until one has expired, then try it."
    )


def expect_refusal(harness: Harness, token: str | None, who: str) -> None:
    """Connect with that token: whatever the refusal looks like, no greeting comes."""
    with daphne(harness).socket(token) as socket:
        while (frame := socket.receive(_REFUSAL)) is not None and not is_greeting(frame):
            pass
    if not socket.opened or (socket.close_code is not None and not socket.greeted):
        return
    project = harness.project
    if token is None:
        place = place_of_consumer(project)
        todo = "in connect(), close the socket of a user who is not authenticated"
    else:
        place = place_of_middleware(project) or place_of_consumer(project)
        todo = "let the library verify the token, its signature and its expiry"
    raise NotYet(
        f"{who}: {socket}",
        expected="no greeting, and the socket is closed",
        look_at=place or _asgi_place(harness),
        todo=todo,
    )


@item("asgi.refuses-no-token", needs=["asgi.greets"])
def no_token_is_refused(harness: Harness) -> None:
    """A client without a token is refused: it gets no greeting."""
    expect_refusal(harness, None, "without a token")


@item("asgi.refuses-bad-token", needs=["asgi.refuses-no-token"])
def bad_token_is_refused(harness: Harness) -> None:
    """A client whose token has a wrong signature, or is not a token, is refused."""
    who = "with a token that somebody else has signed"
    expect_refusal(harness, strangers_token(harness), who)
    expect_refusal(harness, "not-a-token", "with the token `not-a-token`")


@item("asgi.refuses-expired-token", needs=["asgi.refuses-bad-token"])
def expired_token_is_refused(harness: Harness) -> None:
    """A client whose token has expired is refused."""
    expect_refusal(harness, expired_token(harness), "with an expired token")


@item(
    "asgi.close-code",
    needs=["asgi.refuses-expired-token"],
    close_codes=[NOT_AUTHENTICATED],
    until="limits",
)
def refused_client_can_read_why(harness: Harness) -> None:
    """A refused client can read why: its socket is accepted, then closed with 4401."""
    cases: list[tuple[str, Callable[[], str | None]]] = [
        ("without a token", lambda: None),
        ("with a wrong signature", lambda: strangers_token(harness)),
        ("with the token `not-a-token`", lambda: "not-a-token"),
        ("with an expired token", lambda: expired_token(harness)),
    ]
    for who, make in cases:
        try:
            token = make()
        except LeftOut:
            continue
        with daphne(harness).socket(token) as socket:
            code = socket.until_closed(_REFUSAL)
        if code != NOT_AUTHENTICATED:
            raise _unreadable(harness, socket, who)
        expect_name_chosen(socket, lambda: _place_of_accept(harness.project), who=who)


def _place_of_accept(project: Project) -> Place | None:
    return place_of_bare_accept(project) or place_of_consumer(project)


def _unreadable(harness: Harness, socket: Socket, who: str) -> NotYet:
    error, place = daphne(harness).error_of(socket)
    return NotYet(
        f"{who}: {socket}" + (f"\nthe server's error: {error}" if error else ""),
        expected="accepted, then closed with 4401: a close before accept() reaches a browser "
        "as a bare 1006",
        look_at=place or place_of_consumer(harness.project) or _asgi_place(harness),
        todo="catch that exception: the client is then not authenticated"
        if error
        else "in connect(): await self.accept(), then "
        "await self.close(code=4401), then return",
    )


@item("asgi.refuses-foreign-origin", needs=["asgi.greets"], handshake=True)
def foreign_origin_is_refused(harness: Harness) -> None:
    """A page from another site is refused in the handshake; a page from this site is accepted."""
    server = daphne(harness)
    alice = signed_up(harness, server, "alice")
    with server.socket(alice.access) as own:
        if not own.opened:
            raise NotYet(f"from the server's own origin: {own}", expected="accepted")
    tokens = {"a valid token": alice.access, "no token": None, "a bad token": "not-a-token"}
    known = urlsplit(server.origin).hostname
    for origin in ("https://evil.example", f"http://{known}.evil.example"):
        for words, token in tokens.items():
            with server.socket(token, origin=origin) as foreign:
                if foreign.refused in (403, 404):
                    continue
                foreign.receive(patience=2)
            raise _foreign_news(harness, foreign, f"with Origin {origin} and {words}")


def _foreign_news(harness: Harness, foreign: Socket, what: str) -> NotYet:
    """A socket was answered that a page of another site had opened."""
    expected = "the handshake is refused with HTTP 403"
    validated = "OriginValidator(" in read(_asgi_file(harness))
    hosts = _facts(harness).get("allowed_hosts", [])
    if validated and "*" in hosts:
        return NotYet(
            f"{what}: {foreign}; ALLOWED_HOSTS is {hosts}, so the origin validator accepts "
            "every site",
            expected=expected,
            look_at=harness.project.setting("ALLOWED_HOSTS"),
            todo='list your hosts in ALLOWED_HOSTS instead of "*"',
        )
    if not foreign.greeted:
        todo = "check the origin first, before the middleware that reads tokens answers"
    elif validated:
        todo = "check which origins the validator allows, and that every socket goes through it"
    else:
        todo = "wrap the websocket router in AllowedHostsOriginValidator"
    return NotYet(
        f"{what}: {foreign}",
        expected=expected,
        look_at=_asgi_place(harness),
        todo=todo,
    )


@item("asgi.refuses-unknown-path", needs=["asgi.greets"], handshake=True)
def unknown_path_is_refused(harness: Harness) -> None:
    """An unknown socket path is refused in the handshake, and the server keeps running."""
    server = daphne(harness)
    alice = signed_up(harness, server, "alice")
    for path in ("/ws/no-such-thing/", f"{SOCKET_PATH}anything"):
        with server.socket(alice.access, path=path) as socket:
            socket.receive(patience=2)
        if socket.refused not in (403, 404):
            raise _unknown_path_news(harness, socket, path)
    with server.socket(alice.access) as socket:
        if not socket.opened:
            raise NotYet(f"after that, {SOCKET_PATH}: {socket}", expected="accepted")


def _unknown_path_news(harness: Harness, socket: Socket, path: str) -> NotYet:
    """An address that the project does not have was not refused as it should be."""
    error, _ = daphne(harness).error_of(socket)
    if socket.opened:
        todo = "a pattern matches this path too: begin it with ^ and end it with $"
    else:
        todo = 'add a last pattern that refuses the rest: re_path(r"", WebsocketDenier.as_asgi())'
    return NotYet(
        f"{path}: {socket}" + (f"\nthe server's error: {error}" if error else ""),
        expected="the handshake is refused with HTTP 403 or 404, without an error",
        look_at=place_of_routes(harness.project) or _asgi_place(harness),
        todo=todo,
    )


@item("asgi.runserver", needs=["asgi.greets"], apart=True)
def runserver_greets_too(harness: Harness) -> None:
    """`manage.py runserver` prints ASGI/Daphne, and greets a client with a valid token as well."""
    log = runserver(harness).process.log()
    if "Starting ASGI" not in log:
        said = re.search(r"^Starting .*", log, re.MULTILINE)
        place = harness.project.text_in_settings("daphne")
        raise NotYet(
            f"runserver says: {said[0] if said else log}",
            expected="Starting ASGI/Daphne ... development server",
            look_at=place or harness.project.setting("INSTALLED_APPS"),
            todo='move "daphne" above "django.contrib.staticfiles", whose runserver came first'
            if place
            else 'put "daphne" first in INSTALLED_APPS: it replaces the runserver command',
        )
    known, server = daphne(harness), runserver(harness)
    server.way = known.way
    if known.origin in known.front_ends:
        server.origin = known.origin
    greet(harness, server)


@item("asgi.demo-page", needs=["asgi.runserver"], manual=True)
def demo_page_comes_back(harness: Harness) -> None:
    """The demo page shows a message without a reload, and connects again after a restart."""
    server = runserver(harness)
    page = server.ask("GET", DEMO_PATH)
    if page.status == 404:
        raise LeftOut(
            f"this project has no page {DEMO_PATH}: try the same with its own front end"
        )
    script = _script_of(server, str(need(page, 200).body))
    if "WebSocket" not in script and not _FROM_ELSEWHERE.search(script):
        template = next(harness.project.backend.rglob("demo.html"), None)
        raise NotYet(
            f"the page {DEMO_PATH} never mentions WebSocket",
            expected="a script that opens a socket once somebody has signed in",
            look_at=Place(harness.project.relative(template)) if template else None,
            todo="add listen() and the line that calls it, Change 1",
        )
    raise LeftOut(_HOW_TO_SEE_IT)


def _script_of(server: Server, page: str) -> str:
    """A page together with the scripts of the same server that it names."""
    texts = [page]
    for path in _SCRIPT.findall(page):
        if "//" not in path:
            texts.append(str(server.ask("GET", urljoin(DEMO_PATH, path)).body))
    return "\n".join(texts)


def _asgi_file(harness: Harness) -> Path:
    module = harness.project.asgi.partition(":")[0]
    return harness.project.backend.joinpath(*module.split(".")).with_suffix(".py")


def _asgi_place(harness: Harness) -> Place:
    return Place(harness.project.relative(_asgi_file(harness)), symbol="application")


def _facts(harness: Harness) -> dict:
    return harness.facts_of(daphne(harness).process) or {}

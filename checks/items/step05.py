"""Step 5: one ASGI application answers HTTP and WebSockets."""

from __future__ import annotations

import re
from pathlib import Path

from checks.errors import Blocked, NotYet, Place
from checks.explain import first_early_import
from checks.harness.harness import Harness
from checks.harness.people import expired, forged, signed_up
from checks.harness.servers import Server, daphne, need, runserver
from checks.items import Checklist
from course.contract import NOT_AUTHENTICATED, SOCKET_PATH, TOKEN_WAYS, is_greeting

checklist = Checklist(
    5,
    prefetch=[
        lambda harness: daphne(harness),
        lambda harness: harness.database(),
        lambda harness: runserver(harness),
    ],
)
item = checklist.item

_ASGI = "backend/numeneon/asgi.py"
_APPLICATION = "backend/numeneon/asgi.py::application"
_NOT_SET_UP = re.compile(r"AppRegistryNotReady|settings are not configured|SynchronousOnly")


@item("asgi.order")
def imports_come_after_setup(harness: Harness) -> None:
    """Whatever needs models is imported after Django is set up."""
    log = _import_error(harness)
    if log is None:
        return
    if not _NOT_SET_UP.search(log):
        raise Blocked("asgi.imports")
    file = harness.project.relative(_asgi_file(harness))
    early = first_early_import(_asgi_file(harness))
    raise NotYet(
        f"importing {harness.project.asgi} in a fresh process stopped: {log}",
        expected="os.environ.setdefault(), then get_asgi_application(), then the other imports",
        look_at=Place(file, early.line, early.text) if early else harness.place_in(log),
        todo="move that import below the line that calls get_asgi_application(); "
        "a formatter that sorts imports will move it back, so tell it to leave this file alone",
    )


@item("asgi.imports")
def asgi_imports_in_a_fresh_process(harness: Harness) -> None:
    """`daphne` can import the ASGI application in a process of its own."""
    log = _import_error(harness)
    if log and _NOT_SET_UP.search(log):
        raise Blocked("asgi.order")
    daphne(harness)  # it imports the application before it listens


def _import_error(harness: Harness) -> str | None:
    """What the process that imported asgi.py printed, if that is how it died."""
    try:
        daphne(harness)
    except NotYet as error:
        return error.found
    return None


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
    """A valid token connects under `daphne` and gets connection_established."""
    greet(harness, daphne(harness))


def greet(harness: Harness, server: Server) -> None:
    """Connect as alice by whichever way the project takes a token, and expect the greeting."""
    alice = signed_up(harness, server, "alice")
    seen = []
    for way in TOKEN_WAYS:
        with server.socket(alice.access, way=way) as socket:
            frame = socket.receive() if socket.opened else None
            if is_greeting(frame, alice.id):
                if socket.offered and socket.subprotocol not in socket.offered:
                    raise NotYet(
                        "the server greeted alice but chose none of the subprotocols offered",
                        expected='accept(subprotocol="access_token"): a browser gives up '
                        "when its offer is not taken",
                    )
                server.way = way
                return
            seen.append(f"token by {way}: {socket}")
    if error := server.last_error():
        seen.append(f"the server's last error: {error}")
    raise NotYet(
        "\n".join(seen),
        expected='first frame {"type": "connection_established", "message": "Connected as '
        f'alice", "user_id": {alice.id}}}',
        look_at=harness.place_in(server.process.log()) or _asgi_place(harness),
    )


def refuse(harness: Harness, token: str | None, who: str) -> None:
    """Connect with that token and expect an accepted socket that is closed with 4401."""
    with daphne(harness).socket(token) as socket:
        while (frame := socket.receive(patience=5)) is not None and not is_greeting(frame):
            pass
        if socket.close_code != NOT_AUTHENTICATED:
            raise NotYet(
                f"{who}: {socket}",
                expected="accepted and closed with 4401, without a greeting: a close before "
                "accept() reaches a browser as a bare 1006",
                look_at=harness.place_in(daphne(harness).process.log()),
                todo="find out what this client is in scope['user'], and what connect() does "
                "with somebody who is not authenticated",
            )


@item("asgi.refuses-no-token", needs=["asgi.greets"], close_codes=[NOT_AUTHENTICATED])
def no_token_is_refused(harness: Harness) -> None:
    """A client without a token gets no greeting and is told 4401."""
    refuse(harness, None, "without a token")


@item("asgi.refuses-bad-token", needs=["asgi.greets"], close_codes=[NOT_AUTHENTICATED])
def bad_token_is_refused(harness: Harness) -> None:
    """A token with a wrong signature gets no greeting and is told 4401."""
    alice = signed_up(harness, daphne(harness), "alice")
    facts = _facts(harness)
    key = "another-key-than-the-server-has-0123456789"
    refuse(harness, forged(alice, facts, key=key), "with a token signed by somebody else")
    refuse(harness, "not-a-token", "with the token `not-a-token`")


@item("asgi.refuses-expired-token", needs=["asgi.greets"], close_codes=[NOT_AUTHENTICATED])
def expired_token_is_refused(harness: Harness) -> None:
    """A token that has expired gets no greeting and is told 4401."""
    alice = signed_up(harness, daphne(harness), "alice")
    refuse(harness, expired(alice, _facts(harness)), "with an expired token")


@item("asgi.refuses-foreign-origin", needs=["asgi.greets"], handshake=True)
def foreign_origin_is_refused(harness: Harness) -> None:
    """A page of another site is refused in the handshake, a page of this one is accepted."""
    alice = signed_up(harness, daphne(harness), "alice")
    with daphne(harness).socket(alice.access) as own:
        if not own.opened:
            raise NotYet(f"from the server's own origin: {own}", expected="accepted")
    for origin in ("https://evil.example", "http://127.0.0.1.evil.example"):
        with daphne(harness).socket(alice.access, origin=origin) as foreign:
            if foreign.refused not in (403, 404):
                foreign.receive(patience=2)
                raise NotYet(
                    f"with Origin {origin}: {foreign}",
                    expected="the handshake is refused with HTTP 403",
                    look_at=_asgi_place(harness),
                    todo="wrap the websocket router in AllowedHostsOriginValidator",
                )


@item("asgi.refuses-unknown-path", needs=["asgi.greets"], handshake=True)
def unknown_path_is_refused(harness: Harness) -> None:
    """An unknown socket path is refused in the handshake, and the server lives on."""
    alice = signed_up(harness, daphne(harness), "alice")
    with daphne(harness).socket(alice.access, path="/ws/no-such-thing/") as socket:
        if socket.refused is None:
            socket.receive(patience=2)
            raise NotYet(
                f"/ws/no-such-thing/: {socket}",
                expected="the handshake is refused with HTTP 403 or 404",
            )
        if socket.refused >= 500:
            raise NotYet(
                f"/ws/no-such-thing/: {socket}; {daphne(harness).last_error()}",
                expected="the handshake is refused with HTTP 403 or 404, without an error",
                look_at=_asgi_place(harness),
            )
    with daphne(harness).socket(alice.access, path=SOCKET_PATH) as socket:
        if not socket.opened:
            raise NotYet(f"after that, {SOCKET_PATH}: {socket}", expected="accepted")


@item("asgi.runserver", needs=["asgi.greets"])
def runserver_greets_too(harness: Harness) -> None:
    """`manage.py runserver` says ASGI/Daphne, and a valid token is greeted there as well."""
    log = runserver(harness).process.log()
    if "Starting ASGI" not in log:
        said = re.search(r"^Starting .*", log, re.MULTILINE)
        raise NotYet(
            f"runserver says: {said[0] if said else log}",
            expected="Starting ASGI/Daphne ... development server",
            look_at=Place(
                harness.project.relative(harness.project.settings_file),
                symbol="INSTALLED_APPS",
            ),
            todo='put "daphne" first in INSTALLED_APPS: it replaces the runserver command',
        )
    greet(harness, runserver(harness))


def _asgi_file(harness: Harness) -> Path:
    module = harness.project.asgi.partition(":")[0]
    return harness.project.backend.joinpath(*module.split(".")).with_suffix(".py")


def _asgi_place(harness: Harness) -> Place:
    return Place(harness.project.relative(_asgi_file(harness)), symbol="application")


def _facts(harness: Harness) -> dict:
    return harness.facts_of(daphne(harness).process) or {}

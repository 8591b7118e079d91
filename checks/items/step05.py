"""Step 5: one ASGI application answers HTTP and WebSockets."""

from __future__ import annotations

import re
from pathlib import Path

from checks.bench import SOCKET_PATH, Bench, Server, expired, forged
from checks.errors import Blocked, NotYet, Place
from checks.explain import first_early_import
from checks.items import Checklist, Hints

checklist = Checklist(
    5,
    early=[
        lambda bench: bench.daphne,
        lambda bench: bench.database,
        lambda bench: bench.runserver,
    ],
)
item = checklist.item

_ASGI = "backend/numeneon/asgi.py"
_APPLICATION = "backend/numeneon/asgi.py::application"
_NOT_SET_UP = re.compile(r"AppRegistryNotReady|settings are not configured|SynchronousOnly")


@item(
    "asgi.order",
    docs="change-1",
    hints=Hints(
        think="A model can be imported once Django is set up. Which line sets it up?",
        look="The first import in asgi.py that leads to a model, and the line with "
        "get_asgi_application().",
        code=_ASGI,
    ),
)
def imports_come_after_setup(bench: Bench) -> None:
    """Whatever needs models is imported after Django is set up."""
    log = _import_error(bench)
    if log is None:
        return
    if not _NOT_SET_UP.search(log):
        raise Blocked("asgi.imports")
    file = bench.project.relative(_asgi_file(bench))
    early = first_early_import(_asgi_file(bench))
    raise NotYet(
        f"importing {bench.project.asgi} in a fresh process stopped: {log}",
        expected="os.environ.setdefault(), then get_asgi_application(), then the other imports",
        look_at=Place(file, early.line, early.text) if early else bench.place_in(log),
        todo="move that import below the line that calls get_asgi_application(); "
        "a formatter that sorts imports will move it back, so tell it to leave this file alone",
    )


@item(
    "asgi.imports",
    docs="change-1",
    hints=Hints(
        think="Which name could not be imported, and from which file?",
        look="The last line of the traceback that names a file of yours.",
        code=_ASGI,
    ),
)
def asgi_imports_in_a_fresh_process(bench: Bench) -> None:
    """`daphne` can import the ASGI application in a process of its own."""
    log = _import_error(bench)
    if log and _NOT_SET_UP.search(log):
        raise Blocked("asgi.order")
    bench.daphne  # noqa: B018 - it imports the application before it listens


def _import_error(bench: Bench) -> str | None:
    """What the process that imported asgi.py printed, if that is how it died."""
    try:
        bench.daphne  # noqa: B018
    except NotYet as error:
        return error.found
    return None


@item(
    "asgi.http",
    docs="run",
    needs=["asgi.imports"],
    hints=Hints(
        think="ProtocolTypeRouter sends each kind of connection somewhere. Where does http go?",
        look='The "http" entry of the ProtocolTypeRouter.',
        code=_APPLICATION,
    ),
)
def http_still_answers(bench: Bench) -> None:
    """The REST API answers through the ASGI application as before."""
    alice = bench.person(bench.daphne, "alice")
    me = bench.need(bench.daphne.ask("GET", "/api/auth/me/", token=alice.access), 200)
    if me.get("username") != "alice":
        raise NotYet(str(me), expected="alice's own data")
    bench.need(bench.daphne.ask("GET", "/api/auth/me/"), 401)


@item(
    "asgi.greets",
    docs="check",
    needs=["asgi.http"],
    hints=Hints(
        think="Follow the handshake: router, origin, middleware, URL, consumer. How far does "
        "it get?",
        look='The "websocket" entry of the ProtocolTypeRouter and websocket_urlpatterns.',
        code=_APPLICATION,
    ),
)
def valid_token_is_greeted(bench: Bench) -> None:
    """A valid token connects under `daphne` and gets connection_established."""
    greet(bench, bench.daphne)


def greet(bench: Bench, server: Server) -> None:
    """Connect as alice by whichever way the project takes a token, and expect the greeting."""
    alice = bench.person(server, "alice")
    seen = []
    for way in ("subprotocol", "query"):
        with server.socket(alice.access, way=way) as socket:
            frame = socket.receive() if socket.opened else None
            if _is_greeting(frame, alice.id):
                if socket.offered and socket.subprotocol not in socket.offered:
                    raise NotYet(
                        "the server greeted alice but chose none of the subprotocols offered",
                        expected='accept(subprotocol="access_token"): a browser gives up '
                        "when its offer is not taken",
                    )
                server.way = way
                return
            seen.append(f"token by {way}: {socket}")
    if error := bench.last_error(server):
        seen.append(f"the server's last error: {error}")
    raise NotYet(
        "\n".join(seen),
        expected='first frame {"type": "connection_established", "message": "Connected as '
        f'alice", "user_id": {alice.id}}}',
        look_at=bench.place_in(server.process.log()) or _asgi_place(bench),
    )


def _is_greeting(frame: object, user_id: int) -> bool:
    return (
        isinstance(frame, dict)
        and frame.get("type") == "connection_established"
        and frame.get("user_id") == user_id
    )


def refuse(bench: Bench, token: str | None, who: str) -> None:
    """Connect with that token and expect an accepted socket that is closed with 4401."""
    with bench.daphne.socket(token) as socket:
        while (frame := socket.receive(patience=5)) is not None and not _greets(frame):
            pass
        if socket.close_code != 4401:
            raise NotYet(
                f"{who}: {socket}",
                expected="accepted and closed with 4401, without a greeting: a close before "
                "accept() reaches a browser as a bare 1006",
                look_at=bench.place_in(bench.daphne.process.log()),
                todo="find out what this client is in scope['user'], and what connect() does "
                "with somebody who is not authenticated",
            )


def _greets(frame: object) -> bool:
    return isinstance(frame, dict) and frame.get("type") == "connection_established"


@item(
    "asgi.refuses-no-token",
    docs="check",
    needs=["asgi.greets"],
    hints=Hints(
        think="Who is in scope['user'] when nobody sent a token?",
        look="Whether JWTAuthMiddleware wraps the router, and what the consumer does first.",
        code=_APPLICATION,
    ),
)
def no_token_is_refused(bench: Bench) -> None:
    """A client without a token gets no greeting and is told 4401."""
    refuse(bench, None, "without a token")


@item(
    "asgi.refuses-bad-token",
    docs="check",
    needs=["asgi.greets"],
    hints=Hints(
        think="Anyone can write a token. What makes one yours?",
        look="The function that turns a token into a user: it must check the signature.",
        code="backend/notifications/middleware.py",
    ),
)
def bad_token_is_refused(bench: Bench) -> None:
    """A token with a wrong signature gets no greeting and is told 4401."""
    alice = bench.person(bench.daphne, "alice")
    facts = _facts(bench)
    key = "another-key-than-the-server-has-0123456789"
    refuse(bench, forged(alice, facts, key=key), "with a token signed by somebody else")
    refuse(bench, "not-a-token", "with the token `not-a-token`")


@item(
    "asgi.refuses-expired-token",
    docs="check",
    needs=["asgi.greets"],
    hints=Hints(
        think="A token that ended an hour ago has a good signature. Who looks at its end?",
        look="The function that turns a token into a user: it must let the library verify.",
        code="backend/notifications/middleware.py",
    ),
)
def expired_token_is_refused(bench: Bench) -> None:
    """A token that has expired gets no greeting and is told 4401."""
    alice = bench.person(bench.daphne, "alice")
    refuse(bench, expired(alice, _facts(bench)), "with an expired token")


@item(
    "asgi.refuses-foreign-origin",
    docs="check",
    needs=["asgi.greets"],
    hints=Hints(
        think="CORS does not apply to WebSockets. What tells a page of yours from another's?",
        look="The wrapper around the websocket router that compares the Origin header.",
        code=_APPLICATION,
    ),
)
def foreign_origin_is_refused(bench: Bench) -> None:
    """A page of another site is refused in the handshake, a page of this one is accepted."""
    alice = bench.person(bench.daphne, "alice")
    with bench.daphne.socket(alice.access) as own:
        if not own.opened:
            raise NotYet(f"from the server's own origin: {own}", expected="accepted")
    for origin in ("https://evil.example", "http://127.0.0.1.evil.example"):
        with bench.daphne.socket(alice.access, origin=origin) as foreign:
            if foreign.refused not in (403, 404):
                foreign.receive(patience=2)
                raise NotYet(
                    f"with Origin {origin}: {foreign}",
                    expected="the handshake is refused with HTTP 403",
                    look_at=_asgi_place(bench),
                    todo="wrap the websocket router in AllowedHostsOriginValidator",
                )


@item(
    "asgi.refuses-unknown-path",
    docs="check",
    needs=["asgi.greets"],
    hints=Hints(
        think="What happens to a path that no pattern matches?",
        look="websocket_urlpatterns: the last pattern may catch what the others left.",
        code="backend/notifications/routing.py",
    ),
)
def unknown_path_is_refused(bench: Bench) -> None:
    """An unknown socket path is refused in the handshake, and the server lives on."""
    alice = bench.person(bench.daphne, "alice")
    with bench.daphne.socket(alice.access, path="/ws/no-such-thing/") as socket:
        if socket.refused is None:
            socket.receive(patience=2)
            raise NotYet(
                f"/ws/no-such-thing/: {socket}",
                expected="the handshake is refused with HTTP 403 or 404",
            )
        if socket.refused >= 500:
            raise NotYet(
                f"/ws/no-such-thing/: {socket}; {bench.last_error(bench.daphne)}",
                expected="the handshake is refused with HTTP 403 or 404, without an error",
                look_at=_asgi_place(bench),
            )
    with bench.daphne.socket(alice.access, path=SOCKET_PATH) as socket:
        if not socket.opened:
            raise NotYet(f"after that, {SOCKET_PATH}: {socket}", expected="accepted")


@item(
    "asgi.runserver",
    docs="run",
    needs=["asgi.greets"],
    hints=Hints(
        think="Which server did runserver start? Its first lines say so.",
        look="INSTALLED_APPS: daphne comes first, before django.contrib.staticfiles.",
        code="backend/numeneon/settings.py::INSTALLED_APPS",
    ),
)
def runserver_greets_too(bench: Bench) -> None:
    """`manage.py runserver` says ASGI/Daphne, and a valid token is greeted there as well."""
    log = bench.runserver.process.log()
    if "Starting ASGI" not in log:
        said = re.search(r"^Starting .*", log, re.MULTILINE)
        raise NotYet(
            f"runserver says: {said[0] if said else log}",
            expected="Starting ASGI/Daphne ... development server",
            look_at=Place(
                bench.project.relative(bench.project.settings_file), symbol="INSTALLED_APPS"
            ),
            todo='put "daphne" first in INSTALLED_APPS: it replaces the runserver command',
        )
    greet(bench, bench.runserver)


def _asgi_file(bench: Bench) -> Path:
    module = bench.project.asgi.partition(":")[0]
    return bench.project.backend.joinpath(*module.split(".")).with_suffix(".py")


def _asgi_place(bench: Bench) -> Place:
    return Place(bench.project.relative(_asgi_file(bench)), symbol="application")


def _facts(bench: Bench) -> dict:
    return bench.facts_of(bench.daphne.process) or {}

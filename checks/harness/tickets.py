"""Tickets for sockets: requested over HTTP, offered in a handshake."""

from __future__ import annotations

import json
from typing import Any

from checks.errors import NotYet
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.servers import LOCAL, Server, need, serve
from checks.harness.together import Gate
from course.contract import TICKET_PATH, TICKET_SUBPROTOCOL, is_greeting

# Sites that ALLOWED_ORIGINS names besides the project's own.
OTHER_SITES = ("https://app.example", "http://partner.example:8443")
# Where browsers find the processes, whichever of them gets a connection.
_PORT = 8000
# How long a refusal may take. Seconds.
_REFUSAL = 3.0

Pair = tuple[Server, Server]


_DAPHNE = ["-m", "daphne", "-b", LOCAL, "-p", "{port}", "{asgi}"]
_UVICORN = ["-m", "uvicorn", "{asgi}", "--host", LOCAL, "--port", "{port}"]
_UVICORN += ["--lifespan", "off"]


def daphne(harness: Harness, which: str = "", **plan: Any) -> Server:
    """One of the pair's processes."""
    return _one_of(harness, f"daphne{which}", _DAPHNE, plan)


def uvicorn(harness: Harness, which: str = "", **plan: Any) -> Server:
    """The other one; a second daphne for a project that is deployed without uvicorn."""
    try:
        return _one_of(harness, f"uvicorn{which}", _UVICORN, dict(plan))
    except NotYet as news:
        if "No module named" not in news.found or "uvicorn" not in news.found:
            raise
    return _one_of(harness, f"another daphne{which}", _DAPHNE, dict(plan))


def pair(harness: Harness, which: str = "", **plan: Any) -> Pair:
    """Two servers with one database and behind one address, as processes behind a proxy.

    Their environment is made by that plan (see Harness.env), which `which` names.
    """
    servers = daphne(harness, which, **plan), uvicorn(harness, which, **plan)
    harness.database()
    return servers


def _one_of(harness: Harness, name: str, argv: list[str], plan: dict[str, Any]) -> Server:
    def start() -> Server:
        variables = {"ALLOWED_ORIGINS": ",".join(OTHER_SITES), **plan.pop("variables", {})}
        middleware = ["check_tickets.controlled"]
        env = harness.env(caches=True, middleware=middleware, variables=variables, **plan)
        named = [part.replace("{asgi}", harness.project.asgi) for part in argv]
        server = serve(harness, name, named, env)
        address = f"{server.host}:{_PORT}"
        server.proxy_headers, server.origin = {"Host": address}, f"http://{address}"
        return server

    return harness.once(f"{name} of a pair", start)


def control(servers: Pair, **settings: Any) -> None:
    """Tell both servers what happens to their tickets (see probes/check_tickets)."""
    for server in servers:
        headers = {"X-Check-Control": json.dumps(settings)}
        need(server.ask("POST", TICKET_PATH, headers=headers), 204)


def ticket_for(server: Server, person: Person, *, origin: str | None = "") -> str:
    """A new ticket, requested by a page of that origin; raises NotYet if there is none."""
    headers = {"Origin": server.origin if origin == "" else origin}
    sent = {name: value for name, value in headers.items() if value}
    answer = server.ask("POST", TICKET_PATH, token=person.access, headers=sent)
    ticket = need(answer, 201).get("ticket")
    if not isinstance(ticket, str):
        raise NotYet(str(answer), expected='{"ticket": "...", "expires_in": 30}')
    return ticket


def offer(
    server: Server, ticket: str, *, origin: str | None = "", gate: Gate | None = None
) -> Socket:
    """A socket that was opened with that ticket, or its refusal."""
    offered = [TICKET_SUBPROTOCOL, ticket]
    return server.socket(None, subprotocols=offered, origin=origin, gate=gate)


def greeted(
    server: Server, ticket: str, person: Person, *, origin: str | None = ""
) -> Socket:
    """The socket that a good ticket opens, past its greeting. The caller closes it."""
    socket = offer(server, ticket, origin=origin)
    if is_greeting(socket.receive(), person.id):
        return socket
    socket.close()
    error, place = server.error_of(socket)
    raise NotYet(
        f"{server.name}: with a ticket of {person.username}'s, just requested by a page of "
        f"{origin or server.origin}: {socket}"
        + (f"\nthe server's error: {error}" if error else ""),
        expected=f"a socket of {person.username}'s: the greeting has user_id {person.id}",
        look_at=place,
    )


def expect_refusal(socket: Socket, what: str, **news: Any) -> Socket:
    """No greeting comes, and the socket does not stay open; `news` goes into the NotYet."""
    with socket:
        socket.until_closed(_REFUSAL)
    if socket.greeted or (socket.opened and socket.close_code is None):
        news.setdefault("expected", "no greeting, and the socket is refused or closed")
        raise NotYet(f"{what}: {socket}", **news)
    return socket

"""The pages over HTTP: which port and host they have, who may read them, what is said."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import socket
from collections.abc import Mapping

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from workshop.home import Home
from workshop.pages.static import Site, StaticResponse

LOOPBACK = "127.0.0.1"
SOCKET_PATH = "/live"
# For those who come by the name under which an editor in a browser passes the port on.
OTHER_NAME = """This address is not served here, or a page of another site could read what is.

The pages are served at http://localhost: and http://127.0.0.1: only, and with --host also at
the address of this machine. If an editor in your browser has forwarded the port under a name
of its own, open the project in the editor on your own machine: it forwards to localhost. Or do
without the pages: `python3 tutorial.py check` prints the same in a terminal."""


def answer(site: Site, bound: str, request: Request) -> Response | None:
    """The response to a request, on a server that listens at `bound`.

    None lets it open a socket, which only a page that came from here may.
    """
    headers = {name.title(): value for name, value in request.headers.raw_items()}
    host = headers.get("Host", "")
    if not knows_host(bound, host):
        return refusal(403, OTHER_NAME)
    if request.path.partition("?")[0] != SOCKET_PATH:
        if request.method not in {"GET", "HEAD"}:
            return refusal(405, "Pages can only be read.")
        return response(site.answer(request.path, headers), request.method)
    if headers.get("Origin") != f"http://{host}":
        return refusal(403, "Only pages from here may connect.")
    return None


def address_of(host: str, port: int) -> str:
    """The address of a server, for a browser."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def network_name(bound: str) -> str:
    """Under which name other machines reach a server that listens at `bound`."""
    with contextlib.suppress(ValueError):
        if not ipaddress.ip_address(bound).is_unspecified:
            return bound
        family = socket.AF_INET6 if ":" in bound else socket.AF_INET
        # Addresses for documentation: connecting a datagram socket sends nothing, but makes
        # the system choose the address that it would send from.
        target = "2001:db8::1" if ":" in bound else "192.0.2.1"
        with (
            contextlib.suppress(OSError),
            socket.socket(family, socket.SOCK_DGRAM) as probe,
        ):
            probe.connect((target, 9))
            return str(probe.getsockname()[0])
        return socket.gethostname()
    return bound


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which nobody else can reach."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found).is_loopback
    return False


def knows_host(bound: str, header: str) -> bool:
    """Whether a Host header is one that leads here.

    A web page elsewhere can point a name of its own at 127.0.0.1, and would then count as
    being of the same origin; so names that are not ours are refused.
    """
    name = re.sub(r":\d+$", "", header).strip("[]").lower()
    if name == "localhost" or is_loopback(name):
        return True
    if is_loopback(bound):
        return False
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    own = socket.gethostname().lower()
    return name in {own, f"{own}.local", bound.lower()}


def response(answer: StaticResponse, method: str) -> Response:
    """An answer in the form that the server library sends."""
    headers = Headers({**answer.headers, "Connection": "close"})
    if answer.status != 304:
        headers["Content-Length"] = str(len(answer.body))
    body = b"" if method == "HEAD" else answer.body
    return Response(answer.status, REASONS[answer.status], headers, body)


def refusal(status: int, text: str) -> Response:
    """A refusal in one sentence."""
    plain: Mapping[str, str] = {"Content-Type": "text/plain; charset=utf-8"}
    return response(StaticResponse(status, dict(plain), f"{text}\n".encode()), "GET")


REASONS = {
    200: "OK",
    301: "Moved Permanently",
    304: "Not Modified",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


def error_log(home: Home) -> logging.Logger:
    """Where the server's own errors go: a file, so that none lands on the terminal."""
    log = logging.getLogger("workshop.live")
    log.propagate = False
    log.setLevel(logging.ERROR)
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    home.state.mkdir(parents=True, exist_ok=True)
    log.addHandler(logging.FileHandler(home.state / "live.log", delay=True))
    return log

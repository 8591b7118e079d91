"""Step 15: every server, a client for any server, HTTP/2, and what works without WebSockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from checks import requirements
from checks.browser import app as pages
from checks.browser.app import App
from checks.errors import LeftOut, NotYet, Place
from checks.harness import servers
from checks.harness.client import Socket, shorten
from checks.harness.harness import Harness
from checks.harness.operations import place_of, staff
from checks.harness.people import Person, altered, signed_up
from checks.harness.rewriter import rewriting
from checks.harness.servers import LOCAL, Server, need, serve
from checks.harness.services import redis_url
from checks.harness.stage import whole_stage_of
from checks.harness.streams import Event, Stream, stream
from checks.harness.tls import PAGE, secure_server
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from course import processes
from course.contract import (
    ANNOUNCEMENTS_PATH,
    CLIENT_PATH,
    GREETING,
    HEALTH_PATH,
    RESUMED,
    SOCKET_PATH,
    STREAM_PATH,
    TICKET_PATH,
    is_greeting,
)
from course.deadline import patient
from course.processes import Process, free_port

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: _runasgi(harness),
        lambda harness: harness.database(),
        lambda harness: _pair(harness, _runasgi(harness)),
    ],
    starts_runserver=True,
)
item = checklist.item

_COMMAND = "backend/server/management/commands/runasgi.py"
_CLIENT = "backend/test_websockets.py"
_COMPARISON = "backend/compare_http.py"
# What a program may take to end, and a socket to be closed. Seconds.
_SOON = patient(8)
_ELSEWHERE = "https://elsewhere.example"
_STATIC = re.compile(r"""(?:href|src)=["'](/static/[^"'?#]+)""")

# How long an event may take in a stream. Less than half a heartbeat of 30 s, after which each
# stream looks into the database anyway. Seconds.
_POLLED = min(patient(8), 12)
# How many streams a user may have, and how long a page may take on a clock of its own.
_FEWEST_STREAMS, _MOST_STREAMS = 8, 12
_ROUNDS = 20
_IS_OPEN = 'document.getElementById("connection").dataset.state === "open"'
_READS = f"numeneonWatch.streams === 1 && numeneonWatch.sockets === 0 && {_IS_OPEN}"
_HAS_SOCKET = f"numeneonWatch.streams === 0 && numeneonWatch.sockets === 1 && {_IS_OPEN}"


# Part 1: which server?


def _runasgi(harness: Harness) -> Server:
    """`python manage.py runasgi --interface=asgi`, which most items share."""
    argv = ["manage.py", "runasgi", "--interface=asgi", "--port", "{port}"]
    return _served(harness, "runasgi --interface=asgi", argv)


def _plain_runasgi(harness: Harness) -> Server:
    """`python manage.py runasgi`, which one item ends."""
    return _served(harness, "runasgi", ["manage.py", "runasgi", "--port", "{port}"])


def _reloading(harness: Harness) -> Server:
    """`uvicorn project.asgi:application --reload`."""
    argv = ["-m", "uvicorn", harness.project.asgi, "--reload", "--port", "{port}"]
    return _served(harness, "uvicorn --reload", argv)


def _served(harness: Harness, name: str, argv: list[str]) -> Server:
    return harness.once(name, lambda: serve(harness, name, argv, harness.env(caches=True)))


def _pair(harness: Harness, server: Server) -> tuple[Person, Person]:
    """Alice, who writes, and bob, who has a socket."""
    return signed_up(harness, server, "alice"), signed_up(harness, server, "bob")


@contextmanager
def _greeted(harness: Harness, server: Server) -> Iterator[Socket]:
    """A socket of bob's, which has been greeted."""
    _, bob = _pair(harness, server)
    with server.socket(bob.access, way="header") as socket:
        frame = socket.receive() if socket.opened else None
        if not is_greeting(frame, bob.id):
            error, place = server.error_of(socket)
            raise NotYet(
                f"{server.name}: {socket}{f'; its error: {error}' if error else ''}",
                expected=f"a socket at {SOCKET_PATH} is greeted under {server.name}",
                look_at=place,
            )
        yield socket


def _carries_an_event(harness: Harness, server: Server) -> None:
    """A message that alice sends over HTTP arrives in bob's socket."""
    with _greeted(harness, server) as socket:
        _write(harness, server)
        if socket.event("new_message") is None:
            raise NotYet(
                f"{server.name}: alice has written to bob, and his socket got {socket}",
                expected="a new_message event",
            )


def _write(harness: Harness, server: Server) -> None:
    alice, bob = _pair(harness, server)
    body = {"receiver_id": bob.id, "content": "Which server is this?"}
    need(server.ask("POST", "/api/messages/", body=body, token=alice.access), 201)


@item("servers.runserver")
def runserver_carries_events(harness: Harness) -> None:
    """Under `python manage.py runserver` an event arrives in a socket."""
    _carries_an_event(harness, servers.runserver(harness))


@item("servers.daphne", needs=["servers.runserver"])
def daphne_carries_events(harness: Harness) -> None:
    """Under `daphne numeneon.asgi:application` an event arrives in a socket."""
    _carries_an_event(harness, servers.daphne(harness))


@item("servers.uvicorn", needs=["servers.runserver"])
def uvicorn_carries_events(harness: Harness) -> None:
    """Under `uvicorn numeneon.asgi:application --reload` an event arrives in a socket."""
    _carries_an_event(harness, _reloading(harness))


@item("servers.static", needs=["servers.uvicorn"])
def page_has_its_files_everywhere(harness: Harness) -> None:
    """`/app/` gets its style sheet and its scripts from uvicorn too, while DEBUG is on."""
    server = _reloading(harness)
    page = need(server.ask("GET", CLIENT_PATH, headers={"Accept": "text/html"}), 200)
    for path in _STATIC.findall(str(page.body)):
        answer = server.ask("GET", path)
        if answer.status != 200:
            raise NotYet(
                f"under uvicorn, GET {path} answers {answer.status}",
                expected="files of staticfiles are served with DEBUG on, whatever the server",
                look_at=Place("backend/numeneon/urls.py"),
                todo="only runserver serves them by itself: staticfiles_urlpatterns() leads "
                "to them in urls.py",
            )


@item("servers.runasgi", needs=["servers.runserver"])
def runasgi_carries_events(harness: Harness) -> None:
    """Under `python manage.py runasgi` an event arrives in a socket."""
    _carries_an_event(harness, _plain_runasgi(harness))
    _expect_host(harness)


def _expect_host(harness: Harness) -> None:
    """It listens where it is told to, as on Render. No machine has this address (RFC 5737)."""
    port = free_port()
    argv = ["manage.py", "runasgi", "--host=192.0.2.1", "--port", str(port)]
    process = harness.start(argv, harness.env())
    listens = processes.listens(process, port)
    process.kill()
    if listens:
        raise NotYet(
            f"`{' '.join(argv[:3])}` listens at {LOCAL}",
            expected="it listens at the address that --host names: Render's is 0.0.0.0",
            look_at=Place(_COMMAND),
        )


@item("servers.interface", needs=["servers.runasgi"])
def interface_is_asgi(harness: Harness) -> None:
    """`runasgi --interface=asgi` starts the same server, and any other interface is refused."""
    _carries_an_event(harness, _runasgi(harness))
    _expect_refusal(harness, "--interface=wsgi", "asgi")


def _expect_refusal(harness: Harness, option: str, word: str) -> None:
    """The command has to end with an error that names what is possible, and no traceback."""
    port = free_port()
    argv = ["manage.py", "runasgi", option, "--port", str(port)]
    process = harness.start(argv, harness.env())
    processes.listens(process, port)  # until it does, or has ended
    status = process.exit_code
    process.kill()
    said = process.log(8)
    expected = f"`{' '.join(argv[:3])}` ends with an error that mentions {word}"
    if status is None:
        raise NotYet(
            f"it goes on to run; it printed:\n{said}",
            expected=expected,
            look_at=Place(_COMMAND),
        )
    if status == 0 or word not in said.lower() or "Traceback" in said:
        raise NotYet(
            f"it ended with status {status}, and printed:\n{said or '(nothing)'}",
            expected=expected,
            look_at=Place(_COMMAND),
            todo="raise CommandError with a sentence that says what to do",
        )


@item("runasgi.workers", needs=["servers.runasgi"])
def workers_need_redis(harness: Harness) -> None:
    """`runasgi --workers 2` is refused without Redis; with it, two processes share events."""
    _expect_refusal(harness, "--workers=2", "redis")
    env = harness.env(
        layer="project",
        caches=True,
        variables={"REDIS_URL": redis_url(harness.redis().port)},
    )
    argv = ["manage.py", "runasgi", "--workers=2", "--port", "{port}"]
    several = serve(harness, "runasgi --workers=2", argv, env)
    try:
        _carries_an_event(harness, several)
    finally:
        several.process.kill()


@item("runasgi.deflate", needs=["servers.interface"])
def sockets_are_not_compressed(harness: Harness) -> None:
    """Under `runasgi`, a client that offers compression gets a socket without it."""
    server = _runasgi(harness)
    _, bob = _pair(harness, server)
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    # Our client does not speak it, so it fails if the server has chosen it.
    with server.socket(bob.access, way="header", headers=offer) as socket:
        if not socket.opened and "extension" in socket.trouble:
            raise NotYet(
                "the handshake is answered with Sec-WebSocket-Extensions: permessage-deflate",
                expected="no extension: each compressed socket keeps its own memory for it",
                look_at=Place(_COMMAND),
                todo="ws_per_message_deflate=False",
            )
        if not socket.opened:
            raise NotYet(f"{server.name}: {socket}", expected="the socket opens")


@item("runasgi.ends", needs=["servers.runasgi"])
def sockets_are_told_to_come_back(harness: Harness) -> None:
    """After SIGTERM, `runasgi` soon closes its sockets with 1012 and ends."""
    server = _plain_runasgi(harness)
    with _greeted(harness, server) as socket:
        server.process.ask_to_end()
        code = socket.until_closed(_SOON)
    ended = server.process.wait(_SOON)
    if code != 1012 or ended is None:
        raise NotYet(
            f"after SIGTERM the socket ended with {code}, and the process "
            f"{'goes on' if ended is None else 'ended'}",
            expected="close code 1012, and the end of the process",
            look_at=Place(_COMMAND),
        )


# Part 2: a client for any server


def _tried(harness: Harness, port: int, *arguments: str) -> Process:
    """What `python test_websockets.py http://127.0.0.1:port ...` said to its end."""
    argv = ["test_websockets.py", f"http://{LOCAL}:{port}", *arguments]
    return harness.finish(argv, harness.env(), seconds=patient(60))


def _account(harness: Harness) -> tuple[str, ...]:
    """The options that name bob."""
    _, bob = _pair(harness, _runasgi(harness))
    return "--email", bob.email, "--password", bob.password


def _expect(process: Process, *, works: bool, what: str) -> str:
    """The output of a run that has to end with 0, or with 1 and words instead of a traceback."""
    said, status = process.log(), process.exit_code
    if "Traceback" in said or (status == 0) != works or not said.strip():
        raise NotYet(
            f"{what}: it ended with status {status}, and printed:\n{shorten(said, 900)}",
            expected=f"exit status {0 if works else 1}, and a line for what was tried",
            look_at=Place(_CLIENT),
        )
    return said


@item("client.works", needs=["servers.interface"])
def client_says_that_all_works(harness: Harness) -> None:
    """`test_websockets.py` exits with 0 if everything on the server works."""
    alice, _ = _pair(harness, _runasgi(harness))
    process = _tried(
        harness, _runasgi(harness).port, *_account(harness), "--sender", alice.email
    )
    said = _expect(process, works=True, what="every part of the server works")
    if len(said.splitlines()) < 5:
        raise NotYet(
            f"it printed {said!r}", expected="a line for each thing that was tried"
        )


@item("client.token", needs=["client.works"])
def client_prints_no_token(harness: Harness) -> None:
    """`--token` takes an access token, and no token and no ticket is ever printed."""
    _, bob = _pair(harness, _runasgi(harness))
    process = _tried(harness, _runasgi(harness).port, "--token", bob.access)
    said = _expect(process, works=True, what="with --token")
    if bob.access in said or re.search(r"\beyJ[\w-]+\.|[\w-]{22,}", said):
        raise NotYet(
            "a token or a ticket is in its output",
            expected="output that can be shown to everybody",
            look_at=Place(_CLIENT),
        )


@item("client.down", needs=["client.works"])
def client_says_what_is_wrong(harness: Harness) -> None:
    """No server, or a wrong password: exit status 1 and a line that says so, no traceback."""
    _, bob = _pair(harness, _runasgi(harness))
    nobody = _tried(harness, free_port(), *_account(harness))
    _expect(nobody, works=False, what="nothing listens there")
    wrong = "--email", bob.email, "--password", "not this one"
    process = _tried(harness, _runasgi(harness).port, *wrong)
    said = _expect(process, works=False, what="the password is wrong")
    if "not this one" in said:
        raise NotYet("it prints the password", look_at=Place(_CLIENT))


@item("client.finds", needs=["client.works"])
def client_finds_what_is_broken(harness: Harness) -> None:
    """`test_websockets.py` exits with 1 if the server has no WebSockets or lets other sites in."""

    def no_sockets(head: bytes) -> bytes:
        return head.replace(SOCKET_PATH.encode(), b"/nowhere/", 1)

    def no_origin(head: bytes) -> bytes:
        return re.sub(rb"(?i)\r\norigin:[^\r]*", b"", head)

    _expect_finding(harness, no_sockets, "the handshake is answered with 404")
    _expect_finding(harness, no_origin, "the server lets in pages of other sites")


def _expect_finding(harness: Harness, change: Callable[[bytes], bytes], what: str) -> None:
    with rewriting(_runasgi(harness).port, change) as port:
        _expect(_tried(harness, port, *_account(harness)), works=False, what=what)


@item("client.quiet")
def client_can_be_imported(harness: Harness) -> None:
    """`pytest` can import test_websockets.py: nothing is sent, and nothing in it is a test."""
    collect = (
        "import test_websockets as m; print([n for n in vars(m) if n.startswith('test_')])"
    )
    process = harness.finish(["-c", collect], harness.env(), seconds=_SOON)
    if process.exit_code or process.log().strip() != "[]":
        raise NotYet(
            f"`import test_websockets` printed:\n{process.log(6)}",
            expected="no output, no request, and no function whose name begins with test_",
            look_at=Place(_CLIENT),
            todo='start the program below `if __name__ == "__main__":`',
        )


# Part 3: HTTP/2


@item("http2.required")
def http2_is_required(harness: Harness) -> None:
    """A fresh install gets what Daphne needs for HTTP/2: `Twisted[http2]`."""
    seen: dict[str, Any] = harness.once(
        "Twisted", lambda: harness.probe("check_packages", "Twisted:twisted", "h2:h2")
    )
    environment = seen["environment"]
    lists = requirements.listings(harness.project)
    extras = {
        extra.lower()
        for listing in lists
        for entry in listing.of("twisted", environment)
        for extra in entry.wanted.extras
    }
    named = {
        name
        for listing in lists
        for name in ("h2", "priority")
        if listing.of(name, environment)
    }
    if "http2" not in extras and named != {"h2", "priority"}:
        raise NotYet(
            "no list of requirements has the packages h2 and priority",
            expected="Twisted[http2], which brings both",
            look_at=Place("requirements.txt"),
        )
    if error := seen["packages"]["h2"]["error"]:
        raise NotYet(
            f"{harness.project.python}: {error}",
            expected="h2 is installed",
            todo="python -m pip install -r requirements.txt",
        )


@item("http2.requests", needs=["http2.required", "servers.daphne"])
def requests_go_over_http2(harness: Harness) -> None:
    """Under `daphne -e ssl:...` the API answers over HTTP/2, to people who are signed in."""
    secure = secure_server(harness)
    alice, _ = _pair(harness, _runasgi(harness))
    headers = {"Authorization": f"Bearer {alice.access}"}
    import httpx

    try:
        with secure.client() as client:
            answer = client.get("/api/auth/me/", headers=headers)
            refused = client.get("/api/auth/me/")
    except httpx.HTTPError as error:
        raise secure.server.fault(f"GET {secure.url}/api/auth/me/: {error!r}") from error
    found = f"{answer.http_version} {answer.status_code} {shorten(answer.text)}"
    if answer.http_version != "HTTP/2":
        raise NotYet(found, expected="HTTP/2: daphne offers it where Twisted can")
    if answer.status_code != 200 or answer.json().get("username") != "alice":
        raise NotYet(found, expected="200 and alice's own data")
    if refused.status_code != 401:
        raise NotYet(
            f"without a token: {refused.status_code}", expected="401 without a token"
        )


@item("http2.socket", needs=["http2.requests"])
def socket_opens_beside_http2(harness: Harness) -> None:
    """Beside HTTP/2, a `wss://` socket opens for pages in `ALLOWED_ORIGINS`, and for no others."""
    secure = secure_server(harness)
    alice, bob = _pair(harness, _runasgi(harness))
    with secure.socket(bob.access, _ELSEWHERE) as socket:
        if socket.refused != 403:
            raise NotYet(f"a page of {_ELSEWHERE}: {socket}", expected="HTTP 403")
    with secure.socket(bob.access, PAGE) as socket:
        if not (socket.opened and is_greeting(socket.receive(), bob.id)):
            raise NotYet(
                f"ALLOWED_ORIGINS is {PAGE}, and a page from there opens a socket: {socket}",
                expected=f"a {GREETING} frame",
                look_at=Place("backend/numeneon/origins.py"),
            )
        body = {"receiver_id": bob.id, "content": "Over HTTP/2"}
        with secure.client() as client:
            client.post(
                "/api/messages/",
                json=body,
                headers={"Authorization": f"Bearer {alice.access}"},
            )
        if socket.event("new_message") is None:
            raise NotYet(f"the socket got {socket}", expected="a new_message event")


@item("http2.compared", needs=["http2.requests"])
def comparison_shows_both(harness: Harness) -> None:
    """`compare_http.py` sends the same over HTTP/1.1 and HTTP/2, which needs one connection."""
    secure = secure_server(harness)
    env = harness.env(variables={"SSL_CERT_FILE": str(secure.certificate)})
    process = harness.finish(["compare_http.py", secure.url], env, seconds=patient(60))
    lines = process.log().splitlines()
    second = [line for line in lines if "HTTP/2" in line and re.search(r"\b1\b", line)]
    if process.exit_code or not (second and any("HTTP/1.1" in line for line in lines)):
        raise NotYet(
            f"it ended with status {process.exit_code}, and printed:\n{process.log(8)}",
            expected="a line about HTTP/1.1, and one about HTTP/2 with 1 connection",
            look_at=Place(_COMPARISON),
        )


# Part 4: without WebSockets


# Runs uvicorn in a process that cannot import Channels, as if it had not been installed.
_WITHOUT_CHANNELS = """\
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "channels"]:
    del sys.modules[name]
sys.modules["channels"] = None
import uvicorn
uvicorn.main()
"""


def _http_only(harness: Harness) -> Server:
    """The project under uvicorn with `WEBSOCKETS=off`, and with the settings' own layer."""
    return harness.once(
        "HTTP only", lambda: _without(harness, "WEBSOCKETS=off", ["-m", "uvicorn"])
    )


def _without_package(harness: Harness) -> Server:
    """The project in a process that cannot import Channels."""
    script = harness.folder / "without_channels.py"
    script.write_text(_WITHOUT_CHANNELS, "utf-8")
    name = "the package channels is missing"
    return harness.once(name, lambda: _without(harness, name, [str(script)]))


def _without(harness: Harness, name: str, program: list[str]) -> Server:
    off = {"WEBSOCKETS": "off"} if program[0] == "-m" else {}
    env = harness.env(layer="project", caches=True, variables=off)
    argv = [*program, harness.project.asgi, "--port", "{port}", "--lifespan", "off"]
    return serve(harness, f"uvicorn ({name})", argv, env)


def _expect_api(harness: Harness, server: Server, content: str) -> None:
    """What somebody writes is there, and its receiver has a notification of it."""
    alice, bob = _pair(harness, server)
    body = {"receiver_id": bob.id, "content": content}
    needed(
        harness, server.ask("POST", "/api/messages/", body=body, token=alice.access), 201
    )
    for path in ("/api/messages/", "/api/notifications/"):
        answer = needed(harness, server.ask("GET", path, token=bob.access), 200)
        if content not in str(answer.rows):
            raise unexpected(
                harness, answer, f"the message {content!r} that alice has sent"
            )


def _expect_told(harness: Harness, server: Server) -> None:
    """Health and the log of a server say that it is HTTP only, the log once."""
    # `printed` has only the lines that were kept, so they are not counted there.
    printed, before = server.process.log_since(0), server.process.printed
    for _ in range(3):
        answer = needed(harness, server.ask("GET", HEALTH_PATH), 200)
        if (answer.get("status"), answer.get("parts", "events", "status")) != (
            "degraded",
            "unavailable",
        ):
            raise unexpected(
                harness,
                answer,
                '"status": "degraded", and the part events is "unavailable"',
            )
    lines = [
        line
        for line in printed.splitlines()
        if re.search(r"http.?only|websockets?", line, re.I)
    ]
    if len(lines) != 1:
        raise NotYet(
            f"{server.name} logged {len(lines)} lines with HTTP only or WebSocket when it "
            f"started:\n{server.sandbox.as_learner(printed)[-600:]}",
            expected="one line that says that there are no WebSockets, and why",
            look_at=Place("backend/numeneon/asgi.py"),
        )
    later = server.process.log_since(before)
    if lines[0] in later or "events" in later:
        raise NotYet(
            f"each health check is logged again:\n{server.sandbox.as_learner(later)[-400:]}",
            expected="the log says it once, when the server starts",
            look_at=Place("backend/numeneon/health.py"),
        )


@item("http-only.api", needs=["servers.runserver"], prefetch=[_http_only])
def api_works_without_websockets(harness: Harness) -> None:
    """With `WEBSOCKETS=off` the REST API works, and events are stored as notifications."""
    _expect_api(harness, _http_only(harness), "Without a socket")


@item("http-only.told", needs=["http-only.api"])
def everybody_is_told(harness: Harness) -> None:
    """With `WEBSOCKETS=off` the health check is `degraded`, and the log says why, once."""
    _expect_told(harness, _http_only(harness))


@item("http-only.handshake", needs=["http-only.api"])
def handshake_is_refused(harness: Harness) -> None:
    """With `WEBSOCKETS=off` there are no tickets; a handshake gets an HTTP error, no traceback."""
    server = _http_only(harness)
    _, bob = _pair(harness, server)
    printed = server.process.printed
    with server.socket(bob.access, way="header") as socket:
        if not 400 <= (socket.refused or 0) < 500:
            error, place = server.error_of(socket)
            raise NotYet(
                f"with WEBSOCKETS=off: {socket}{f'; its error: {error}' if error else ''}",
                expected="an HTTP error, such as 403",
                look_at=place or Place("backend/numeneon/asgi.py"),
            )
    answer = server.ask("POST", TICKET_PATH, token=bob.access)
    if not 400 <= answer.status < 500:
        raise unexpected(
            harness, answer, "an error that says that there are no sockets, 404"
        )
    if "Traceback" in (log := server.process.log_since(printed)):
        raise NotYet(
            f"a handshake is logged as an error:\n{server.sandbox.as_learner(log)[-400:]}",
            expected="no traceback",
            look_at=server.sandbox.place_in(log),
        )
    with _greeted(harness, _runasgi(harness)):
        pass


@item("http-only.package", needs=["http-only.told"], prefetch=[_without_package])
def package_may_be_missing(harness: Harness) -> None:
    """Without the package `channels`, the project works as with `WEBSOCKETS=off`."""
    server = _without_package(harness)
    _expect_api(harness, server, "Without a package")
    _expect_told(harness, server)


# Part 5: Server-Sent Events


def _send(harness: Harness, server: Server, content: str) -> None:
    """Alice writes to bob."""
    alice, bob = _pair(harness, server)
    body = {"receiver_id": bob.id, "content": content}
    need(server.ask("POST", "/api/messages/", body=body, token=alice.access), 201)


def _contents(events: Iterable[Event]) -> list[str]:
    """What was written, of each event that is stored."""
    data = [each.frame.get("data") for each in events if "data" in each.frame]
    return [
        str(each.get("content", each.get("text")))
        for each in data
        if isinstance(each, dict)
    ]


def _expect_texts(found: Stream, texts: list[str], when: str) -> None:
    """It has these events, in this order, each once, and each has a number."""
    while len(_contents(found.events)) < len(texts) and found.next(_POLLED):
        pass
    found.next(0.3)
    if _contents(found.events) != texts:
        raise NotYet(
            f"{when}: the stream has {_contents(found.events)}; {found}",
            expected=f"{texts}: each once, and in order",
        )


def _open(harness: Harness, server: Server, place: str | None = None) -> Any:
    """Bob's stream."""
    return stream(server, _pair(harness, server)[1].access, place)


def _started(found: Stream) -> Event:
    """The greeting of a stream."""
    event = found.next() if found.status == 200 else None
    if event is None or not is_greeting(event.frame):
        raise NotYet(
            str(found),
            expected=f"200, text/event-stream, and {GREETING} as the first event",
            look_at=Place("backend/numeneon/urls.py"),
        )
    return event


@item("stream.events", needs=["servers.runserver"])
def stream_has_the_events(harness: Harness) -> None:
    """`/api/v1/notifications/stream/` sends the user's own events and announcements, with ids."""
    stage = whole_stage_of(harness)
    server = stage.server
    alice, bob = _pair(harness, server)
    with _open(harness, server) as found:
        _started(found)
        _send(harness, server, "one")
        body = {"receiver_id": alice.id, "content": "somebody else's"}
        need(server.ask("POST", "/api/messages/", body=body, token=bob.access), 201)
        body = {"text": "two"}
        sam = staff(harness).access
        need(server.ask("POST", ANNOUNCEMENTS_PATH, body=body, token=sam), 201)
        _expect_texts(
            found, ["one", "two"], "alice wrote to bob, bob to alice, staff to everybody"
        )
        for event in found.events:
            if not event.id or event.name != event.frame.get("type"):
                raise NotYet(
                    f"an event has the id {event.id!r} and the name {event.name!r}: "
                    f"{shorten(event.frame)}",
                    expected="an id to come back with, and the frame's type as its name",
                )


@item("stream.resumes", needs=["stream.events"])
def stream_is_resumed(harness: Harness) -> None:
    """With `Last-Event-ID`, what was missed comes in order and once, then `resumed`."""
    server = whole_stage_of(harness).server
    with _open(harness, server) as found:
        _started(found)
        _send(harness, server, "seen")
        place = found.until("new_message").id
    sam = staff(harness).access
    for text in ("first", "second"):
        _send(harness, server, text)
    need(server.ask("POST", ANNOUNCEMENTS_PATH, body={"text": "third"}, token=sam), 201)
    with _open(harness, server, place) as found:
        greeting = _started(found)
        if greeting.id not in (None, place):
            raise NotYet(
                f"the greeting of a client that comes back with {place} has the id {greeting.id}",
                expected="none, or the client's own: it has not got what it missed yet",
            )
        resumed = found.until(RESUMED)
        if resumed.frame.get("recovered") is not True:
            raise NotYet(f"{found}: {shorten(resumed.frame)}", expected='"recovered": true')
        _send(harness, server, "live")
        _expect_texts(
            found, ["first", "second", "third", "live"], f"bob comes back with {place}"
        )
        last = found.events[-1].id
    with _open(harness, server, last) as found:
        found.until(RESUMED)
        _expect_texts(found, [], f"bob comes back with {last}, and missed nothing")


@item("stream.lost", needs=["stream.resumes"])
def stream_tells_what_is_lost(harness: Harness) -> None:
    """With an id that the server cannot resume from, `resumed` says what to request instead."""
    server = whole_stage_of(harness).server
    with _open(harness, server) as found:
        place = str(_started(found).id)
    of_another_epoch = "0" * 8 + place[8:]
    for wrong in ("nonsense", of_another_epoch):
        with _open(harness, server, wrong) as found:
            _started(found)
            frame = found.until(RESUMED).frame
            if frame.get("recovered") is not False or not frame.get("refetch"):
                raise NotYet(
                    f"Last-Event-ID: {wrong}: {shorten(frame)}",
                    expected='"recovered": false, and `refetch` with what to request',
                )
            _send(harness, server, "behind it")
            _expect_texts(found, ["behind it"], f"bob comes back with {wrong!r}")


@item("stream.http-only", needs=["stream.resumes", "http-only.api"])
def stream_needs_no_layer(harness: Harness) -> None:
    """With `WEBSOCKETS=off` the stream sends the same events, a few seconds later."""
    server = _http_only(harness)
    with _open(harness, server) as found:
        _started(found)
        _send(harness, server, "one")
        place = found.until("new_message", seconds=_POLLED).id
    for text in ("two", "three"):
        _send(harness, server, text)
    with _open(harness, server, place) as found:
        _started(found)
        _send(harness, server, "four")
        _expect_texts(found, ["two", "three", "four"], f"bob comes back with {place}")


@item("stream.refuses", needs=["stream.events"])
def stream_is_for_signed_in_users(harness: Harness) -> None:
    """Without a valid access token the stream answers 401, also with the token in the URL."""
    server = whole_stage_of(harness).server
    _, bob = _pair(harness, server)
    needed(harness, server.ask("GET", STREAM_PATH), 401)
    needed(harness, server.ask("GET", STREAM_PATH, token=altered(bob.access)), 401)
    # A token in a URL would be in every log.
    path = f"{STREAM_PATH}?token={bob.access}&access_token={bob.access}"
    needed(harness, server.ask("GET", path), 401)
    with _open(harness, server) as found:
        _started(found)


@item("stream.ends", needs=["stream.refuses"])
def stream_ends_with_the_login(harness: Harness) -> None:
    """When its user logs out, an open stream ends, and the next request is answered 401."""
    server = whole_stage_of(harness).server
    leaver = signed_up(harness, server, "lena")
    with stream(server, leaver.access) as found, _open(harness, server) as other:
        _started(found)
        _started(other)
        body = {"refresh": leaver.refresh}
        need(server.ask("POST", "/api/auth/logout/", body=body), 204)
        if not found.ends():
            raise NotYet(
                f"lena has logged out, and her stream goes on: {found}",
                expected="it ends, as a socket does",
            )
        if other.ends(0.3):
            raise NotYet("somebody else's stream has ended", expected="it goes on")
    needed(harness, server.ask("GET", STREAM_PATH, token=leaver.access), 401)


@item("stream.counted", needs=["stream.events"])
def streams_count_as_sockets(harness: Harness) -> None:
    """Streams and sockets count together: beyond the limit, a stream is answered 429."""
    server = whole_stage_of(harness).server
    user = signed_up(harness, server, "frank")
    with ExitStack() as stack:
        socket = stack.enter_context(server.socket(user.access, way="header"))
        socket.receive()
        opened: list[Stream] = []
        for _ in range(_MOST_STREAMS):
            found = stack.enter_context(stream(server, user.access))
            if found.status == 429:
                break
            _started(found)
            opened.append(found)
        else:
            raise NotYet(
                f"one user opened a socket and {_MOST_STREAMS} streams",
                expected="429 for the eleventh of all",
            )
        if len(opened) < _FEWEST_STREAMS:
            raise NotYet(
                f"after one socket and {len(opened)} streams: {found}",
                expected="ten are allowed",
            )


def _beating(harness: Harness) -> Server:
    """`python manage.py runasgi` with a short heartbeat."""
    name = "runasgi with a short heartbeat"
    argv = ["manage.py", "runasgi", "--port", "{port}"]
    env = harness.env(caches=True, shorter={"HEARTBEAT_SECONDS": 2})
    return harness.once(name, lambda: serve(harness, name, argv, env))


# Half of the minute after which proxies close a connection that is silent.
_SILENCE = 30


@item("stream.idle", needs=["stream.http-only"], prefetch=[_beating])
def idle_streams_are_cheap(harness: Harness) -> None:
    """Idle streams keep no thread each, and are never silent for long."""
    with _open(harness, _beating(harness)) as found:
        _started(found)
        found.next(0.5)  # a comment after the greeting is no heartbeat
        if not found.says_something(_SILENCE):
            raise NotYet(
                f"a stream was silent for {_SILENCE} seconds, with a short heartbeat, too",
                expected="a comment now and then: proxies close an idle connection",
                look_at=place_of(harness, "still here"),
            )
    server = _http_only(harness)
    status = Path(f"/proc/{server.process.pid}/task")
    if not status.exists():
        raise LeftOut("only Linux says how many threads a process has")
    with ExitStack() as stack:
        threads = []
        for person in _pair(harness, server):
            for _ in range(_FEWEST_STREAMS):
                _started(stack.enter_context(stream(server, person.access)))
            threads.append(len(list(status.iterdir())))
        # Those that end do so a moment later.
        processes.wait_until(
            lambda: len(list(status.iterdir())) - threads[0] < _FEWEST_STREAMS // 2,
            seconds=patient(2),
        )
        more = len(list(status.iterdir())) - threads[0]
    if more >= _FEWEST_STREAMS // 2 or threads[0] > 20 + _FEWEST_STREAMS:
        raise NotYet(
            f"with {_FEWEST_STREAMS} streams the server has {threads[0]} threads, with twice as "
            f"many {threads[0] + more}",
            expected="no thread for each stream",
            look_at=Place("backend/numeneon/threads.py"),
        )


@item("stream.page", needs=["stream.http-only"], prefetch=[lambda h: h.browsers.start()])
def page_reads_the_stream(harness: Harness) -> None:
    """A browser whose server has no WebSockets shows events, each once and in order."""
    server = _http_only(harness)
    page = pages.app(harness, server)
    page.window.before_each_page(_WATCHED)
    page.open()
    page.sign_in(_pair(harness, server)[1])
    if not page.wait_for(_READS):
        raise page.news(
            "the server has no WebSockets, and the page does not read the event stream",
            expected="it does, once there are no tickets",
        )
    _tell(
        harness, server, page, ["to the page", "and more"], "the server has no WebSockets"
    )


@item("stream.falls-back", needs=["stream.page"])
def page_falls_back_and_returns(harness: Harness) -> None:
    """A browser whose sockets all fail reads the stream, and returns to a socket that opens."""
    server = _runasgi(harness)
    page = pages.played(harness, server, sockets=False)
    page.window.before_each_page(_WATCHED)
    page.open()
    page.window.run("numeneonWatch.block()")
    page.sign_in(_pair(harness, server)[1])
    _let_pass(page, _READS, 5, "no socket opens: the page does not read the event stream")
    if (tried := page.window.run("numeneonWatch.tried")) < 2:
        raise page.news(
            f"the page reads the stream after {tried} sockets",
            expected="it tries again first: one socket can fail for many reasons",
        )
    _tell(harness, server, page, ["over HTTP"], "no socket opens")
    page.window.run("numeneonWatch.unblock()")
    _send(harness, server, "on the way back")
    _let_pass(page, _HAS_SOCKET, 60, "sockets open again: the page has not returned to one")
    told = ["on the way back", "by a socket"]
    _tell(
        harness,
        server,
        page,
        told[1:],
        "a socket has opened while it read the stream",
        told,
    )
    page.window.run("numeneonWatch.block()")
    _send(harness, server, "without any")
    _let_pass(page, _READS, 5, "its socket broke, and no other opens: it reads no stream")
    told = ["without any", "over HTTP again"]
    _tell(harness, server, page, told[1:], "its socket broke, and no other opens", told)


def _let_pass(page: App, script: str, seconds: float, found: str) -> None:
    """Let time pass on the page's clock until that is true."""
    for _ in range(_ROUNDS):
        if page.window.until(script, patient(0.5)):
            return
        page.advance(seconds)
    raise page.news(found, expected="it does so within a few minutes")


def _tell(
    harness: Harness,
    server: Server,
    page: App,
    texts: list[str],
    when: str,
    expected: list[str] | None = None,
) -> None:
    """Send bob these messages. The page announces each once, and in order."""
    for text in texts:
        _send(harness, server, text)
        # The page announces one at a time: a person reads them one after the other.
        page.wait_for(f"numeneonWatch.announced.some((line) => line.includes({text!r}))")
    found = page.window.run("numeneonWatch.announced.splice(0)")
    expected = expected or texts
    if len(found) != len(expected) or not all(map(str.__contains__, found, expected)):
        raise page.news(
            f"{when}: the page announced {found}",
            expected=f"{expected}: each once, and in order",
        )


# Runs in the page before its own scripts: counts its streams, notes what is announced, and
# lets no socket open, as some proxies do.
_WATCHED = """\
window.numeneonWatch = (() => {
  const { fetch, WebSocket } = window;
  const open = new Set();
  let blocked = false;
  const watch = {
    streams: 0,
    tried: 0,
    announced: [],
    get sockets() {
      return [...open].filter(({ readyState }) => readyState === 1).length;
    },
    block() {
      blocked = true;
      for (const socket of open) socket.close();
      open.clear();
    },
    unblock() {
      blocked = false;
    },
  };
  function refused() {
    const socket = new EventTarget();
    Object.assign(socket, { readyState: 3, send() {}, close() {} });
    Promise.resolve().then(() => {
      for (const event of [new Event("error"), new CloseEvent("close", { code: 1006 })]) {
        socket[`on${event.type}`]?.(event);
        socket.dispatchEvent(event);
      }
    });
    return socket;
  }
  window.WebSocket = function (...given) {
    watch.tried += 1;
    if (blocked) return refused();
    const socket = new WebSocket(...given);
    open.add(socket);
    return socket;
  };
  Object.assign(window.WebSocket, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
  window.fetch = async (...given) => {
    const answer = await fetch(...given);
    const kind = answer.headers.get("Content-Type") ?? "";
    if (!answer.ok || !kind.startsWith("text/event-stream")) return answer;
    watch.streams += 1;
    let ended = false;
    const end = () => {
      if (!ended) watch.streams -= 1;
      ended = true;
    };
    const through = new TransformStream({ flush: end });
    given[1]?.signal?.addEventListener("abort", end);
    const { status, headers } = answer;
    return new Response(answer.body.pipeThrough(through), { status, headers });
  };
  addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("announcement");
    new MutationObserver(() => watch.announced.push(place.textContent)).observe(place, {
      childList: true, characterData: true, subtree: true,
    });
  });
  return watch;
})()"""

"""The learner's servers: started as the learner starts them, asked as a browser would."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness import client
from checks.harness.client import Answer, Socket, shorten
from checks.harness.hanging import being, hanging_at
from checks.harness.harness import Harness
from checks.harness.logs import first_traceback, last_traceback, last_words
from checks.harness.project import read
from checks.harness.sandbox import Sandbox
from course import contract, processes
from course.contract import SOCKET_PATH, TOKEN_WAYS
from course.deadline import patient, waiting_for
from course.processes import Process

if TYPE_CHECKING:
    from checks.harness.together import Gate

LOCAL = "127.0.0.1"
_MOST_FRONT_ENDS = 6
_ORIGIN = re.compile(r"""["'](https?://[\w.*-]+(?::\d+)?)/?["']""")


@dataclass
class Server:
    """A running backend of the learner's.

    `proxy_headers` holds the headers, Host among them, that a proxy in front of it would set.
    `host` is the name that it is addressed by: one that its settings allow. `origin` is that
    of the pages which open sockets to it, its own unless the project names others only:
    `front_ends` are the ones that it names.
    """

    name: str
    port: int
    process: Process
    sandbox: Sandbox
    way: str = TOKEN_WAYS[0]
    proxy_headers: dict[str, str] = field(default_factory=dict)
    host: str = LOCAL
    origin: str = ""
    front_ends: tuple[str, ...] = ()
    _fault: NotYet | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        scheme = "https" if self.proxy_headers else "http"
        self.origin = self.origin or f"{scheme}://{self.address}"

    @property
    def address(self) -> str:
        """The host and port that requests name in their Host header."""
        return self.proxy_headers.get("Host", f"{self.host}:{self.port}")

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One HTTP request; raises NotYet if the server gives no answer at all."""
        given = options.get("headers") or {}
        options["headers"] = {"Host": self.address, **self.proxy_headers, **given}
        printed = self.process.printed
        try:
            answer = client.request(self.port, method, path, **options)
        except client.NoAnswer as error:
            raise self.fault(str(error), printed) from error
        return self._explained(answer, path, printed) if answer.status >= 500 else answer

    def _explained(self, answer: Answer, path: str, printed: int) -> Answer:
        """A failed answer with the error that was logged for this very request.

        Other items may talk to the server at the same moment: their errors stay theirs.
        """
        traces: list[str] = []

        def logged() -> bool:
            traces[:] = [_trace_of(path, self.process.log_since(printed))]
            return bool(traces[0])

        if not processes.wait_until(logged, seconds=patient(1)):
            return answer
        error = shorten(last_words(self.sandbox.as_learner(traces[0])))
        return replace(answer, error=error, place=self.sandbox.place_in(traces[0]))

    def socket(
        self,
        token: str | None = None,
        *,
        path: str = SOCKET_PATH,
        origin: str | None = "",
        way: str | None = None,
        subprotocols: list[str] | None = None,
        headers: dict[str, str] | None = None,
        patience: float = client.PATIENCE,
        gate: Gate | None = None,
    ) -> Socket:
        """Open a WebSocket as a browser would; `origin` defaults to the server's `origin`.

        A client that sends its token in a header is no browser, and by default sends no origin.

        Raises NotYet if the handshake gets no answer at all; a refusal is an answer. One of
        many that go through a `gate` at once may get none: then that is the result.
        """
        way = way or self.way
        own = contract.headers_of(token, way)
        if origin == "":
            origin = None if own else self.origin
        sent = {**self.proxy_headers, **own, **(headers or {})}
        headers = {name: value for name, value in sent.items() if name != "Host"}
        url = contract.address_of(f"ws://{self.address}", token, way, path=path)
        if token is not None:
            subprotocols = contract.subprotocols_of(token, way)
        printed = self.process.printed
        found = Socket.open(
            url,
            origin=origin,
            subprotocols=subprotocols,
            headers=headers,
            patience=patience,
            at=(LOCAL, self.port),
            gate=gate,
        )
        found.way, found.printed_before = way, printed
        if found.unanswered and gate is None:
            raise self.fault(
                f"the WebSocket handshake got no answer: {found.trouble}", printed
            )
        return found

    def entrances(self) -> Iterator[tuple[str, str]]:
        """Each origin with each way of a token: the ones in use first."""
        for origin in dict.fromkeys([self.origin, *self.front_ends]):
            for way in dict.fromkeys([self.way, *TOKEN_WAYS]):
                yield origin, way

    def error_of(self, socket: Socket) -> tuple[str, Place | None]:
        """The exception that ended a socket, and its place; '' if the server printed none."""
        if (socket.refused or 0) < 500 and socket.close_code not in (1006, 1011):
            return "", None
        traces: list[str] = []

        def logged() -> bool:
            traces[:] = [last_traceback(self.process.log_since(socket.printed_before))]
            return bool(traces[0])

        if not processes.wait_until(logged, seconds=patient(1)):
            return "", None
        error = shorten(last_words(self.sandbox.as_learner(traces[0])))
        return error, self.sandbox.place_in(traces[0])

    def fault(self, what: str, printed: int = 0) -> NotYet:
        """The news that the server does not answer, from now on always the same instance:
        whatever else gets no answer has that cause.

        `printed` is how many lines it had printed before: the place comes from later ones.
        """
        with self._lock:
            if self._fault is None:
                self._fault = self._new_fault(what, printed)
            return self._fault

    def _new_fault(self, what: str, printed: int) -> NotYet:
        # The last answer and the end of the process can cross; look for a moment.
        self.process.wait(0.2)
        status = self.process.exit_code
        log = self.sandbox.as_learner(self.process.log(12))
        said = self.process.log_since(printed)
        state = "is running" if status is None else f"exited with status {status}"
        at = hanging_at(self.process, self.sandbox)
        state += being(at)
        return NotYet(
            f"{what}; {self.name} {state}; its last lines:\n{log or '(nothing printed)'}",
            expected=f"{self.name} answers",
            look_at=at or self.sandbox.place_in(said),
            todo="start it yourself and send the same request to see the whole output",
        )


def _trace_of(path: str, log: str) -> str:
    """The traceback that Django has logged for that path, or daphne for an application.

    '' if none is complete yet.
    """
    start = f"Internal Server Error: {path.partition('?')[0]}\n"
    by_django = [part for part in log.split(start)[1:] if "Traceback" in part]
    if by_django:
        return last_traceback(first_traceback(by_django[-1]))
    return last_traceback(log) if "Exception inside application" in log else ""


def need(answer: Answer, status: int) -> Answer:
    """That answer, if it has this status; else NotYet with all that is known of it."""
    if answer.status == status:
        return answer
    found = str(answer)
    if answer.error:
        found += f"\nthe server's error: {answer.error}"
    raise NotYet(found, expected=f"{answer.request} answers {status}", look_at=answer.place)


def runserver(harness: Harness) -> Server:
    """`python manage.py runserver`, on a free port."""
    argv = ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"]
    return harness.once(
        "runserver", lambda: serve(harness, "runserver", argv, harness.env())
    )


def daphne(harness: Harness) -> Server:
    """`daphne project.asgi:application`, on a free port."""

    def start() -> Server:
        # The settings say what is served: they are parsed once, not for each who asks.
        argv = ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", harness.project.asgi]
        return serve(harness, "daphne", argv, harness.env())

    return harness.once("daphne", start)


def serve(harness: Harness, name: str, argv: list[str], env: dict[str, str]) -> Server:
    """Start a server of the learner's and wait until it listens.

    `{port}` in the arguments becomes a free port. Raises NotYet when it ends or does not
    listen in time; a port that somebody took in between is tried again. The database may
    still be without tables: `people.signed_up` and `Harness.database` wait for them.
    """
    with waiting_for(f"{name} to listen"):
        process, port, up = processes.start_on_free_port(
            lambda port: harness.start(
                [part.replace("{port}", str(port)) for part in argv], env
            ),
            processes.listens,
        )
    if not up:
        raise _no_start(harness, name, process)
    facts = harness.facts_of(process) or {}
    return Server(
        name,
        port,
        process,
        harness.sandbox,
        host=allowed_host(facts.get("allowed_hosts", ())),
        front_ends=_front_ends(harness, facts),
    )


def allowed_host(allowed: Iterable[str]) -> str:
    """A name that settings with these ALLOWED_HOSTS answer to, this machine's if they can."""
    names = [str(name) for name in allowed]
    if not names or {"*", LOCAL} & set(names):
        return LOCAL
    return "localhost" if "localhost" in names else names[0].lstrip(".")


def _front_ends(harness: Harness, facts: dict[str, Any]) -> tuple[str, ...]:
    """The origins that the settings or asgi.py name; the likeliest of many come first."""
    module = harness.project.asgi.partition(":")[0]
    file = harness.project.backend.joinpath(*module.split(".")).with_suffix(".py")
    named = [*facts.get("origins", ()), *_ORIGIN.findall(read(file))]
    found = dict.fromkeys(_example_of(str(origin)) for origin in named)
    return tuple(found)[:_MOST_FRONT_ENDS]


def _example_of(origin: str) -> str:
    """An origin that a pattern of OriginValidator or CORS matches: it may begin with a dot."""
    parts = urlsplit(origin)
    host = re.sub(r"^(\*?\.)", "app.", parts.netloc)
    return f"{parts.scheme}://{host}"


def _no_start(harness: Harness, name: str, process: Process) -> NotYet | EnvironmentFault:
    if process.exit_code is not None:
        return harness.crash(
            process, f"{name} ended", expected=f"{name} starts and listens"
        )
    log = harness.sandbox.as_learner(process.log(8))
    at = hanging_at(process, harness.sandbox)
    process.kill()
    seconds = processes.START_SECONDS
    return NotYet(
        f"{name} did not listen within {seconds:g} s{being(at)}; its last lines:\n"
        f"{log or '(nothing printed)'}",
        expected=f"{name} starts and listens",
        look_at=at,
        todo="start it yourself; look for code that waits while modules are imported",
    )

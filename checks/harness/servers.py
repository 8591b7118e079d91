"""The learner's servers: started as the learner starts them, asked as a browser would."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from checks.errors import NotYet
from checks.harness import client
from checks.harness.client import Answer, Socket
from checks.harness.harness import Harness
from checks.harness.logs import first_traceback, last_words
from checks.harness.sandbox import Sandbox
from course import contract, processes
from course.contract import SOCKET_PATH, TOKEN_WAYS
from course.processes import Process


@dataclass
class Server:
    """A running backend of the learner's.

    `proxy_headers` holds the headers, Host among them, that a proxy in front of it would set.
    """

    name: str
    port: int
    process: Process
    sandbox: Sandbox
    way: str = TOKEN_WAYS[0]
    proxy_headers: dict[str, str] = field(default_factory=dict)
    _death: NotYet | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One HTTP request; raises NotYet if the server gives no answer at all."""
        options["headers"] = {**self.proxy_headers, **(options.get("headers") or {})}
        printed = self.process.printed
        try:
            answer = client.request(self.port, method, path, **options)
        except client.NoAnswer as error:
            raise self.fault(str(error)) from error
        return self._explained(answer, path, printed) if answer.status >= 500 else answer

    def _explained(self, answer: Answer, path: str, printed: int) -> Answer:
        """A failed answer with the error that Django has logged for this very request.

        Other items may talk to the server at the same moment: their errors stay theirs.
        """
        start = f"Internal Server Error: {path.partition('?')[0]}\n"
        traces: list[str] = []

        def logged() -> bool:
            log = self.process.log_since(printed)
            traces[:] = [part for part in log.split(start)[1:] if "Traceback" in part]
            return bool(traces) and bool(last_words(traces[-1]))

        if not processes.wait_until(logged, seconds=1):
            return answer
        trace = first_traceback(traces[-1])
        error = last_words(self.sandbox.as_learner(trace))
        return replace(answer, error=error, place=self.sandbox.place_in(trace))

    def last_error(self) -> str:
        """The exception that it printed last, '' if it printed none."""
        log = self.sandbox.as_learner(self.process.log())
        return last_words(log) if "Traceback" in log else ""

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
    ) -> Socket:
        """Open a WebSocket as a browser would; `origin` defaults to the server's own."""
        way = way or self.way
        headers = {**self.proxy_headers, **(headers or {})}
        host = headers.pop("Host", f"127.0.0.1:{self.port}")
        url = contract.address_of(f"ws://{host}", token, way, path=path)
        if token is not None:
            subprotocols = contract.subprotocols_of(token, way)
        if origin == "":
            origin = f"{'https' if self.proxy_headers else 'http'}://{host}"
        found = Socket.open(
            url,
            origin=origin,
            subprotocols=subprotocols,
            headers=headers,
            patience=patience,
            at=("127.0.0.1", self.port),
        )
        if (
            not found.opened
            and found.refused is None
            and self.process.exit_code is not None
        ):
            raise self.fault(f"the WebSocket handshake got no answer: {found.trouble}")
        return found

    def fault(self, what: str) -> NotYet:
        """The news that the server is not answering; the same instance once it has died."""
        with self._lock:
            if self._death:
                return self._death
            # The last answer and the end of the process can cross; look for a moment.
            self.process.wait(0.2)
            status = self.process.exit_code
            log = self.sandbox.as_learner(self.process.log(12))
            state = "is running" if status is None else f"ended with exit status {status}"
            news = NotYet(
                f"{what}; {self.name} {state}; its last lines:\n{log or '(nothing printed)'}",
                expected=f"{self.name} answers",
                look_at=self.sandbox.place_in(self.process.log()),
                todo="start it yourself and send the same request to see the whole output",
            )
            if status is not None:
                self._death = news
            return news


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
    argv = ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", harness.project.asgi]
    return harness.once("daphne", lambda: serve(harness, "daphne", argv, harness.env()))


def serve(harness: Harness, name: str, argv: list[str], env: dict[str, str]) -> Server:
    """Start a server of the learner's and wait until it listens.

    `{port}` in the arguments becomes a free port. Raises NotYet when it ends or does not
    listen in time; a port that somebody took in between is tried again. The database may
    still be without tables: `people.signed_up` and `Harness.database` wait for them.
    """
    process, port, up = processes.start_on_free_port(
        lambda port: harness.start(
            [part.replace("{port}", str(port)) for part in argv], env
        ),
        processes.listens,
    )
    if up:
        return Server(name, port, process, harness.sandbox)
    raise _no_start(harness, name, process)


def _no_start(harness: Harness, name: str, process: Process) -> NotYet:
    if process.exit_code is not None:
        return harness.crash(
            process, f"{name} ended", expected=f"{name} starts and listens"
        )
    log = harness.sandbox.as_learner(process.log(8))
    process.kill()
    seconds = processes.START_SECONDS
    return NotYet(
        f"{name} did not listen within {seconds:g} s; its last lines:\n"
        f"{log or '(nothing printed)'}",
        expected=f"{name} starts and listens",
        todo="start it yourself; look for code that waits while modules are imported",
    )

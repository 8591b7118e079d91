"""What a checklist works with: the project's servers, its database and its first users."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from checks import client, processes, services
from checks.client import Answer, Socket
from checks.errors import EnvironmentFault, NotYet, Place
from checks.link import SlowLink
from checks.processes import Process, free_port
from checks.sandbox import Sandbox
from checks.services import Service
from checks.spares import Spares

T = TypeVar("T")

_PROBES = Path(__file__).parent / "probes"
MEMORY_LAYER = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
SOCKET_PATH = "/ws/notifications/"
# How late a Redis answers that is not on this machine: a slow moment in a cloud. Seconds.
_DISTANCE = 0.1
# How a token may travel, the safest first; {token} is the access token.
TOKEN_WAYS = ("subprotocol", "query")
# Variables by which somebody's shell could steer the project towards real data.
_STEERING = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DEBUG")
_STEERING += ("ALLOWED_HOSTS", "RENDER", "RENDER_EXTERNAL_HOSTNAME", "PORT")


@dataclass(frozen=True)
class Person:
    """A user made through the public API, with fresh tokens."""

    id: int
    username: str
    email: str
    password: str
    access: str
    refresh: str


@dataclass
class Server:
    """A running backend of the learner's.

    `edge` holds the headers, Host among them, that a proxy in front of it would set.
    """

    name: str
    port: int
    process: Process
    sandbox: Sandbox
    way: str = TOKEN_WAYS[0]
    edge: dict[str, str] = field(default_factory=dict)
    _death: NotYet | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One HTTP request; raises NotYet if the server gives no answer at all."""
        options["headers"] = {**self.edge, **(options.get("headers") or {})}
        try:
            return client.request(self.port, method, path, **options)
        except client.NoAnswer as error:
            raise self.fault(str(error)) from error

    def socket(
        self,
        token: str | None = None,
        *,
        path: str = SOCKET_PATH,
        origin: str | None = "",
        way: str | None = None,
        subprotocols: list[str] | None = None,
        patience: float = client.PATIENCE,
    ) -> Socket:
        """Open a WebSocket as a browser would; `origin` defaults to the server's own."""
        way = way or self.way
        headers = dict(self.edge)
        host = headers.pop("Host", f"127.0.0.1:{self.port}")
        url = f"ws://{host}{path}"
        if token is not None and way == "query":
            url += f"?token={token}"
        elif token is not None:
            subprotocols = ["access_token", token]
        if origin == "":
            origin = f"{'https' if self.edge else 'http'}://{host}"
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


class Bench:
    """Makes what the items ask for, once a run, and takes all of it away again.

    Whatever fails while it is made keeps failing with the same exception instance: that
    is how the runner knows one root cause from two.
    """

    def __init__(self, sandbox: Sandbox, spares: Spares, run: int = 1) -> None:
        self.sandbox = sandbox
        self.project = sandbox.project
        self.spares = spares
        self.folder = sandbox.folder / f"run-{run}"
        self.facts_folder = self.folder / "facts"
        self.facts_folder.mkdir(parents=True)
        self.database_path = self.folder / "db.sqlite3"
        self.url: str | None = None
        self.logins: list[tuple[str, str]] = []
        self._made: dict[str, tuple[Any, BaseException | None]] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()
        self._cleanups: list[Callable[[], None]] = []
        self._closed = False
        self._names = itertools.count(1)
        self._early = ThreadPoolExecutor(max_workers=8, thread_name_prefix="early")

    # Making things once

    def once(self, key: str, make: Callable[[], T]) -> T:
        """The value that `make` gives, made at most once a run; its error is kept too."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            if key not in self._made:
                try:
                    self._made[key] = (make(), None)
                except (NotYet, EnvironmentFault) as error:
                    self._made[key] = (None, error)
            value, error = self._made[key]
        if error:
            raise error
        return value

    def start_early(self, make: Callable[[Bench], object]) -> None:
        """Begin to make something in the background; errors wait for who asks for it."""
        self._early.submit(make, self)

    def at_end(self, cleanup: Callable[[], None]) -> None:
        """Call this when the run is over, however it ends."""
        with self._lock:
            if not self._closed:
                self._cleanups.append(cleanup)
                return
        cleanup()

    def close(self) -> None:
        """End every process of this run, newest first."""
        with self._lock:
            self._closed = True
            cleanups, self._cleanups = self._cleanups[::-1], []
        for cleanup in cleanups:
            cleanup()
        self._early.shutdown(wait=True, cancel_futures=True)

    # Processes in the project

    def env(self, **plan: Any) -> dict[str, str]:
        """The environment of a process that runs the learner's code (see probes/guard).

        `layer` is a CHANNEL_LAYERS entry or "project"; `database` a path, or "verify"
        with `database_is`; `middleware` goes in front of the project's; `variables` are
        set on top, and None removes one.
        """
        variables = plan.pop("variables", {})
        whole = {
            "facts": str(self.facts_folder),
            "database": str(self.database_path),
            "layer": MEMORY_LAYER,
            "middleware": [],
            **plan,
        }
        env = {k: v for k, v in os.environ.items() if k not in _STEERING}
        env.pop("VIRTUAL_ENV", None)
        env |= {
            "NUMENEON_CHECK": json.dumps(whole),
            "PYTHONPATH": os.pathsep.join([str(_PROBES / "guard"), str(_PROBES)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "SECRET_KEY": "a-key-for-one-check-only-0123456789-abcdefghijklmnop",
        }
        env |= {k: v for k, v in variables.items() if v is not None}
        return {k: v for k, v in env.items() if variables.get(k, "") is not None}

    def start(self, argv: list[str], env: dict[str, str]) -> Process:
        """Start the project's interpreter with these arguments, in the backend folder."""
        process = self.spares.take(argv, env)
        if process is None:
            process = Process(
                [self.project.python, *argv], cwd=self.project.backend, env=env
            )
        self.at_end(process.kill)
        return process

    def finish(self, argv: list[str], env: dict[str, str], *, seconds: float) -> Process:
        """Run to the end; raises NotYet if it takes longer than that many seconds."""
        process = self.start(argv, env)
        self._await_end(process, seconds)
        return process

    def _await_end(self, process: Process, seconds: float) -> None:
        if process.wait(seconds) is None:
            log = self.sandbox.as_learner(process.log(8))
            process.kill()
            raise NotYet(
                f"`{self._typed(process.argv)}` had not ended after {seconds:g} s; "
                f"its last lines:\n{log or '(nothing printed)'}",
                expected="it ends by itself",
            )

    def _typed(self, argv: list[str]) -> str:
        """A command as the learner would type it; ours have names of their own."""
        first, *rest = argv
        words = ["python" if Path(first) == self.project.python else first, *rest]
        return " ".join(Path(word).name if str(_PROBES) in word else word for word in words)

    def probe(self, name: str, *args: str, seconds: float = 30, **plan: Any) -> Any:
        """What a script of probes/ reports, run by the project's interpreter.

        The script prints one line `RESULT {json}`. Raises NotYet if the learner's code
        stopped it.
        """
        process = self.start(self.script(name, *args), self.env(**plan))
        return self.result_of(process, seconds=seconds)

    def script(self, name: str, *args: str) -> list[str]:
        """What follows `python` to run a script of probes/."""
        return [str(_PROBES / f"{name}.py"), *args]

    def result_of(self, process: Process, *, seconds: float) -> Any:
        """What the script of probes/ that this process runs reports at its end."""
        self._await_end(process, seconds)
        # A long line reaches us in pieces, and something else may follow the result.
        _, found, rest = f"\n{process.log()}".rpartition("\nRESULT ")
        if found:
            return json.JSONDecoder().raw_decode(rest.replace("\n", ""))[0]
        raise self.crash(process, "the project's code stopped with an error")

    def crash(
        self, process: Process, what: str, expected: str = "", todo: str = ""
    ) -> NotYet:
        """The news that a process died: its last words, and the learner's line in them."""
        log = process.log()
        return NotYet(
            f"{what}: {last_words(self.sandbox.as_learner(log))}",
            expected=expected,
            look_at=self.place_in(log),
            todo=todo or "mend that line, then check again",
        )

    def place_in(self, traceback: str) -> Place | None:
        return self.sandbox.place_in(traceback)

    # The scratch database

    @property
    def database(self) -> Path:
        """The scratch database, migrated as the learner would: `manage.py migrate`."""
        return self.once("database", self._migrate)

    def _migrate(self) -> Path:
        if self.spares.reuse_database(self.database_path):
            return self.database_path
        argv = ["manage.py", "migrate", "--noinput", "-v", "0"]
        process = self.finish(argv, self.env(), seconds=processes.START_SECONDS * 2)
        if process.exit_code:
            raise self.crash(
                process,
                "`python manage.py migrate` failed",
                expected="all migrations apply",
            )
        if not self.facts_of(process):
            raise NotYet(
                "the project never loaded its settings through Django",
                expected="manage.py sets DJANGO_SETTINGS_MODULE and calls Django",
                look_at=Place(self.project.relative(self.project.backend / "manage.py")),
            )
        self.spares.keep_database(self.database_path)
        return self.database_path

    def facts_of(self, process: Process) -> dict[str, Any] | None:
        """What the guard wrote down when that process loaded the settings."""
        try:
            text = (self.facts_folder / f"{process.pid}.json").read_text("utf-8")
        except FileNotFoundError:
            return None
        return json.loads(text)

    # Services of our own

    @property
    def redis(self) -> Service:
        """A real Redis, empty and private to this run."""
        return self.once(
            "redis", lambda: self._kept(services.start_redis(self.folder / "redis"))
        )

    @property
    def postgres(self) -> Service:
        """A real PostgreSQL, empty and private to this run."""
        return self.once("postgres", lambda: self._kept(services.start_postgres()))

    def _kept(self, service: Service) -> Service:
        self.at_end(service.stop)
        return service

    @property
    def distant_redis(self) -> str:
        """The URL of the same Redis, its answers late as those of one on another machine."""
        return self.once("distant redis", self._distant_redis)

    def _distant_redis(self) -> str:
        link = SlowLink(self.redis.port, delay=_DISTANCE).start()
        self.at_end(link.close)
        return f"redis://127.0.0.1:{link.port}/0"

    # Servers

    @property
    def runserver(self) -> Server:
        """`python manage.py runserver`, on a free port."""
        argv = ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"]
        return self.once("runserver", lambda: self.serve("runserver", argv, self.env()))

    @property
    def daphne(self) -> Server:
        """`daphne project.asgi:application`, on a free port."""
        argv = ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", self.project.asgi]
        return self.once("daphne", lambda: self.serve("daphne", argv, self.env()))

    def serve(self, name: str, argv: list[str], env: dict[str, str]) -> Server:
        """Start a server of the learner's and wait until it listens.

        `{port}` in the arguments becomes a free port. Raises NotYet when it ends or does
        not listen in time; a port that somebody took in between is tried again. The
        database may still be without tables: `person` and `database` wait for them.
        """
        for _ in range(3):
            port = free_port()
            if processes.listening(port):  # or we would talk to a stranger
                continue
            filled = [part.replace("{port}", str(port)) for part in argv]
            process = self.start(filled, env)
            if self._await(process, port):
                return Server(name, port, process, self.sandbox)
            if "in use" not in process.log():
                break
        raise self._no_start(name, process)

    def _await(self, process: Process, port: int) -> bool:
        return processes.wait_until(
            lambda: process.exit_code is None and processes.listening(port),
            seconds=processes.START_SECONDS,
            alive=lambda: process.exit_code is None,
        )

    def _no_start(self, name: str, process: Process) -> NotYet:
        if process.exit_code is not None:
            return self.crash(
                process, f"{name} ended", expected=f"{name} starts and listens"
            )
        log = self.sandbox.as_learner(process.log(8))
        process.kill()
        seconds = processes.START_SECONDS
        return NotYet(
            f"{name} did not listen within {seconds:g} s; its last lines:\n"
            f"{log or '(nothing printed)'}",
            expected=f"{name} starts and listens",
            todo="start it yourself; look for code that waits while modules are imported",
        )

    # People

    def person(self, server: Server, name: str) -> Person:
        """The user of that name, signed up and logged in through the API of a server."""
        return self.once(f"person {name}", lambda: self._join(server, name))

    def _join(self, server: Server, name: str) -> Person:
        if not server.edge:  # production has migrated a database of its own
            self.database  # noqa: B018 - a server without tables answers with 500
        password = "Sunny-meadow-42"
        email = f"{name}@example.com"
        body = {
            "username": name,
            "email": email,
            "password": password,
            "display_name": name,
        }
        signup = server.ask("POST", "/api/auth/signup/", body=body)
        self.need(signup, 201)
        login = server.ask(
            "POST", "/api/auth/login/", body={"email": email, "password": password}
        )
        self.need(login, 200)
        id_, access, refresh = signup.get("id"), login.get("access"), login.get("refresh")
        if not (isinstance(access, str) and isinstance(refresh, str)):
            raise NotYet(str(login), expected="login answers with access and refresh")
        if id_ is None:
            id_ = server.ask("GET", "/api/auth/me/", token=access).get("id")
        return Person(id_, name, email, password, access, refresh)

    def need(self, answer: Answer, status: int) -> Answer:
        """That answer, if it has this status; else NotYet with all of it."""
        if answer.status == status:
            return answer
        found, place = str(answer), None
        if answer.status >= 500:
            servers = [
                made for made, _ in list(self._made.values()) if isinstance(made, Server)
            ]
            for server in servers:
                if error := self.last_error(server):
                    found += f"\nthe server's last error: {error}"
                    place = self.place_in(server.process.log())
        raise NotYet(found, expected=f"{answer.request} answers {status}", look_at=place)

    def last_error(self, server: Server) -> str:
        """The exception that a server printed last, '' if it printed none."""
        log = self.sandbox.as_learner(server.process.log())
        return last_words(log) if "Traceback" in log else ""

    def befriend(self, server: Server, asker: Person, other: Person) -> None:
        """Make two people friends through the API."""
        asked = server.ask("POST", f"/api/friends/request/{other.id}/", token=asker.access)
        self.need(asked, 201)
        accepted = server.ask(
            "POST", f"/api/friends/accept/{asked.get('id')}/", token=other.access
        )
        self.need(accepted, 200)


def last_words(log: str) -> str:
    """The line that names the error: an exception's, or the last one printed."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        name = line.split(":", 1)[0]
        if (
            name.endswith(("Error", "Exception", "NotReady", "Configured"))
            and " " not in name
        ):
            return line.strip()
    return lines[-1].strip() if lines else "(nothing printed)"


def forged(
    person: Person, facts: dict[str, Any], *, key: str | None = None, **claims: Any
) -> str:
    """That person's access token with other claims, or signed with another key."""
    import jwt

    body = jwt.decode(person.access, options={"verify_signature": False}) | claims
    algorithm = facts["jwt"]["algorithm"] if key is None else "HS256"
    return jwt.encode(body, key or facts["jwt"]["key"], algorithm=algorithm)


def expired(person: Person, facts: dict[str, Any]) -> str:
    """That person's access token as it would be an hour after its end."""
    now = int(time.time())
    return forged(person, facts, iat=now - 7200, exp=now - 3600)

"""Drives the WebSocket side of a project: tokens in, events caused, frames counted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.errors import NotYet, Place
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.logs import last_words
from checks.harness.people import Person, signed_up
from checks.harness.servers import Server, serve
from course.contract import SOCKET_PATH, TOKEN_WAYS, is_greeting
from course.processes import wait_until

WHOAMI = "/__check__/whoami/"
_MARK = itertools.count(900_001)
_MIDDLEWARE = ["check_counting.counted", "check_counting.rolled_back"]


def stage_of(harness: Harness) -> Stage:
    """The project's middleware, routes and consumer on a server of their own, made once."""
    return harness.once("stage", lambda: _stage(harness))


def _stage(harness: Harness) -> Stage:
    # Without its access log: that would push the errors out of what a message shows.
    argv = ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"]
    argv.append("composed_asgi:application")
    settings = {"DJANGO_SETTINGS_MODULE": harness.project.settings_module}
    env = harness.env(middleware=_MIDDLEWARE, variables=settings)
    name = "the project's WebSocket side under daphne"
    stage = Stage(
        harness, harness.once("stage server", lambda: serve(harness, name, argv, env))
    )
    stage.found = stage.control("found")
    return stage


@dataclass
class Stage:
    """The running WebSocket side; `found` says which parts the project has, and where."""

    harness: Harness
    server: Server
    found: dict[str, Any] = field(default_factory=dict)
    _errors_before: int = 0

    def control(self, name: str, **arguments: Any) -> Any:
        """Ask the probe for what has no address of its own; NotYet if the project broke."""
        answer = self.server.ask("POST", f"/__check__/{name}/", body=arguments)
        if trace := answer.get("traceback"):
            raise NotYet(
                f"{name} stopped with {self.last_words(trace)}",
                look_at=self.harness.place_in(trace),
                todo="mend that line, then check again",
            )
        return answer.body

    def last_words(self, log: str) -> str:
        """The line of a log that names the error, with the learner's own paths."""
        return last_words(self.harness.sandbox.as_learner(log))

    def place(self, part: str) -> Place | None:
        """Where the project has its "consumer", "routes", "middleware" or "sender"."""
        found = self.found.get(part)
        if not found:
            return None
        file = self.harness.project.relative(Path(found["file"]).resolve())
        return Place(file, found["line"], found["name"])

    def news(self, found: str, *, expected: str, part: str, todo: str = "") -> NotYet:
        """What was found, and the error in the server's log if a socket ended with one."""
        place = self.place(part)
        if errors := self.new_errors():
            found = f"{found}\nthe server's log: {self.last_words(errors[0])}"
            place = self._culprit(errors[0], part) or place
        return NotYet(found, expected=expected, look_at=place, todo=todo)

    def _culprit(self, trace: str, part: str) -> Place | None:
        """The learner's line in a traceback, unless the middleware only passed it on."""
        place, middleware = self.harness.place_in(trace), self.place("middleware")
        passed = place and middleware and place.file == middleware.file
        return None if passed and part != "middleware" else place

    def new_errors(self) -> list[str]:
        """The tracebacks with which sockets ended since the last one was opened."""
        return self.control("state")["errors"][self._errors_before :]

    # Sockets

    def open(self, token: str | None, *, path: str = SOCKET_PATH, **options: Any) -> Socket:
        """Open a socket with that token, sent in the way the project takes one."""
        self._errors_before = len(self.control("state")["errors"])
        return self.server.socket(token, path=path, **options)

    def learn_way(self, person: Person) -> list[str]:
        """Find out how the project takes a token; what was seen if it takes none."""
        seen = []
        errors_before = len(self.control("state")["errors"])
        for way in TOKEN_WAYS:
            with self.open(person.access, path=WHOAMI, way=way) as socket:
                socket.receive()
            if said(socket).get("id") == person.id:
                self.server.way = way
                return []
            seen.append(f"{person.username}'s token by {way}: {socket}")
        self._errors_before = errors_before
        return seen

    def greeted(self, person: Person) -> Socket:
        """An open socket of that person, past its greeting. The caller closes it."""
        socket = self.open(person.access)
        frame = socket.receive()
        if not is_greeting(frame, person.id, person.username):
            socket.close()
            raise self.news(f"{person.username}'s socket: {socket}", **_GREETING)
        return socket

    def settled(self, open_sockets: int) -> bool:
        """Wait until no more than that many sockets are open; False if they stay."""
        return wait_until(lambda: self.control("state")["open"] <= open_sockets, seconds=5)

    # Events

    def notify(self, user_ids: Iterable[int], kind: str, data: Any) -> None:
        """Have the project send a notification, from a thread like that of a view."""
        if not self.found.get("sender"):
            raise NotYet(
                "no function send_notification() was found in the project",
                expected="send_notification(*, user_ids, kind, data), in services.py",
            )
        answer = self.control("notify", user_ids=list(user_ids), kind=kind, data=data)
        if "signature" in answer:
            raise NotYet(
                f"it is send_notification{answer['signature']}: {answer['error']}",
                expected="a call send_notification(user_ids=[...], kind=..., data=...)",
                look_at=self.place("sender"),
            )

    @contextmanager
    def listening(self, *people: Person) -> Iterator[Listeners]:
        """One open socket for each of these people, all quiet; somebody may come twice."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(self.greeted(person)) for person in people]
            listeners = Listeners(self, list(zip(people, sockets, strict=True)))
            listeners.received()
            yield listeners


@dataclass
class Listeners:
    """Open sockets, and the one honest way to say that nothing arrived: what came first."""

    stage: Stage
    sockets: list[tuple[Person, Socket]]

    def received(self) -> list[list[Any]]:
        """The frames that each socket got before a marker which is sent to it now."""
        mark = sample_message(next(_MARK))
        for id in dict.fromkeys(person.id for person, _ in self.sockets):
            self.stage.notify([id], "new_message", mark)
        return [self._until(mark, person, socket) for person, socket in self.sockets]

    def _until(self, mark: Any, person: Person, socket: Socket) -> list[Any]:
        seen: list[Any] = []
        while (frame := socket.receive(patience=5)) is not None:
            if isinstance(frame, dict) and frame.get("data") == mark:
                socket.frames.remove(frame)  # ours: no part of what the learner reads
                return seen
            seen.append(frame)
        raise self.stage.news(
            f"a notification for {person.username} never arrived: {socket}",
            expected="the socket stays open and gets what send_notification() sends",
            part="consumer",
        )


_GREETING = {
    "expected": 'the first frame is {"type": "connection_established", "message": '
    '"Connected as ...", "user_id": ...}',
    "part": "consumer",
}


def said(socket: Socket) -> dict[str, Any]:
    """What the whoami path said of the user; {} if it said nothing."""
    first = socket.frames[0] if socket.frames else None
    return first if isinstance(first, dict) else {}


def sample_message(id: int) -> dict[str, Any]:
    """The data of a new_message, as if message `id` had just been written."""
    sender = {"id": 1, "username": "somebody"}
    return {
        "id": id,
        "sender": sender,
        "content": "Hi",
        "created_at": "2026-01-01T00:00:00Z",
    }


def people(stage: Stage, *names: str) -> list[Person]:
    """The users of these names, made through the project's API."""
    return [signed_up(stage.harness, stage.server, name) for name in names]

"""Drives the WebSocket side of a project: tokens in, events caused, frames counted."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from checks.errors import NotYet, Place
from checks.harness import diagnosis
from checks.harness.client import OWN_PATHS, Answer, Socket
from checks.harness.diagnosis import Cause, Journal
from checks.harness.harness import Harness
from checks.harness.logs import last_words
from checks.harness.people import Person, signed_up
from checks.harness.recorder import line_to
from checks.harness.servers import LOCAL, Server, serve
from checks.harness.together import Arrival, arrivals
from course.contract import SOCKET_PATH, TOKEN_WAYS, is_greeting
from course.deadline import patient
from course.processes import wait_until

WHOAMI = f"{OWN_PATHS}whoami/"
_MARK = itertools.count(900_001)
_NUMBER = itertools.count(1)
_MIDDLEWARE = ["check_journal.kept", "check_counting.counted", "check_counting.rolled_back"]
_MIDDLEWARE += ["check_counting.broken_off", "check_trouble.slowed"]
# A socket that never stops talking must not keep an item waiting. Seconds.
_READING = patient(20.0)
# Without its access log: that would push the errors out of what a message shows.
_DAPHNE = ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"]
_DAPHNE += ["composed_asgi:application"]
# How long sockets that open together wait for their group: enough for all to meet. Seconds.
_JOINING = 0.2

Arrivals = AbstractContextManager[list[Arrival]]


def stage_of(harness: Harness) -> Stage:
    """The project's middleware, routes and consumer on a server of their own, made once."""
    name = "the project's WebSocket code under Daphne"
    return harness.once("stage", lambda: stage_with(harness, name))


def whole_stage_of(harness: Harness) -> Stage:
    """The same with the project's own ASGI application, whatever it has around its consumer."""
    name = "the project's ASGI application under Daphne"
    return harness.once("whole stage", lambda: stage_with(harness, name, whole=True))


def stage_with(
    harness: Harness,
    name: str,
    *,
    argv: list[str] | None = None,
    whole: bool = False,
    **plan: Any,
) -> Stage:
    """Another such server, its environment made by that plan (see Harness.env).

    `argv` starts another server than Daphne; `whole` takes the project's ASGI application.
    """
    argv = argv or _DAPHNE
    variables = {
        "DJANGO_SETTINGS_MODULE": harness.project.settings_module,
        "NUMENEON_CHECK_PATH": SOCKET_PATH,
        **({"NUMENEON_CHECK_WHOLE": "1"} if whole else {}),
        **plan.pop("variables", {}),
    }
    env = harness.env(middleware=_MIDDLEWARE, variables=variables, **plan)
    stage = Stage(harness, serve(harness, name, argv, env))
    stage.found = stage.control("found")
    return stage


@dataclass
class Stage:
    """The running WebSocket side; `found` says which parts the project has, and where."""

    harness: Harness
    server: Server
    found: dict[str, Any] = field(default_factory=dict)
    _numbers: dict[int, str] = field(default_factory=dict)

    def control(self, name: str, **arguments: Any) -> Any:
        """Ask the probe for what has no address of its own; NotYet if the project broke."""
        return self._control(name, arguments)

    def _control(
        self, name: str, arguments: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Any:
        path = f"{OWN_PATHS}{name}/"
        answer = self.server.ask("POST", path, body=arguments, headers=headers)
        if trace := answer.get("traceback"):
            raise NotYet(
                f"{name} stopped with {self.last_words(trace)}",
                look_at=self.harness.place_in(trace),
                todo="fix that line, then check again",
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

    def news(
        self,
        found: str,
        *,
        expected: str,
        part: str,
        socket: Socket,
        place: Place | None = None,
        todo: str = "",
    ) -> NotYet:
        """What was found, and the error in the server's log if this socket ended with one.

        `place` is the line to change where it is known better than the part.
        """
        place = place or self.place(part)
        if cause := diagnosis.socket_error(self, socket):
            found, todo = f"{found}\n{cause.text}", cause.todo or todo
            place = self._changed_by(cause, part) or place
        return NotYet(found, expected=expected, look_at=place, todo=todo)

    def unheard(
        self, found: str, socket: Socket, journal: Journal, *, expected: str, part: str
    ) -> NotYet:
        """A notification was sent, here is what became of it, and this socket heard nothing."""
        place, todo = self.place(part), ""
        if cause := diagnosis.cause_of_silence(self, socket, journal):
            found, todo = f"{found}\n{cause.text}", cause.todo
            place = self._changed_by(cause, part) or place
        return NotYet(found, expected=expected, look_at=place, todo=todo)

    def _changed_by(self, cause: Cause, part: str) -> Place | None:
        """The line to change, unless the middleware only passed the error on."""
        place, middleware = cause.place, self.place("middleware")
        passed = place and middleware and place.file == middleware.file
        return None if passed and part != "middleware" else place

    # Sockets

    def open(
        self,
        token: str | None,
        *,
        path: str = SOCKET_PATH,
        user: Person | None = None,
        **options: Any,
    ) -> Socket:
        """Open a socket with that token, sent in the way the project takes one.

        With a `user` the connection is theirs from the start, and passes no middleware.
        """
        number = str(next(_NUMBER))
        headers = {"X-Check-Socket": number}
        headers |= {"X-Check-User": str(user.id)} if user else {}
        socket = self.server.socket(token, path=path, headers=headers, **options)
        self._numbers[id(socket)] = number
        socket.line.follow(self._layer_log, number)
        return socket

    @property
    def _layer_log(self) -> Path:
        """What the server's channel layer was asked to do (see probes/check_layer_log)."""
        return self.harness.facts_folder / f"{self.server.process.pid}.layer"

    def number_of(self, socket: Socket) -> str:
        """The number by which the probe knows a socket that open() has given."""
        return self._numbers[id(socket)]

    def errors_of(self, socket: Socket) -> list[str]:
        """The tracebacks with which this socket's consumer or middleware ended."""
        errors = self.control("state")["errors"]
        number = self.number_of(socket)
        return [error["traceback"] for error in errors if error["socket"] == number]

    def learn_way(self, person: Person) -> NotYet | None:
        """Find out how the project takes a token; the news if it takes none."""
        seen: list[tuple[str, Socket]] = []
        for way in TOKEN_WAYS:
            with self.open(person.access, path=WHOAMI, way=way) as socket:
                socket.receive()
            if said(socket).get("id") == person.id:
                self.server.way = way
                return None
            seen.append((f"{person.username}'s token in the {way}: {socket}", socket))
        _, telling = next((pair for pair in seen if self.errors_of(pair[1])), seen[0])
        return self.news(
            "\n".join(words for words, _ in seen),
            expected=f'scope["user"] is {person.username}, id {person.id}; the token is the '
            'second of the subprotocols ["access_token", TOKEN]',
            part="middleware",
            socket=telling,
        )

    def _found_another_way(self, person: Person) -> bool:
        """Whether the project takes tokens in another way than the one that was tried first."""
        before = self.server.way
        return self.learn_way(person) is None and self.server.way != before

    def greeted(self, person: Person) -> Socket:
        """An open socket of that person, past its greeting. The caller closes it."""
        socket = self.open(person.access)
        frame = socket.receive()
        known = is_greeting(frame, person.id, person.username)
        if not known and self._found_another_way(person):
            socket.close()
            socket = self.open(person.access)
            frame = socket.receive()
        if not is_greeting(frame, person.id, person.username):
            socket.close()
            raise self.news(
                f"{person.username}'s socket: {socket}", socket=socket, **_GREETING
            )
        return socket

    def open_many(self, people: Sequence[Person], path: str = SOCKET_PATH) -> Arrivals:
        """Sockets of all these people, opened at one moment (see checks.harness.together)."""
        return arrivals(
            lambda person, gate: self.open(person.access, path=path, gate=gate),
            people,
            server=self.server.process.pid,
        )

    @contextmanager
    def slow_groups(self) -> Iterator[None]:
        """Joining a group takes a while inside, as it does with a Redis."""
        self.control("slow_groups", seconds=_JOINING)
        try:
            yield
        finally:
            self.control("slow_groups", seconds=0)

    def settled(self, open_sockets: int) -> bool:
        """Wait until no more than that many sockets are open; False if they stay."""
        return wait_until(
            lambda: self.control("state")["open"] <= open_sockets, seconds=patient(5)
        )

    # Events

    def do(self, method: str, path: str, **options: Any) -> Deed:
        """One HTTP request, and the journal of what it did."""
        number = str(next(_NUMBER))
        headers = {"X-Check-Journal": number, **options.pop("headers", {})}
        line_to(LOCAL, self.server.port).follow(self._layer_log, number)
        answer = self.server.ask(method, path, headers=headers, **options)
        return Deed(self, answer, number)

    def notify(self, user_ids: Iterable[int], kind: str, data: Any) -> Journal:
        """Have the project send a notification, from a thread like that of a view."""
        arguments = {"user_ids": list(user_ids), "kind": kind, "data": data}
        number = str(next(_NUMBER))
        line = line_to(LOCAL, self.server.port)
        line.follow(self._layer_log, number)
        line.sent("call", f"send_notification(user_ids={arguments['user_ids']}, {kind=})")
        return self._sent("notify", arguments, {"X-Check-Journal": number})

    def notify_each(self, user_ids: Iterable[int], kind: str, data: Any) -> Journal:
        """The same for each user alone, with one journal of all."""
        arguments = {"user_ids": list(user_ids), "kind": kind, "data": data}
        return self._sent("notify_each", arguments)

    def _sent(
        self,
        control: str,
        arguments: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Journal:
        if not self.found.get("sender"):
            raise NotYet(
                "no function send_notification() was found in the project",
                expected="send_notification(*, user_ids, kind, data), in services.py",
            )
        answer = self._control(control, arguments, headers)
        if "signature" in answer:
            raise NotYet(
                f"it is send_notification{answer['signature']}: {answer['error']}",
                expected="a call send_notification(user_ids=[...], kind=..., data=...)",
                look_at=self.place("sender"),
            )
        return Journal.of(answer)

    @contextmanager
    def listening(self, *people: Person) -> Iterator[Listeners]:
        """One open socket for each of these people, all quiet; somebody may come twice."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(self.greeted(person)) for person in people]
            listeners = Listeners(self, list(zip(people, sockets, strict=True)))
            listeners.received()
            yield listeners


@dataclass(frozen=True)
class Deed:
    """What somebody did over HTTP: the answer, and what it set going."""

    stage: Stage
    answer: Answer
    number: str

    @cached_property
    def journal(self) -> Journal:
        return Journal.of(self.stage.control("journal", number=self.number))


@dataclass
class Listeners:
    """Open sockets, and the one honest way to say that nothing arrived: what came first."""

    stage: Stage
    sockets: list[tuple[Person, Socket]]

    def received(self) -> list[list[Any]]:
        """The frames that each socket got before a marker which is sent to it now."""
        mark = sample_message(next(_MARK))
        ids = dict.fromkeys(person.id for person, _ in self.sockets)
        journal = self.stage.notify_each(ids, "new_message", mark)
        return [
            self._until(mark, person, socket, journal) for person, socket in self.sockets
        ]

    def _until(
        self, mark: Any, person: Person, socket: Socket, journal: Journal
    ) -> list[Any]:
        seen: list[Any] = []
        for frame in frames_of(socket):
            if isinstance(frame, dict) and frame.get("data") == mark:
                socket.frames.remove(frame)  # ours: no part of what the learner reads
                socket.line.take_back()
                return seen
            seen.append(frame)
        raise self.stage.unheard(
            f"a notification for {person.username} never arrived: {socket}",
            socket,
            journal,
            expected="the socket stays open and gets what send_notification() sends",
            part="consumer",
        )


_GREETING: dict[str, Any] = {
    "expected": 'the first frame is {"type": "connection_established", "message": '
    '"Connected as ...", "user_id": ...}',
    "part": "consumer",
}


def frames_of(socket: Socket, patience: float = patient(5)) -> Iterator[Any]:
    """The frames to come, until none does for that long, or a time in which all have come."""
    end = time.monotonic() + _READING
    while time.monotonic() < end and (frame := socket.receive(patience)) is not None:
        yield frame


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

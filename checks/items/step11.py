"""Step 11: a socket ends with its session, and no client can exhaust the server."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket as plain
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from checks.browser import app as pages
from checks.errors import NotYet, Place
from checks.harness.client import Answer, Socket, shorten
from checks.harness.harness import Harness
from checks.harness.memory import resident
from checks.harness.people import Person, altered, forged, signed_up
from checks.harness.reader import position_in
from checks.harness.servers import LOCAL, Server, need, runserver
from checks.harness.stage import Stage, people, stage_with, whole_stage_of
from checks.items import Checklist
from checks.items.step04 import done, write
from checks.items.step09 import missed_since, on_postgres
from course import processes
from course.contract import (
    AUTH,
    AUTHENTICATED,
    BAD_MESSAGE,
    ERROR,
    NOT_ALLOWED,
    NOT_AUTHENTICATED,
    PING,
    PONG,
    TICKET_PATH,
    TICKET_SUBPROTOCOL,
    TOO_LATE,
    TOO_MANY,
    is_greeting,
)
from course.deadline import patient

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: whole_stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(whole_stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

LOGIN, LOGOUT, PASSWORD = (f"/api/auth/{name}/" for name in ("login", "logout", "password"))
# How long the token of an item lives, and where the server is slow, and how much later its
# socket may end. Seconds.
_LIFE, _LONGER, _GRACE = round(patient(2)), round(patient(8)), patient(2)
# How long the news of a log-out may take to another process. Seconds.
_NEWS = patient(4)
# How long a client may be silent before it has said who it is: settings may say less.
_SILENT = patient(9)
# How often one that talks all the same says something: ten bad frames would end it, too.
_BETWEEN, _AT_ONCE = patient(0.6), patient(0.5)
_FRAME = 65_536
_UNKNOWN_KEY = "not judged: the tokens are signed with a key that only the project has"
# What anybody may send in a minute, and what nobody may.
_FEW, _FLOOD = 100, 1_000
# How long others may wait meanwhile. Seconds.
_PROMPT, _MEANWHILE = patient(2), 0.2
_FEWEST_SOCKETS, _MOST_SOCKETS = 3, 20
# What a client that does not read is sent: so many frames of that size. And by how much the
# server may grow meanwhile, and how long it may take to give the client up. Bytes, seconds.
_UNREAD, _UNREAD_SIZE = 200, 200_000
_GROWTH, _GIVES_UP = 20 * 1024 * 1024, patient(15)
# Whether the page has sent a frame with an access token.
_HAS_SENT_A_TOKEN = """numeneonStage.attempts[0].sent.some(({ text }) => {
  const frame = JSON.parse(text);
  return frame.type === "auth" && frame.token?.split(".").length === 3;
})"""
# Codes after which a client does not come back.
_FINAL = (BAD_MESSAGE, NOT_AUTHENTICATED, NOT_ALLOWED)


# Servers


def _pair(harness: Harness) -> tuple[Stage, Stage]:
    """Two servers of the project, with one database and one Redis."""

    def start(name: str) -> Stage:
        url = harness.redis().url
        plan: dict[str, Any] = {"layer": "project", "variables": {"REDIS_URL": url}}
        plan["whole"] = True
        return harness.once(
            f"stage {name}", lambda: stage_with(harness, f"server {name}", **plan)
        )

    return start("A"), start("B")


def _under_uvicorn(harness: Harness) -> Stage:
    """The same code on the other server, which waits in send() for a client that does not read."""
    argv = ["-m", "uvicorn", "--host", LOCAL, "--port", "{port}", "--lifespan", "off"]
    argv.append("composed_asgi:application")
    name = "the project's ASGI application under uvicorn"
    return harness.once(
        "stage under uvicorn", lambda: stage_with(harness, name, argv=argv, whole=True)
    )


# Sockets of somebody


def _opened(stage: Stage, person: Person, token: str) -> Socket:
    """A greeted socket with that token of a person, as the project takes tokens."""
    stage.greeted(person).close()  # by now it is known how
    return _greeted(stage, person, stage.open(token))


def _greeted(stage: Stage, person: Person, socket: Socket) -> Socket:
    frame = socket.receive()
    if is_greeting(frame, person.id, person.username):
        return socket
    socket.close()
    raise stage.news(
        f"{person.username}'s socket: {socket}",
        expected="the greeting",
        part="consumer",
        socket=socket,
    )


def _with_ticket(stage: Stage, person: Person, token: str) -> Socket:
    """A greeted socket with a ticket that was issued for that token."""
    origin = stage.server.origin
    answer = stage.server.ask("POST", TICKET_PATH, token=token, headers={"Origin": origin})
    ticket = need(answer, 201).get("ticket")
    offer = [TICKET_SUBPROTOCOL, str(ticket)]
    return _greeted(stage, person, stage.open(None, subprotocols=offer, origin=origin))


def _is_alive(socket: Socket, patience: float = patient(5)) -> bool:
    """Whether a ping on that socket is answered."""
    return socket.send({"type": PING}) and socket.event(PONG, patience) is not None


def _expect_code(
    stage: Stage,
    socket: Socket,
    code: int,
    when: str,
    *,
    within: float = patient(5),
    todo: str = "",
) -> None:
    """The socket is closed with that code, in that time."""
    if socket.until_closed(within) != code:
        raise stage.news(
            f"{when}: {socket}",
            expected=f"closed with {code}",
            part="consumer",
            socket=socket,
            todo=todo,
        )


def _expect_alive(stage: Stage, socket: Socket, when: str) -> None:
    if not _is_alive(socket):
        raise stage.news(
            f"{when}: {socket}",
            expected=f"the socket stays open: a {PING} is answered",
            part="consumer",
            socket=socket,
        )


# A session that ends


def _short(stage: Stage, person: Person, end: int) -> str | None:
    """That person's access token as it would be if it were to end at that second."""
    facts = stage.harness.facts_of(stage.server.process) or {}
    return forged(person, facts, exp=end)


class _TooLate(Exception):
    """A token has ended before it was used: a server that takes so long is no news."""


@contextlib.contextmanager
def _before(end: int) -> Iterator[None]:
    """What fails inside is news only if a token that ends at that second was still good."""
    try:
        yield
    except NotYet as news:
        if time.time() < end:
            raise
        raise _TooLate from news


def _in_time(judge: Callable[[int], str | None]) -> str | None:
    """Judge with tokens that end soon, and where the server is slow with some that live longer."""
    with contextlib.suppress(_TooLate):
        return judge(_LIFE)
    try:
        return judge(_LONGER)
    except _TooLate as error:
        assert isinstance(error.__cause__, NotYet)
        raise error.__cause__ from None


@item("session.expires", close_codes=[NOT_AUTHENTICATED])
def socket_ends_with_its_token(harness: Harness) -> str | None:
    """When its access token expires, a socket is closed with 4401, however it was opened."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")

    def judge(life: int) -> str | None:
        end = int(time.time()) + life
        if (token := _short(stage, alice, end)) is None:
            return _UNKNOWN_KEY
        with ExitStack() as stack:
            with _before(end):
                sockets = {
                    "a ticket": stack.enter_context(_with_ticket(stage, alice, token)),
                    "a token": stack.enter_context(
                        _greeted(stage, alice, stage.open(token))
                    ),
                }
            for how, socket in sockets.items():
                when = f"a socket that was opened with {how}, {life} s before its end"
                _expect_code(stage, socket, NOT_AUTHENTICATED, when, within=life + _GRACE)
        return None

    with _opened(stage, alice, alice.access) as other:
        remark = _in_time(judge)
        if remark is None:
            _expect_alive(stage, other, "and one whose token is valid for longer")
    return remark


@item("session.refused", close_codes=[NOT_AUTHENTICATED])
def bad_token_is_refused(harness: Harness) -> None:
    """A client that connects with a token that is not valid is told so: 4401."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    stage.greeted(alice).close()
    with stage.open(altered(alice.access)) as socket:
        when = "with a token that somebody has changed"
        _expect_code(stage, socket, NOT_AUTHENTICATED, when)
        if any(map(is_greeting, socket.frames)):
            raise NotYet(f"{when}: {socket}", expected="no greeting")


@item("session.renewed", needs=["session.expires"], events=[AUTHENTICATED])
def session_is_renewed(harness: Harness) -> str | None:
    """A new token in a frame of the type `auth` keeps a socket open until this one expires."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    stage.greeted(alice).close()  # by now it is known how a token is sent

    def judge(life: int) -> str | None:
        end = int(time.time()) + life
        first = _short(stage, alice, end)
        second = _short(stage, alice, end + life)
        if first is None or second is None:
            return _UNKNOWN_KEY
        with ExitStack() as stack:
            with _before(end):
                longer, shorter = (
                    stack.enter_context(_greeted(stage, alice, stage.open(first)))
                    for _ in range(2)
                )
                _renew(stage, longer, alice.access, more_than=life)
                _renew(stage, shorter, second)
            longer.until_closed(max(0.0, end + 1 - time.time()))
            _expect_alive(stage, longer, "after the end of the first token")
            _expect_code(
                stage,
                shorter,
                NOT_AUTHENTICATED,
                f"a socket was renewed with a token {2 * life} s before its end",
                within=life + _GRACE,
                todo="the session ends when the new token does: go by its exp",
            )
        return None

    return _in_time(judge)


def _renew(stage: Stage, socket: Socket, token: str, *, more_than: int = 0) -> None:
    """Send a new token; the answer says for how many seconds it is good: `more_than` so many."""
    socket.send({"type": AUTH, "token": token})
    answer = socket.event(AUTHENTICATED, patient(5)) or {}
    left = answer.get("expires_in")
    if not isinstance(left, int) or left <= more_than:
        raise stage.news(
            f"a new token was sent: {socket}",
            expected=f'{{"type": "{AUTHENTICATED}", "expires_in": SECONDS}}',
            part="consumer",
            socket=socket,
        )


@item("session.page", needs=["session.renewed"], prefetch=[runserver])
def page_renews_its_session(harness: Harness) -> None:
    """The page sends a new access token before the one that opened its socket expires."""
    server = runserver(harness)
    alice = signed_up(harness, server, "alice")
    page = pages.played(harness, server)
    page.open()
    page.sign_in(alice)
    if not page.wait_for("numeneonStage.attempts.length"):
        raise page.news("alice signed in, and the page made no socket", expected="it does")
    page.advance(pages.SESSION - 1)
    if not page.wait_for(_HAS_SENT_A_TOKEN) or len(page.attempts) > 1:
        raise page.news(
            f"a second before its session ends the page has made {len(page.attempts)} socket(s) "
            "and sent no token",
            expected=f'{{"type": "{AUTH}", "token": ...}} on the socket that is open',
            todo="`python3 tutorial.py give` puts the step's notifications.js in place",
        )


@item(
    "session.other-user",
    needs=["session.renewed"],
    close_codes=[NOT_ALLOWED, NOT_AUTHENTICATED],
)
def user_stays_the_same(harness: Harness) -> None:
    """A token of another user closes the socket with 4403, one that is not valid with 4401."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    cases = [(bob.access, NOT_ALLOWED, "bob's token")]
    cases += [(altered(alice.access), NOT_AUTHENTICATED, "a token that is not valid")]
    cases += [(alice.refresh, NOT_AUTHENTICATED, "a refresh token, which lasts for a day")]
    for token, code, what in cases:
        with stage.greeted(alice) as socket:
            socket.send({"type": AUTH, "token": token})
            _expect_code(stage, socket, code, f"alice's socket, after {what}")


@item("session.first-frame", needs=["session.expires"])
def first_frame_may_sign_in(harness: Harness) -> None:
    """A client without credentials signs in with its first frame, and gets nothing before."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.open(None) as socket:
        socket.send({"type": PING})
        early = socket.receive(patience=0.5)
        if socket.ended or (isinstance(early, dict) and early.get("type") != ERROR):
            raise stage.news(
                f"without credentials, and before a token: {socket}",
                expected="an open socket, and an error in answer to a ping",
                part="consumer",
                socket=socket,
            )
        socket.send({"type": AUTH, "token": alice.access})
        _greeted_later(stage, alice, socket)
        done(write(stage, bob, alice.id, "For alice"), 201, "new_message")
        if socket.event("new_message", 5) is None:
            raise stage.news(
                f"alice has signed in with a frame, and bob wrote to her: {socket}",
                expected="new_message",
                part="consumer",
                socket=socket,
            )
    with stage.open(None) as socket:
        socket.send({"type": AUTH, "token": altered(alice.access)})
        when = "the first frame had a token that is not valid"
        _expect_code(stage, socket, NOT_AUTHENTICATED, when)


def _greeted_later(stage: Stage, person: Person, socket: Socket) -> None:
    while (frame := socket.receive(patient(5))) is not None:
        if is_greeting(frame, person.id, person.username):
            return
    raise stage.news(
        f"{person.username}'s token in a frame: {socket}",
        expected="the greeting",
        part="consumer",
        socket=socket,
    )


@item("session.too-slow", needs=["session.first-frame"], close_codes=[TOO_LATE])
def silent_clients_are_closed(harness: Harness) -> None:
    """A client that does not say who it is gets 4408; however many do that, others are served."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_half_a_handshake(stage.server))
        talking = stack.enter_context(stage.open(None))
        silent = [stack.enter_context(stage.open(None)) for _ in range(20)]
        began = time.monotonic()
        with stage.greeted(alice) as socket:
            _expect_alive(stage, socket, "while forty others say nothing")
        _expect_end_of_talk(stage, talking, silent[0], began + _SILENT)
        for socket in silent:
            left = _SILENT - (time.monotonic() - began)
            _expect_code(
                stage, socket, TOO_LATE, "no token was sent", within=max(0.5, left)
            )


def _expect_end_of_talk(stage: Stage, talking: Socket, silent: Socket, end: float) -> None:
    """Frames that do not say who a client is give it no more time. `end` is by monotonic()."""
    while silent.close_code is None and (left := end - time.monotonic()) > 0:
        talking.send({"type": PING})
        silent.until_closed(min(_BETWEEN, left))
    # It was opened first. As one that sends nonsense it may have ended earlier.
    if talking.until_closed(_AT_ONCE) not in (TOO_LATE, BAD_MESSAGE):
        raise stage.news(
            f"a {PING} every {_BETWEEN:g} s, and no token: {talking}",
            expected=f"closed with {TOO_LATE}, as early as a client that is silent",
            part="consumer",
            socket=talking,
            todo="start that clock once, when the socket is opened",
        )


@contextlib.contextmanager
def _half_a_handshake(server: Server) -> Iterator[None]:
    """A connection whose request is never complete."""
    with plain.create_connection((LOCAL, server.port)) as connection:
        connection.sendall(b"GET /ws/notifications/ HTTP/1.1\r\nHost: ")
        yield


# Ended elsewhere


def _log_in(stage: Stage, person: Person, password: str = "") -> tuple[str, str]:
    """The access and the refresh token of a new login."""
    body = {"email": person.email, "password": password or person.password}
    answer = need(stage.server.ask("POST", LOGIN, body=body), 200)
    return str(answer.get("access")), str(answer.get("refresh"))


def _expect_success(stage: Stage, answer: Answer) -> None:
    if not 200 <= answer.status < 300:
        raise NotYet(
            str(answer), expected=f"{answer.request} answers 204", look_at=answer.place
        )


@item(
    "session.log-out",
    needs=["session.expires", "session.refused"],
    close_codes=[NOT_AUTHENTICATED],
    prefetch=[_pair],
)
def log_out_ends_sockets(harness: Harness) -> None:
    """A log-out ends the sockets of that login, on all servers, and no others."""
    first, second = _pair(harness)
    [alice] = people(first, "lola")
    access, refresh = _log_in(first, alice)
    with (
        _opened(first, alice, alice.access) as other,
        _opened(first, alice, access) as socket,
    ):
        answer = second.server.ask("POST", LOGOUT, body={"refresh": refresh})
        _expect_success(second, answer)
        when = "after a log-out at the other server"
        todo = (
            "tell the sockets through the channel layer: a variable is known to one process"
        )
        _expect_code(first, socket, NOT_AUTHENTICATED, when, within=_NEWS, todo=todo)
        _expect_alive(first, other, "the socket of another login, after that log-out")
    with first.open(access) as socket:
        when = "a new socket with the access token of that login"
        _expect_code(first, socket, NOT_AUTHENTICATED, when)


@item("session.password", needs=["session.log-out"])
def password_ends_sockets(harness: Harness) -> None:
    """A new password ends all sockets of that user, on all servers, and all tokens."""
    first, second = _pair(harness)
    petra, witness = people(first, "petra", "alice")
    passwords = {"old_password": petra.password, "new_password": "Another-meadow-43"}
    with (
        _opened(first, witness, witness.access) as other,
        _opened(first, petra, petra.access) as socket,
    ):
        changed = second.server.ask("POST", PASSWORD, body=passwords, token=petra.access)
        _expect_success(second, changed)
        when = "after the password was changed at the other server"
        _expect_code(first, socket, NOT_AUTHENTICATED, when, within=_NEWS)
        _expect_alive(first, other, "somebody else's socket, after that")
    need(second.server.ask("GET", "/api/auth/me/", token=petra.access), 401)
    access, _ = _log_in(second, petra, passwords["new_password"])
    with _greeted(second, petra, _learned(second, first).open(access)):
        pass


def _learned(stage: Stage, other: Stage) -> Stage:
    stage.server.way = other.server.way
    return stage


@item("session.deactivated", needs=["session.log-out"])
def deactivation_ends_sockets(harness: Harness) -> None:
    """When an account is deactivated, its sockets end, on all servers."""
    first, second = _pair(harness)
    dora, witness = people(first, "dora", "alice")
    with (
        _opened(first, witness, witness.access) as other,
        _opened(first, dora, dora.access) as socket,
    ):
        second.control("save", id=dora.id, is_active=False)
        when = "after the account was deactivated at the other server"
        _expect_code(first, socket, NOT_AUTHENTICATED, when, within=_NEWS)
        _expect_alive(first, other, "somebody else's socket, after that")


# Frames


def _ping_with(sign: str, count: int) -> str:
    return f'{{"type": "{PING}", "padding": "{sign * count}"}}'


# A text may have fewer characters than bytes, and a frame may be no text.
_LARGE: dict[str, str | bytes] = {
    f"a frame of {_FRAME + 5_000:,} bytes": _ping_with("x", _FRAME + 5_000),
    "a frame of 20,000 smileys, which are 80,000 bytes": _ping_with("\U0001f642", 20_000),
    f"a binary frame of {_FRAME + 5_000:,} bytes": b"x" * (_FRAME + 5_000),
}
# Ours, and the protocol's for what is too big; for a binary frame, also for what is no text.
_TOO_LARGE = {str: (BAD_MESSAGE, 1009), bytes: (BAD_MESSAGE, 1009, 1003)}


@item("limits.size", close_codes=[BAD_MESSAGE])
def large_frames_are_refused(harness: Harness) -> None:
    """A frame of 60,000 bytes is answered; one of more than 64 KiB closes its socket."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.greeted(bob) as other:
        with stage.greeted(alice) as socket:
            socket.send(_ping_with("x", 60_000))
            if socket.event(PONG, patient(5)) is None:
                raise stage.news(
                    f"a {PING} of 60,000 bytes: {socket}",
                    expected=PONG,
                    part="consumer",
                    socket=socket,
                )
        for what, frame in _LARGE.items():
            with stage.greeted(alice) as socket:
                socket.send(frame)
                if socket.until_closed(patient(5)) not in _TOO_LARGE[type(frame)]:
                    raise stage.news(
                        f"{what}: {socket}",
                        expected=f"closed with {BAD_MESSAGE}",
                        part="consumer",
                        socket=socket,
                        todo="count the bytes of both kinds of frames: text.encode(), and "
                        "bytes_data",
                    )
        _expect_alive(stage, other, "and somebody else's socket")


@item("limits.flood", close_codes=[TOO_MANY])
def floods_are_ended(harness: Harness) -> None:
    """A hundred frames are answered; a flood closes its socket with 4429, and no other."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.greeted(bob) as other, stage.greeted(alice) as socket:
        for _ in range(_FEW):
            socket.send({"type": PING})
        # The first one that does not come is enough: nobody waits for each of the others.
        answers = (socket.event(PONG, patient(5)) for _ in range(_FEW))
        answered = len(list(itertools.takewhile(bool, answers)))
        if answered != _FEW:
            raise stage.news(
                f"{_FEW} pings: {answered} were answered; {_end_of(socket)}",
                expected=f"{_FEW} answers: nobody's page sends more in a minute",
                part="consumer",
                socket=socket,
            )
        _expect_end_of_flood(stage, socket)
        # Twice, as a busy machine is late too, but not each time.
        if all(_wait_in_flood(stage, alice, other) > _PROMPT for _ in range(2)):
            raise stage.news(
                f"while alice's socket sent {_FLOOD:,} frames, bob's waited more than "
                f"{_PROMPT:g} s for a {PONG}",
                expected="everybody else is served at once, whatever one client sends",
                part="consumer",
                socket=other,
                todo="in a coroutine, await what takes time: time.sleep() stops everybody's "
                "sockets",
            )
        _expect_alive(stage, other, "and somebody else's socket")


def _expect_end_of_flood(stage: Stage, socket: Socket) -> None:
    _send_flood(socket)
    if socket.until_closed(10) != TOO_MANY:
        raise stage.news(
            f"{_FLOOD:,} frames in a moment: {_end_of(socket)}",
            expected=f"closed with {TOO_MANY}",
            part="consumer",
            socket=socket,
        )


def _send_flood(socket: Socket) -> None:
    for _ in range(_FLOOD):
        if not socket.send({"type": PING}):
            break


def _wait_in_flood(stage: Stage, sender: Person, other: Socket) -> float:
    """How long another socket waits for an answer at most, while that person sends too much."""
    longest, end = 0.0, time.monotonic() + 10
    with stage.greeted(sender) as socket:
        _send_flood(socket)
        while socket.close_code is None and time.monotonic() < end:
            began = time.monotonic()
            _expect_alive(stage, other, "while somebody else sends too much")
            longest = max(longest, time.monotonic() - began)
            socket.until_closed(_MEANWHILE)
    return longest


def _end_of(socket: Socket) -> str:
    code = socket.close_code
    return f"closed with {code}" if code else "the socket is still open"


# What is no command, and what tries to be one of the server's own. `{id}` is somebody else's.
_STRANGE = (
    '{"type": "dance"}',
    "{}",
    "[]",
    '"ping"',
    "1e400",
    '{"type": ["ping"]}',
    '{"type": null}',
    '{"type": "websocket.disconnect", "code": 1000}',
    '{"type": "notify", "payload": {"type": "new_message", "data": {"forged": true}}}',
    '{"type": "group.add", "group": "user_{id}"}',
    '{"type": "resume", "epoch": "user_{id}", "seq": 0, "user_id": {id}}',
    '{"type": "auth"}extra',
)
_BROKEN = ("[" * 20_000, '{"a":' * 9_000, "\ud7ff", "", '{"type":', b"\x00\xff", b"[]")


@item("limits.nonsense", needs=["session.expires"])
def nonsense_gets_an_error(harness: Harness) -> None:
    """Frames that are not commands get an error or nothing, end no socket and join no group."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    for frame in (*_STRANGE, *_BROKEN):
        sent = frame.replace("{id}", str(bob.id)) if isinstance(frame, str) else frame
        stage.settled(0)  # one that is about to end would still take a place of hers
        with stage.greeted(alice) as socket:
            number = stage.number_of(socket)
            before = stage.control("socket", number=number)["groups"]
            socket.send(sent)
            _expect_alive(stage, socket, f"after the frame {shorten(repr(frame), 60)}")
            kinds = {f.get("type") for f in socket.frames[1:] if isinstance(f, dict)}
            after = stage.control("socket", number=number)["groups"]
            if kinds - {PONG, ERROR, "resumed"} or after != before:
                raise stage.news(
                    f"after the frame {shorten(repr(frame), 60)}: {socket}; "
                    f"its groups are {', '.join(after)}",
                    expected="an error, and the groups that it was in before",
                    part="consumer",
                    socket=socket,
                )


@item("limits.errors", needs=["limits.nonsense"], events=[ERROR], close_codes=[BAD_MESSAGE])
def errors_do_not_go_on_for_ever(harness: Harness) -> None:
    """An unknown type gets an error, and a client that goes on like that is closed with 4400."""
    stage = whole_stage_of(harness)
    [alice] = people(stage, "alice")
    with stage.greeted(alice) as socket:
        socket.send({"type": "dance"})
        if (socket.receive(patient(5)) or {}).get("type") != ERROR:
            raise stage.news(
                f'after {{"type": "dance"}}: {socket}',
                expected=f'{{"type": "{ERROR}", "message": ...}}, which says what is possible',
                part="consumer",
                socket=socket,
            )
        for _ in range(_FEW):
            if not socket.send({"type": "dance"}):
                break
        when = f"after {_FEW} such frames"
        _expect_code(stage, socket, BAD_MESSAGE, when, within=patient(10))


# Sockets


def _fill(stage: Stage, person: Person, stack: ExitStack) -> list[Socket]:
    """As many sockets as that person may have; else NotYet."""
    sockets: list[Socket] = []
    while len(sockets) <= _MOST_SOCKETS:
        socket = stack.enter_context(stage.open(person.access))
        if not is_greeting(socket.receive(), person.id):
            break
        sockets.append(socket)
    else:
        raise NotYet(
            f"{person.username} has {len(sockets)} open sockets, and no end",
            expected=f"the eleventh is closed with {TOO_MANY}",
            look_at=stage.place("consumer"),
        )
    when = f"the socket after {len(sockets)} open ones of the same user"
    _expect_code(stage, socket, TOO_MANY, when)
    if len(sockets) < _FEWEST_SOCKETS:
        raise NotYet(
            f"{person.username} had {len(sockets)} sockets, and no more",
            expected="several: a person has devices, and tabs",
            look_at=stage.place("consumer"),
        )
    return sockets


@item("limits.sockets", needs=["session.expires"], close_codes=[TOO_MANY])
def eleventh_socket_is_refused(harness: Harness) -> None:
    """The eleventh socket of a user is closed with 4429, until one of the others is closed."""
    stage = whole_stage_of(harness)
    ella, bob = people(stage, "ella", "bob")
    with stage.greeted(ella):
        pass
    stage.settled(0)
    with ExitStack() as stack:
        sockets = _fill(stage, ella, stack)
        _expect_alive(stage, sockets[0], "the first of them, after that")
        with stage.greeted(bob):
            pass  # others have places of their own
        sockets[-1].close()
        _expect_place(stage, ella, "one of them was closed")


def _expect_place(stage: Stage, person: Person, when: str) -> None:
    """Another socket of that person is greeted, now or in a moment."""
    seen: list[Socket] = []

    def is_greeted() -> bool:
        with stage.open(person.access) as socket:
            seen.append(socket)
            return is_greeting(socket.receive(), person.id)

    if not processes.wait_until(is_greeted, seconds=patient(5)):
        raise stage.news(
            f"{when}, and a new socket of that user: {seen[-1]}",
            expected="the greeting: there is a place again",
            part="consumer",
            socket=seen[-1],
        )


@item("limits.dead-server", needs=["limits.sockets"])
def dead_server_holds_no_places(harness: Harness) -> None:
    """Sockets on all servers count, but after a while not those on a server that was killed."""
    stage = whole_stage_of(harness)
    doomed = stage_with(harness, "a server that is killed", whole=True)
    [fay] = people(stage, "fay")
    with ExitStack() as stack:
        stack.enter_context(doomed.greeted(fay))
        _fill(doomed, fay, stack)
        stage.greeted(people(stage, "alice")[0]).close()
        with stage.open(fay.access) as socket:
            when = "somebody has all of their sockets on another server"
            todo = "count rows in the database: a variable is known to one process"
            _expect_code(stage, socket, TOO_MANY, when, todo=todo)
        doomed.server.process.kill()
        stage.control("age", days=1)
        _expect_place(stage, fay, "a server with all of somebody's sockets was killed")


# A client that stops reading


@item(
    "limits.unread",
    needs=["session.expires"],
    close_codes=[TOO_LATE],
    prefetch=[_under_uvicorn],
)
def client_that_does_not_read_is_cut_off(harness: Harness) -> None:
    """A client that stops reading is cut off before it costs much memory, and can resume."""
    _expect_cut_off(whole_stage_of(harness), "uma")
    _expect_cut_off(_under_uvicorn(harness), "ursula")


def _expect_cut_off(stage: Stage, name: str) -> None:
    reader, writer = people(stage, name, "alice")
    pid = stage.server.process.pid
    with stage.greeted(reader) as socket:
        epoch, seen = position_in(stage, socket)
        before, open_before = resident(pid), _open_sockets(stage)
        stage.control("flood", user_id=reader.id, count=_UNREAD, size=_UNREAD_SIZE)
        gone = processes.wait_until(
            lambda: _open_sockets(stage) < open_before, seconds=_GIVES_UP
        )
        grown = (resident(pid) or 0) - (before or 0)
        code = socket.until_closed(patient(5))
    if not gone or code is None or code in _FINAL:
        raise stage.news(
            f"{stage.server.name}: a client did not read what it was sent, "
            f"{_UNREAD * _UNREAD_SIZE // 10**6} MB: {_end_of(socket)}",
            expected=f"closed with {TOO_LATE}, after which it comes back",
            part="consumer",
            socket=socket,
        )
    if before is not None and grown > _GROWTH:
        raise NotYet(
            f"for a client that did not read, the server grew by {grown // 10**6} MB",
            expected=f"by less than {_GROWTH // 10**6} MB",
            look_at=stage.place("consumer"),
        )
    for number in range(3):
        done(write(stage, writer, reader.id, f"Message {number}"), 201, "new_message")
    with stage.greeted(reader) as socket:
        *events, end = missed_since(stage, socket, epoch, seen)
    if len(events) != 3 or end.get("recovered") is not True:
        raise stage.news(
            f"when it came back, it resumed and got {len(events)} of 3 events",
            expected="all of them",
            part="consumer",
            socket=socket,
        )


def _open_sockets(stage: Stage) -> int:
    return int(stage.control("state")["open"])


# Refused at start


@functools.cache
def _production(url: str) -> dict[str, str]:
    return {
        "DEBUG": "false",
        "DATABASE_URL": url,
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "ALLOWED_HOSTS": "numeneon.example",
        "SECRET_KEY": "k8Zq-3vWm_Lr0TxB9yHc5NfJ2pGdQ7sE1uAo4iXb6",
    }


def _settings_load(harness: Harness, **variables: str | None) -> tuple[bool, str]:
    """Whether the settings load with these variables of production, and what was printed."""
    url = "postgresql://numeneon:scratch@127.0.0.1:9/numeneon"
    plan: dict[str, Any] = {
        "database": str(harness.database_path),
        "variables": {**_production(url), **variables},
    }
    process = harness.finish(
        ["manage.py", "diffsettings"], harness.env(**plan), seconds=patient(60)
    )
    return process.exit_code == 0, harness.sandbox.as_learner(process.log(6))


def _expect_refusal(harness: Harness, what: str, **variables: str | None) -> None:
    """The settings load in production, and do not with these variables on top."""
    loads, log = harness.once("settings in production", lambda: _settings_load(harness))
    if not loads:
        raise NotYet(
            f"with the variables of production the settings did not load:\n{log}",
            expected="they load with DEBUG=false, DATABASE_URL, REDIS_URL, ALLOWED_HOSTS and "
            "a random SECRET_KEY",
        )
    loads, _ = _settings_load(harness, **variables)
    if loads:
        raise NotYet(
            f"with {what} the settings loaded in production",
            expected="an ImproperlyConfigured that says what to change",
            look_at=_settings_place(harness),
        )


def _settings_place(harness: Harness) -> Place:
    module = harness.project.settings_module
    file = harness.project.backend.joinpath(*module.split(".")).with_suffix(".py")
    return Place(harness.project.relative(file))


@item("start.secret", needs=["session.expires"], parallel=True)
def example_secrets_are_refused(harness: Harness) -> None:
    """With DEBUG off, a SECRET_KEY that is not random is refused at start."""
    keys = ["django-insecure-" + "k8Zq3vWmLr0TxB9yHc5NfJ2pGdQ7sE1uAo4iXb6", "x" * 50]
    for key in keys:
        _expect_refusal(harness, f"SECRET_KEY={key[:20]}...", SECRET_KEY=key)


@item("start.debug", needs=["session.expires"], parallel=True)
def debug_is_refused_on_render(harness: Harness) -> None:
    """On Render, DEBUG is refused at start."""
    what = "RENDER=true and DEBUG=true"
    _expect_refusal(harness, what, DEBUG="true", RENDER="true")


@item("start.admin", needs=["session.expires"], parallel=True)
def known_admin_passwords_are_refused(harness: Harness) -> None:
    """While an admin has a password that everybody knows, production does not start."""
    url = harness.postgres().url
    _expect_start(harness, url, "an empty database", True)
    _make_admin(harness, url, "root", "Sunny-meadow-42")
    _expect_start(harness, url, "an admin whose password nobody can guess", True)
    _make_admin(harness, url, "admin", "admin123")
    _expect_start(harness, url, "an admin whose password is admin123", False)


def _in_production(
    harness: Harness, url: str, argv: list[str], **variables: str
) -> tuple[int | None, str]:
    plan = {**on_postgres(url), "variables": {**_production(url), **variables}}
    process = harness.finish(["manage.py", *argv], harness.env(**plan), seconds=patient(90))
    return process.exit_code, harness.sandbox.as_learner(process.log(8))


def _make_admin(harness: Harness, url: str, name: str, password: str) -> None:
    status, log = _in_production(
        harness,
        url,
        ["createsuperuser", "--noinput"],
        DJANGO_SUPERUSER_EMAIL=f"{name}@example.com",
        DJANGO_SUPERUSER_USERNAME=name,
        DJANGO_SUPERUSER_PASSWORD=password,
    )
    if status:
        raise NotYet(f"`createsuperuser --noinput` failed:\n{log}")


def _expect_start(harness: Harness, url: str, when: str, wanted: bool) -> None:
    """What the start command does first: it migrates; and the checks of the database."""
    status, log = _in_production(harness, url, ["migrate", "--noinput"])
    if wanted and status:
        raise NotYet(
            f"with {when}, `python manage.py migrate` failed:\n{log}", expected="it works"
        )
    if not wanted and not status:
        raise NotYet(
            f"with {when}, `python manage.py migrate` worked, and the server would start",
            expected="it ends with an error that says whose password it is",
        )


@item("logs.quiet", needs=["limits.nonsense", "session.first-frame"])
def nothing_private_is_logged(harness: Harness) -> None:
    """The server's log has no token, no ticket and nothing that people write to each other."""
    stage = whole_stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    printed = stage.server.process.printed
    words = "Zebras-in-the-attic"
    with stage.greeted(bob) as socket:
        done(write(stage, alice, bob.id, words), 201, "new_message")
        for frame in (f'{{"type": "{words}"}}', words, f'{{"type": "auth", "x": "{words}"'):
            socket.send(frame)
        _is_alive(socket)
        socket.send({"type": AUTH, "token": altered(bob.access)})
        socket.until_closed(patient(5))
    with stage.open(None) as socket:
        socket.send({"type": AUTH, "token": bob.access})
        _greeted_later(stage, bob, socket)
    log = stage.server.process.log_since(printed)
    for what, secret in (
        ("what alice wrote", words),
        ("bob's access token", bob.access),
        ("a part of a token", bob.access.rpartition(".")[2]),
    ):
        if secret in log:
            line = next(line for line in log.splitlines() if secret in line)
            raise NotYet(
                f"{what} is in the server's log: {shorten(line, 120)}",
                expected="log who and what happened, never what was said",
                look_at=stage.place("consumer"),
            )

"""Step 13: everybody hears announcements, and friends see who is online."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from checks.browser import app as pages
from checks.errors import NotYet
from checks.harness.client import Answer, Socket, shorten
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.reader import position_in
from checks.harness.recorder import current, recording
from checks.harness.servers import need
from checks.harness.stage import Stage, frames_of, people, stage_with
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from checks.items.step04 import ask, done, make_friends, write
from checks.items.step08 import LIST
from checks.items.step09 import lost, stage_on_postgres
from course.contract import (
    ANNOUNCEMENT,
    ANNOUNCEMENTS_PATH,
    NOT_ALLOWED,
    NOT_AUTHENTICATED,
    PING,
    PONG,
    PRESENCE,
    PRESENCE_PATH,
    RESUME,
    RESUMED,
    SOCKET_PATH,
    STORED_EVENTS,
    is_greeting,
)
from course.deadline import patient

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: _stage(harness),
        lambda harness: harness.database(),
        lambda harness: people(_stage(harness), "alice", "bob"),
    ],
)
item = checklist.item

READ, UNREAD_COUNT = f"{ANNOUNCEMENTS_PATH}read/", f"{ANNOUNCEMENTS_PATH}unread-count/"
# What the settings are made to say, so that nobody waits for long. Seconds.
_HEARTBEAT, _GRACE = round(patient(2)), round(patient(1))
# How long news of somebody may take, by themselves and through the next heartbeats. Seconds.
_NEWS, _SWEPT = patient(4), patient(10)
# How often a page is loaded again where that takes longer than the grace.
_RELOADS = 3
# How many users there are when rows are counted, and how many rows one announcement may be.
_CROWD, _MOST_ROWS = 40, 5
# How many announcements staff make at the same moment, and how slow each statement is.
_WRITERS, _EACH, _SLOW = 3, 3, "0.03"
_FORGED: list[Any] = [-1, 2**31, 2**70, "0", None, 0.5, [], {}]
# What no pong may repeat, as a client would write it.
_NO_NUMBERS = ("NaN", "1e999", '"1"', "null", "[1]", "true")
_NOBODY = 987_654_321


def _stage(harness: Harness) -> Stage:
    """The project's ASGI application, its heart beating fast."""
    return harness.once("stage with heartbeats", lambda: _server(harness, "Daphne"))


def _server(harness: Harness, name: str) -> Stage:
    shorter = {"HEARTBEAT_SECONDS": _HEARTBEAT, "PRESENCE_GRACE_SECONDS": _GRACE}
    title = f"the project's ASGI application under {name}"
    # The caches of the project: what servers share may be there.
    return stage_with(harness, title, whole=True, shorter=shorter, caches=True)


def _staff(stage: Stage) -> Person:
    """Somebody who may announce."""

    def make() -> Person:
        [sam] = people(stage, "sam")
        stage.control("change", id=sam.id, is_staff=True)
        return sam

    return stage.harness.once("staff", make)


# One row for everybody


def _announce(stage: Stage, text: str, **options: Any) -> Answer:
    """Announce that; the answer to it."""
    sam, body = _staff(stage), {"text": text}
    deed = stage.do("POST", ANNOUNCEMENTS_PATH, body=body, token=sam.access, **options)
    return needed(stage.harness, deed.answer, 201)


def _listed(stage: Stage, person: Person) -> list[Any]:
    """The first page of announcements, as that person reads it."""
    answer = stage.server.ask("GET", ANNOUNCEMENTS_PATH, token=person.access)
    return needed(stage.harness, answer, 200).rows


@item("announce.staff")
def staff_announce(harness: Harness) -> None:
    """Staff announce with a POST, and everybody who is signed in reads the list, newest first."""
    stage = _stage(harness)
    [alice] = people(stage, "alice")
    made = [_announce(stage, f"Announcement {number}") for number in range(2)]
    for answer in made:
        if not {"id", "text", "created_at"} <= (answer.body or {}).keys():
            raise unexpected(harness, answer, '{"id", "text", "created_at", ...}')
    listing = stage.server.ask("GET", ANNOUNCEMENTS_PATH, token=alice.access)
    rows = needed(harness, listing, 200).rows[:2]
    wanted = [answer.get("id") for answer in reversed(made)]
    if [row.get("id") for row in rows] != wanted:
        raise unexpected(harness, listing, f"the announcements {wanted}, newest first")
    body = {"text": "Buy this"}
    for token, status in ((alice.access, 403), (None, 401)):
        answer = stage.server.ask("POST", ANNOUNCEMENTS_PATH, body=body, token=token)
        needed(harness, answer, status)
    needed(harness, stage.server.ask("GET", ANNOUNCEMENTS_PATH), 401)


@item("announce.one-row", needs=["announce.staff"])
def announcement_is_one_row(harness: Harness) -> None:
    """An announcement is stored once, however many users there are."""
    stage = _stage(harness)
    [carol] = people(stage, "carol")
    stage.control("bulk_users", like=carol.id, count=_CROWD)
    _announce(stage, "To few")
    before = stage.control("rows")["rows"]
    answer = _announce(stage, "To many")
    added = stage.control("rows")["rows"] - before
    if not 0 < added <= _MOST_ROWS:
        news = unexpected(harness, answer, "one row, which everybody reads")
        news.found = f"with more than {_CROWD} users, an announcement added {added} rows"
        raise news


@item("announce.read", needs=["announce.staff"], events=["announcements_read"])
def reading_is_remembered(harness: Harness) -> None:
    """Announcements marked as read up to an `id` are read for that user, on every device."""
    stage = _stage(harness)
    alice, bob = people(stage, "alice", "bob")
    older, newer = (_announce(stage, text).get("id") for text in ("Older", "Newer"))
    before = _unread(stage, bob)
    with stage.greeted(alice) as socket:
        answer = stage.server.ask("POST", READ, body={"up_to": older}, token=alice.access)
        needed(harness, answer, 200)
        told = socket.event("announcements_read", patient(5)) or {}
    wanted = {"up_to": older, "unread": 1}
    if answer.get("unread") != 1 or told.get("data") != wanted:
        raise unexpected(
            harness,
            answer,
            f'{{"unread": 1}}, and {{"type": "announcements_read", "data": {wanted}}} on her '
            f"sockets; the last frame was {shorten(told)}",
        )
    read = {row.get("id"): row.get("read") for row in _listed(stage, alice)}
    if (read.get(older), read.get(newer)) != (True, False) or _unread(stage, alice) != 1:
        listing = stage.server.ask("GET", ANNOUNCEMENTS_PATH, token=alice.access)
        raise unexpected(harness, listing, f"{older} is read, and {newer} is not")
    # What was read stays read, and nobody has read what is not there yet.
    left = _mark(stage, alice, 2**53)
    _mark(stage, alice, older)
    _announce(stage, "The newest")
    if _unread(stage, alice) != left + 1:
        count = stage.server.ask("GET", UNREAD_COUNT, token=alice.access)
        what = f"{left + 1}: one more than before the newest one, whatever `up_to` said"
        raise unexpected(harness, count, what)
    if _unread(stage, bob) != before + 1:
        count = stage.server.ask("GET", UNREAD_COUNT, token=bob.access)
        raise unexpected(harness, count, f"{before + 1}: bob has read nothing")


def _mark(stage: Stage, person: Person, up_to: int) -> Any:
    """Say that so much was read, which may be refused; how many are unread then."""
    stage.server.ask("POST", READ, body={"up_to": up_to}, token=person.access)
    return _unread(stage, person)


def _unread(stage: Stage, person: Person) -> Any:
    answer = stage.server.ask("GET", UNREAD_COUNT, token=person.access)
    return needed(stage.harness, answer, 200).get("unread")


@item("announce.v1")
def notifications_have_a_version(harness: Harness) -> None:
    """`/api/v1/notifications/` is the same as `/api/notifications/`, which stays."""
    stage = _stage(harness)
    alice, bob = people(stage, "alice", "bob")
    done(write(stage, bob, alice.id, "Hello"), 201, "new_message")
    for path in ("", "unread-count/"):
        old = need(stage.server.ask("GET", f"{LIST}{path}", token=alice.access), 200)
        new = stage.server.ask("GET", f"/api/v1/notifications/{path}", token=alice.access)
        needed(harness, new, 200)
        rows = (new.rows, old.rows) if old.rows else (new.body, old.body)
        if rows[0] != rows[1]:
            raise unexpected(harness, new, f"the same as {old}")


# Announcements that nobody misses


def _announcements(socket: Socket, count: int) -> list[Any]:
    """The next announcements of a socket, as many as that or all that come."""
    coming = iter(lambda: socket.event(ANNOUNCEMENT, patient(5)), None)
    return list(islice(coming, count))


def _announcements_until(socket: Socket, text: str) -> list[Any]:
    """The next announcements of a socket, up to the one with that text or all that come."""
    found: list[Any] = []
    while frame := socket.event(ANNOUNCEMENT, patient(5)):
        found.append(frame)
        if (frame.get("data") or {}).get("text") == text:
            break
    return found


def _expect_texts(
    stage: Stage, socket: Socket, frames: list[Any], texts: list[str], when: str
) -> None:
    """These are announcements with these texts, and their numbers follow each other."""
    numbers = [frame.get(ANNOUNCEMENT) for frame in frames]
    said = [(frame.get("data") or {}).get("text") for frame in frames]
    whole = all(type(number) is int for number in numbers)
    follow = whole and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if said != texts or not follow:
        raise stage.news(
            f"{when}: {', '.join(shorten(frame, 120) for frame in frames) or 'nothing'}",
            expected=f"{', '.join(texts)}, each once, in this order, the number in "
            f"`{ANNOUNCEMENT}` one more each time",
            part="consumer",
            socket=socket,
        )


@item("announce.live", needs=["announce.staff"], events=[ANNOUNCEMENT])
def everybody_hears_it(harness: Harness) -> None:
    """Everybody connected gets an announcement once, with its number; a rollback tells nobody."""
    stage = _stage(harness)
    alice, bob = people(stage, "alice", "bob")
    undo = {"X-Check-Rollback": "1"}
    with stage.greeted(alice) as hers, stage.greeted(bob) as his:
        _, last = _position(stage, hers)
        answers = [_announce(stage, "One")]
        _announce(stage, "Never said", headers=undo)
        answers.append(_announce(stage, "Two"))
        for socket in (hers, his):
            frames = _announcements(socket, 2)
            _expect_texts(stage, socket, frames, ["One", "Two"], "on an open socket")
            for frame, answer in zip(frames, answers, strict=True):
                _expect_data(stage, socket, frame, answer)
        if frames[0][ANNOUNCEMENT] != last + 1:
            raise stage.news(
                f"alice's greeting had last_announcement {last}; then she got "
                f"{shorten(frames[0])}",
                expected=f'"{ANNOUNCEMENT}": {last + 1}',
                part="consumer",
                socket=hers,
            )


def _position(stage: Stage, socket: Socket) -> tuple[dict[str, Any], int]:
    """Where a client is after its greeting, as it would resume; and the last announcement."""
    epoch, seq = position_in(stage, socket)
    last = socket.frames[0].get("last_announcement")
    if type(last) is not int:
        raise stage.news(
            f"the greeting is {shorten(socket.frames[0])}",
            expected='"last_announcement" in it: how far announcements are numbered',
            part="consumer",
            socket=socket,
        )
    return {"epoch": epoch, "seq": seq, ANNOUNCEMENT: last}, last


def _expect_data(stage: Stage, socket: Socket, frame: Any, answer: Answer) -> None:
    data = {name: answer.get(name) for name in ("id", "text", "created_at")}
    if frame.get("data") != data:
        raise stage.news(
            f"the socket got {shorten(frame)}",
            expected=f"the data {shorten(data)}, as {answer.request} answers",
            part="consumer",
            socket=socket,
        )


@item("announce.writers", needs=["announce.live"])
def writers_do_not_collide(harness: Harness) -> None:
    """On PostgreSQL, announcements at the same moment leave out no number and repeat none."""
    stage = harness.once("stage on PostgreSQL", lambda: stage_on_postgres(harness))
    [reader, sam] = people(stage, "pg-reader", "pg-staff")
    stage.control("change", id=sam.id, is_staff=True)
    recorder = current()

    def announce(writer: int) -> list[Answer]:
        with recording(recorder):
            return [
                stage.server.ask(
                    "POST",
                    ANNOUNCEMENTS_PATH,
                    body={"text": f"{writer}.{number}"},
                    token=sam.access,
                    headers={"X-Check-Slow": _SLOW},
                )
                for number in range(_EACH)
            ]

    with stage.greeted(reader) as socket:
        with ThreadPoolExecutor(_WRITERS) as pool:
            for answers in pool.map(announce, range(_WRITERS)):
                for answer in answers:
                    needed(harness, answer, 201)
        count = _WRITERS * _EACH
        frames = _announcements(socket, count)
        numbers = sorted(frame.get(ANNOUNCEMENT) or 0 for frame in frames)
    if numbers != list(range(1, count + 1)):
        raise stage.news(
            f"{count} announcements were made at the same moment; a socket got the numbers "
            f"{', '.join(map(str, numbers)) or '(none)'}",
            expected=f"1 to {count}",
            part="consumer",
            socket=socket,
            todo="count in a row of the database that stays locked until the transaction ends",
        )


@item("announce.missed", needs=["announce.live"], events=[RESUMED])
def missed_announcements_follow(harness: Harness) -> None:
    """A `resume` that names the last `announcement` gets what was missed from both streams."""
    stage = _stage(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.greeted(bob) as witness:
        with stage.greeted(bob) as socket:
            position, last = _position(stage, socket)
        texts = [f"While bob was away {number}" for number in range(3)]
        for text in texts:
            _announce(stage, text)
        done(write(stage, alice, bob.id, "For bob only"), 201, "new_message")
        sent = _announcements(witness, len(texts))
    with stage.greeted(bob) as socket:
        *frames, end = _resumed(socket, position)
        missed = [frame for frame in frames if frame.get("type") == ANNOUNCEMENT]
        _expect_texts(stage, socket, missed, texts, "a client that had missed three")
        own = [frame for frame in frames if frame.get("type") in STORED_EVENTS]
        wanted = {"recovered": True, "last_seq": position["seq"] + 1}
        wanted["last_announcement"] = last + len(texts)
        if missed != sent or len(own) != 1 or wanted.items() - end.items():
            raise stage.news(
                f"of his own events bob got {len(own)}, and at the end {shorten(end)}",
                expected=f"the one that he missed, and {shorten(wanted)}; announcements as they "
                "were first sent",
                part="consumer",
                socket=socket,
            )
        del position[ANNOUNCEMENT]
        *frames, end = _resumed(socket, position)
        if any(f.get("type") == ANNOUNCEMENT for f in frames) or not end.get("recovered"):
            raise stage.news(
                f"a `{RESUME}` without `{ANNOUNCEMENT}`, as a client of step 9 sends it, got "
                f"{len(frames)} frames and {shorten(end)}",
                expected="only the user's own events, and recovered: true",
                part="consumer",
                socket=socket,
            )


def _resumed(socket: Socket, position: dict[str, Any]) -> list[Any]:
    """What a socket gets when it resumes there, and the frame at the end ({} if none)."""
    socket.send({"type": RESUME, **position})
    found: list[Any] = []
    for frame in frames_of(socket):
        if isinstance(frame, dict):
            found.append(frame)
            if frame.get("type") == RESUMED:
                return found
    return [*found, {}]


@item("announce.gap", needs=["announce.missed"], events=[PONG])
def lost_announcement_heals(harness: Harness) -> None:
    """A lost announcement comes with the next one, or a ping shows that it is missing."""
    stage = _stage(harness)
    [alice] = people(stage, "alice")
    with stage.greeted(alice) as socket:
        position, _ = _position(stage, socket)
        with lost(stage):
            _announce(stage, "Lost")
        _announce(stage, "Not lost")
        frames = _announcements_until(socket, "Not lost")
        if len(frames) < 2:  # a client resumes when a number is missing
            frames = _resumed(socket, position)[:-1]
        _expect_texts(
            stage, socket, frames, ["Lost", "Not lost"], "one was lost on the way"
        )
        with lost(stage):
            _announce(stage, "The last one")
        position[ANNOUNCEMENT] = number = frames[-1][ANNOUNCEMENT]
        socket.send({"type": PING})
        pong = socket.event(PONG, patient(5)) or {}
        if pong.get("last_announcement") != number + 1:
            raise stage.news(
                f"the last announcement, {number + 1}, was lost; pong is {shorten(pong)}",
                expected=f'"last_announcement": {number + 1}, so that the client resumes',
                part="consumer",
                socket=socket,
            )


@item("announce.forged", needs=["announce.missed"])
def forged_numbers_give_nothing(harness: Harness) -> None:
    """A `resume` with a number that never existed gets `recovered: false` and `refetch`."""
    stage = _stage(harness)
    [alice] = people(stage, "alice")
    with stage.greeted(alice) as socket:
        position, last = _position(stage, socket)
        for number in (*_FORGED, last + 1):
            *frames, end = _resumed(socket, {**position, ANNOUNCEMENT: number})
            refetch = end.get("refetch") or []
            if frames or end.get("recovered") is not False:
                found = f"{len(frames)} frames and {shorten(end)}"
            elif ANNOUNCEMENTS_PATH not in refetch or end.get("last_announcement") != last:
                found = shorten(end)
            else:
                continue
            raise stage.news(
                f"a `{RESUME}` with {ANNOUNCEMENT} {number!r} got {found}",
                expected=f'{{"type": "{RESUMED}", "recovered": false, "last_announcement": '
                f'{last}, "refetch": ["{ANNOUNCEMENTS_PATH}", ...], ...}}',
                part="consumer",
                socket=socket,
            )


# A socket for one user


def _path_of(user_id: Any) -> str:
    return f"{SOCKET_PATH}{user_id}/"


@item("address.whose", close_codes=[NOT_ALLOWED])
def address_belongs_to_a_user(harness: Harness) -> None:
    """`/ws/notifications/<user_id>/` is for that user and for staff; others get 4403."""
    stage = _stage(harness)
    alice, bob = people(stage, "alice", "bob")
    sam = _staff(stage)
    stage.greeted(alice).close()  # by now it is known how a token is sent
    for person, owner in ((alice, alice.id), (sam, alice.id), (sam, sam.id)):
        with stage.open(person.access, path=_path_of(owner)) as socket:
            if not is_greeting(socket.receive(), owner):
                raise stage.news(
                    f"{person.username} opened {_path_of(owner)}: {socket}",
                    expected=f'the greeting, with "user_id": {owner}',
                    part="routes",
                    socket=socket,
                )
    cases = [(alice, bob.id, "bob's"), (alice, sam.id, "that of staff")]
    cases += [(who, _NOBODY, "that of a user who does not exist") for who in (alice, sam)]
    for person, owner, whose in cases:
        with stage.open(person.access, path=_path_of(owner)) as socket:
            when = f"{person.username} opened {whose}, {_path_of(owner)}"
            _expect_code(stage, socket, NOT_ALLOWED, when)
    with stage.open("not.a.token", path=_path_of(alice.id)) as socket:
        when = f"a client without a valid token opened {_path_of(alice.id)}"
        _expect_code(stage, socket, NOT_AUTHENTICATED, when)
    with stage.greeted(bob):  # and the old address is everybody's own
        pass


def _expect_code(stage: Stage, socket: Socket, code: int, when: str) -> None:
    """The socket is closed with that code, and was told nothing."""
    ended = socket.until_closed(patient(5))
    if ended != code or any(map(is_greeting, socket.frames)):
        raise stage.news(
            f"{when}: {socket}",
            expected=f"closed with {code}, and no greeting",
            part="consumer",
            socket=socket,
        )


@item("address.events", needs=["address.whose", "announce.missed"])
def address_has_own_events_only(harness: Harness) -> None:
    """A socket for one user gets that user's events, also after `resume`, but no announcements."""
    stage = _stage(harness)
    alice, bob = people(stage, "alice", "bob")
    sam = _staff(stage)
    with stage.open(sam.access, path=_path_of(bob.id)) as socket:
        socket.receive()
        epoch, seq = position_in(stage, socket)
        _announce(stage, "For everybody")
        done(write(stage, bob, sam.id, "For staff"), 201, "new_message")
        done(write(stage, alice, bob.id, "For bob"), 201, "new_message")
        frames = _told_so_far(socket, at_least=1)
        *missed, end = _resumed(socket, {"epoch": epoch, "seq": seq})
    for got, how in ((frames, "sent"), (missed, "sent again after a resume")):
        said = [(frame.get("data") or {}).get("content") for frame in got]
        if said != ["For bob"] or end.get("recovered") is not True:
            raise stage.news(
                f"staff watched bob's events; {how}: "
                f"{', '.join(shorten(frame, 120) for frame in got) or 'nothing'}",
                expected="the message to bob, and nothing that is for others or for everybody",
                part="consumer",
                socket=socket,
            )


def _told_so_far(socket: Socket, at_least: int = 0) -> list[Any]:
    """The events that a socket gets until it answers a ping: what came before has arrived.

    A consumer may answer before it has read from the database what came: for so many events
    it is waited.
    """
    socket.send({"type": PING})
    found: list[Any] = []
    answered = False
    for frame in frames_of(socket):
        if isinstance(frame, dict) and frame.get("type") == PONG:
            answered = True
        else:
            found.append(frame)
        if answered and len(found) >= at_least:
            break
    return found


@item("address.ends", needs=["address.whose"], close_codes=[NOT_ALLOWED])
def watching_ends_with_the_right(harness: Harness) -> None:
    """Somebody who is no longer staff, or no longer has an account, stops seeing others' events."""
    stage = _stage(harness)
    bob, hugo = people(stage, "bob", "hugo")
    for change, code in (("is_staff", NOT_ALLOWED), ("is_active", NOT_AUTHENTICATED)):
        stage.control("save", id=hugo.id, is_staff=True)
        with stage.open(hugo.access, path=_path_of(bob.id)) as socket:
            if not is_greeting(socket.receive(), bob.id):
                raise stage.news(
                    f"hugo, who is staff, opened bob's address: {socket}",
                    expected="the greeting",
                    part="consumer",
                    socket=socket,
                )
            stage.control("save", id=hugo.id, **{change: False})
            if socket.until_closed(_SWEPT) != code:
                raise stage.news(
                    f"hugo watched bob's events, and was saved with {change}=False: {socket}",
                    expected=f"closed with {code}",
                    part="consumer",
                    socket=socket,
                    todo="the event session.check goes to the group of the changed user; a "
                    "socket at another user's address has to hear it, and look again",
                )


@item("ping.measures", events=[PONG])
def ping_measures(harness: Harness) -> None:
    """A `pong` has the server's `time`, and the number that the `ping` had in `sent`."""
    stage = _stage(harness)
    [alice] = people(stage, "alice")
    with stage.greeted(alice) as socket:
        for sent in (1_753_000_000_123, 0, 12.5):
            pong = _pong(stage, socket, f'{{"type": "{PING}", "sent": {sent}}}')
            off = abs(_number(pong.get("time")) / 1000 - time.time())
            if pong.get("sent") != sent or off > patient(5):
                raise _no_pong(stage, socket, pong, f'"sent": {sent}, "time": MILLISECONDS')
        plain = _pong(stage, socket, f'{{"type": "{PING}"}}')
        if plain.get("sent") is not None:
            raise _no_pong(stage, socket, plain, "no `sent`: the ping had none")
        for text in _NO_NUMBERS:
            pong = _pong(stage, socket, f'{{"type": "{PING}", "sent": {text}}}')
            if pong.get("sent") is not None:
                expected = f"no `sent`: {text} is not a number that every client can read"
                raise _no_pong(stage, socket, pong, expected)


def _pong(stage: Stage, socket: Socket, ping: str) -> dict[str, Any]:
    socket.send(ping)
    pong = socket.event(PONG, patient(5))
    if pong is None:
        raise _no_pong(stage, socket, {}, f"a {PONG} in answer to {ping}")
    return pong


def _no_pong(stage: Stage, socket: Socket, pong: Any, expected: str) -> NotYet:
    found = f"the answer was {shorten(pong)}" if pong else f"after a {PING}: {socket}"
    return stage.news(found, expected=expected, part="consumer", socket=socket)


def _number(value: Any) -> float:
    return value if isinstance(value, (int, float)) else 0


# Who is online


def _friends(stage: Stage, *names: str) -> tuple[Person, Person]:
    """Two who are friends, and nobody else's."""

    def make() -> tuple[Person, Person]:
        one, other = people(stage, *(names or ("fay", "finn")))
        make_friends(stage, one, other)
        return one, other

    return stage.harness.once(f"friends of step 13 {names}", make)


def _online(stage: Stage, person: Person) -> list[Any]:
    """Which friends are online, as that person is answered."""
    answer = stage.server.ask("GET", PRESENCE_PATH, token=person.access)
    online = needed(stage.harness, answer, 200).get("online")
    if not isinstance(online, list):
        raise unexpected(stage.harness, answer, '{"online": [IDS OF FRIENDS]}')
    return online


def _expect_online(
    stage: Stage, person: Person, ids: list[int], when: str, within: float = 0
) -> None:
    """That person is answered these ids, at the latest after so many seconds."""
    end = time.monotonic() + within
    while (online := _online(stage, person)) != ids:
        if time.monotonic() >= end:
            answer = stage.server.ask("GET", PRESENCE_PATH, token=person.access)
            news = unexpected(stage.harness, answer, f'{{"online": {ids}}}')
            news.found = f"{when}, {person.username} was answered {online}"
            raise news
        time.sleep(0.1)


@item("presence.list")
def online_friends_are_listed(harness: Harness) -> None:
    """`GET /api/v1/presence/` has the ids of those friends who have a socket, and of no others."""
    stage = _stage(harness)
    fay, finn = _friends(stage)
    stranger, asking = people(stage, "stan", "ada")
    ask(stage, asking, fay.id)
    _expect_online(stage, fay, [], "while nobody is connected", within=_NEWS)
    with stage.greeted(stranger), stage.greeted(asking):
        _expect_online(stage, fay, [], "a stranger is connected, and one who only asked")
        with stage.greeted(finn), stage.greeted(fay):
            _expect_online(stage, fay, [finn.id], "her friend is connected", within=_NEWS)
            for other in (stranger, asking):
                _expect_online(stage, other, [], "neither of them is a friend of this user")
    needed(harness, stage.server.ask("GET", PRESENCE_PATH), 401)


@item("presence.devices", needs=["presence.list"])
def last_socket_counts(harness: Harness) -> None:
    """Somebody with two sockets is online until both are closed, and a moment longer."""
    stage = _stage(harness)
    fay, finn = _friends(stage)
    with stage.greeted(finn):
        with stage.greeted(finn):
            pass
        time.sleep(_GRACE * 1.5)
        _expect_online(
            stage, fay, [finn.id], "one of his two sockets was closed a while ago"
        )
    _expect_online(stage, fay, [], "both of his sockets are closed", within=_NEWS)


@item("presence.dead-server", needs=["presence.list"])
def dead_sockets_do_not_count(harness: Harness) -> None:
    """A socket that its server has not confirmed for a day keeps nobody online."""
    stage = _stage(harness)
    # Others than in the next items: when this socket closes, its user is online once more.
    dora, dan = _friends(stage, "dora", "dan")
    with stage.greeted(dan):
        _expect_online(stage, dora, [dan.id], "her friend is connected", within=_NEWS)
        # Twice, as the heartbeat may come in between: this server is alive.
        for _ in range(2):
            stage.control("age", days=1, user_id=dan.id)
            if not _online(stage, dora):
                return
    # Where the time of the last sign is not in a row, it can only be waited for.
    _killed_server_of(stage, dan)
    when = "a day after the last sign of her friend's socket"
    _expect_online(stage, dora, [], when, within=_SWEPT)


def _killed_server_of(stage: Stage, person: Person) -> None:
    """A server is killed while that person has a socket there, and a day passes."""
    doomed = _server(stage.harness, "another Daphne, which is killed")
    doomed.server.way = stage.server.way
    with doomed.greeted(person):
        doomed.server.process.kill_group()
    stage.control("age", days=1, user_id=person.id)


# Friends are told


def _told(socket: Socket, count: int, within: float) -> list[tuple[Any, Any]]:
    """What a socket has been told about who is online, once that is as much or time is over."""
    end = time.monotonic() + within
    while len(socket.presence) < count and (left := end - time.monotonic()) > 0:
        socket.receive(min(left, 0.5))
    data = [frame.get("data") or {} for frame in socket.presence]
    return [(each.get("user_id"), each.get("online")) for each in data]


def _expect_told(
    stage: Stage, socket: Socket, wanted: list[tuple[int, bool]], when: str, within: float
) -> None:
    """So far that socket has been told exactly this."""
    _told(socket, len(wanted), within)
    _told_so_far(socket)
    if _told(socket, 0, 0) != wanted:
        told = ", ".join(shorten(frame, 120) for frame in socket.presence)
        shown = [{"user_id": id, "online": online} for id, online in wanted]
        raise stage.news(
            f"{when}; a friend's socket has been told: {told or 'nothing'}",
            expected=", ".join(shorten(each) for each in shown) or "nothing",
            part="consumer",
            socket=socket,
        )


# Each item has people of its own: friends are told of a socket that has closed when the next
# item may have begun.


@item("presence.told", needs=["presence.devices"], events=[PRESENCE])
def friends_are_told(harness: Harness) -> None:
    """Connected friends are told about the first socket and the last one, and nobody else is."""
    stage = _stage(harness)
    tess, tom = _friends(stage, "tess", "tom")
    stranger, asking = people(stage, "stan", "ada")
    ask(stage, asking, tess.id)
    with (
        stage.greeted(stranger) as unrelated,
        stage.greeted(asking) as waiting,
        stage.greeted(tess) as socket,
    ):
        with stage.greeted(tom):
            came = [(tom.id, True)]
            _expect_told(stage, socket, came, "her friend has connected", _NEWS)
            with stage.greeted(tom):
                pass
            time.sleep(_GRACE * 1.5)
            when = "her friend has closed the second of two sockets"
            _expect_told(stage, socket, came, when, 0)
        went = [*came, (tom.id, False)]
        _expect_told(stage, socket, went, "her friend's last socket is closed", _NEWS)
        for other in (unrelated, waiting):
            _told_so_far(other)
            if other.presence:
                raise stage.news(
                    f"somebody who is not their friend was told {shorten(other.presence)}",
                    expected="nothing: who is online is only for accepted friends",
                    part="consumer",
                    socket=other,
                )


@item("presence.reload", needs=["presence.told"])
def reload_is_no_news(harness: Harness) -> str | None:
    """Somebody whose page reloads, and who is back in a moment, was never offline."""
    stage = _stage(harness)
    for number in range(_RELOADS):
        if _reload_in_time(stage, *_friends(stage, f"rita{number}", f"rob{number}")):
            return None
    return f"not judged: each time it took more than {_GRACE} s to open a socket"


def _reload_in_time(stage: Stage, rita: Person, rob: Person) -> bool:
    """Judge a reload, unless it takes so long that rob's friends have to be told."""
    with stage.greeted(rita) as socket:
        first = stage.greeted(rob)
        came = [(rob.id, True)]
        _expect_told(stage, socket, came, "her friend has connected", _NEWS)
        closed = time.monotonic()
        first.close()
        with stage.greeted(rob):
            if time.monotonic() - closed > _GRACE:
                return False
            _expect_online(stage, rita, [rob.id], "her friend's page was loaded again")
            time.sleep(_GRACE * 1.5)
            when = "her friend's page was loaded again, and opened a new socket at once"
            _expect_told(stage, socket, came, when, 0)
            return True


@item("presence.killed", needs=["presence.told", "presence.dead-server"])
def killed_server_is_noticed(harness: Harness) -> None:
    """When a server is killed, another one tells the friends of its users, once."""
    stage = _stage(harness)
    kira, karl = _friends(stage, "kira", "karl")
    with stage.greeted(kira) as socket, stage.greeted(kira) as second:
        _killed_server_of(stage, karl)
        for each in (socket, second):
            went = [(karl.id, False)]
            when = "the server with her friend's socket was killed, a day ago"
            _expect_told(stage, each, went, when, _SWEPT)
        time.sleep(_HEARTBEAT * 1.5)
        _expect_told(stage, socket, went, "and after some more heartbeats", 0)


@item("presence.page", needs=["presence.list"])
def page_shows_it(harness: Harness) -> None:
    """The page shows announcements, which friends are online, and the latency."""
    stage = _stage(harness)
    fay, finn = _friends(stage)
    page = pages.app(harness, stage.server)
    page.open()
    page.sign_in(fay)
    with stage.greeted(finn):
        shown = [
            (_shows("friends", "online"), "that her friend is online"),
            (_shows("latency", "ms"), "how many milliseconds a ping takes"),
        ]
        for script, what in shown:
            _expect_shown(page, script, what)
        _announce(stage, "Read all about it")
        _expect_shown(page, _shows("announcement-list", "Read all about it"), "it")


def _shows(id: str, text: str) -> str:
    return f'document.getElementById("{id}")?.textContent.includes("{text}")'


def _expect_shown(page: pages.App, script: str, what: str) -> None:
    if not page.wait_for(script):
        heard = [frame for wire in page.window.wires for frame in wire.received]
        raise page.news(
            f"the page does not show {what}; its socket received:\n"
            + "\n".join(heard[-4:]),
            expected="it does, without a reload",
            todo="`python3 tutorial.py give` puts the step's page in place",
        )

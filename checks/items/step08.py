"""Step 8: every notification is kept, whoever is connected, and read on every device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from checks.errors import NotYet, Place
from checks.harness.client import Answer, shorten
from checks.harness.events import differences, place_of_kind
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.stage import Deed, Stage, frames_of, people, stage_of
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from checks.items.step04 import (
    accept,
    ask,
    clones,
    done,
    expect_silence,
    make_friends,
    post,
    sending_line,
    write,
)
from course.deadline import patient

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

LIST = "/api/notifications/"
UNREAD_COUNT = f"{LIST}unread-count/"
READ = "notifications_read"
_PAGE = 20
_MANY = 500
_MOST_QUERIES = 5
# More writes than any of the requests makes; after that many it has not failed at all.
_MOST_WRITES = 9
# How many notifications are added between two measurements, and by how many instructions of
# SQLite a request may get dearer: looking at each of them would take several for each.
_ADDED = 40
_TOLERATED_WORK = 60
_COMMAND = "prune_notifications"


# What people do with their notifications


def listed(stage: Stage, person: Person, query: str = "") -> list[dict[str, Any]]:
    """The first page of somebody's list."""
    return _rows(stage, stage.server.ask("GET", LIST + query, token=person.access))


def _rows(stage: Stage, answer: Answer) -> list[dict[str, Any]]:
    """The rows of a page, if each is a notification; else NotYet."""
    rows = needed(stage.harness, answer, 200).rows
    paginated = isinstance(answer.get("results"), list)
    if not paginated or not all(isinstance(r, dict) and "id" in r for r in rows):
        wanted = '{"next", "previous", "results": [{"id", "type", "data", ...}]}'
        raise unexpected(stage.harness, answer, wanted)
    return rows


def pages(stage: Stage, person: Person, query: str = "") -> Iterator[list[dict[str, Any]]]:
    """The pages of somebody's list, each when it is asked for."""
    path: str | None = LIST + query
    while path:
        answer = stage.server.ask("GET", path, token=person.access)
        yield _rows(stage, answer)
        following = urlsplit(answer.get("next") or "")
        path = f"{following.path}?{following.query}" if following.path else None


def ids_of(rows: Iterable[dict[str, Any]]) -> list[Any]:
    """Their ids, in the same order."""
    return [row["id"] for row in rows]


def unread_ids(rows: Iterable[dict[str, Any]]) -> list[Any]:
    """The ids of those that are not marked as read."""
    return [row["id"] for row in rows if row.get("read_at") is None]


def mark(stage: Stage, person: Person, id: Any) -> Answer:
    """Mark one notification as read."""
    return stage.server.ask("POST", f"{LIST}{id}/read/", token=person.access)


def mark_up_to(stage: Stage, person: Person, id: Any, **options: Any) -> Answer:
    """Mark all as read up to that one."""
    body = {"up_to": id}
    path = f"{LIST}read/"
    return stage.server.ask("POST", path, body=body, token=person.access, **options)


def messages(stage: Stage, sender: Person, receiver: Person, count: int) -> list[Any]:
    """Send so many messages; the ids of their notifications, the oldest first."""
    for number in range(count):
        done(write(stage, sender, receiver.id, f"Message {number}"), 201, "new_message")
    newest = listed(stage, receiver)[:count]
    if len(newest) < min(count, _PAGE):
        raise NotYet(
            f"{receiver.username} got {count} messages, and the list has {len(newest)}",
            expected="a notification for each message",
            look_at=place_of_kind(stage.harness, "new_message"),
        )
    return ids_of(reversed(newest))


def unread_count(stage: Stage, person: Person) -> Any:
    """How many notifications the server says are unread."""
    answer = stage.server.ask("GET", UNREAD_COUNT, token=person.access)
    count = needed(stage.harness, answer, 200).get("unread")
    if not isinstance(count, int):
        raise unexpected(stage.harness, answer, '{"unread": a number}')
    return count


# What is kept


@dataclass(frozen=True)
class Told:
    """Somebody whom a request tells of something, as what kind of event with which data."""

    person: Person
    kind: str
    data: dict[str, Any]


def expect_listed(stage: Stage, told: Told) -> None:
    """The list of that person has this event once, unread, with the data of the event."""
    rows = [row for row in listed(stage, told.person) if row.get("type") == told.kind]
    if len(rows) != 1:
        raise NotYet(
            f"{told.person.username}'s list has {len(rows)} entries of type {told.kind}",
            expected=f"one, with the data of the event: {shorten(told.data, 300)}",
            look_at=place_of_kind(stage.harness, told.kind),
        )
    [row] = rows
    wanted = {"data": told.data, "read_at": None}
    trouble = differences({name: row.get(name) for name in wanted}, wanted)
    if not trouble and _moment(row.get("created_at")) is None:
        trouble = [f"created_at is {row.get('created_at')!r}, not a moment"]
    if trouble:
        raise NotYet(
            f"the list has {shorten(row, 300)}\n{'; '.join(trouble)}",
            expected='{"id", "type", "data", "created_at", "read_at": null}',
            look_at=place_of_kind(stage.harness, told.kind),
        )


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _brief(person: Person) -> dict[str, Any]:
    return {"id": person.id, "username": person.username}


def _named(person: Person) -> dict[str, Any]:
    return {**_brief(person), "first_name": "", "last_name": ""}


@item("stored.listed")
def missed_events_are_listed(harness: Harness) -> None:
    """What happened while somebody was not connected is in their list, newest first."""
    stage = stage_of(harness)
    alice, bob = people(stage, "ann", "ben")
    asked = done(ask(stage, alice, bob.id), 201, "friend_request")
    done(accept(stage, bob, asked.get("id")), 200, "friend_accepted")
    written = done(write(stage, alice, bob.id, "Are you there?"), 201, "new_message")
    posted = done(post(stage, alice, "Good morning"), 201, "new_post")

    def of(answer: Answer, **more: Any) -> dict[str, Any]:
        return {"created_at": answer.get("created_at"), **more}

    message = of(written, id=written.get("id"), content="Are you there?")
    news = of(posted, id=posted.get("id"), content="Good morning")
    request = of(asked, request_id=asked.get("id"), from_user=_named(alice))
    expect_listed(stage, Told(alice, "friend_accepted", {"friend": _named(bob)}))
    expect_listed(stage, Told(bob, "friend_request", request))
    expect_listed(stage, Told(bob, "new_message", {**message, "sender": _brief(alice)}))
    expect_listed(stage, Told(bob, "new_post", {**news, "author": _brief(alice)}))
    kinds = [row.get("type") for row in listed(stage, bob)]
    wanted = ["new_post", "new_message", "friend_request"]
    if [kind for kind in kinds if kind in wanted] != wanted:
        raise NotYet(f"bob's list has {', '.join(map(str, kinds))}", expected=_NEWEST_FIRST)


_NEWEST_FIRST = "the newest first: new_post, then new_message, then friend_request"


@item("stored.private", needs=["stored.listed"])
def list_is_ones_own(harness: Harness) -> None:
    """A user's list holds only that user's notifications, and nobody gets it without a token."""
    stage = stage_of(harness)
    alice, bob, eve = people(stage, "ada", "bea", "eve")
    [secret] = messages(stage, alice, bob, 1)
    attempts = ["", *(f"?{name}={bob.id}" for name in ("user", "user_id", "recipient"))]
    for query in attempts:
        if secret in ids_of(listed(stage, eve, query)):
            raise unexpected(
                stage.harness,
                stage.server.ask("GET", LIST + query, token=eve.access),
                f"{eve.username}'s notifications, not those of {bob.username}",
            )
    for path in (LIST, f"{LIST}?user={bob.id}"):
        answer = stage.server.ask("GET", path)
        if answer.status not in (401, 403):
            raise unexpected(stage.harness, answer, "401: the request has no token")


# All or nothing


@dataclass(frozen=True)
class Case:
    """A request that tells somebody of something, and two ways to see that it was done."""

    kind: str
    thing: str
    request: Callable[..., Deed]
    happened: Callable[[], bool]
    told: Callable[[], bool]


def _cases(stage: Stage) -> list[Case]:
    """A message, a post and a friend request, by people who are there for this item."""
    alice, bob, carol = people(stage, "abe", "bud", "cleo")
    make_friends(stage, alice, bob)

    def seen(path: str, words: str, person: Person = alice) -> Callable[[], bool]:
        return lambda: words in str(stage.server.ask("GET", path, token=person.access).body)

    def told(person: Person, kind: str, words: str = "") -> Callable[[], bool]:
        return lambda: any(
            row.get("type") == kind and words in str(row.get("data"))
            for row in listed(stage, person)
        )

    return [
        Case(
            "new_message",
            "message",
            lambda **options: write(stage, alice, bob.id, "All or nothing", **options),
            seen("/api/messages/", "All or nothing"),
            told(bob, "new_message", "All or nothing"),
        ),
        Case(
            "new_post",
            "post",
            lambda **options: post(stage, alice, "Every word or none", **options),
            seen("/api/posts/", "Every word or none"),
            told(bob, "new_post", "Every word or none"),
        ),
        Case(
            "friend_request",
            "friend request",
            lambda **options: ask(stage, alice, carol.id, **options),
            seen("/api/friends/requests/", alice.username, carol),
            told(carol, "friend_request"),
        ),
    ]


@item("stored.together", needs=["stored.private"])
def cause_and_row_are_one(harness: Harness) -> None:
    """A change and its notifications are saved together, or neither is."""
    stage = stage_of(harness)
    for case in _cases(stage):
        all_or_nothing(stage, case)


def all_or_nothing(stage: Stage, case: Case) -> None:
    """Whichever write of the request fails: it was done and told, or neither."""
    for number in range(1, _MOST_WRITES):
        deed = case.request(headers={"X-Check-Break": str(number)})
        if deed.answer.headers.get("x-check-broke") != "yes":
            break
        if (happened := case.happened()) != case.told():
            raise _half_done(stage, case, deed, happened)
        if happened:
            break  # what failed had nothing to do with either


def _half_done(stage: Stage, case: Case, deed: Deed, happened: bool) -> NotYet:
    saved, lacking = f"the {case.thing}", "its notification"
    if not happened:
        saved, lacking = lacking, saved
    return NotYet(
        f"one write of {deed.answer.request} failed; {saved} is saved, {lacking} is not",
        expected="the database has both or neither: one transaction for the two",
        look_at=deed.answer.place or place_of_kind(stage.harness, case.kind),
        todo="decorate the service with @transaction.atomic, and store the notification in it",
    )


@item("stored.rollback", needs=["stored.private"])
def rollback_leaves_nothing(harness: Harness) -> None:
    """A request that is rolled back leaves no notification, and sends nothing to a socket."""
    stage = stage_of(harness)
    alice, bob = people(stage, "amy", "bert")
    undo = {"X-Check-Rollback": "1"}
    with stage.listening(bob) as listeners:
        deed = write(stage, alice, bob.id, "Never said", headers=undo)
        done(deed, 201)
        todo = "store it in the transaction, and send it in transaction.on_commit()"
        expect_silence(listeners, deed, "was rolled back", todo, sending_line)
    if rows := [row for row in listed(stage, bob) if "Never said" in str(row)]:
        raise NotYet(
            f"{deed.answer.request} was rolled back, and the list has {shorten(rows[0])}",
            expected="no such notification",
            look_at=place_of_kind(harness, "new_message"),
            todo=todo,
        )


# Many


@item("stored.few-queries", needs=["stored.private"])
def crowd_takes_few_queries(harness: Harness) -> None:
    """A post to 500 friends takes at most five queries more than a post to none."""
    stage = stage_of(harness)
    star, fan = people(stage, "celebrity", "admirer")
    _queries(stage, star)  # whatever the first request has to find out
    alone = _queries(stage, star)
    make_friends(stage, star, fan)
    last = clones(stage, star, fan, _MANY - 1)
    if last is None:
        raise NotYet(f"{_MANY} friends could not be made", expected="friends as in step 4")
    crowd = _queries(stage, star)
    unheard = [
        person.username
        for person in (fan, last)
        if "new_post" not in [row.get("type") for row in listed(stage, person)]
    ]
    if unheard or crowd > alone + _MOST_QUERIES:
        raise NotYet(
            f"{alone} queries with no friends, {crowd} with {_MANY}"
            + (f"; no new_post in the list of {unheard[0]}" if unheard else ""),
            expected=f"at most {alone + _MOST_QUERIES}, and a notification for each friend",
            look_at=place_of_kind(harness, "new_post"),
            todo="bulk_create() stores all of them in a few queries",
        )


def _queries(stage: Stage, author: Person) -> int:
    """How many queries a post takes."""
    deed = post(stage, author, "Hello all", headers={"X-Check-Count": "1"})
    return int(done(deed, 201).headers["x-check-queries"])


@item("stored.cursor", needs=["stored.private"])
def pages_hold_each_once(harness: Harness) -> None:
    """Paging through the list shows each notification once, even when new ones arrive."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alf", "bo")
    for number in range(_PAGE + 3):
        done(write(stage, alice, bob.id, f"Message {number}"), 201, "new_message")
    stage.control("same_minute")  # as by a clock that ticks rarely: most came at one moment
    shown: list[Any] = []
    for number, page in enumerate(pages(stage, bob)):
        shown += ids_of(page)
        if number == 0:
            done(write(stage, alice, bob.id, "One more"), 201, "new_message")
        if number > _PAGE:
            break
    twice = len(shown) - len(set(shown))
    if twice or len(shown) != _PAGE + 3 or number == 0:
        raise NotYet(
            f"of {_PAGE + 3} notifications, {number + 1} page(s) showed {len(set(shown))}, "
            f"and {twice} of them twice",
            expected=f"two pages, {_PAGE} and 3, although one more arrived after the first, and "
            "most of them have the same created_at",
            look_at=unexpected(stage.harness, _page(stage, bob), "").look_at,
            todo="CursorPagination continues after the last id shown, not at a page number",
        )


def _page(stage: Stage, person: Person) -> Answer:
    return stage.server.ask("GET", LIST, token=person.access)


@item("stored.private-pages", needs=["stored.cursor"])
def link_is_no_permission(harness: Harness) -> None:
    """A user who follows the link to somebody else's next page sees none of what is on it."""
    stage = stage_of(harness)
    bob, eve = people(stage, "bo", "eva")
    link = urlsplit(str(_page(stage, bob).get("next")))
    path = f"{link.path}?{link.query}"
    secrets = ids_of(_rows(stage, stage.server.ask("GET", path, token=bob.access)))
    answer = stage.server.ask("GET", path, token=eve.access)
    seen = ids_of(_rows(stage, answer)) if answer.status == 200 else []
    if not secrets or set(seen) & set(secrets):
        raise unexpected(
            harness, answer, f"{eve.username}'s notifications, whoever got the link first"
        )


# Read, on every device


@item("stored.hint", needs=["stored.private"])
def event_names_its_row(harness: Harness) -> None:
    """An event on a socket carries the `id` of its notification in the list."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alda", "bosse", "clio")
    for friend in (bob, carol):
        make_friends(stage, alice, friend)
    with stage.greeted(bob) as first, stage.greeted(carol) as second:
        done(post(stage, alice, "Look here"), 201, "new_post")
        frames = [next(frames_of(socket), None) for socket in (first, second)]
    for person, frame in zip((bob, carol), frames, strict=True):
        row = listed(stage, person)[0]
        wanted = {name: row.get(name) for name in ("id", "type", "data")}
        heard = (
            {name: frame.get(name) for name in wanted} if isinstance(frame, dict) else {}
        )
        if differences(heard, wanted):
            raise NotYet(
                f"{person.username}'s socket got {shorten(frame, 300)}",
                expected=f"what {person.username}'s list has: {shorten(wanted, 300)}",
                look_at=place_of_kind(harness, "new_post"),
                todo="each receiver has a row of their own, and gets its id",
            )


@item("stored.mark-one", needs=["stored.private"])
def one_is_marked(harness: Harness) -> None:
    """One notification can be marked as read, and doing so again changes nothing."""
    stage = stage_of(harness)
    alice, bob = people(stage, "asa", "bill")
    first, second = messages(stage, alice, bob, 2)
    answers = [mark(stage, bob, first) for _ in range(2)]
    needed(harness, answers[0], 200)
    before = {row["id"]: row.get("read_at") for row in listed(stage, bob)}
    needed(harness, answers[1], 200)
    needed(harness, mark(stage, bob, first), 200)
    after = {row["id"]: row.get("read_at") for row in listed(stage, bob)}
    if before.get(first) is None or before.get(second) is not None or after != before:
        news = unexpected(harness, answers[0], f"read_at of notification {first}, once")
        news.found = (
            f"read_at of notification {first}, which was marked: {before.get(first)}, and when "
            f"it was marked again {after.get(first)}; of {second}: {after.get(second)}"
        )
        raise news


@item("stored.unread-count", needs=["stored.mark-one"])
def unread_are_counted(harness: Harness) -> None:
    """The number of unread notifications is the number of those without `read_at`."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "art", "bela", "cora")
    oldest, *_ = messages(stage, alice, bob, 1)
    messages(stage, alice, bob, _PAGE + 1)
    messages(stage, alice, carol, 1)
    unread_count(stage, bob)  # what it was then is of no use later
    needed(harness, mark(stage, bob, oldest), 200)
    unread = unread_ids(_all_rows(stage, bob))
    if unread_count(stage, bob) != len(unread):
        answer = stage.server.ask("GET", UNREAD_COUNT, token=bob.access)
        raise unexpected(harness, answer, f'{{"unread": {len(unread)}}}')
    only_unread = ids_of(_all_rows(stage, bob, _ONLY_UNREAD))
    if only_unread != unread:
        answer = stage.server.ask("GET", LIST + _ONLY_UNREAD, token=bob.access)
        news = unexpected(harness, answer, f"the {len(unread)} that are unread")
        strange = [id for id in only_unread if id not in unread]
        news.found = (
            f"{answer.request} and its following pages list {len(only_unread)} notifications, "
            f"{len(strange)} of them read or somebody else's: {strange[:3]}"
        )
        raise news


_ONLY_UNREAD = "?unread=true"


def _all_rows(stage: Stage, person: Person, query: str = "") -> list[dict[str, Any]]:
    """The first pages of somebody's list; nobody here has more."""
    return [row for page in islice(pages(stage, person, query), 5) for row in page]


@item("stored.mark-seen", needs=["stored.mark-one"])
def what_was_seen_is_marked(harness: Harness) -> None:
    """Marking all as read leaves out what arrived after the newest one that was seen."""
    stage = stage_of(harness)
    alice, bob = people(stage, "arno", "bibi")
    _, seen, later = messages(stage, alice, bob, 3)
    answer = needed(harness, mark_up_to(stage, bob, seen), 200)
    if unread_ids(listed(stage, bob)) != [later]:
        left = unread_ids(listed(stage, bob))
        raise unexpected(harness, answer, f"only {later} is unread now; unread are {left}")
    path = f"{LIST}read/"
    nothing = stage.server.ask("POST", path, body={}, token=bob.access)
    if nothing.status != 400 or unread_ids(listed(stage, bob)) != [later]:
        raise unexpected(harness, nothing, "400: the request does not say what was seen")


@item("stored.mark-own", needs=["stored.mark-seen"])
def others_cannot_mark(harness: Harness) -> None:
    """Nobody can mark somebody else's notification as read: it is not found."""
    stage = stage_of(harness)
    alice, bob, eve = people(stage, "axel", "brit", "evil")
    [secret] = messages(stage, alice, bob, 1)
    answer = mark(stage, eve, secret)
    if answer.status not in (403, 404):
        raise unexpected(harness, answer, "404: it is not one of this user's")
    _expect_unread(stage, bob, secret, answer)
    _expect_unread(stage, bob, secret, mark_up_to(stage, eve, secret))
    needed(harness, mark(stage, bob, secret), 200)


def _expect_unread(stage: Stage, owner: Person, id: Any, answer: Answer) -> None:
    """What somebody else's request was answered with has marked nothing of the owner's."""
    if unread_ids(listed(stage, owner)) != [id]:
        news = unexpected(stage.harness, answer, f"notification {id} is still unread")
        news.found += f"\nand {owner.username}'s notification {id} is marked as read"
        raise news


@item("stored.devices", needs=["stored.mark-seen"], events=[READ])
def devices_agree(harness: Harness) -> None:
    """Marking as read sends `notifications_read` to the user's sockets, and to nobody else."""
    stage = stage_of(harness)
    alice, bob = people(stage, "arne", "birk")
    first, second, third = messages(stage, alice, bob, 3)
    with stage.listening(bob, bob, alice) as listeners:
        needed(harness, mark(stage, bob, first), 200)
        one = listeners.received()
        needed(harness, mark_up_to(stage, bob, third), 200)
        rest = listeners.received()
    wanted = {"ids": [first], "unread": 2}
    _expect_read(harness, one, [wanted], f"notification {first} was marked as read")
    either = [{"up_to": third, "unread": 0}, {"ids": [second, third], "unread": 0}]
    _expect_read(harness, rest, either, f"all up to {third} were marked as read")


def _expect_read(
    harness: Harness, received: list[list[Any]], wanted: list[Any], when: str
) -> None:
    """Both devices got one of these, once; the third socket, of somebody else, got nothing."""
    frames = [
        [frame for frame in each if isinstance(frame, dict) and frame.get("type") == READ]
        for each in received
    ]
    good = [[{"type": READ, "data": data}] for data in wanted]
    bare = [[{k: f.get(k) for k in ("type", "data")} for f in each] for each in frames]
    if bare[0] in good and bare[1] in good and not bare[2]:
        return
    who = ("one device", "the other", "somebody else's")
    only_count = all(
        each and _without_count(each) in map(_without_count, good) for each in bare[:2]
    )
    raise NotYet(
        f"after {when}: "
        + "; ".join(
            f"{name} got {', '.join(map(shorten, each)) or 'nothing'}"
            for name, each in zip(who, frames, strict=True)
        ),
        expected=f"both devices get {shorten(good[0][0])}, and nobody else does",
        look_at=place_of_kind(harness, READ),
        todo="count the user's own, after the change"
        if only_count and not bare[2]
        else "send it to the user's group when the change has been committed",
    )


def _without_count(frames: list[dict[str, Any]]) -> list[Any]:
    return [
        {**frame, "data": {k: v for k, v in (frame["data"] or {}).items() if k != "unread"}}
        for frame in frames
    ]


# The table grows


_EACH = ["stored.cursor", "stored.mark-seen", "stored.unread-count"]


@item("stored.indexes", needs=_EACH)
def requests_stay_cheap(harness: Harness) -> None:
    """The cost of a request does not grow with the number of stored notifications."""
    stage = stage_of(harness)
    alice, bob = people(stage, "ari", "bao")
    for number in range(_PAGE + 2):
        done(write(stage, alice, bob.id, f"Message {number}"), 201, "new_message")
    _work(stage, alice, bob)  # whatever the first requests have to find out
    few = _work(stage, alice, bob)
    for number in range(_ADDED):
        done(write(stage, alice, bob.id, f"Another {number}"), 201, "new_message")
    _work(stage, alice, bob)  # all are read now
    many = _work(stage, alice, bob)
    dearer = [name for name in few if many[name] > few[name] + _TOLERATED_WORK]
    if dearer:
        raise NotYet(
            "\n".join(f"{n}: {few[n]} instructions, then {many[n]}" for n in dearer),
            expected=f"the same work for SQLite with {_ADDED} more notifications, all read",
            todo="an index that begins with the recipient, and one of the unread only",
        )


def _work(stage: Stage, sender: Person, person: Person) -> dict[str, int]:
    """The instructions that SQLite needs for each request, with one notification unread."""
    done(write(stage, sender, person.id, "One more"), 201, "new_message")
    newest = listed(stage, person)[0]["id"]
    count = {"X-Check-Count": "1"}

    def get(path: str) -> Answer:
        return stage.server.ask("GET", path, token=person.access, headers=count)

    answers = {
        "the list": get(LIST),
        "the list of unread": get(f"{LIST}?unread=true"),
        "the unread count": get(UNREAD_COUNT),
        "marking all": mark_up_to(stage, person, newest, headers=count),
    }
    return {
        name: int(needed(stage.harness, answer, 200).headers["x-check-work"])
        for name, answer in answers.items()
    }


@item("stored.pruned", needs=["stored.private"])
def old_ones_are_pruned(harness: Harness) -> None:
    """`manage.py prune_notifications` deletes what is older than a week, and no more than that."""
    stage = stage_of(harness)
    alice, bob = people(stage, "anka", "bror")
    messages(stage, alice, bob, 1)
    stage.control("age", days=2)
    [six_days] = messages(stage, alice, bob, 1)
    stage.control("age", days=6)
    [new] = messages(stage, alice, bob, 1)
    _prune(harness)
    left = ids_of(listed(stage, bob))
    if left != [new, six_days]:
        raise NotYet(
            f"bob had notifications 8, 6 and 0 days old; after pruning he has {len(left)}",
            expected="the two that are 6 and 0 days old",
            look_at=_place_of_command(harness),
        )


@item("stored.pruned-per-user", needs=["stored.pruned"])
def newest_of_each_user_stay(harness: Harness) -> None:
    """With `--keep 3` it leaves the newest three notifications of every user."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alma", "bodo", "cara")
    mine = messages(stage, alice, bob, 5)
    theirs = messages(stage, alice, carol, 2)
    _prune(harness, "--keep", "3")
    left = [ids_of(listed(stage, person)) for person in (bob, carol)]
    if left != [mine[:1:-1], theirs[::-1]]:
        raise NotYet(
            f"one user had 5 notifications and has {len(left[0])}, another had 2 and has "
            f"{len(left[1])}: {left}",
            expected=f"the newest three, {mine[:1:-1]}, and both of the other user",
            look_at=_place_of_command(harness),
        )


def _place_of_command(harness: Harness) -> Place | None:
    """The file of the command, if there is one."""
    found = harness.project.backend.rglob(f"management/commands/{_COMMAND}.py")
    return next((Place(harness.project.relative(path)) for path in found), None)


def _prune(harness: Harness, *options: str) -> None:
    """Run the command, as a scheduled job would."""
    process = harness.finish(
        ["manage.py", _COMMAND, *options], harness.env(), seconds=patient(60)
    )
    if process.exit_code:
        raise harness.crash(process, f"`python manage.py {_COMMAND}` failed")


@item("stored.pruned-by-index", needs=["stored.pruned"])
def old_ones_are_found_by_index(harness: Harness) -> None:
    """Pruning finds what is old through an index, without reading the whole table."""
    told = harness.probe(
        "check_plans",
        _COMMAND,
        variables={"DJANGO_SETTINGS_MODULE": harness.project.settings_module},
    )
    scans = [(query, step) for query, step in told["plans"] if _reads_a_table(query, step)]
    if scans:
        query, step = scans[0]
        raise NotYet(
            f"SQLite's plan for {shorten(query, 200)} says {step}",
            expected="SEARCH ... USING INDEX, for the query by age too",
            look_at=_place_of_command(harness),
            todo="an index on the moment at which a notification was created",
        )


def _reads_a_table(query: str, step: str) -> bool:
    """Whether the step reads all of a table, and not what another part of the query found."""
    words = step.split()
    if words[0] != "SCAN" or "INDEX" in words:
        return False
    name = re.escape(words[1])
    part = rf'\)\s*(AS\s+)?"?{name}"?(\W|$)|(\W){name}"?\s+AS\s*\('
    return not words[1].startswith("(") and not re.search(part, query)

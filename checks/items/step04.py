"""Step 4: what happens in the REST API reaches the people it concerns, and nobody else."""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from checks.errors import NotYet, Place
from checks.harness import diagnosis
from checks.harness.client import Answer, shorten
from checks.harness.diagnosis import Cause
from checks.harness.events import differences, place_of_kind, shape
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.servers import need
from checks.harness.stage import Deed, Listeners, Stage, people, stage_of, stage_with
from checks.items import Checklist
from course.contract import EVENTS, STORED_KEYS

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: _stage_without_layer(harness),
        lambda harness: harness.database(),
        lambda harness: _friends(stage_of(harness)),
        lambda harness: people(stage_of(harness), "alice", "bob", "carol"),
    ],
)
item = checklist.item

_EACH = ["events.friend-request", "events.friend-accepted"]
_EACH += ["events.new-message", "events.new-post"]
# One query or crossing more or less is no loop; one for each of 200 friends is.
_TOLERATED = 3
_BULK = 199


# What people do


def ask(stage: Stage, asker: Person, id: int, **options: Any) -> Deed:
    """Ask user `id` to be friends."""
    return stage.do("POST", f"/api/friends/request/{id}/", token=asker.access, **options)


def accept(stage: Stage, person: Person, request_id: int, **options: Any) -> Deed:
    """Accept a friend request."""
    path = f"/api/friends/accept/{request_id}/"
    return stage.do("POST", path, token=person.access, **options)


def write(stage: Stage, sender: Person, id: int, content: str, **options: Any) -> Deed:
    """Send user `id` a message."""
    body = {"receiver_id": id, "content": content}
    return stage.do("POST", "/api/messages/", body=body, token=sender.access, **options)


def post(stage: Stage, author: Person, content: str, **options: Any) -> Deed:
    """Publish a post."""
    body = {"content": content}
    return stage.do("POST", "/api/posts/", body=body, token=author.access, **options)


def done(deed: Deed, status: int, kind: str = "") -> Answer:
    """The answer to a deed, of that status; with the id of what was saved, if it has a kind.

    Raises NotYet; requests that end with the same error at the same line share one.
    """
    answer, stage = deed.answer, deed.stage
    if answer.status != status:
        found = str(answer)
        if answer.error:
            found += f"\nthe server's error: {answer.error}"
        place = answer.place
        if "NoneType" in answer.error:
            place = _saving_function(deed, kind) or place
        expected = f"{answer.request} answers {status}"
        news = NotYet(found, expected=expected, look_at=place)
        raise _once_each(stage, Cause(answer.error, place), news)
    if kind and answer.get("id") is None:
        saves = _saving_function(deed, kind)
        news = NotYet(
            str(answer),
            expected="the answer has the id of what was saved, as in step 0",
            look_at=saves,
            todo=f"{saves.symbol}() returns nothing: return what it saved" if saves else "",
        )
        raise _once_each(stage, Cause(f"no id of a {kind}", saves), news)
    return answer


def _saving_function(deed: Deed, kind: str) -> Place | None:
    return diagnosis.saving_function(deed.stage, deed.journal, kind) if kind else None


def make_friends(stage: Stage, asker: Person, other: Person) -> None:
    """Make two people friends, with news that other items share."""
    asked = done(ask(stage, asker, other.id), 201, "friend_request")
    done(accept(stage, other, asked.get("id")), 200)


def _once_each(stage: Stage, cause: Cause, news: NotYet) -> NotYet:
    """The first news of a cause: the items that meet the same one later wait for it."""
    if not cause.text:
        return news
    key = f"cause {cause.root or f'{cause.text} {cause.place}'}"
    return stage.harness.once(key, lambda: news)


# Who is told


def expect_event(
    listeners: Listeners,
    deed: Deed,
    to: list[Person],
    kind: str,
    data: Any,
    why_not: dict[str, str] | None = None,
) -> None:
    """Exactly these people have got exactly this event, once, and the others nothing.

    `why_not` says of people by name why they are not told.
    """
    event = {"type": kind, "data": data}
    received = zip(listeners.sockets, listeners.received(), strict=True)
    for (person, _), everything in received:
        frames = _events_among(everything)
        wanted = [event] if person in to else []
        trouble = differences([_without_keys_of_the_row(f) for f in frames], wanted)
        if not trouble:
            continue
        if not frames:
            raise unheard(deed, person, event)
        got = ", then ".join(shorten(frame) for frame in frames)
        reason = (why_not or {}).get(person.username, "not meant to get it")
        expected = (
            shorten(event, 500) if wanted else f"nothing: {person.username} is {reason}"
        )
        raise NotYet(
            f"after {deed.answer.request}, {person.username} got {got}"
            + (f"\n{'; '.join(trouble)}" if wanted else ""),
            expected=expected,
            look_at=_place_of_wrong(deed, frames, kind),
        )


def _events_among(frames: list[Any]) -> list[Any]:
    """The documented events, and what has no type; what else a project sends is no fault."""
    return [f for f in frames if not isinstance(_kind_of(f), str) or _kind_of(f) in EVENTS]


def _without_keys_of_the_row(frame: Any) -> Any:
    """A later step stores events, and then they say of which row they are."""
    if not isinstance(frame, dict):
        return frame
    return {key: value for key, value in frame.items() if key not in STORED_KEYS}


def _kind_of(frame: Any) -> Any:
    return frame.get("type") if isinstance(frame, dict) else None


def _place_of_wrong(deed: Deed, frames: list[Any], kind: str) -> Place | None:
    """Where an event was made that is of another kind, or else where this kind is."""
    for other in map(_kind_of, frames):
        if other in EVENTS and other != kind:
            return diagnosis.deciding_line(deed.stage, deed.journal, other)
    return place_of_kind(deed.stage.harness, kind)


def unheard(deed: Deed, person: Person, event: dict[str, Any]) -> NotYet:
    """The news that somebody heard nothing, and what is known of the reason."""
    cause = _cause_of_silence(deed, event["type"])
    words = f"\n{cause.text}" if cause.text else ""
    news = NotYet(
        f"after {deed.answer.request}, {person.username} got nothing{words}",
        expected=shorten(event, 500),
        look_at=cause.place,
        todo=cause.todo,
    )
    return _once_each(deed.stage, cause, news)


def _cause_of_silence(deed: Deed, kind: str) -> Cause:
    stage, journal = deed.stage, deed.journal
    home = place_of_kind(stage.harness, kind)
    if cause := diagnosis.never_awaited(stage, journal.unawaited):
        return cause
    if cause := diagnosis.logged_error(stage, journal):
        return _as_callers(stage, cause, home)
    if home is None:
        text = f'no line of the project contains "{kind}"'
        return Cause(text, None, "send it where the change is saved, as on the page")
    if uncalled := diagnosis.uncalled_function(stage, kind):
        text = f"no line of the project calls {uncalled.symbol}()"
        return Cause(text, uncalled, "call it where the change is saved")
    if journal.groups:
        return Cause("", home)  # it was sent, to somebody else
    if waits := diagnosis.committing_line(stage, journal):
        return Cause("the function given to transaction.on_commit() sent nothing", waits)
    return Cause("nothing was sent to any group", home, root=f"silent {home.file}")


def _as_callers(stage: Stage, cause: Cause, home: Place | None) -> Cause:
    """An error inside send_notification(), which works, comes from what it was given."""
    sender = stage.place("sender")
    if cause.place and sender and cause.place.file == sender.file:
        todo = f"{sender.symbol}() takes a list of ids, and data that can be serialized as JSON"
        return Cause(cause.text, home or cause.place, todo)
    return cause


def expect_silence(
    listeners: Listeners,
    deed: Deed,
    why: str,
    todo: str = "",
    place: Callable[[Deed, str], Place | None] | None = None,
) -> None:
    """Nobody has got anything; `place` finds the line that a kind of event comes from."""
    for (person, _), frames in zip(listeners.sockets, listeners.received(), strict=True):
        for frame in _events_among(frames):
            kind = str(_kind_of(frame) or "")
            raise NotYet(
                f"{deed.answer.request} {why}; {person.username} got {shorten(frame)} "
                "anyway",
                expected="no event",
                look_at=(place or _deciding_line)(deed, kind),
                todo=todo,
            )


def _deciding_line(deed: Deed, kind: str) -> Place | None:
    return diagnosis.deciding_line(deed.stage, deed.journal, kind)


def sending_line(deed: Deed, kind: str) -> Place | None:
    found = diagnosis.sending_line(deed.stage, deed.journal)
    return found or place_of_kind(deed.stage.harness, kind)


def _named(stage: Stage, *names: str) -> list[Person]:
    """People of these names, with a first and a last name too."""
    made = people(stage, *names)
    for person in made:
        first, last = person.username.title(), f"of {person.username}"
        stage.control("change", id=person.id, first_name=first, last_name=last)
    return made


def _full(person: Person) -> dict[str, Any]:
    first, last = person.username.title(), f"of {person.username}"
    return {
        "id": person.id,
        "username": person.username,
        "first_name": first,
        "last_name": last,
    }


def _brief(person: Person) -> dict[str, Any]:
    return {"id": person.id, "username": person.username}


def _waiting(stage: Stage) -> list[Person]:
    """Two who are not yet friends: one whom the author asked, one who asked the author."""

    def make() -> list[Person]:
        [author, *_] = _friends(stage)
        invited, hopeful = people(stage, "pending_receiver", "pending_sender")
        done(ask(stage, author, invited.id), 201)
        done(ask(stage, hopeful, author.id), 201)
        return [invited, hopeful]

    return stage.harness.once("author and requests", make)


def _friends(stage: Stage) -> list[Person]:
    """An author and two friends: one the author had asked, one who had asked the author."""

    def make() -> list[Person]:
        names = ("author", "friend_who_accepted", "friend_who_requested")
        author, asked, asking = people(stage, *names)
        make_friends(stage, author, asked)
        make_friends(stage, asking, author)
        return [author, asked, asking]

    return stage.harness.once("author and friends", make)


# The items


@item("events.ready")
def notifications_still_work(harness: Harness) -> None:
    """What `send_notification()` sends still reaches its user's open socket."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    if news := stage.learn_way(alice):
        raise news
    with stage.listening(alice):
        pass


@item("events.friend-request", needs=["events.ready"], events=["friend_request"])
def friend_request_is_told(harness: Harness) -> None:
    """A friend request sends `friend_request` to its receiver, and to nobody else."""
    stage = stage_of(harness)
    asker, other, third = _named(stage, "dora", "emil", "fay")
    with stage.listening(asker, other, third) as listeners:
        asked = ask(stage, asker, other.id)
        answer = done(asked, 201, "friend_request")
        data = {
            "request_id": answer.get("id"),
            "from_user": _full(asker),
            "created_at": answer.get("created_at"),
        }
        expect_event(listeners, asked, [other], "friend_request", data)


@item("events.friend-accepted", needs=["events.ready"], events=["friend_accepted"])
def friend_accepted_is_told(harness: Harness) -> None:
    """Accepting a request sends `friend_accepted` to the user who sent it, and to nobody else."""
    stage = stage_of(harness)
    asker, other, third = _named(stage, "gus", "hana", "ivo")
    asked = done(ask(stage, asker, other.id), 201, "friend_request")
    with stage.listening(asker, other, third) as listeners:
        accepted = accept(stage, other, asked.get("id"))
        done(accepted, 200, "friend_accepted")
        data = {"friend": _full(other)}
        expect_event(listeners, accepted, [asker], "friend_accepted", data)


@item("events.new-message", needs=["events.ready"], events=["new_message"])
def message_is_told(harness: Harness) -> None:
    """A message sends `new_message` to its receiver, and to nobody else."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    with stage.listening(alice, bob, carol) as listeners:
        written = write(stage, alice, bob.id, "Hello, Bob")
        answer = done(written, 201, "new_message")
        data = {
            "id": answer.get("id"),
            "sender": _brief(alice),
            "content": "Hello, Bob",
            "created_at": answer.get("created_at"),
        }
        expect_event(listeners, written, [bob], "new_message", data)


@item("events.new-post", needs=["events.ready"], events=["new_post"])
def post_is_told(harness: Harness) -> None:
    """A post sends `new_post` to all friends of its author, and to nobody else."""
    stage = stage_of(harness)
    author, asked, asking = _friends(stage)
    invited, hopeful = _waiting(stage)
    [stranger] = people(stage, "carol")
    pending = "not a friend yet, the friend request is still pending"
    why_not = {
        author.username: "the author",
        stranger.username: "not a friend",
        invited.username: pending,
        hopeful.username: pending,
    }
    everybody = (author, asked, asking, stranger, invited, hopeful)
    with stage.listening(*everybody) as listeners:
        published = post(stage, author, "Good morning")
        answer = done(published, 201, "new_post")
        data = {
            "id": answer.get("id"),
            "author": _brief(author),
            "content": "Good morning",
            "created_at": answer.get("created_at"),
        }
        friends = [asked, asking]
        expect_event(listeners, published, friends, "new_post", data, why_not)


@item("events.after-commit", needs=_EACH)
def rollback_sends_nothing(harness: Harness) -> None:
    """Nothing is sent when the transaction of the request rolls back."""
    stage = stage_of(harness)
    undo = {"headers": {"X-Check-Rollback": "1"}}
    author, asked, asking = _friends(stage)
    alice, bob = people(stage, "alice", "bob")
    pending = done(ask(stage, alice, asked.id), 201).get("id")
    todo = "send it in a function given to transaction.on_commit()"
    with stage.listening(alice, bob, asked, asking) as listeners:
        for cause, status in (
            (lambda: ask(stage, author, bob.id, **undo), 201),
            (lambda: accept(stage, asked, pending, **undo), 200),
            (lambda: write(stage, alice, bob.id, "Never said", **undo), 201),
            (lambda: post(stage, author, "Never said", **undo), 201),
        ):
            deed = cause()
            done(deed, status)
            expect_silence(listeners, deed, "was rolled back", todo, sending_line)


@item("events.refused", needs=_EACH)
def refusal_sends_nothing(harness: Harness) -> None:
    """Nothing is sent when the request is refused."""
    stage = stage_of(harness)
    author, asked, asking = _friends(stage)
    alice, bob = people(stage, "alice", "bob")
    pending = done(ask(stage, bob, asked.id), 201).get("id")
    refused: Sequence[Callable[[], Deed]] = (
        lambda: ask(stage, author, author.id),
        lambda: ask(stage, bob, asked.id),
        lambda: ask(stage, asked, bob.id),
        lambda: ask(stage, author, asking.id),
        lambda: accept(stage, bob, pending),
        lambda: accept(stage, alice, pending),
        lambda: write(stage, alice, alice.id, "To myself"),
        lambda: write(stage, alice, bob.id, ""),
        lambda: post(stage, author, ""),
        lambda: stage.do("POST", "/api/posts/", body={"content": "Who am I?"}),
    )
    with stage.listening(author, asked, asking, alice, bob) as listeners:
        for request in refused:
            deed = request()
            answer = deed.answer
            if not 400 <= answer.status < 500:
                raise NotYet(
                    str(answer), expected="the request is refused", look_at=answer.place
                )
            why = f"was refused with {answer.status}"
            todo = "send it after the last check has passed"
            expect_silence(listeners, deed, why, todo)


@item("events.only-news", needs=_EACH)
def other_changes_send_nothing(harness: Harness) -> None:
    """Declining a request, ending a friendship, and liking or editing a post send nothing."""
    stage = stage_of(harness)
    poet, critic, rival = people(stage, "poet", "critic", "rival")
    make_friends(stage, poet, critic)
    request = done(ask(stage, rival, poet.id), 201).get("id")
    poem = f"/api/posts/{done(post(stage, poet, 'A poem'), 201).get('id')}/"
    done(write(stage, poet, critic.id, "Read it?"), 201)
    read = f"/api/messages/conversation/{poet.id}/read/"
    edited = {"content": "A better poem"}
    others: Sequence[tuple[str, Person, str, str, Any]] = (
        (
            "declined a friend request",
            poet,
            "POST",
            f"/api/friends/decline/{request}/",
            None,
        ),
        ("liked a post", critic, "POST", f"{poem}like/", None),
        ("took the like back", critic, "POST", f"{poem}like/", None),
        ("edited a post", poet, "PATCH", poem, edited),
        ("marked messages as read", critic, "POST", read, None),
        ("ended a friendship", poet, "DELETE", f"/api/friends/remove/{critic.id}/", None),
        ("deleted a post", poet, "DELETE", poem, None),
    )
    with stage.listening(poet, critic, rival) as listeners:
        for what, person, method, path, body in others:
            deed = stage.do(method, path, body=body, token=person.access)
            if deed.answer.status >= 500:
                done(deed, 200)
            todo = (
                "send it only where something is new: created, accepted, written, published"
            )
            expect_silence(listeners, deed, what, todo)


@item("events.layer-down", needs=_EACH, parallel=True)
def layer_down_fails_no_request(harness: Harness) -> None:
    """With the channel layer down, every request gets the same answer as before."""
    up, down = stage_of(harness), _stage_without_layer(harness)
    una, ulf, dag, dot = people(up, "una", "ulf", "dag", "dot")
    for cause in (_befriending, _messaging, _posting):
        for usual, deed in zip(cause(up, una, ulf), cause(down, dag, dot), strict=True):
            if usual.answer.status >= 500:
                done(usual, 200)
            expect_same(usual.answer, deed)


def expect_same(usual: Answer, deed: Deed) -> None:
    """The same kind of answer as with the layer up."""
    answer = deed.answer
    if (usual.status, shape(usual.body)) == (answer.status, shape(answer.body)):
        return
    waits = diagnosis.committing_line(deed.stage, deed.journal)
    sends = diagnosis.sending_line(deed.stage, deed.journal)
    raise NotYet(
        str(answer) + (f"\nthe server's error: {answer.error}" if answer.error else ""),
        expected=f"{usual.status} as with the layer up; the event is lost, and the error is logged",
        look_at=waits or sends or answer.place,
        todo="transaction.on_commit(..., robust=True), or catch and log the error inside the "
        "function that on_commit() calls",
    )


def _befriending(stage: Stage, one: Person, other: Person) -> list[Deed]:
    asked = ask(stage, one, other.id)
    return [asked, accept(stage, other, asked.answer.get("id") or 0)]


def _messaging(stage: Stage, one: Person, other: Person) -> list[Deed]:
    return [write(stage, one, other.id, "Is anybody there?")]


def _posting(stage: Stage, one: Person, other: Person) -> list[Deed]:
    return [post(stage, other, "Is anybody there?")]


def _stage_without_layer(harness: Harness) -> Stage:
    """The project with a Redis layer at a port where nobody listens."""

    def make() -> Stage:
        taken = sockets.socket()  # bound but not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        harness.at_end(taken.close)
        address = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        host = {"address": address, "socket_connect_timeout": 1, "socket_timeout": 1}
        backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
        layer = {"BACKEND": backend, "CONFIG": {"hosts": [host]}}
        return stage_with(harness, "daphne with its channel layer down", layer=layer)

    return harness.once("stage without layer", make)


@item("events.fan-out", needs=["events.new-post"], parallel=True)
def crowd_costs_no_more(harness: Harness) -> None:
    """Posting to 200 friends takes as many queries and async_to_sync calls as posting to one."""
    stage = stage_of(harness)
    star, fan = people(stage, "star", "fan")
    make_friends(stage, star, fan)
    cost(stage, star)  # whatever the first request has to find out
    few = cost(stage, star)
    last = clones(stage, star, fan, _BULK) or _more_friends(stage, star)
    with stage.listening(fan, last) as listeners:
        many = cost(stage, star)
        heard = [len(_events_among(frames)) for frames in listeners.received()]
    if heard == [1, 1] and all(many[name] <= few[name] + _TOLERATED for name in few):
        return
    count = _count_friends(stage, star)
    costs = [
        f"{few[name]} {name} with one friend, {many[name]} with {count}" for name in few
    ]
    costs.append(
        f"the first of {count} friends got {heard[0]} frame(s), the last {heard[1]}"
    )
    raise NotYet(
        "\n".join(costs),
        expected="one event for each friend, at about the same cost as for one",
        look_at=place_of_kind(harness, "new_post"),
        todo="one query for the ids of all friends, one send_notification() for all of them",
    )


def cost(stage: Stage, author: Person) -> dict[str, int]:
    """What one post costs."""
    answer = done(post(stage, author, "Hello all", headers={"X-Check-Count": "1"}), 201)
    return {
        "database queries": int(answer.headers["x-check-queries"]),
        "async_to_sync calls": int(answer.headers["x-check-crossings"]),
    }


def clones(stage: Stage, star: Person, fan: Person, count: int) -> Person | None:
    """Give the star many friends, copies of the fan; the last, or None if they are none."""
    made = stage.control("bulk_users", like=fan.id, count=count)
    if not made or _count_friends(stage, star) <= count:
        return None
    body = {"email": made["emails"][-1], "password": fan.password}
    login = stage.server.ask("POST", "/api/auth/login/", body=body)
    access = login.get("access")
    return (
        replace(fan, id=made["ids"][-1], email=body["email"], access=access)
        if access
        else None
    )


def _more_friends(stage: Stage, star: Person) -> Person:
    """The slow way, for a project whose rows cannot be copied: make friends by the API."""
    friends = people(stage, *(f"follower{number}" for number in range(30)))
    for friend in friends:
        make_friends(stage, star, friend)
    return friends[-1]


def _count_friends(stage: Stage, person: Person) -> int:
    answer = stage.server.ask("GET", "/api/friends/", token=person.access)
    return need(answer, 200).get("count") or len(answer.rows)

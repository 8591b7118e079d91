"""Step 4: what happens in the REST API reaches those whom it concerns, and nobody else."""

from __future__ import annotations

import socket as sockets
from dataclasses import replace
from typing import Any

from checks.errors import NotYet
from checks.harness.client import Answer, shorten
from checks.harness.events import differences, place_of_kind, shape
from checks.harness.harness import Harness
from checks.harness.people import Person, befriend
from checks.harness.servers import Server, need, serve
from checks.harness.stage import Listeners, Stage, people, stage_of
from checks.items import Checklist

checklist = Checklist(
    4,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: _server_without_layer(harness),
        lambda harness: harness.database(),
        lambda harness: _friends(stage_of(harness)),
        lambda harness: people(stage_of(harness), "alice", "bob", "carol"),
    ],
)
item = checklist.item

_EVENTS = "backend/notifications/events.py"
_PUBLISH = "backend/notifications/events.py::publish"
_KINDS = {"friend_request", "friend_accepted", "new_message", "new_post"}
_EACH = ["events.friend-request", "events.friend-accepted"]
_EACH += ["events.new-message", "events.new-post"]
# One query or crossing more or less is no loop; one for each of 200 friends is.
_TOLERATED = 3
_BULK = 199


# What people do


def ask(server: Server, asker: Person, id: int, **options: Any) -> Answer:
    """Ask user `id` to be friends."""
    return server.ask("POST", f"/api/friends/request/{id}/", token=asker.access, **options)


def accept(server: Server, person: Person, request_id: int, **options: Any) -> Answer:
    """Accept a friend request."""
    path = f"/api/friends/accept/{request_id}/"
    return server.ask("POST", path, token=person.access, **options)


def write(server: Server, sender: Person, id: int, content: str, **options: Any) -> Answer:
    """Send user `id` a message."""
    body = {"receiver_id": id, "content": content}
    return server.ask("POST", "/api/messages/", body=body, token=sender.access, **options)


def post(server: Server, author: Person, content: str, **options: Any) -> Answer:
    """Publish a post."""
    body = {"content": content}
    return server.ask("POST", "/api/posts/", body=body, token=author.access, **options)


# Who hears of it


def expect_event(
    listeners: Listeners, cause: Answer, to: list[Person], kind: str, data: Any
) -> None:
    """Exactly these people have got exactly this event, once, and the others nothing."""
    for (person, _), frames in zip(listeners.sockets, listeners.received(), strict=True):
        event = {"type": kind, "data": data}
        wanted = [event] if person in to else []
        trouble = differences([f for f in frames if _may_be(f, kind)], wanted)
        if trouble:
            got = ", then ".join(shorten(frame) for frame in frames) or "nothing"
            raise NotYet(
                f"after {cause.request} {person.username} got {got}"
                + (f"\n{'; '.join(trouble)}" if frames and wanted else "")
                + _logged(listeners.stage),
                expected=shorten(event, 500)
                if wanted
                else "nothing for those not concerned",
                look_at=_place(listeners.stage, kind),
            )


def _may_be(frame: Any, kind: str) -> bool:
    """Not another documented event: that one may come from an item that runs beside this."""
    return not isinstance(frame, dict) or frame.get("type") not in _KINDS - {kind}


def expect_silence(listeners: Listeners, cause: Answer, why: str, todo: str) -> None:
    """Nobody has got anything."""
    for (person, _), frames in zip(listeners.sockets, listeners.received(), strict=True):
        if frames:
            kind = frames[0].get("type") if isinstance(frames[0], dict) else ""
            raise NotYet(
                f"{cause.request} {why}; {person.username} got {shorten(frames[0])} all the same",
                expected="no event",
                look_at=place_of_kind(listeners.stage.harness, str(kind)),
                todo=todo,
            )


def _logged(stage: Stage) -> str:
    """The error that the server has logged, if there is one: events fail silently."""
    log = stage.server.process.log()
    return f"\nthe server's log: {stage.last_words(log)}" if "Traceback" in log else ""


def _place(stage: Stage, kind: str) -> Any:
    place = stage.harness.place_in(stage.server.process.log())
    return place or place_of_kind(stage.harness, kind)


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


def _friends(stage: Stage) -> list[Person]:
    """An author and two friends: one the author had asked, one who had asked the author."""

    def make() -> list[Person]:
        author, asked, asking = people(stage, "author", "asked", "asking")
        befriend(stage.server, author, asked)
        befriend(stage.server, asking, author)
        return [author, asked, asking]

    return stage.harness.once("author and friends", make)


# The items


@item("events.ready")
def notifications_still_work(harness: Harness) -> None:
    """What send_notification() sends still reaches its user's open socket."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    if seen := stage.learn_way(alice):
        raise stage.news("\n".join(seen), expected="alice is let in", part="middleware")
    with stage.listening(alice):
        pass


@item("events.friend-request", needs=["events.ready"], events=["friend_request"])
def friend_request_is_told(harness: Harness) -> None:
    """A friend request sends friend_request to the one who is asked, and to nobody else."""
    stage = stage_of(harness)
    asker, other, third = _named(stage, "dora", "emil", "fay")
    with stage.listening(asker, other, third) as listeners:
        answer = need(ask(stage.server, asker, other.id), 201)
        data = {
            "request_id": answer.get("id"),
            "from_user": _full(asker),
            "created_at": answer.get("created_at"),
        }
        expect_event(listeners, answer, [other], "friend_request", data)


@item("events.friend-accepted", needs=["events.ready"], events=["friend_accepted"])
def friend_accepted_is_told(harness: Harness) -> None:
    """Accepting a request sends friend_accepted to the one who had asked, and to nobody else."""
    stage = stage_of(harness)
    asker, other, third = _named(stage, "gus", "hana", "ivo")
    asked = need(ask(stage.server, asker, other.id), 201)
    with stage.listening(asker, other, third) as listeners:
        answer = need(accept(stage.server, other, asked.get("id")), 200)
        expect_event(
            listeners, answer, [asker], "friend_accepted", {"friend": _full(other)}
        )


@item("events.new-message", needs=["events.ready"], events=["new_message"])
def message_is_told(harness: Harness) -> None:
    """A message sends new_message to its receiver, and to nobody else."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    with stage.listening(alice, bob, carol) as listeners:
        answer = need(write(stage.server, alice, bob.id, "Hello, Bob"), 201)
        data = {
            "id": answer.get("id"),
            "sender": _brief(alice),
            "content": "Hello, Bob",
            "created_at": answer.get("created_at"),
        }
        expect_event(listeners, answer, [bob], "new_message", data)


@item("events.new-post", needs=["events.ready"], events=["new_post"])
def post_is_told(harness: Harness) -> None:
    """A post sends new_post to all friends of its author, and to nobody else."""
    stage = stage_of(harness)
    author, asked, asking = _friends(stage)
    [stranger] = people(stage, "carol")
    with stage.listening(author, asked, asking, stranger) as listeners:
        answer = need(post(stage.server, author, "Good morning"), 201)
        data = {
            "id": answer.get("id"),
            "author": _brief(author),
            "content": "Good morning",
            "created_at": answer.get("created_at"),
        }
        expect_event(listeners, answer, [asked, asking], "new_post", data)


@item("events.after-commit", needs=_EACH)
def rollback_sends_nothing(harness: Harness) -> None:
    """Nothing is sent when the transaction of the request rolls back."""
    stage = stage_of(harness)
    server, undo = stage.server, {"headers": {"X-Check-Rollback": "1"}}
    author, asked, asking = _friends(stage)
    alice, bob = people(stage, "alice", "bob")
    pending = need(ask(server, alice, asked.id), 201).get("id")
    with stage.listening(alice, bob, asked, asking) as listeners:
        for cause, status in (
            (lambda: ask(server, author, bob.id, **undo), 201),
            (lambda: accept(server, asked, pending, **undo), 200),
            (lambda: write(server, alice, bob.id, "Never said", **undo), 201),
            (lambda: post(server, author, "Never said", **undo), 201),
        ):
            answer = need(cause(), status)
            todo = "send it in a function given to transaction.on_commit()"
            expect_silence(listeners, answer, "was rolled back", todo)


@item("events.refused", needs=_EACH)
def refusal_sends_nothing(harness: Harness) -> None:
    """Nothing is sent when the request is refused."""
    stage = stage_of(harness)
    server = stage.server
    author, asked, asking = _friends(stage)
    alice, bob = people(stage, "alice", "bob")
    pending = need(ask(server, bob, asked.id), 201).get("id")
    with stage.listening(author, asked, asking, alice, bob) as listeners:
        for answer in (
            ask(server, author, author.id),
            ask(server, bob, asked.id),
            ask(server, asked, bob.id),
            ask(server, author, asking.id),
            accept(server, bob, pending),
            accept(server, alice, pending),
            write(server, alice, alice.id, "To myself"),
            write(server, alice, bob.id, ""),
            post(server, author, ""),
            server.ask("POST", "/api/posts/", body={"content": "Who am I?"}),
        ):
            if not 400 <= answer.status < 500:
                raise NotYet(str(answer), expected="the request is refused")
            why = f"was refused with {answer.status}"
            expect_silence(
                listeners, answer, why, "send it after the last check has passed"
            )


@item("events.layer-down", needs=_EACH, parallel=True)
def layer_down_fails_no_request(harness: Harness) -> None:
    """With the channel layer down every request answers as before."""
    up, down = stage_of(harness).server, _server_without_layer(harness)
    una, ulf, dag, dot = people(stage_of(harness), "una", "ulf", "dag", "dot")
    for cause in (_befriending, _messaging, _posting):
        for usual, answer in zip(cause(up, una, ulf), cause(down, dag, dot), strict=True):
            if usual.status >= 500:
                raise NotYet(str(usual), expected="an answer without an error")
            if (usual.status, shape(usual.body)) != (answer.status, shape(answer.body)):
                log = down.process.log()
                raise NotYet(
                    f"{answer}\nthe server's log: {stage_of(harness).last_words(log)}",
                    expected=f"{usual.status} as with the layer up, the event given up and logged",
                    look_at=harness.place_in(log),
                    todo="transaction.on_commit(..., robust=True), or catch and log it",
                )


def _befriending(server: Server, one: Person, other: Person) -> list[Answer]:
    asked = ask(server, one, other.id)
    return [asked, accept(server, other, asked.get("id") or 0)]


def _messaging(server: Server, one: Person, other: Person) -> list[Answer]:
    return [write(server, one, other.id, "Is anybody there?")]


def _posting(server: Server, one: Person, other: Person) -> list[Answer]:
    return [post(server, other, "Is anybody there?")]


def _server_without_layer(harness: Harness) -> Server:
    """The project with a Redis layer at a port where nobody listens."""

    def make() -> Server:
        taken = sockets.socket()  # bound but not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        harness.at_end(taken.close)
        address = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        host = {"address": address, "socket_connect_timeout": 1, "socket_timeout": 1}
        backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
        env = harness.env(layer={"BACKEND": backend, "CONFIG": {"hosts": [host]}})
        argv = ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", harness.project.asgi]
        return serve(harness, "daphne with its channel layer down", argv, env)

    return harness.once("server without layer", make)


@item("events.fan-out", needs=["events.new-post"], parallel=True)
def crowd_costs_no_more(harness: Harness) -> None:
    """Posting to 200 friends takes as many queries and async_to_sync calls as posting to one."""
    stage = stage_of(harness)
    star, fan = people(stage, "star", "fan")
    befriend(stage.server, star, fan)
    cost(stage, star)  # whatever the first request has to find out
    few = cost(stage, star)
    last = _clones(stage, star, fan) or _more_friends(stage, star)
    with stage.listening(fan, last) as listeners:
        many = cost(stage, star)
        heard = [len(frames) for frames in listeners.received()]
    if heard == [1, 1] and all(many[name] <= few[name] + _TOLERATED for name in few):
        return
    count = _count_friends(stage, star)
    costs = [
        f"{few[name]} {name} with one friend, {many[name]} with {count}" for name in few
    ]
    costs.append(f"of {count} friends the first got {heard[0]} frames, the last {heard[1]}")
    raise NotYet(
        "\n".join(costs),
        expected="one event for each friend, at about the same cost as for one",
        look_at=place_of_kind(harness, "new_post"),
        todo="one query for the ids of all friends, one send_notification() for all of them",
    )


def cost(stage: Stage, author: Person) -> dict[str, int]:
    """What one post costs."""
    answer = post(stage.server, author, "Hello all", headers={"X-Check-Count": "1"})
    need(answer, 201)
    return {
        "database queries": int(answer.headers["x-check-queries"]),
        "async_to_sync calls": int(answer.headers["x-check-crossings"]),
    }


def _clones(stage: Stage, star: Person, fan: Person) -> Person | None:
    """Give the star many friends, copies of the fan; the last, or None if they are none."""
    made = stage.control("bulk_users", like=fan.id, count=_BULK)
    if not made or _count_friends(stage, star) <= _BULK:
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
        befriend(stage.server, star, friend)
    return friends[-1]


def _count_friends(stage: Stage, person: Person) -> int:
    answer = stage.server.ask("GET", "/api/friends/", token=person.access)
    return need(answer, 200).get("count") or len(answer.rows)

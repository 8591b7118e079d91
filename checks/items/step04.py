"""Step 4: what happens in the REST API reaches those whom it concerns, and nobody else."""

from __future__ import annotations

import socket as sockets
from dataclasses import replace
from typing import Any

from checks.bench import Bench, Person, Server
from checks.client import Answer, shorten
from checks.errors import NotYet
from checks.events import differences, place_of_kind, shape
from checks.items import Checklist, Hints
from checks.realtime import Ears, Stage, people, stage_of

checklist = Checklist(
    4,
    early=[
        lambda bench: stage_of(bench),
        lambda bench: _server_without_layer(bench),
        lambda bench: bench.database,
        lambda bench: _friends(stage_of(bench)),
        lambda bench: people(stage_of(bench), "alice", "bob", "carol"),
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
_CROWD = 199


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


def expect_event(ears: Ears, cause: Answer, to: list[Person], kind: str, data: Any) -> None:
    """Exactly these people have got exactly this event, once, and the others nothing."""
    for (person, _), frames in zip(ears.sockets, ears.heard(), strict=True):
        event = {"type": kind, "data": data}
        wanted = [event] if person in to else []
        trouble = differences([f for f in frames if _may_be(f, kind)], wanted)
        if trouble:
            got = ", then ".join(shorten(frame) for frame in frames) or "nothing"
            raise NotYet(
                f"after {cause.request} {person.username} got {got}"
                + (f"\n{'; '.join(trouble)}" if frames and wanted else "")
                + _logged(ears.stage),
                expected=shorten(event, 500)
                if wanted
                else "nothing for those not concerned",
                look_at=_place(ears.stage, kind),
            )


def _may_be(frame: Any, kind: str) -> bool:
    """Not another documented event: that one may come from an item that runs beside this."""
    return not isinstance(frame, dict) or frame.get("type") not in _KINDS - {kind}


def expect_silence(ears: Ears, cause: Answer, why: str, todo: str) -> None:
    """Nobody has got anything."""
    for (person, _), frames in zip(ears.sockets, ears.heard(), strict=True):
        if frames:
            kind = frames[0].get("type") if isinstance(frames[0], dict) else ""
            raise NotYet(
                f"{cause.request} {why}; {person.username} got {shorten(frames[0])} all the same",
                expected="no event",
                look_at=place_of_kind(ears.stage.bench, str(kind)),
                todo=todo,
            )


def _logged(stage: Stage) -> str:
    """The error that the server has logged, if there is one: events fail silently."""
    log = stage.server.process.log()
    return f"\nthe server's log: {stage.last_words(log)}" if "Traceback" in log else ""


def _place(stage: Stage, kind: str) -> Any:
    place = stage.bench.place_in(stage.server.process.log())
    return place or place_of_kind(stage.bench, kind)


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
        stage.bench.befriend(stage.server, author, asked)
        stage.bench.befriend(stage.server, asking, author)
        return [author, asked, asking]

    return stage.bench.once("author and friends", make)


# The items


@item(
    "events.ready",
    docs="start",
    hints=Hints(
        think="Does step 3 still pass? What you build now rests on it.",
        look="Run the check of step 3 and mend what it names first.",
        code="backend/notifications/services.py::send_notification",
    ),
)
def notifications_still_work(bench: Bench) -> None:
    """What send_notification() sends still reaches its user's open socket."""
    stage = stage_of(bench)
    [alice] = people(stage, "alice")
    if seen := stage.learn_way(alice):
        raise stage.news("\n".join(seen), expected="alice is let in", part="middleware")
    with stage.listening(alice):
        pass


@item(
    "events.friend-request",
    docs="change-1",
    needs=["events.ready"],
    hints=Hints(
        think="Who has to know that somebody asked? Only one of the two does not know it yet.",
        look="Where a friend request is saved: it is told there, to the receiver.",
        code=f"{_EVENTS}::friend_request",
    ),
)
def friend_request_is_told(bench: Bench) -> None:
    """A friend request sends friend_request to the one who is asked, and to nobody else."""
    stage = stage_of(bench)
    asker, other, third = _named(stage, "dora", "emil", "fay")
    with stage.listening(asker, other, third) as ears:
        answer = bench.need(ask(stage.server, asker, other.id), 201)
        data = {
            "request_id": answer.get("id"),
            "from_user": _full(asker),
            "created_at": answer.get("created_at"),
        }
        expect_event(ears, answer, [other], "friend_request", data)


@item(
    "events.friend-accepted",
    docs="change-1",
    needs=["events.ready"],
    hints=Hints(
        think="The one who accepts knows it already. Who is waiting for the news?",
        look="Where a request is accepted: the event goes to the one who had asked and names "
        "the one who accepted.",
        code=f"{_EVENTS}::friend_accepted",
    ),
)
def friend_accepted_is_told(bench: Bench) -> None:
    """Accepting a request sends friend_accepted to the one who had asked, and to nobody else."""
    stage = stage_of(bench)
    asker, other, third = _named(stage, "gus", "hana", "ivo")
    asked = bench.need(ask(stage.server, asker, other.id), 201)
    with stage.listening(asker, other, third) as ears:
        answer = bench.need(accept(stage.server, other, asked.get("id")), 200)
        expect_event(ears, answer, [asker], "friend_accepted", {"friend": _full(other)})


@item(
    "events.new-message",
    docs="change-2",
    needs=["events.ready"],
    hints=Hints(
        think="A message has one reader besides its writer. What do they need to show it?",
        look="Where a message is saved: it is told there, to the receiver.",
        code=f"{_EVENTS}::new_message",
    ),
)
def message_is_told(bench: Bench) -> None:
    """A message sends new_message to its receiver, and to nobody else."""
    stage = stage_of(bench)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    with stage.listening(alice, bob, carol) as ears:
        answer = bench.need(write(stage.server, alice, bob.id, "Hello, Bob"), 201)
        data = {
            "id": answer.get("id"),
            "sender": _brief(alice),
            "content": "Hello, Bob",
            "created_at": answer.get("created_at"),
        }
        expect_event(ears, answer, [bob], "new_message", data)


@item(
    "events.new-post",
    docs="change-3",
    needs=["events.ready"],
    hints=Hints(
        think="A friendship has two sides. Is a friend found from both of them?",
        look="The query for the author's friends: those asked and those who asked.",
        code=f"{_EVENTS}::new_post",
    ),
)
def post_is_told(bench: Bench) -> None:
    """A post sends new_post to all friends of its author, and to nobody else."""
    stage = stage_of(bench)
    author, asked, asking = _friends(stage)
    [stranger] = people(stage, "carol")
    with stage.listening(author, asked, asking, stranger) as ears:
        answer = bench.need(post(stage.server, author, "Good morning"), 201)
        data = {
            "id": answer.get("id"),
            "author": _brief(author),
            "content": "Good morning",
            "created_at": answer.get("created_at"),
        }
        expect_event(ears, answer, [asked, asking], "new_post", data)


@item(
    "events.after-commit",
    docs="change-4",
    needs=_EACH,
    hints=Hints(
        think="A row that was rolled back never existed. When is it sure that it does?",
        look="transaction.on_commit(): it calls a function after the commit, or never.",
        code=_PUBLISH,
    ),
)
def rollback_sends_nothing(bench: Bench) -> None:
    """Nothing is sent when the transaction of the request rolls back."""
    stage = stage_of(bench)
    server, undo = stage.server, {"headers": {"X-Check-Rollback": "1"}}
    author, asked, asking = _friends(stage)
    alice, bob = people(stage, "alice", "bob")
    pending = bench.need(ask(server, alice, asked.id), 201).get("id")
    with stage.listening(alice, bob, asked, asking) as ears:
        for cause, status in (
            (lambda: ask(server, author, bob.id, **undo), 201),
            (lambda: accept(server, asked, pending, **undo), 200),
            (lambda: write(server, alice, bob.id, "Never said", **undo), 201),
            (lambda: post(server, author, "Never said", **undo), 201),
        ):
            answer = bench.need(cause(), status)
            todo = "send it in a function given to transaction.on_commit()"
            expect_silence(ears, answer, "was rolled back", todo)


@item(
    "events.refused",
    docs="change-4",
    needs=_EACH,
    hints=Hints(
        think="In which line is it sure that the request is granted?",
        look="Where the event is sent: below every check that can refuse the request.",
        code=_EVENTS,
    ),
)
def refusal_sends_nothing(bench: Bench) -> None:
    """Nothing is sent when the request is refused."""
    stage = stage_of(bench)
    server = stage.server
    author, asked, asking = _friends(stage)
    alice, bob = people(stage, "alice", "bob")
    pending = bench.need(ask(server, bob, asked.id), 201).get("id")
    with stage.listening(author, asked, asking, alice, bob) as ears:
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
            expect_silence(ears, answer, why, "send it after the last check has passed")


@item(
    "events.layer-down",
    docs="change-4",
    needs=_EACH,
    apart=True,
    hints=Hints(
        think="The message is saved and Redis is away. What should the sender's request answer?",
        look="What happens to an exception that send_notification() raises after the commit.",
        code=_PUBLISH,
    ),
)
def layer_down_fails_no_request(bench: Bench) -> None:
    """With the channel layer down every request answers as before."""
    up, down = stage_of(bench).server, _server_without_layer(bench)
    una, ulf, dag, dot = people(stage_of(bench), "una", "ulf", "dag", "dot")
    for cause in (_befriending, _messaging, _posting):
        for usual, answer in zip(cause(up, una, ulf), cause(down, dag, dot), strict=True):
            if usual.status >= 500:
                raise NotYet(str(usual), expected="an answer without an error")
            if (usual.status, shape(usual.body)) != (answer.status, shape(answer.body)):
                log = down.process.log()
                raise NotYet(
                    f"{answer}\nthe server's log: {stage_of(bench).last_words(log)}",
                    expected=f"{usual.status} as with the layer up, the event given up and logged",
                    look_at=bench.place_in(log),
                    todo="transaction.on_commit(..., robust=True), or catch and log it",
                )


def _befriending(server: Server, one: Person, other: Person) -> list[Answer]:
    asked = ask(server, one, other.id)
    return [asked, accept(server, other, asked.get("id") or 0)]


def _messaging(server: Server, one: Person, other: Person) -> list[Answer]:
    return [write(server, one, other.id, "Is anybody there?")]


def _posting(server: Server, one: Person, other: Person) -> list[Answer]:
    return [post(server, other, "Is anybody there?")]


def _server_without_layer(bench: Bench) -> Server:
    """The project with a Redis layer at a port where nobody listens."""

    def make() -> Server:
        taken = sockets.socket()  # bound but not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        bench.at_end(taken.close)
        address = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        host = {"address": address, "socket_connect_timeout": 1, "socket_timeout": 1}
        backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
        env = bench.env(layer={"BACKEND": backend, "CONFIG": {"hosts": [host]}})
        argv = ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", bench.project.asgi]
        return bench.serve("daphne with its channel layer down", argv, env)

    return bench.once("server without layer", make)


@item(
    "events.fan-out",
    docs="change-3",
    needs=["events.new-post"],
    apart=True,
    hints=Hints(
        think="What does the request do once, and what once for each friend?",
        look="The loop over the friends: one query for all of their ids, then one call.",
        code="backend/notifications/services.py::send_notification",
    ),
)
def crowd_costs_no_more(bench: Bench) -> None:
    """Posting to 200 friends takes as many queries and async_to_sync calls as posting to one."""
    stage = stage_of(bench)
    star, fan = people(stage, "star", "fan")
    bench.befriend(stage.server, star, fan)
    cost(stage, star)  # whatever the first request has to find out
    few = cost(stage, star)
    last = _clones(stage, star, fan) or _more_friends(stage, star)
    with stage.listening(fan, last) as ears:
        many = cost(stage, star)
        heard = [len(frames) for frames in ears.heard()]
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
        look_at=place_of_kind(bench, "new_post"),
        todo="one query for the ids of all friends, one send_notification() for all of them",
    )


def cost(stage: Stage, author: Person) -> dict[str, int]:
    """What one post costs."""
    answer = post(stage.server, author, "Hello all", headers={"X-Check-Count": "1"})
    stage.bench.need(answer, 201)
    return {
        "database queries": int(answer.headers["x-check-queries"]),
        "async_to_sync calls": int(answer.headers["x-check-crossings"]),
    }


def _clones(stage: Stage, star: Person, fan: Person) -> Person | None:
    """Give the star many friends, copies of the fan; the last, or None if they are none."""
    made = stage.control("crowd", like=fan.id, count=_CROWD)
    if not made or _count_friends(stage, star) <= _CROWD:
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
        stage.bench.befriend(stage.server, star, friend)
    return friends[-1]


def _count_friends(stage: Stage, person: Person) -> int:
    answer = stage.server.ask("GET", "/api/friends/", token=person.access)
    return stage.bench.need(answer, 200).get("count") or len(answer.rows)

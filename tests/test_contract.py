"""The contract: what it promises is proven by an item, and kept by the last step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

import course
from checks.harness import project
from checks.harness.client import Answer, Socket
from checks.harness.events import shape
from checks.harness.harness import Harness
from checks.harness.people import Person, befriend, signed_up
from checks.harness.sandbox import Sandbox
from checks.harness.servers import Server, daphne, need
from checks.harness.warm import Interpreters, NoDatabases
from checks.items import Item, items_of
from course import contract
from course.contract import AUTH, Frame

ITEMS = [item for step in course.steps() for item in items_of(step.number)]


def proofs_of(**wanted: Any) -> list[Item]:
    """The items that prove an event (`events=KIND`) or a close code (`close_codes=CODE`)."""
    [(name, value)] = wanted.items()
    return [item for item in ITEMS if value in getattr(item, name)]


@pytest.mark.parametrize("kind", contract.EVENTS)
def test_event_is_proven_by_an_item(kind: str) -> None:
    """What the reference promises about an event, a checklist holds learners to."""
    assert proofs_of(events=kind)


@pytest.mark.parametrize("code", contract.CLOSE_CODES)
def test_close_code_is_proven_by_an_item(code: int) -> None:
    """Likewise for the codes with which a socket is closed."""
    assert proofs_of(close_codes=code)


def test_items_prove_only_what_the_contract_knows() -> None:
    """A misspelt kind would prove nothing, and the reference would not show it."""
    unknown = [
        (item.id, name)
        for item in ITEMS
        for name in (*item.events, *item.close_codes)
        if name not in {*contract.EVENTS, *contract.FRAMES, *contract.CLOSE_CODES}
    ]

    assert unknown == []


@pytest.fixture
def harness() -> Iterator[Harness]:
    """What a check of the last step would work with."""
    sandbox = Sandbox(project.find(course.steps()[-1].folder))
    with closing(sandbox), closing(Harness(sandbox, Interpreters(), NoDatabases())) as made:
        yield made


@pytest.mark.server
def test_last_step_keeps_the_contract(harness: Harness) -> None:
    """Its frames have the kinds and fields of the contract, its refusal the close code."""
    server = daphne(harness)
    server.way = "header"
    alice, bob = (signed_up(harness, server, name) for name in ("ann", "ben"))
    with server.socket(alice.access) as hers, server.socket(bob.access) as his:
        frames = [hers.receive(), his.receive()]
        asked = post(server, alice, f"friends/request/{bob.id}/")
        frames.append(his.receive())
        post(server, bob, f"friends/accept/{asked.get('id')}/", status=200)
        frames.append(hers.receive())
        post(server, alice, "messages/", {"receiver_id": bob.id, "content": "Hello"})
        frames.append(his.receive())
        post(server, alice, "posts/", {"content": "Good morning"})
        frames.append(his.receive())
        sell(harness, server, bob)
        frames.append(his.receive())
        ping = '{"type": "ping", "sent": 1}'
        for said in ("hello", ping, '{"type": "resume", "epoch": "unknown"}'):
            his.send(said)
            frames.append(his.receive())
        frames += [announced(harness, his), presence_of_a_friend(harness, server, bob, his)]
        up_to = {"up_to": frames[-2]["data"]["id"]}
        post(server, bob, "v1/announcements/read/", up_to, status=200)
        frames.append(his.receive())
        newest = frames[6]["id"]
        post(server, bob, f"notifications/{newest}/read/", status=200)
        frames.append(his.receive())
        post(server, bob, "notifications/read/", {"up_to": newest}, status=200)
        frames.append(his.receive())
        his.send({"type": AUTH, "token": bob.access})
        frames.append(his.receive())
    with server.socket("no token") as refused:
        code = refused.until_closed(patience=5)

    *others, one_read, all_read, renewed = map(shape, frames)
    read = {"type": None, "data": one_read["data"] | all_read["data"]}
    kinds = [frame["type"] for frame in frames]
    assert dict(zip(kinds, [*others, read, read, renewed], strict=True)) == {
        **{f.kind: event_shape(f) for f in contract.EVENTS.values()},
        **{f.kind: {"type": None, **fields_of(f)} for f in contract.FRAMES.values()},
    }
    assert code in contract.CLOSE_CODES


def announced(harness: Harness, socket: Socket) -> Any:
    """An announcement, which a socket gets with a resume: another process has made it."""
    code = "from announcements.services import announce; announce(author=None, text='Hi')"
    harness.finish(["manage.py", "shell", "-c", code], harness.env(), seconds=60)
    seq = max(frame.get("seq", 0) for frame in socket.frames)
    position = {"epoch": socket.frames[0]["epoch"], "seq": seq, "announcement": 0}
    socket.send({"type": "resume", **position})
    frame = socket.receive()
    socket.receive()
    return frame


def presence_of_a_friend(
    harness: Harness, server: Server, person: Person, socket: Socket
) -> Any:
    """What a socket is told when a friend of its user connects."""
    carol = signed_up(harness, server, "cleo")
    befriend(server, person, carol)
    with server.socket(carol.access) as friends:
        friends.receive()
        socket.receive()  # that the friendship was accepted
        socket.receive(patience=1)
    return socket.presence[0]


def post(
    server: Server, person: Person, path: str, body: Any = None, *, status: int = 201
) -> Answer:
    """What the API answers to a POST of that person, if it is of that status."""
    answer = server.ask("POST", f"/api/{path}", body=body, token=person.access)
    return need(answer, status)


def sell(harness: Harness, server: Server, person: Person) -> None:
    """Have somebody order one of the demo products, which staff then marks as paid."""
    seed = ["manage.py", "seed_demo", "--password", person.password]
    assert harness.finish(seed, harness.env(), seconds=60).exit_code == 0
    login = {"email": "dan@example.com", "password": person.password}
    staff = need(server.ask("POST", "/api/auth/login/", body=login), 200).get("access")
    [product, *_] = server.ask("GET", "/api/v1/products/", token=staff).rows
    post(server, person, "v1/customers/", {"name": "Ben", "address": "1 Main Street"})
    items = [{"product_id": product["id"], "quantity": 1}]
    order = post(server, person, "v1/orders/", {"items": items})
    change = {"status": "paid", "version": order.get("version")}
    path = f"/api/v1/orders/{order.get('id')}/"
    need(server.ask("PATCH", path, body=change, token=staff), 200)


def event_shape(event: Frame) -> dict[str, Any]:
    """An event as shape() gives it: a stored one names its row, an announcement its number."""
    keys = contract.STORED_KEYS if event.kind in contract.STORED_EVENTS else ()
    keys = (contract.ANNOUNCEMENT,) if event.kind == contract.ANNOUNCEMENT else keys
    return {"type": None, "data": fields_of(event), **dict.fromkeys(keys)}


def fields_of(frame: Frame) -> dict[str, Any]:
    """The fields of a frame as shape() gives them."""
    return {
        field: dict.fromkeys(parts) if parts else None
        for field, parts in frame.fields.items()
    }

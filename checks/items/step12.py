"""Step 12: customers order, and are told what becomes of their orders, whoever changes it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from checks.errors import NotYet
from checks.harness.client import Answer, shorten
from checks.harness.events import differences, place_of_function, place_of_kind
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.reader import Reader, position_in
from checks.harness.recorder import current, recording
from checks.harness.stage import Deed, Stage, people, stage_of
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from checks.items.step04 import done, expect_event, expect_silence, sending_line
from checks.items.step08 import Case, all_or_nothing, listed
from checks.items.step09 import missed_since
from course.contract import TICKET_PATH

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(stage_of(harness), "clerk", "carla"),
    ],
)
item = checklist.item

CUSTOMERS, PRODUCTS, ORDERS = (
    f"/api/v1/{name}/" for name in ("customers", "products", "orders")
)
ORDER_STATUS = "order_status"
_OLDER = [f"/api/{name}/" for name in ("posts", "messages", "friends", "notifications")]
_PRICES = {"Sticker": "0.10", "Poster": "12.50", "Lamp": "19.99"}
# Which status may follow which.
_NEXT = {
    "pending": ["paid", "cancelled"],
    "paid": ["shipped", "cancelled"],
    "shipped": ["delivered"],
    "delivered": [],
    "cancelled": [],
}
# Orders that go these ways have had every status.
_WAYS = [["paid", "shipped", "delivered"], ["cancelled"], ["paid", "cancelled"]]
# What several people want at the same moment, and how long each of their statements takes.
_RIVALS, _SLOW = ["paid", "cancelled", "paid", "cancelled"], "0.1"
# By how much each of them is behind the one before: less than a statement. Seconds.
_BEHIND = 0.06


# What customers and staff do


def customer(stage: Stage, name: str) -> Person:
    """The customer of that name."""
    # The clerk is no customer: whoever comes later has another id as a user.
    _, person = people(stage, "clerk", name)
    stage.harness.once(f"customer {name}", lambda: done(_join(stage, person), 201))
    return person


def _join(stage: Stage, person: Person, **more: str) -> Deed:
    body = {"name": person.username.title(), "address": "1 Main Street"} | more
    return stage.do("POST", CUSTOMERS, body=body, token=person.access)


def clerk(stage: Stage) -> Person:
    """Somebody of the staff."""
    [person] = people(stage, "clerk")
    arguments = {"id": person.id, "is_staff": True}
    stage.harness.once("clerk is staff", lambda: stage.control("change", **arguments))
    return person


def product(stage: Stage, name: str, price: str | None = None, **new: str) -> Any:
    """The id of a product, which has its usual price or this one from now on."""
    made = stage.control("product", called=name, price=price or _PRICES[name], **new)
    if "id" not in made:
        raise NotYet(
            "the project has no model Product with the fields name and price",
            expected="the app orders that step 12 provides, in INSTALLED_APPS",
            look_at=stage.harness.project.setting("INSTALLED_APPS"),
        )
    return made["id"]


def place(stage: Stage, person: Person, items: Any, **more: Any) -> Deed:
    """Order these items."""
    return stage.do("POST", ORDERS, body={"items": items} | more, token=person.access)


def some_order(stage: Stage, person: Person) -> dict[str, Any]:
    """A new order, for 25.10."""
    items = [
        {"product_id": product(stage, name), "quantity": quantity}
        for name, quantity in (("Poster", 2), ("Sticker", 1))
    ]
    answer = done(place(stage, person, items), 201)
    if answer.get("id") is None or answer.get("version") is None:
        raise unexpected(stage.harness, answer, '{"id", "status", "version", ...}')
    return answer.body


def read(stage: Stage, person: Person, order: dict[str, Any]) -> Answer:
    """What somebody is shown of an order."""
    return stage.server.ask("GET", _address(order), token=person.access)


def _address(order: dict[str, Any]) -> str:
    return f"{ORDERS}{order['id']}/"


def change(
    stage: Stage, person: Person, order: dict[str, Any], status: str, **options: Any
) -> Deed:
    """Ask for a status, with the version of this order or another one."""
    body = {"status": status, "version": options.pop("version", order["version"])}
    path = _address(order)
    return stage.do("PATCH", path, body=body, token=person.access, **options)


def _expect(
    stage: Stage,
    answer: Answer,
    wanted: dict[str, Any],
    status: int = 200,
    *,
    decides: str = "",
    todo: str = "",
) -> None:
    """The answer has these values; others are the project's own affair."""
    needed(stage.harness, answer, status, decides=decides)
    trouble = differences(_only(answer.body, wanted), wanted, "the answer")
    if trouble:
        news = unexpected(stage.harness, answer, shorten(wanted, 300), decides=decides)
        news.found = f"{news.found}\n{'; '.join(trouble)}"
        news.todo = todo
        raise news


def _only(found: Any, wanted: Any) -> Any:
    """Of an answer those keys that are wanted, at all depths."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {k: _only(found[k], part) for k, part in wanted.items() if k in found}
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [_only(*pair) for pair in zip(found, wanted, strict=True)]
    return found


def _ids(stage: Stage, person: Person, query: str = "") -> list[Any]:
    """The ids of the orders in somebody's list."""
    answer = stage.server.ask("GET", ORDERS + query, token=person.access)
    rows = needed(stage.harness, answer, 200).rows
    return [row.get("id") for row in rows if isinstance(row, dict)]


# Part 1: a second domain


@item("orders.addresses")
def version_is_an_address(harness: Harness) -> None:
    """Customers, products and orders are below `/api/v1/`, and every older address still works."""
    stage = stage_of(harness)
    [carla] = people(stage, "carla")
    for path in (CUSTOMERS, PRODUCTS, ORDERS):
        needed(harness, stage.server.ask("GET", path), 401)
        needed(harness, stage.server.ask("GET", path, token=carla.access), 200)
    for path in _OLDER:
        needed(harness, stage.server.ask("GET", path, token=carla.access), 200)
    needed(harness, stage.server.ask("POST", TICKET_PATH, token=carla.access), 201)


@item("orders.customers", needs=["orders.addresses"])
def user_becomes_a_customer(harness: Harness) -> None:
    """A user becomes a customer once, and only that user and staff can read the record."""
    stage = stage_of(harness)
    [nora] = people(stage, "nora")
    others = [customer(stage, "carla"), clerk(stage)]
    poster = [{"product_id": product(stage, "Poster"), "quantity": 1}]
    early = place(stage, nora, poster).answer
    if early.status not in (400, 403, 409):
        raise unexpected(harness, early, "409: nora is not a customer yet")
    made = _join(stage, nora, name="Nora Nord").answer
    _expect(stage, made, {"name": "Nora Nord", "address": "1 Main Street"}, 201)
    again = _join(stage, nora, name="Somebody else").answer
    if again.status not in (400, 409):
        raise unexpected(harness, again, "409: nora is a customer already")
    shown = {
        person.username: _names(stage, person, made.get("id")) for person in [nora, *others]
    }
    wanted = {"nora": ["Nora Nord"], "carla": [], "clerk": ["Nora Nord"]}
    if shown != wanted:
        answer = stage.server.ask("GET", CUSTOMERS, token=others[0].access)
        what = "nora's record is in the lists of nora and of staff, as she made it"
        news = unexpected(harness, answer, what)
        news.found = "; ".join(
            f"in {name}'s list it is " + (", ".join(map(str, names)) or "missing")
            for name, names in shown.items()
        )
        raise news


def _names(stage: Stage, person: Person, id: Any) -> list[Any]:
    """What the record of that id is called in somebody's list."""
    answer = stage.server.ask("GET", CUSTOMERS, token=person.access)
    rows = needed(stage.harness, answer, 200).rows
    return [row.get("name") for row in rows if row.get("id") == id]


@item("orders.placed", needs=["orders.addresses"])
def order_is_placed(harness: Harness) -> None:
    """Placing an order returns its items and its total, as text and exact to the cent."""
    stage = stage_of(harness)
    carla = customer(stage, "carla")
    quantities = {"Sticker": 3, "Lamp": 7, "Poster": 2}
    items = [
        {"product_id": product(stage, name), "quantity": quantity}
        for name, quantity in quantities.items()
    ]
    wanted = {
        "status": "pending",
        "version": 1,
        "items": [
            {**each, "name": name, "unit_price": _PRICES[name]}
            for each, name in zip(items, quantities, strict=True)
        ],
        "total": "165.23",
    }
    placed = place(stage, carla, items).answer
    _expect(stage, placed, wanted, 201, **_MONEY)
    if not isinstance(placed.get("id"), int):
        raise unexpected(harness, placed, 'the answer has an "id"')
    _expect(stage, read(stage, carla, placed.body), wanted, **_MONEY)
    if placed.get("id") not in _ids(stage, carla):
        answer = stage.server.ask("GET", ORDERS, token=carla.access)
        raise unexpected(harness, answer, f"the list has order {placed.get('id')}")


_MONEY: dict[str, Any] = {
    "decides": "total",
    "todo": "add Decimal values, in Python: SQLite adds floats; a serializers.DecimalField gives "
    "text",
}


@item("orders.price", needs=["orders.placed"])
def price_is_copied(harness: Harness) -> None:
    """An item keeps the name and price its product had when ordered, whatever a client sends."""
    stage = stage_of(harness)
    carla = customer(stage, "carla")
    wish = {"unit_price": "0.01", "price": "0.01", "subtotal": "0.01", "name": "A gift"}
    items = [{"product_id": product(stage, "Poster"), "quantity": 2, **wish}]
    bill = {"total": "25.00", "items": [{"unit_price": "12.50", "name": "Poster"}]}
    placed = place(stage, carla, items, total="0.01", status="paid").answer
    _expect(stage, placed, {"status": "pending", **bill}, 201, **_COPIED)
    product(stage, "Poster", "15.00", renamed="Large poster")
    try:
        _expect(stage, read(stage, carla, placed.body), bill, **_COPIED)
    finally:
        product(stage, "Large poster", _PRICES["Poster"], renamed="Poster")


_COPIED: dict[str, Any] = {
    "decides": "place_order",
    "todo": "copy product.price and product.name into the item when the order is placed",
}


@item("orders.items", needs=["orders.placed"])
def order_of_nothing_is_refused(harness: Harness) -> None:
    """An order with no items, a quantity of 0 or an unknown product is refused with 400."""
    stage = stage_of(harness)
    carla, poster = customer(stage, "carla"), product(stage, "Poster")
    good = {"product_id": poster, "quantity": 1}
    before = _ids(stage, carla)
    for items in (
        [],
        None,
        [{"product_id": poster}],
        *([good, {**good, "quantity": quantity}] for quantity in (0, -1, "many")),
        [good, {**good, "product_id": 0}],
    ):
        answer = place(stage, carla, items).answer
        if answer.status != 400:
            raise unexpected(harness, answer, f"400: the items were {shorten(items)}")
    if (after := _ids(stage, carla)) != before:
        raise NotYet(
            f"after requests that were refused there are {len(after) - len(before)} new orders",
            expected="none: an order and its items are saved together, or neither is",
            look_at=place_of_function(harness, "place_order"),
            todo="validate all items first, and save in one transaction",
        )


@item("orders.own", needs=["orders.placed"])
def orders_are_ones_own(harness: Harness) -> None:
    """Customers see their own orders, staff see all; another customer's order answers 404."""
    stage = stage_of(harness)
    carla, conny, staff = customer(stage, "carla"), customer(stage, "conny"), clerk(stage)
    order = some_order(stage, carla)
    needed(harness, read(stage, carla, order), 200)
    needed(harness, read(stage, conny, order), 404, decides="seen_by")
    needed(harness, read(stage, staff, order), 200, decides="seen_by")
    queries = ["", f"?customer={carla.id}", f"?user={carla.id}"]
    for query in queries:
        if order["id"] in _ids(stage, conny, query):
            answer = stage.server.ask("GET", ORDERS + query, token=conny.access)
            what = "conny's orders, and not those of carla"
            raise unexpected(harness, answer, what, decides="seen_by")
    if order["id"] not in _ids(stage, staff):
        answer = stage.server.ask("GET", ORDERS, token=staff.access)
        what = f"staff sees order {order['id']}, too"
        raise unexpected(harness, answer, what, decides="seen_by")


# Part 2: the status of an order


@item("orders.transitions", needs=["orders.own"])
def status_follows_another(harness: Harness) -> None:
    """A status that cannot follow the current one is refused: 409 says which ones can."""
    stage = stage_of(harness)
    carla, staff = customer(stage, "carla"), clerk(stage)
    for way in _WAYS:
        order = some_order(stage, carla)
        for wanted in (*way, None):
            _expect_refusals(stage, staff, order)
            if wanted:
                answer = change(stage, staff, order, wanted).answer
                after = {"status": wanted, "version": order["version"] + 1}
                _expect(stage, answer, after, decides="change_status")
                order = answer.body


def _expect_refusals(stage: Stage, staff: Person, order: dict[str, Any]) -> None:
    """No other status can be set than those that follow, and the order stays as it is."""
    allowed = _NEXT[order["status"]]
    for wanted in _NEXT:
        if wanted in allowed:
            continue
        answer = change(stage, staff, order, wanted).answer
        said = answer.get("allowed")
        if answer.status != 409 or not _same(said, allowed) or not answer.get("detail"):
            what = f'409 {{"detail": ..., "allowed": {shorten(allowed)}}}'
            news = unexpected(stage.harness, answer, what, decides="may_follow")
            news.found = f"from {order['status']} to {wanted}: {news.found}"
            raise news
    as_before = {name: order[name] for name in ("status", "version")}
    _expect(stage, read(stage, staff, order), as_before)


def _same(said: Any, allowed: list[str]) -> bool:
    """Whether these are the statuses, in any order."""
    return isinstance(said, list) and sorted(map(str, said)) == sorted(allowed)


@item("orders.who", needs=["orders.own"])
def customers_cancel_and_nothing_else(harness: Harness) -> None:
    """A customer can cancel their own order and nothing else (403); others get 404."""
    stage = stage_of(harness)
    carla, conny = customer(stage, "carla"), customer(stage, "conny")
    order = some_order(stage, carla)
    for status in ("paid", "shipped", "delivered"):
        needed(harness, change(stage, carla, order, status).answer, 403, decides="may_set")
    for status in ("cancelled", "paid"):
        needed(harness, change(stage, conny, order, status).answer, 404)
    body = {"status": "cancelled", "version": order["version"]}
    needed(harness, stage.server.ask("PATCH", _address(order), body=body), 401)
    shown = read(stage, carla, order)
    _expect(stage, shown, {"status": "pending", "version": 1})
    if not _same(shown.get("allowed"), ["cancelled"]):
        what = '"allowed": ["cancelled"], what carla can do, who is no member of staff'
        raise unexpected(harness, shown, what, decides="allowed_for")
    answer = change(stage, carla, order, "cancelled").answer
    _expect(stage, answer, {"status": "cancelled", "version": 2}, decides="may_set")


@item("orders.version", needs=["orders.transitions"])
def outdated_version_is_refused(harness: Harness) -> None:
    """A change that was based on an older version gets 409 with the current version."""
    stage = stage_of(harness)
    carla, staff = customer(stage, "carla"), clerk(stage)
    seen = some_order(stage, carla)
    needed(harness, change(stage, staff, seen, "paid").answer, 200)
    # One is too old, the other one has never been.
    for version in (1, 3):
        answer = change(stage, staff, seen, "cancelled", version=version).answer
        _expect(stage, answer, {"version": 2}, 409, decides="change_status")
    body = {"status": "cancelled"}
    answer = stage.server.ask("PATCH", _address(seen), body=body, token=staff.access)
    if answer.status != 400:
        raise unexpected(harness, answer, "400: the request says no version")
    _expect(stage, read(stage, staff, seen), {"status": "paid", "version": 2})
    needed(harness, change(stage, staff, seen, "cancelled", version=2).answer, 200)


@item("orders.lock", needs=["orders.version"])
def one_of_many_wins(harness: Harness) -> None:
    """Of several changes to one order at the same moment, exactly one succeeds."""
    stage = stage_of(harness)
    carla, staff = customer(stage, "carla"), clerk(stage)
    order = some_order(stage, carla)
    answers = _at_once(stage, staff, order)
    winners = [wanted for wanted, answer in answers if answer.status == 200]
    losers = [answer for _, answer in answers if answer.status != 200]
    if len(winners) != 1:
        raise NotYet(
            f"{len(answers)} requests changed order {order['id']} at one moment, all from "
            f"version {order['version']}; {len(winners)} of them succeeded: "
            f"{', '.join(winners) or 'none'}",
            expected="one: the others have not seen what it changed",
            look_at=unexpected(harness, answers[0][1], "", decides="change_status").look_at,
            todo="let the UPDATE decide: .filter(pk=..., version=...).update(...) returns how "
            "many rows it has changed",
        )
    for answer in losers:
        needed(harness, answer, 409, decides="change_status")
    _expect(stage, read(stage, staff, order), {"status": winners[0], "version": 2})


def _at_once(
    stage: Stage, person: Person, order: dict[str, Any]
) -> list[tuple[str, Answer]]:
    """What each of the rivals wanted, and what it is answered."""
    recorder = current()

    def ask(number: int, wanted: str) -> tuple[str, Answer]:
        # The first one has to win: `cancelled` may follow `paid`, but nothing follows
        # `cancelled`, so the table of statuses would stop all others.
        time.sleep(number * _BEHIND)
        with recording(recorder):
            slow = {"X-Check-Slow": _SLOW}
            return wanted, change(stage, person, order, wanted, headers=slow).answer

    with ThreadPoolExecutor(len(_RIVALS)) as pool:
        return list(pool.map(ask, range(len(_RIVALS)), _RIVALS))


@item("orders.event", needs=["orders.transitions"], events=[ORDER_STATUS])
def customer_is_told(harness: Harness) -> None:
    """A new status sends `order_status` to the order's customer, and to nobody else."""
    stage = stage_of(harness)
    carla, conny, staff = customer(stage, "carla"), customer(stage, "conny"), clerk(stage)
    order = some_order(stage, conny)
    with stage.listening(conny, conny, carla, staff) as listeners:
        deed = change(stage, staff, order, "paid")
        answer = done(deed, 200)
        expect_event(listeners, deed, [conny], ORDER_STATUS, _told(answer.body))
        deed = change(stage, conny, answer.body, "cancelled")
        answer = done(deed, 200)
        expect_event(listeners, deed, [conny], ORDER_STATUS, _told(answer.body))


def _told(order: dict[str, Any]) -> dict[str, Any]:
    """The data of the event that tells of this order."""
    names = ("status", "version", "total", "updated_at")
    return {"order_id": order.get("id"), **{name: order.get(name) for name in names}}


@item("orders.missed", needs=["orders.event"])
def missed_status_follows(harness: Harness) -> None:
    """A customer who was not connected gets each new status later, in order, and in the list."""
    stage = stage_of(harness)
    carla, staff = customer(stage, "carla"), clerk(stage)
    order = some_order(stage, carla)
    with Reader.of(stage, carla).socket as socket:
        epoch, seen = position_in(stage, socket)
    for wanted in ("paid", "shipped"):
        order = done(change(stage, staff, order, wanted), 200).body
    with stage.greeted(carla) as socket:
        *missed, end = missed_since(stage, socket, epoch, seen)
    statuses = [_status_of(event) for event in missed]
    if statuses != ["paid", "shipped"] or end.get("recovered") is not True:
        raise stage.news(
            f"an order was paid and shipped, and its customer's `resume` was answered with "
            f"{', then '.join(shorten(frame, 120) for frame in [*missed, end])}",
            expected=f"two events {ORDER_STATUS}, paid and then shipped, and recovered: true",
            part="consumer",
            socket=socket,
            place=place_of_kind(harness, ORDER_STATUS),
            todo="send it with publish(), which stores and numbers it",
        )
    rows = [_status_of(row) for row in listed(stage, carla)[:2]]
    if rows != ["shipped", "paid"]:
        raise NotYet(
            f"the newest entries of the customer's list are about {rows}",
            expected="shipped, and before that paid",
            look_at=place_of_kind(harness, ORDER_STATUS),
        )


def _status_of(event: Any) -> Any:
    """The status that an event tells of; its type, if it is of another kind."""
    if event.get("type") != ORDER_STATUS:
        return event.get("type")
    return (event.get("data") or {}).get("status")


@item("orders.silent", needs=["orders.event", "orders.version", "orders.who"])
def refusal_tells_nobody(harness: Harness) -> None:
    """A change that is refused or rolled back tells nobody."""
    stage = stage_of(harness)
    carla, staff = customer(stage, "carla"), clerk(stage)
    order = some_order(stage, carla)
    undo = {"X-Check-Rollback": "1"}
    tries: list[tuple[Person, str, dict[str, Any]]] = [
        (staff, "delivered", {}),
        (staff, "paid", {"version": 2}),
        (carla, "paid", {}),
        (staff, "paid", {"headers": undo}),
    ]
    with stage.listening(carla) as listeners:
        for person, status, options in tries:
            deed = change(stage, person, order, status, **options)
            why = "was rolled back" if options.get("headers") else "was refused"
            expect_silence(listeners, deed, why, _SILENT[why], sending_line)
    if told := _about(stage, carla, order):
        raise NotYet(
            f"order {order['id']} has not changed, and the list has {shorten(told[0])}",
            expected="no such notification",
            look_at=place_of_kind(harness, ORDER_STATUS),
        )


_SILENT = {
    "was refused": "send it when the status has changed, and not before",
    "was rolled back": "send it with publish(), which waits for the commit",
}


def _about(stage: Stage, person: Person, order: dict[str, Any]) -> list[Any]:
    """Somebody's notifications about an order."""
    rows: Iterable[Any] = listed(stage, person)
    mine = (row for row in rows if row.get("type") == ORDER_STATUS)
    return [row for row in mine if (row.get("data") or {}).get("order_id") == order["id"]]


@item("orders.together", needs=["orders.event"])
def status_and_event_are_one(harness: Harness) -> None:
    """A new status and its event are saved together, or neither is."""
    stage = stage_of(harness)
    carla, staff = customer(stage, "carla"), clerk(stage)
    order = some_order(stage, carla)
    case = Case(
        ORDER_STATUS,
        "status",
        lambda **options: change(stage, staff, order, "paid", **options),
        lambda: read(stage, staff, order).get("status") == "paid",
        lambda: bool(_about(stage, carla, order)),
    )
    all_or_nothing(stage, case)

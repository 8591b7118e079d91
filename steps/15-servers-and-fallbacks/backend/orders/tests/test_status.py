"""What becomes of an order, and who is told."""

import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from notifications.models import Notification
from notifications.tests.sockets import greeted, socket_for
from orders.models import Order
from orders.services import NotPossible, Outdated, change_status

WAY = ["pending", "paid", "shipped", "delivered"]
STEPS = {
    *zip(WAY, WAY[1:], strict=False),
    ("pending", "cancelled"),
    ("paid", "cancelled"),
}


def address(order):
    return f"/api/v1/orders/{order.pk}/"


@pytest.mark.parametrize("current", Order.Status.values)
@pytest.mark.parametrize("wanted", Order.Status.values)
def test_status_follows_another(order, current, wanted):
    """From pending to delivered in three steps, or cancelled before it is shipped."""
    order.status = current
    order.save()

    if (current, wanted) in STEPS:
        change_status(order=order, status=wanted, version=1)
    else:
        with pytest.raises(NotPossible):
            change_status(order=order, status=wanted, version=1)


def test_staff_changes_a_status(client_for, order, staff):
    """The answer is the order, with a new version and what is possible next."""
    data = {"status": "paid", "version": 1}

    response = client_for(staff).patch(address(order), data)

    answer = response.json()
    assert response.status_code == 200
    assert (answer["status"], answer["version"]) == ("paid", 2)
    assert answer["allowed"] == ["shipped", "cancelled"]
    assert answer["updated_at"] > answer["created_at"]


def test_impossible_status_is_409(client_for, order, staff):
    """With the statuses that are possible."""
    data = {"status": "delivered", "version": 1}

    response = client_for(staff).patch(address(order), data)

    assert response.status_code == 409
    assert response.json() == {
        "detail": "An order that is pending cannot become delivered.",
        "allowed": ["paid", "cancelled"],
    }


def test_old_version_is_409(client_for, order, staff):
    """With the current version; nothing is overwritten."""
    change_status(order=order, status="paid", version=1)

    data = {"status": "cancelled", "version": 1}
    response = client_for(staff).patch(address(order), data)

    assert response.status_code == 409
    assert response.json() == {
        "detail": "The order has changed since you saw it.",
        "version": 2,
    }
    assert Order.objects.get().status == "paid"


def test_of_two_at_once_one_wins(order):
    """Both have read version 1 before either of them changes it."""
    mine, theirs = (Order.objects.get() for _ in range(2))

    change_status(order=mine, status="paid", version=1)
    with pytest.raises(Outdated):
        change_status(order=theirs, status="cancelled", version=1)

    assert (theirs.status, theirs.version) == ("paid", 2)
    assert Notification.objects.count() == 1


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time"
)
@pytest.mark.django_db(transaction=True)
def test_of_many_threads_one_wins(order):
    """On a database where transactions really run at the same time."""
    results, together = [], threading.Barrier(4)

    def work():
        mine = Order.objects.get()
        together.wait()
        try:
            change_status(order=mine, status="paid", version=1)
            results.append("changed")
        except Outdated:
            results.append("outdated")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["changed", "outdated", "outdated", "outdated"]
    assert Notification.objects.count() == 1


@pytest.mark.parametrize(
    "data",
    [
        {"status": "paid"},
        {"version": 1},
        {"status": "lost", "version": 1},
        {"status": "paid", "version": "x"},
    ],
)
def test_change_says_what_and_from_when(client_for, order, staff, data):
    """Without a status or a version it is not a change."""
    assert client_for(staff).patch(address(order), data).status_code == 400


def test_customers_cancel_and_nothing_else(api, order):
    """Nobody marks their own order as paid."""
    paid = api.patch(address(order), {"status": "paid", "version": 1})
    cancelled = api.patch(address(order), {"status": "cancelled", "version": 1})

    assert (paid.status_code, cancelled.status_code) == (403, 200)
    assert Order.objects.get().status == "cancelled"


def test_order_of_somebody_else_is_404(client_for, order, bob):
    """As when reading it."""
    data = {"status": "cancelled", "version": 1}

    assert client_for(bob).patch(address(order), data).status_code == 404


def test_refused_change_tells_nobody(api, order):
    """Nothing has happened, so there is nothing to tell."""
    for status, version in (("paid", 1), ("cancelled", 2)):
        api.patch(address(order), {"status": status, "version": version})

    assert not Notification.objects.exists()


def test_change_is_undone_without_its_event(order, monkeypatch):
    """The status and the event are saved together, or neither is."""

    def fail(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(Notification.objects, "bulk_create", fail)

    with pytest.raises(ZeroDivisionError):
        change_status(order=order, status="paid", version=1)

    assert Order.objects.get().status == "pending"


@pytest.mark.django_db(transaction=True)
async def test_customer_is_told(client_for, alice, order, staff):
    """The event is on the customer's socket, and stored with its number."""
    data = {"status": "paid", "version": 1}
    patch = sync_to_async(client_for(staff).patch)
    async with greeted(socket_for(alice)) as socket:
        answer = (await patch(address(order), data)).json()

        event = await socket.receive_json_from()

    told = await Notification.objects.aget()
    assert told.recipient_id == alice.pk
    assert (
        event
        == told.frame()
        == {
            "type": "order_status",
            "data": {
                "order_id": order.pk,
                "status": "paid",
                "version": 2,
                "total": "0.30",
                "updated_at": answer["updated_at"],
            },
            "id": told.pk,
            "seq": 1,
        }
    )


def test_status_that_no_text_can_show_is_400(client_for, order, staff):
    """Half of a pair of characters can be sent, but not sent back."""
    url = f"/api/v1/orders/{order.pk}/"
    data = '{"status": "\\ud800", "version": 1}'

    response = client_for(staff).patch(url, data, content_type="application/json")

    assert response.status_code == 400
    assert response.json() == {"status": ["There is no such status."]}

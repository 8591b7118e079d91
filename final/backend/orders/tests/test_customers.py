"""Customers and products."""

import pytest

from orders.models import Customer

ALICE = {"name": "Alice Anders", "address": "1 Main Street"}


def test_user_becomes_a_customer(api, alice):
    """With a name and an address."""
    response = api.post("/api/v1/customers/", ALICE)

    customer = Customer.objects.get(user=alice)
    assert response.status_code == 201
    assert response.json() == {
        "id": customer.pk,
        **ALICE,
        "created_at": customer.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert str(customer) == "Alice Anders"


def test_user_is_one_customer(api):
    """A second record is refused, and the first one stays."""
    api.post("/api/v1/customers/", ALICE)

    response = api.post("/api/v1/customers/", {**ALICE, "name": "Another"})

    assert response.status_code == 409
    assert Customer.objects.get().name == "Alice Anders"


@pytest.mark.parametrize("missing", ["name", "address"])
def test_customer_has_a_name_and_an_address(api, missing):
    """Without them nothing can be sent."""
    response = api.post("/api/v1/customers/", {**ALICE, missing: ""})

    assert response.status_code == 400
    assert list(response.json()) == [missing]


def test_customers_see_themselves_and_staff_sees_all(
    client_for, alice, bob, staff, make_customer
):
    """An address is nobody else's business."""
    for user in (alice, bob):
        make_customer(user)

    def seen_by(user):
        rows = client_for(user).get("/api/v1/customers/").json()["results"]
        return [row["name"] for row in rows]

    assert seen_by(alice) == ["alice"]
    assert seen_by(staff) == ["alice", "bob"]


def test_products_are_listed(api, sticker, poster):
    """Sorted by name, each with its price as text."""
    rows = api.get("/api/v1/products/").json()["results"]

    assert rows == [
        {"id": poster.pk, "name": "Poster", "price": "12.50"},
        {"id": sticker.pk, "name": "Sticker", "price": "0.10"},
    ]
    assert str(poster) == "Poster"


@pytest.mark.parametrize("path", ["customers/", "products/", "orders/", "orders/1/"])
def test_shop_is_for_people_who_are_signed_in(client, path):
    """Without a token there is nothing to see."""
    assert client.get(f"/api/v1/{path}").status_code == 401

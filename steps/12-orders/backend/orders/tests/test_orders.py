"""Placing and reading orders."""

from decimal import Decimal

import pytest
from django.db import IntegrityError

from orders.models import Order, OrderItem
from orders.services import place_order

ORDERS = "/api/v1/orders/"


def test_order_is_placed(api, alice, make_customer, poster, sticker):
    """It is answered in full, with what everything costs."""
    customer = make_customer(alice)
    items = [
        {"product_id": sticker.pk, "quantity": 3},
        {"product_id": poster.pk, "quantity": 2},
    ]

    response = api.post(ORDERS, {"items": items})

    order = Order.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": order.pk,
        "customer_id": customer.pk,
        "status": "pending",
        "allowed": ["cancelled"],
        "version": 1,
        "items": [
            {**items[0], "name": "Sticker", "unit_price": "0.10", "subtotal": "0.30"},
            {**items[1], "name": "Poster", "unit_price": "12.50", "subtotal": "25.00"},
        ],
        "total": "25.30",
        "created_at": order.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": order.updated_at.isoformat().replace("+00:00", "Z"),
    }
    assert str(order) == f"Order {order.pk} of alice"
    assert str(order.items.first()) == "3 x Sticker"


def test_infinite_number_is_no_product(api, alice, make_customer):
    """JSON can write numbers that no id has room for."""
    make_customer(alice)
    data = '{"items": [{"product_id": 1e400, "quantity": 1}]}'

    response = api.post(ORDERS, data, content_type="application/json")

    assert response.status_code == 400
    assert response.json() == {
        "items": {"0": {"product_id": ["A valid integer is required."]}}
    }


def test_total_is_exact(alice, make_customer, poster, sticker):
    """No cent is lost, however much it is: as a float, 3 * 0.1 is 0.30000000000000004."""
    poster.price = Decimal("99999999.99")
    items = [{"product": each, "quantity": 1_000} for each in (poster, poster, sticker)]

    order = place_order(customer=make_customer(alice), items=items)

    order.refresh_from_db()
    assert str(order.total) == "200000000080.00"


def test_price_comes_from_the_product(api, alice, make_customer, poster):
    """What a client says about a price, a name or the total is ignored."""
    make_customer(alice)
    wished = {"unit_price": "0.01", "price": "0.01", "name": "Gift", "subtotal": "0.01"}
    item = {"product_id": poster.pk, "quantity": 1, **wished}

    answer = api.post(
        ORDERS, {"items": [item], "total": "0.01", "status": "paid"}
    ).json()

    assert (answer["total"], answer["status"]) == ("12.50", "pending")
    assert answer["items"][0]["name"] == "Poster"


def test_price_is_the_one_of_that_day(api, order, sticker):
    """A price that rises changes no order."""
    sticker.price, sticker.name = 5, "Big sticker"
    sticker.save()

    answer = api.get(f"{ORDERS}{order.pk}/").json()

    assert answer["total"] == "0.30"
    assert answer["items"][0]["name"] == "Sticker"


@pytest.mark.parametrize(
    "item", [{"quantity": 0}, {"quantity": 1_001}, {"quantity": "x"}, {"product_id": 0}]
)
def test_order_of_nothing_is_400(api, alice, make_customer, poster, item):
    """An item is a product that there is, and how many."""
    make_customer(alice)
    items = [{"product_id": poster.pk, "quantity": 1, **item}]

    response = api.post(ORDERS, {"items": items})

    assert response.status_code == 400
    assert not Order.objects.exists()


@pytest.mark.parametrize("count", [0, 51])
def test_order_has_items_and_not_too_many(api, alice, make_customer, poster, count):
    """An order has one item at least, and fifty at most."""
    make_customer(alice)
    items = [{"product_id": poster.pk, "quantity": 1}] * count

    assert api.post(ORDERS, {"items": items}).status_code == 400


def test_only_customers_can_order(api, poster):
    """An order needs an address."""
    items = [{"product_id": poster.pk, "quantity": 1}]

    response = api.post(ORDERS, {"items": items})

    assert response.status_code == 409
    assert not Order.objects.exists()


def test_orders_are_the_customers_own(client_for, order, bob, staff):
    """Others do not learn that there is one; staff sees all."""
    theirs, ours = client_for(bob), client_for(staff)

    assert theirs.get(ORDERS).json()["results"] == []
    assert theirs.get(f"{ORDERS}{order.pk}/").status_code == 404
    assert [row["id"] for row in ours.get(ORDERS).json()["results"]] == [order.pk]
    assert ours.get(f"{ORDERS}{order.pk}/").status_code == 200


def test_list_takes_three_queries(
    api, order, poster, sticker, django_assert_num_queries
):
    """Many orders cost as much as one: to count them, to read them, and their items."""
    for _ in range(10):
        items = [{"product": each, "quantity": 1} for each in (poster, sticker)]
        place_order(customer=order.customer, items=items)

    with django_assert_num_queries(3):
        response = api.get(ORDERS)

    assert [row["total"] for row in response.json()["results"]][-2:] == [
        "12.60",
        "0.30",
    ]


@pytest.mark.parametrize("change", [{"quantity": 0}, {"quantity": -1}])
def test_database_refuses_an_item_of_nothing(order, change):
    """What the serializer refuses, the database refuses too."""
    with pytest.raises(IntegrityError):
        OrderItem.objects.update(**change)


def test_admin_shows_orders_and_makes_none(client, order, staff):
    """An admin looks at orders there; customers place them."""
    staff.is_superuser = True
    staff.save()
    client.force_login(staff)
    admin = "/admin/orders/order"

    assert client.get(f"{admin}/{order.pk}/change/").status_code == 200
    assert client.get(f"{admin}/add/").status_code == 403

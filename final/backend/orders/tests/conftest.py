"""Shared by the tests of orders: products, a customer, an order, and staff."""

import pytest

from orders.models import Customer, Product
from orders.services import place_order


@pytest.fixture
def poster(db):
    return Product.objects.create(name="Poster", price="12.50")


@pytest.fixture
def sticker(db):
    return Product.objects.create(name="Sticker", price="0.10")


@pytest.fixture
def make_customer():
    """A function that makes a user a customer."""

    def make(user):
        return Customer.objects.create(user=user, name=user.username, address="Here 1")

    return make


@pytest.fixture
def order(alice, make_customer, sticker):
    """Alice's order of three stickers."""
    items = [{"product": sticker, "quantity": 3}]
    return place_order(customer=make_customer(alice), items=items)


@pytest.fixture
def staff(make_user):
    """Dan, who works in the shop."""
    dan = make_user("dan")
    dan.is_staff = True
    dan.save()
    return dan

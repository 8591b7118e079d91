"""manage.py seed_demo."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from friends.models import Friendship
from messaging.models import Message
from orders.models import Order, Product
from posts.models import Post
from users.models import User


@pytest.fixture
def seed(settings, db):
    """A function that runs the command and returns what it printed."""
    settings.DEBUG = True

    def run(*arguments):
        output = StringIO()
        call_command("seed_demo", *arguments, stdout=output)
        return output.getvalue()

    return run


def counts():
    made = (User, Friendship, Post, Message, Product, Order)
    return [model.objects.count() for model in made]


def test_seed_demo_prints_logins_that_work(seed, client):
    """Every printed address signs in with the printed password."""
    lines = seed().splitlines()

    for line in lines:
        email, password = line.split()
        data = {"email": email, "password": password}
        assert client.post("/api/auth/login/", data).status_code == 200
    assert len(lines) == 4


def test_seed_demo_takes_a_password(seed):
    """The password may be chosen."""
    seed("--password", "correct horse")

    assert User.objects.get(username="alice").check_password("correct horse")


def test_seed_demo_twice_changes_nothing(seed):
    """A second run adds nothing."""
    seed()
    before = counts()

    seed()

    assert counts() == before == [4, 1, 3, 2, 3, 1]


def test_seed_demo_opens_a_shop(seed):
    """Bob has ordered something, and dan works there."""
    seed()

    order = Order.objects.get()
    assert (order.customer.user.username, str(order.total)) == ("bob", "52.87")
    assert User.objects.get(is_staff=True).username == "dan"


def test_seed_demo_refuses_without_debug(seed, settings):
    """Demo people with a known password stay out of production."""
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG is off"):
        seed()


def test_seed_demo_spares_an_account_of_the_same_name(seed, alice):
    """An alice who signed up herself is left alone."""
    User.objects.update(email="alice@elsewhere.example")

    with pytest.raises(CommandError, match="called alice"):
        seed()

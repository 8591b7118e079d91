"""Writing and reading messages."""

import pytest
from django.db import IntegrityError

from messaging.models import Message
from users.models import User


def write(sender, receiver, content="hello", is_read=False):
    return Message.objects.create(
        sender=sender, receiver=receiver, content=content, is_read=is_read
    )


def test_message_is_sent(api, alice, bob):
    """A new message is answered in full."""
    data = {"receiver_id": bob.pk, "content": "hello"}

    response = api.post("/api/messages/", data)

    message = Message.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": message.pk,
        "sender": {"id": alice.pk, "username": "alice"},
        "receiver": {"id": bob.pk, "username": "bob"},
        "content": "hello",
        "is_read": False,
        "created_at": message.created_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("receiver_id", [0, "x", "", 99999999999999999999])
def test_message_to_nobody_is_400(api, receiver_id):
    """A receiver who is not there is an error in the data."""
    data = {"receiver_id": receiver_id, "content": "hello"}

    response = api.post("/api/messages/", data)

    assert response.status_code == 400
    assert list(response.json()) == ["receiver_id"]


def test_message_to_an_infinite_number_is_400(api):
    """JSON can write numbers that no id has room for."""
    data = '{"receiver_id": 1e400, "content": "hello"}'

    response = api.post("/api/messages/", data, content_type="application/json")

    assert response.status_code == 400
    assert list(response.json()) == ["receiver_id"]


def test_message_to_oneself_is_400(api, alice):
    """Nobody writes to themselves."""
    response = api.post("/api/messages/", {"receiver_id": alice.pk, "content": "hello"})

    assert response.status_code == 400
    assert list(response.json()) == ["receiver_id"]


def test_message_to_an_inactive_user_is_400(api, bob):
    """A user who has left gets no messages."""
    User.objects.filter(pk=bob.pk).update(is_active=False)

    response = api.post("/api/messages/", {"receiver_id": bob.pk, "content": "hello"})

    assert response.status_code == 400


@pytest.mark.parametrize("content", ["", "x" * 2001])
def test_message_without_acceptable_content_is_400(api, bob, content):
    """A message says something, and not too much."""
    response = api.post("/api/messages/", {"receiver_id": bob.pk, "content": content})

    assert list(response.json()) == ["content"]


def test_database_refuses_a_message_to_oneself(alice):
    """What the serializer refuses, the database refuses too."""
    with pytest.raises(IntegrityError):
        write(alice, alice)


def test_list_shows_only_my_messages(api, alice, bob, make_user):
    """What others write to each other is theirs."""
    write(alice, bob, "out")
    write(bob, alice, "in")
    write(bob, make_user("carol"), "secret")

    rows = api.get("/api/messages/").json()["results"]

    assert [row["content"] for row in rows] == ["in", "out"]
    assert str(Message.objects.last()) == "alice@example.com to bob@example.com: out"


def test_list_takes_two_queries(api, alice, make_user, django_assert_num_queries):
    """Many messages cost as much as one."""
    for number in range(15):
        write(make_user(f"user{number}"), alice)

    with django_assert_num_queries(2):
        response = api.get("/api/messages/")

    assert len(response.json()["results"]) == 15

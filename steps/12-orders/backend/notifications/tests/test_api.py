"""Notifications over HTTP, and what is sent to the user's other devices."""

from base64 import b64encode

import pytest
from asgiref.sync import sync_to_async

from notifications.events import publish
from notifications.models import Notification
from notifications.numbering import inbox_of
from notifications.tests.sockets import greeted, socket_for

LIST = "/api/notifications/"


@pytest.fixture
def tell():
    """A function that stores notifications for a user, and returns their ids."""

    def store(user, count=1):
        last = inbox_of(user.pk).last_seq
        for number in range(count):
            publish(user_ids=[user.pk], kind="new_message", data={"id": number})
        new = Notification.objects.filter(recipient=user, seq__gt=last).order_by("seq")
        return list(new.values_list("pk", flat=True))

    return store


def ids(answer):
    return [entry["id"] for entry in answer["results"]]


def unread(client):
    return client.get(f"{LIST}unread-count/").json()["unread"]


def test_list_has_what_happened_while_nobody_listened(api, client_for, bob):
    """A message to somebody who is not connected is in their list."""
    api.post("/api/messages/", {"receiver_id": bob.pk, "content": "hi"})

    (entry,) = client_for(bob).get(LIST).json()["results"]

    assert (entry["type"], entry["data"]["content"]) == ("new_message", "hi")
    assert (entry["read_at"], entry["id"]) == (None, Notification.objects.get().pk)


def test_list_continues_where_it_was_although_more_arrives(api, alice, tell):
    """The pages hold each notification once, newest first, whatever is added."""
    stored = tell(alice, 25)

    first = api.get(LIST).json()
    tell(alice, 3)
    second = api.get(first["next"]).json()

    assert ids(first) + ids(second) == stored[::-1]
    assert second["next"] is None
    for made_up in (b"p=x", b"p=", b"p=" + 5000 * b"9"):
        cursor = b64encode(made_up).decode()
        assert api.get(LIST, {"cursor": cursor}).status_code == 404


def test_list_of_unread(api, alice, tell):
    """With ?unread=true, what was read is left out."""
    read, not_read = tell(alice, 2)
    api.post(f"{LIST}{read}/read/")

    assert ids(api.get(f"{LIST}?unread=true").json()) == [not_read]


def test_others_see_and_change_nothing(api, alice, bob, client_for, tell):
    """What belongs to somebody else is not there."""
    (pk,) = tell(bob)

    assert ids(api.get(LIST).json()) == []
    assert unread(api) == 0
    assert api.post(f"{LIST}{pk}/read/").status_code == 404
    assert api.post(f"{LIST}read/", {"up_to": pk}).json() == {"unread": 0}
    assert unread(client_for(bob)) == 1


@pytest.mark.parametrize("path", ["", "unread-count/"])
def test_strangers_are_refused(client, db, path):
    """Without a token there is nothing."""
    assert client.get(LIST + path).status_code == 401


def test_marking_one_leaves_the_others(api, alice, tell):
    """One notification is marked, and marking it again keeps the first read_at."""
    first, _ = tell(alice, 2)

    answers = [api.post(f"{LIST}{first}/read/").json()]
    read_at = Notification.objects.get(pk=first).read_at
    answers += [api.post(f"{LIST}{first}/read/").json()]

    assert answers == [{"unread": 1}, {"unread": 1}]
    assert read_at == Notification.objects.get(pk=first).read_at is not None


def test_marking_all_leaves_what_was_not_seen(api, alice, tell):
    """What arrives after the list was shown stays unread."""
    *_, shown = tell(alice, 3)
    tell(alice)

    assert api.post(f"{LIST}read/", {"up_to": shown}).json() == {"unread": 1}


@pytest.mark.parametrize("body", [{}, {"up_to": "x"}, {"up_to": 0}, {"up_to": 2**70}])
def test_marking_all_needs_to_know_what_was_seen(api, body):
    """Without the id of a notification the request is refused."""
    assert api.post(f"{LIST}read/", body).status_code == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("everything", [True, False])
async def test_other_devices_hear_what_was_read(api, alice, bob, tell, everything):
    """Every socket of the user is told once; nobody else is."""
    first, second = await sync_to_async(tell)(alice, 2)
    path, body, data = f"{LIST}{first}/read/", {}, {"ids": [first], "unread": 1}
    if everything:
        path, body = f"{LIST}read/", {"up_to": second}
        data = {"up_to": second, "unread": 0}

    async with greeted(socket_for(alice)) as phone, greeted(socket_for(bob)) as other:
        for _ in range(2):
            await sync_to_async(api.post)(path, body)

        heard = await phone.receive_json_from()

        assert heard == {"type": "notifications_read", "data": data}
        assert await phone.receive_nothing()
        assert await other.receive_nothing()

"""When an event is sent, and what happens when it cannot be."""

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from friends.models import Friendship
from messaging.models import Message
from messaging.services import send_message
from notifications.models import Notification
from notifications.tests.sockets import greeted, socket_for
from posts.models import Post


class BrokenLayer:
    """A channel layer whose Redis is gone."""

    async def group_send(self, group, event):
        raise ConnectionError("no Redis")


@pytest.mark.django_db(transaction=True)
async def test_message_over_http_arrives_on_the_socket(api, bob):
    """From the HTTP request to the frame on the socket."""
    async with greeted(socket_for(bob)) as socket:
        data = {"receiver_id": bob.pk, "content": "hi"}
        response = await sync_to_async(api.post)("/api/messages/", data)

        event = await socket.receive_json_from()

    assert event["type"] == "new_message"
    assert event["data"].items() <= response.json().items()
    assert event["id"] == (await Notification.objects.aget(recipient=bob)).pk


@pytest.mark.django_db(transaction=True)
async def test_rolled_back_message_is_not_sent(alice, bob):
    """A message that was rolled back sends no event."""

    def fail_after_sending():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            send_message(sender=alice, receiver=bob, content="hi")
            raise ZeroDivisionError

    async with greeted(socket_for(bob)) as socket:
        await sync_to_async(fail_after_sending)()

        assert await socket.receive_nothing()
    assert not await Notification.objects.aexists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cause", ["friend_request", "new_message", "new_post"])
def test_nothing_is_saved_without_its_notification(
    api, alice, bob, make_user, befriend, monkeypatch, cause
):
    """What causes a notification is rolled back when the notification fails."""
    befriend(alice, make_user("carol"))
    monkeypatch.setattr(Notification.objects, "bulk_create", fail)
    path, data = {
        "friend_request": (f"/api/friends/request/{bob.pk}/", {}),
        "new_message": ("/api/messages/", {"receiver_id": bob.pk, "content": "hi"}),
        "new_post": ("/api/posts/", {"content": "hello"}),
    }[cause]

    with pytest.raises(ZeroDivisionError):
        api.post(path, data)

    assert not Message.objects.exists()
    assert not Post.objects.exists()
    assert not Friendship.objects.filter(accepted_at=None).exists()


def fail(*args):
    raise ZeroDivisionError


@pytest.mark.parametrize("to_myself", [True, False])
def test_refused_request_sends_nothing(
    api, alice, bob, django_capture_on_commit_callbacks, to_myself
):
    """A friend request that is refused tells nobody."""
    Friendship.objects.create(from_user=bob, to_user=alice)
    receiver = alice if to_myself else bob

    with django_capture_on_commit_callbacks() as callbacks:
        response = api.post(f"/api/friends/request/{receiver.pk}/")

    assert response.status_code in (400, 409)
    assert callbacks == []


@pytest.mark.django_db(transaction=True)
def test_broken_layer_does_not_fail_the_request(api, bob, monkeypatch, caplog):
    """The request succeeds, and the log has the reason."""
    monkeypatch.setattr("notifications.services.get_channel_layer", BrokenLayer)

    response = api.post("/api/messages/", {"receiver_id": bob.pk, "content": "hi"})

    assert response.status_code == 201
    assert Message.objects.count() == Notification.objects.count() == 1
    (record,) = [entry for entry in caplog.records if entry.exc_info]
    assert "no Redis" in str(record.exc_info[1])


@pytest.mark.django_db(transaction=True)
def test_post_costs_the_same_with_many_friends(
    api, alice, make_user, befriend, django_assert_num_queries
):
    """In one transaction: store the post, find its author's friends, number and store."""
    for number in range(15):
        befriend(make_user(f"user{number}"), alice)

    with django_assert_num_queries(6):  # BEGIN and COMMIT count
        api.post("/api/posts/", {"content": "hello"})

"""The socket's description, and whether the frames are as it says."""

import pytest
from asgiref.sync import sync_to_async
from django.urls import reverse
from jsonschema import ValidationError, validate
from rest_framework_simplejwt.tokens import AccessToken

from announcements.reading import mark_up_to as mark_announcements
from announcements.services import announce
from friends.services import accept_request, send_request
from messaging.services import send_message
from notifications import reading
from notifications.asyncapi import document, name_of
from notifications.frames import RECEIVED, SENT
from notifications.tests.sockets import greeted, socket_for
from orders.models import Customer
from orders.services import change_status, place_order
from posts.services import create_post

MESSAGES = document("testserver", secure=True)["components"]["messages"]


def validate_frame(frame):
    """Compare a frame with its description."""
    validate(frame, MESSAGES[frame["type"]]["payload"])


def test_document_is_served(client):
    """Anybody can read it: it is AsyncAPI 3, for the socket of this server."""
    served = client.get("/api/docs/socket.json").json()

    assert served["asyncapi"] == "3.0.0"
    assert served["servers"]["own"] == {"host": "testserver", "protocol": "ws"}
    assert served["channels"]["own"]["address"] == "/ws/notifications/"
    assert reverse("event-stream") == served["channels"]["stream"]["address"]


def test_references_lead_somewhere():
    """Each $ref names something that the document has."""
    whole = document("testserver", secure=True)

    def references(part):
        if isinstance(part, dict):
            yield from [part["$ref"]] if "$ref" in part else []
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, dict | list):
                yield from references(inner)

    found = set(references(whole))
    assert len(found) > len(SENT + RECEIVED)
    for reference in found:
        place = whole
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "pong"},
        {"type": "pong", "time": 1, "last_seq": "1"},
        {"type": "pong", "time": 1, "last_seq": 1, "x": 1},
    ],
    ids=["a key is missing", "text is no number", "a key too many"],
)
def test_other_frames_are_not_valid(frame):
    """The description is exact."""
    with pytest.raises(ValidationError):
        validate_frame(frame)


def cause_all_events(alice, bob):
    """Everything that alice is told about, once."""
    asked = send_request(from_user=bob, to_user=alice)
    accept_request(request_id=asked.pk, receiver=alice)
    send_message(sender=bob, receiver=alice, content="Hello")
    create_post(author=bob, content="News")
    customer = Customer.objects.create(user=alice, name="Alice", address="Here 1")
    order = place_order(customer=customer, items=[])
    change_status(order=order, status="paid", version=order.version)
    announcement = announce(author=bob, text="The shop is open")
    mark_announcements(user=alice, up_to=announcement.pk)
    reading.mark_one(user=alice, notification_id=alice.notifications.first().pk)
    reading.mark_up_to(user=alice, up_to=alice.notifications.last().pk)


def befriend_by_request(alice, carol):
    """Alice asks, and is told that carol accepts."""
    asked = send_request(from_user=alice, to_user=carol)
    accept_request(request_id=asked.pk, receiver=carol)


@pytest.mark.django_db(transaction=True)
async def test_every_frame_is_as_described(alice, bob, make_user):
    """Every frame that a socket is sent is in the document, and the other way round."""
    carol = await sync_to_async(make_user)("carol")
    token = await sync_to_async(AccessToken.for_user)(alice)
    socket = socket_for(alice)
    await socket.connect()
    greeting = await socket.receive_json_from()
    validate_frame(greeting)
    await sync_to_async(cause_all_events)(alice, bob)
    await sync_to_async(befriend_by_request)(alice, carol)
    async with greeted(socket_for(bob)):
        pass  # alice is told that her friend is there
    for frame in (
        {"type": "ping", "sent": 1.5},
        {"type": "auth", "token": str(token)},
        {"type": "resume", "epoch": "unknown", "seq": 0},
        {"type": "resume", "epoch": greeting["epoch"], "seq": 0},
    ):
        validate_frame(frame)
        await socket.send_json_to(frame)
    await socket.send_json_to("nonsense")

    missing = set(map(name_of, SENT)) - {greeting["type"]}
    while missing:
        frame = await socket.receive_json_from(5)
        validate_frame(frame)
        missing.discard(frame["type"])
    await socket.disconnect()

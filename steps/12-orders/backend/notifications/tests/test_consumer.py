"""What a client sees of its socket."""

import json

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from rest_framework_simplejwt.tokens import AccessToken

from notifications import tickets
from notifications.middleware import SocketAuthMiddleware
from notifications.models import Inbox
from notifications.routing import websocket_urlpatterns
from notifications.tests.sockets import Socket, greeted, socket_for

# A socket reads the database in a thread of its own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


async def test_user_with_a_ticket_is_greeted(alice):
    """A client that offers a ticket is told which user it is."""
    claims = AccessToken.for_user(alice).payload
    ticket = await sync_to_async(tickets.issue)(claims, "")
    socket = Socket(
        SocketAuthMiddleware(URLRouter(websocket_urlpatterns)),
        "/ws/notifications/",
        subprotocols=["ticket", ticket],
    )

    assert await socket.connect() == (True, "ticket")
    greeting = await socket.receive_json_from()
    assert 3590 < greeting.pop("expires_in") <= 3600
    assert greeting == {
        "type": "connection_established",
        "message": "Connected as alice",
        "user_id": alice.pk,
        "epoch": (await Inbox.objects.aget(user=alice)).epoch,
        "last_seq": 0,
    }
    await socket.disconnect()


@pytest.mark.parametrize(
    ("offer", "header", "code"),
    [([], "Bearer x", 4401), (["ticket", "x"], "", 4408), (["chat"], "Basic x", 4401)],
)
async def test_stranger_is_told_why(offer, header, code):
    """With a bad token a socket is closed with 4401, with an old ticket with 4408."""
    socket = Socket(
        SocketAuthMiddleware(URLRouter(websocket_urlpatterns)),
        "/ws/notifications/",
        headers=[(b"authorization", header.encode())],
        subprotocols=offer,
    )

    assert await socket.connect() == (True, "ticket" if "ticket" in offer else None)
    closed = await socket.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", code)
    await socket.disconnect()


@pytest.mark.parametrize("path", ["/ws/notifications/", "/ws/notifications"])
async def test_last_slash_is_optional(alice, path):
    """The URL works with and without its trailing slash."""
    async with greeted(socket_for(alice, path)) as socket:
        assert await socket.receive_nothing()


@pytest.mark.parametrize(
    "frame",
    [
        {"text": "hello"},
        {"text": ""},
        {"text": "[" * 60_000},
        {"bytes": b"{}"},
        {"bytes": b"\xff"},
    ],
)
async def test_frame_that_is_not_json_text_is_answered(alice, frame):
    """A frame that is not JSON is answered, and the socket stays open."""
    async with greeted(socket_for(alice)) as socket:
        for _ in range(2):
            await socket.send_input({"type": "websocket.receive", **frame})

            answer = await socket.receive_json_from()

            assert answer["type"] == "error"
            assert "JSON" in answer["message"]


async def test_ping_is_answered(alice):
    """A client can find out whether the server is still there."""
    async with greeted(socket_for(alice)) as socket:
        await socket.send_json_to({"type": "ping"})

        assert await socket.receive_json_from() == {"type": "pong", "last_seq": 0}


@pytest.mark.parametrize("content", [{"type": "hello"}, {}, ["ping"], "ping", None, 1])
async def test_other_json_is_refused(alice, content):
    """A frame of no known type is answered with the types that there are."""
    async with greeted(socket_for(alice)) as socket:
        await socket.send_to(text_data=json.dumps(content))

        answer = await socket.receive_json_from()

        assert answer["type"] == "error"
        assert "resume" in answer["message"]


async def test_closed_socket_has_left_its_group(alice):
    """A closed socket is no longer in any group."""
    group = f"user_{alice.pk}"
    async with greeted(socket_for(alice)):
        assert get_channel_layer().groups[group]

    assert not get_channel_layer().groups.get(group)


async def test_failed_consumer_leaves_its_group(alice):
    """An exception ends the consumer, and its socket is still cleaned up."""
    layer, group = get_channel_layer(), f"user_{alice.pk}"
    socket = socket_for(alice)
    await socket.connect()
    await socket.receive_json_from()
    await layer.group_send(group, {"type": "no.such.method"})

    with pytest.raises(ValueError, match="No handler for message type"):
        await socket.wait(10)

    assert not layer.groups.get(group)

"""What a client sees of its socket."""

import json

import pytest
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from rest_framework_simplejwt.tokens import AccessToken

from notifications.middleware import JWTAuthMiddleware
from notifications.routing import websocket_urlpatterns
from notifications.tests.sockets import Socket, greeted, socket_for
from users.models import User

# Channels closes old database connections at every event.
pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
async def test_user_with_a_token_is_greeted(alice):
    """A client that offers a token is told which user it is."""
    socket = Socket(
        JWTAuthMiddleware(URLRouter(websocket_urlpatterns)),
        "/ws/notifications/",
        subprotocols=["access_token", str(AccessToken.for_user(alice))],
    )

    assert await socket.connect() == (True, "access_token")
    assert await socket.receive_json_from() == {
        "type": "connection_established",
        "message": "Connected as alice",
        "user_id": alice.pk,
    }
    await socket.disconnect()


@pytest.mark.parametrize("offer", [[], ["access_token", "x"]])
async def test_stranger_is_told_4401(offer):
    """A client without a valid token is accepted and then closed with 4401."""
    socket = socket_for(AnonymousUser())
    socket.scope["subprotocols"] = offer

    assert await socket.connect() == (True, offer[0] if offer else None)
    closed = await socket.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
    await socket.disconnect()


@pytest.mark.parametrize("path", ["/ws/notifications/", "/ws/notifications"])
async def test_last_slash_is_optional(path):
    """The URL works with and without its trailing slash."""
    async with greeted(socket_for(User(pk=7), path)) as socket:
        assert await socket.receive_nothing()


@pytest.mark.parametrize(
    "frame",
    [
        {"text": "hello"},
        {"text": ""},
        {"text": "[" * 100_000},
        {"bytes": b"{}"},
        {"bytes": b"\xff"},
    ],
)
async def test_frame_that_is_not_json_text_is_answered(frame):
    """A frame that is not JSON is answered, and the socket stays open."""
    async with greeted(socket_for(User(pk=7))) as socket:
        for _ in range(2):
            await socket.send_input({"type": "websocket.receive", **frame})

            answer = await socket.receive_json_from()

            assert answer["type"] == "error"
            assert "JSON" in answer["message"]


@pytest.mark.parametrize("content", [{"type": "hello"}, [], None, 1])
async def test_json_is_ignored(content):
    """This socket has no commands."""
    async with greeted(socket_for(User(pk=7))) as socket:
        await socket.send_to(text_data=json.dumps(content))

        assert await socket.receive_nothing()


async def test_closed_socket_has_left_its_group():
    """A closed socket is no longer in any group."""
    async with greeted(socket_for(User(pk=7))):
        assert get_channel_layer().groups["user_7"]

    assert not get_channel_layer().groups.get("user_7")

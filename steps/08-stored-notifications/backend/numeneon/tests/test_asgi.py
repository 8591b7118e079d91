"""The application that the server runs."""

import pytest
from channels.testing import HttpCommunicator
from rest_framework_simplejwt.tokens import AccessToken

from notifications.tests.sockets import Socket
from numeneon.asgi import application
from numeneon.tests.test_settings import python

pytestmark = pytest.mark.django_db(transaction=True)

LOCAL = "http://localhost:3000"


def socket(path="/ws/notifications/", origin=LOCAL, token="x"):
    """A WebSocket request as a browser sends it."""
    return Socket(
        application,
        path,
        headers=[(b"origin", origin.encode())] if origin else [],
        subprotocols=["access_token", token],
    )


def test_asgi_can_be_imported_first():
    """A server imports this module in a process that has not set Django up."""
    done = python("-c", "import numeneon.asgi")

    assert done.returncode == 0, done.stderr


async def test_http_goes_to_django():
    """The REST API answers as before."""
    headers = [(b"host", b"testserver")]
    request = HttpCommunicator(application, "GET", "/api/auth/me/", headers=headers)

    response = await request.get_response(timeout=10)

    assert response["status"] == 401


async def test_user_with_a_token_is_greeted(alice):
    """A page from an allowed host gets a socket of its user."""
    client = socket(token=str(AccessToken.for_user(alice)))

    assert await client.connect() == (True, "access_token")
    assert (await client.receive_json_from())["message"] == "Connected as alice"
    await client.disconnect()


async def test_bad_token_is_told_4401():
    """A client whose token is not valid can read why: its socket is closed with 4401."""
    client = socket(token="x")

    assert await client.connect() == (True, "access_token")
    assert (await client.receive_output())["code"] == 4401
    await client.disconnect()


@pytest.mark.parametrize("origin", ["https://evil.example", None])
async def test_foreign_origin_is_refused(alice, origin):
    """A page from another site gets no socket, even with a valid token."""
    client = socket(origin=origin, token=str(AccessToken.for_user(alice)))

    accepted, _ = await client.connect()

    assert not accepted


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/notifications/7/", "/ws/chat/"])
async def test_unknown_path_is_refused(path):
    """A path that matches nothing is refused, without an exception."""
    accepted, _ = await socket(path).connect()

    assert not accepted

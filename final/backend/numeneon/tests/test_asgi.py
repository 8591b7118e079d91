"""The application that the server runs."""

import pytest
from channels.testing import HttpCommunicator, WebsocketCommunicator
from rest_framework_simplejwt.tokens import AccessToken

from numeneon.asgi import application
from numeneon.tests.test_settings import python

pytestmark = pytest.mark.django_db(transaction=True)

LOCAL = "http://localhost:3000"


def socket(path="/ws/notifications/", origin=LOCAL, token="x"):
    """A socket as a browser asks for one."""
    return WebsocketCommunicator(
        application,
        path,
        headers=[(b"origin", origin.encode())] if origin else [],
        subprotocols=["access_token", token],
    )


def test_asgi_can_be_imported_first():
    """A server imports this module in a process that knows nothing of Django yet."""
    done = python("-c", "import numeneon.asgi")

    assert done.returncode == 0, done.stderr


async def test_http_goes_to_django():
    """The REST API is still there."""
    headers = [(b"host", b"testserver")]
    request = HttpCommunicator(application, "GET", "/api/auth/me/", headers=headers)

    response = await request.get_response()

    assert response["status"] == 401


async def test_user_with_a_token_is_greeted(alice):
    """A page of an allowed host gets its user's socket."""
    client = socket(token=str(AccessToken.for_user(alice)))

    assert await client.connect() == (True, "access_token")
    assert (await client.receive_json_from())["message"] == "Connected as alice"
    await client.disconnect()


async def test_bad_token_is_told_4401():
    """A token that proves nothing is refused in words that a client can tell apart."""
    client = socket(token="x")

    assert await client.connect() == (True, "access_token")
    assert (await client.receive_output())["code"] == 4401
    await client.disconnect()


@pytest.mark.parametrize("origin", ["https://evil.example", None])
async def test_foreign_origin_is_refused(alice, origin):
    """A page of another site gets no socket, whatever its token."""
    client = socket(origin=origin, token=str(AccessToken.for_user(alice)))

    accepted, _ = await client.connect()

    assert not accepted


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/notifications/7/", "/ws/chat/"])
async def test_unknown_path_is_refused(path):
    """An address that leads nowhere is refused, not an error."""
    accepted, _ = await socket(path).connect()

    assert not accepted

"""The application that the server runs."""

import pytest
from asgiref.sync import sync_to_async
from channels.testing import HttpCommunicator
from rest_framework_simplejwt.tokens import AccessToken

from notifications import tickets
from notifications.tests.sockets import Socket
from numeneon.asgi import application
from numeneon.tests.test_settings import python

pytestmark = pytest.mark.django_db(transaction=True)

OWN = "http://testserver"


def socket(path="/ws/notifications/", origin=OWN, ticket="x"):
    """A WebSocket request as a browser sends it."""
    return Socket(
        application,
        path,
        headers=[(b"host", b"testserver"), (b"origin", origin.encode())],
        subprotocols=["ticket", ticket],
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


async def test_page_with_a_ticket_is_greeted(alice):
    """A page of this server gets a socket of its user."""
    claims = AccessToken.for_user(alice).payload
    ticket = await sync_to_async(tickets.issue)(claims, OWN)
    client = socket(ticket=ticket)

    assert await client.connect() == (True, "ticket")
    assert (await client.receive_json_from())["message"] == "Connected as alice"
    await client.disconnect()


async def test_program_with_a_token_is_greeted(alice):
    """A client that is no browser sends its access token in a header, and no origin."""
    token = f"Bearer {AccessToken.for_user(alice)}"
    headers = [(b"host", b"testserver"), (b"authorization", token.encode())]
    client = Socket(application, "/ws/notifications/", headers)

    assert await client.connect() == (True, None)
    assert (await client.receive_json_from())["message"] == "Connected as alice"
    await client.disconnect()


async def test_bad_ticket_is_told_4408():
    """A client whose ticket is not valid can read that it has to get another one."""
    client = socket(ticket="x")

    assert await client.connect() == (True, "ticket")
    assert (await client.receive_output())["code"] == 4408
    await client.disconnect()


async def test_foreign_origin_is_refused(alice):
    """A page of another site gets no socket, even with a ticket of its own."""
    evil = "https://evil.example"
    ticket = await sync_to_async(tickets.issue)(alice.pk, evil)

    accepted, _ = await socket(origin=evil, ticket=ticket).connect()

    assert not accepted


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/notifications/7/", "/ws/chat/"])
async def test_unknown_path_is_refused(path):
    """A path that matches nothing is refused, without an exception."""
    accepted, _ = await socket(path).connect()

    assert not accepted

"""A socket ends with the session that it was opened in."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from notifications.models import Connection
from notifications.tests.sockets import close_code, greeted, nameless_socket, socket_for
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse"
NEW_PASSWORD = "another battery staple"


@sync_to_async
def request(path, data, access=None):
    """Send a POST request. Return the answer."""
    client = APIClient()
    if access:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.post(f"/api/auth/{path}/", data)


async def log_in(user):
    """Return the tokens of a new login."""
    login = {"email": user.email, "password": PASSWORD}
    return (await request("login", login)).json()


def socket_of(user, tokens):
    """A socket that was opened with the access token of a login."""
    return socket_for(user, **AccessToken(tokens["access"]).payload)


async def answer(socket, token):
    """What a socket is sent when it sends that token."""
    await socket.send_json_to({"type": "auth", "token": token})
    return await socket.receive_json_from()


@pytest.fixture
def clock(monkeypatch):
    """A stopped clock, which the test sets: on no machine a token expires too early."""
    stopped = SimpleNamespace(now=time.time())
    monkeypatch.setattr(time, "time", lambda: stopped.now)
    return stopped


async def test_socket_ends_with_its_token(alice, clock):
    """When the access token expires, the socket is closed with 4401."""
    async with greeted(socket_for(alice, exp=clock.now + 0.1)) as socket:
        clock.now += 0.1

        assert await close_code(socket) == 4401


async def test_socket_can_be_renewed(alice, clock):
    """With a new token in time it stays open, and the client learns for how long."""
    new = AccessToken.for_user(alice)
    async with greeted(socket_for(alice, exp=clock.now + 0.1)) as socket:
        renewed = await answer(socket, str(new))

        assert renewed["type"] == "authenticated"
        assert abs(new["exp"] - clock.now - renewed["expires_in"]) <= 1
        clock.now += 0.1
        assert await socket.receive_nothing(0.2)


async def test_token_of_somebody_else_is_not_taken(alice, bob):
    """A socket never changes its user: it is closed with 4403."""
    async with greeted(socket_for(alice)) as socket:
        token = str(AccessToken.for_user(bob))
        await socket.send_json_to({"type": "auth", "token": token})

        assert await close_code(socket) == 4403


@pytest.mark.parametrize("token", [None, 1, "x", "\ud800", ["x"], {"a": "b"}, ""])
async def test_bad_token_ends_the_socket(alice, token):
    """Anything but a valid token is answered with 4401."""
    async with greeted(socket_for(alice)) as socket:
        await socket.send_json_to({"type": "auth", "token": token})

        assert await close_code(socket) == 4401


async def test_first_frame_may_bring_the_token(alice):
    """A client without a ticket or a header signs in with its first frame."""
    socket = nameless_socket()
    await socket.connect()

    greeting = await answer(socket, str(AccessToken.for_user(alice)))

    assert greeting["user_id"] == alice.pk
    await socket.disconnect()


async def test_nothing_is_answered_before_that(alice):
    """Until it is known who the client is, its commands are errors."""
    socket = nameless_socket()
    await socket.connect()

    await socket.send_json_to({"type": "ping"})

    assert (await socket.receive_json_from())["type"] == "error"
    await socket.disconnect()


async def test_client_has_little_time_for_that(settings):
    """A client that does not say who it is gets 4408."""
    settings.AUTH_SECONDS = 0.05
    socket = nameless_socket()
    await socket.connect()

    assert await close_code(socket) == 4408
    await socket.disconnect()


async def test_log_out_ends_the_sockets_of_that_login(alice):
    """Another login of the same user goes on."""
    tokens, others = await log_in(alice), await log_in(alice)
    async with greeted(socket_of(alice, others)) as other:
        async with greeted(socket_of(alice, tokens)) as socket:
            body = {"refresh": tokens["refresh"]}
            assert (await request("logout", body)).status_code == 204

            assert await close_code(socket) == 4401
        assert await other.receive_nothing()
    assert (await request("token/refresh", body)).status_code == 401
    assert (await request("logout", body)).status_code == 401


async def test_access_token_opens_no_socket_after_log_out(alice):
    """It has not expired yet, but its login has ended."""
    tokens = await log_in(alice)
    await request("logout", {"refresh": tokens["refresh"]})
    socket = nameless_socket()
    await socket.connect()

    await socket.send_json_to({"type": "auth", "token": tokens["access"]})

    assert await close_code(socket) == 4401
    await socket.disconnect()


async def test_new_password_ends_all_sockets(alice):
    """And all tokens of the old one."""
    tokens = await log_in(alice)
    access = tokens["access"]
    passwords = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    async with greeted(socket_of(alice, tokens)) as socket:
        assert (await request("password", passwords, access)).status_code == 204

        assert await close_code(socket) == 4401
    assert (await request("password", passwords, access)).status_code == 401


@sync_to_async
def deactivate(user):
    user.is_active = False
    user.save()


async def test_deactivation_ends_all_sockets(alice):
    """As soon as the change is committed."""
    async with greeted(socket_for(alice)) as socket:
        await deactivate(alice)

        assert await close_code(socket) == 4401


async def test_deletion_ends_all_sockets(alice):
    """An account that is gone has no sockets."""
    async with greeted(socket_for(alice)) as socket:
        await sync_to_async(alice.delete)()

        assert await close_code(socket) == 4401


async def test_other_changes_end_nothing(alice):
    """Somebody who changes their name stays connected."""
    async with greeted(socket_for(alice)) as socket:
        alice.first_name = "Alice"
        await sync_to_async(alice.save)()

        assert await socket.receive_nothing()


async def test_socket_finds_out_by_itself(alice, quick_heartbeats):
    """If nobody tells it, it looks now and then."""
    async with greeted(socket_for(alice)) as socket:
        await User.objects.filter(pk=alice.pk).aupdate(is_active=False)

        assert await close_code(socket) == 4401


async def test_database_that_is_away_ends_nothing(alice, quick_heartbeats, monkeypatch):
    """Otherwise all clients would come back at the same moment."""

    def fail(channel):
        raise OperationalError("gone")

    async with greeted(socket_for(alice)) as socket:
        with monkeypatch.context() as away:
            away.setattr("notifications.signed_in.still_here", fail)
            assert await socket.receive_nothing(0.2)
        await Connection.objects.all().adelete()

        assert await close_code(socket) == 4408


async def test_nothing_is_sent_after_the_end(alice):
    """Sending to a socket that was closed is an error under uvicorn."""
    async with greeted(socket_for(alice)) as socket:
        await deactivate(alice)
        await close_code(socket)
        await socket.send_json_to({"type": "ping"})

        assert await socket.receive_nothing()


async def test_nothing_runs_on_after_the_end(alice):
    """What runs beside a socket ends with it."""
    before = asyncio.all_tasks()
    async with greeted(socket_for(alice)):
        pass

    assert asyncio.all_tasks() <= before

"""Who gets a notification."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from asgiref.sync import sync_to_async

from notifications import services
from notifications.services import send_notification
from notifications.tests.sockets import greeted, socket_for

# A socket reads the database in a thread of its own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)

EVENT = {"type": "new_message", "data": {"id": 1}}


async def open_sockets(stack, *users):
    """Open one socket for each of these users."""
    sockets = [socket_for(user) for user in users]
    return [await stack.enter_async_context(greeted(socket)) for socket in sockets]


async def send(users):
    user_ids = (user.pk for user in users)
    await sync_to_async(send_notification)(
        user_ids=user_ids, kind="new_message", data={"id": 1}
    )


async def test_notification_reaches_all_sockets_of_a_user(alice):
    """Two open tabs of one user each get the event once."""
    async with AsyncExitStack() as stack:
        tabs = await open_sockets(stack, alice, alice)

        await send([alice])

        assert [await tab.receive_json_from() for tab in tabs] == [EVENT, EVENT]
        assert [await tab.receive_nothing() for tab in tabs] == [True, True]


async def test_notification_skips_other_users(alice, bob):
    """A notification for alice stays out of bob's socket."""
    async with AsyncExitStack() as stack:
        _, other = await open_sockets(stack, alice, bob)

        await send([alice])

        assert await other.receive_nothing()


async def test_notification_takes_any_iterable_of_ids(alice, bob):
    """A generator will do, and an id that occurs twice counts once."""
    async with AsyncExitStack() as stack:
        sockets = await open_sockets(stack, alice, bob)

        await send([alice, bob, alice])

        assert [await socket.receive_json_from() for socket in sockets] == [EVENT] * 2
        assert await sockets[0].receive_nothing()


async def test_notification_for_nobody_is_nothing(alice):
    """No ids, no event, no error."""
    async with AsyncExitStack() as stack:
        (socket,) = await open_sockets(stack, alice)

        await send([])

        assert await socket.receive_nothing()


async def test_layer_that_hangs_is_given_up(alice, monkeypatch):
    """A sender gives up after SEND_TIMEOUT."""

    class HangingLayer:
        async def group_send(self, group, event):
            await asyncio.Event().wait()

    monkeypatch.setattr(services, "get_channel_layer", HangingLayer)
    monkeypatch.setattr(services, "SEND_TIMEOUT", 0.01)

    with pytest.raises(TimeoutError):
        await send([alice])

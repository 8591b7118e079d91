"""Who is online, and who is told."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection
from django.utils import timezone

from notifications import connections
from notifications.models import Connection
from notifications.signed_in import farewells, say_farewell
from notifications.tests.sockets import greeted, socket_for

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/presence/"


@pytest.fixture
def friends(alice, bob, befriend):
    befriend(alice, bob)


@sync_to_async
def online(client):
    return client.get(URL).json()["online"]


@sync_to_async
def let_time_pass(user):
    """Make the rows of a user as old as those of a server that died an hour ago."""
    old = timezone.now() - timedelta(hours=1)
    Connection.objects.filter(user=user).update(seen_at=old)


async def presence(socket):
    """What a socket is told about somebody."""
    frame = await socket.receive_json_from()
    assert frame["type"] == "presence"
    return frame["data"]["user_id"], frame["data"]["online"]


async def test_friends_hear_who_comes_and_goes(alice, bob, friends, settings, api):
    """With the first socket and after the last one, and with none in between."""
    settings.PRESENCE_GRACE_SECONDS = 0
    async with greeted(socket_for(alice)) as socket:
        assert await online(api) == []
        async with greeted(socket_for(bob)):
            assert await presence(socket) == (bob.pk, True)
            async with greeted(socket_for(bob)):
                assert await online(api) == [bob.pk]
            await asyncio.gather(*farewells)
            assert await socket.receive_nothing()

        assert await presence(socket) == (bob.pk, False)
        assert await online(api) == []
    # What still runs must not meet the end of the test.
    await asyncio.gather(*farewells)


async def test_page_that_reloads_does_not_flicker(alice, bob, friends, settings, api):
    """Somebody who is back within the grace period was never away."""
    settings.PRESENCE_GRACE_SECONDS = 60
    async with greeted(socket_for(bob)):
        pass
    async with greeted(socket_for(alice)) as socket:
        assert await online(api) == [bob.pk]
        async with greeted(socket_for(bob)):
            # The period ends now, and not while a slow machine connects.
            settings.PRESENCE_GRACE_SECONDS = 0
            await say_farewell(bob.pk)
            settings.PRESENCE_GRACE_SECONDS = 60

            assert await socket.receive_nothing()
            assert await online(api) == [bob.pk]


async def test_strangers_hear_nothing(alice, bob, make_user, befriend, api):
    """Nor somebody whose request was not accepted."""
    carol = await sync_to_async(make_user)("carol")
    await sync_to_async(bob.asked.create)(to_user=alice)
    await sync_to_async(befriend)(bob, carol)
    async with greeted(socket_for(alice)) as socket, greeted(socket_for(bob)):
        assert await socket.receive_nothing()
        assert await online(api) == []


async def test_dead_server_is_noticed(alice, bob, friends, settings, api):
    """A heartbeat of any socket finds the rows that nobody keeps; friends are told once."""
    await sync_to_async(connections.enter)(bob.pk, "of a server that was killed")
    async with greeted(socket_for(alice)) as socket:
        assert await online(api) == [bob.pk]
        await let_time_pass(bob)
        assert await online(api) == []

        for _ in range(2):
            await sync_to_async(connections.sweep)()

        assert await presence(socket) == (bob.pk, False)
        assert await socket.receive_nothing()


async def test_heartbeat_sweeps(alice, bob, quick_heartbeats):
    """Nobody else has to."""
    async with greeted(socket_for(alice)), asyncio.timeout(10):
        await sync_to_async(connections.enter)(bob.pk, "of a server that was killed")
        await let_time_pass(bob)
        while await bob.connections.aexists():
            await asyncio.sleep(0.01)


def test_who_comes_back_is_told_even_if_nobody_noticed(
    alice, bob, friends, monkeypatch
):
    """Friends who have asked meanwhile were told that the user is offline."""
    told = []
    monkeypatch.setattr("notifications.presence.send_frames", told.append)
    connections.enter(alice.pk, "hers")
    connections.enter(bob.pk, "of a server that was killed")
    Connection.objects.filter(user=bob).update(
        seen_at=timezone.now() - timedelta(hours=1)
    )
    told.clear()

    connections.enter(bob.pk, "new")

    frame = {"type": "presence", "data": {"user_id": bob.pk, "online": True}}
    assert told == [{alice.pk: frame}]


async def test_farewell_that_fails_is_left_to_a_sweep(
    alice, bob, monkeypatch, settings
):
    """The database may be away by then."""
    settings.PRESENCE_GRACE_SECONDS = 0
    failures = []

    @sync_to_async
    def fail(user_id):
        failures.append(user_id)
        raise OperationalError

    monkeypatch.setattr("notifications.signed_in.forget", fail)
    async with greeted(socket_for(alice)):
        pass
    await asyncio.gather(*farewells)

    assert failures == [alice.pk]
    await sync_to_async(connections.sweep)()
    assert not await alice.connections.aexists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time anyway")
def test_many_servers_tell_once(alice, bob, friends, monkeypatch):
    """Ten that sweep at the same moment neither hang nor tell twice."""
    told = []
    monkeypatch.setattr("notifications.presence.send_frames", told.append)
    for user in (alice, bob):
        connections.enter(user.pk, f"of {user.username}")
    Connection.objects.filter(user=bob).update(
        seen_at=timezone.now() - timedelta(hours=1)
    )
    told.clear()

    def sweep(_):
        try:
            connections.sweep()
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(sweep, range(10)))

    frame = {"type": "presence", "data": {"user_id": bob.pk, "online": False}}
    assert told == [{alice.pk: frame}]

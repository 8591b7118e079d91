"""The open sockets of each user, on all servers together."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from notifications import connections
from notifications.models import Connection
from notifications.tests.sockets import close_code, greeted, socket_for

pytestmark = pytest.mark.django_db(transaction=True)


async def test_open_socket_has_a_row(alice):
    """The row is there for as long as the socket is."""
    async with greeted(socket_for(alice)):
        row = await alice.connections.aget()

        assert row.channel
        assert str(row) == "Socket of alice@example.com"
    assert not await Connection.objects.aexists()


async def test_one_socket_too_many_is_refused(alice, settings):
    """It is told 4429, and the others stay open."""
    settings.SOCKETS_PER_USER = 1
    async with greeted(socket_for(alice)) as socket:
        second = socket_for(alice)
        await second.connect()

        assert await close_code(second) == 4429
        await second.disconnect()
        assert await socket.receive_nothing()


async def test_socket_that_closes_makes_room(alice, settings):
    """Its place is free at once."""
    settings.SOCKETS_PER_USER = 1
    for _ in range(2):
        async with greeted(socket_for(alice)):
            pass


async def test_users_do_not_count_for_each_other(alice, bob, settings):
    """Each user has their own number."""
    settings.SOCKETS_PER_USER = 1
    async with greeted(socket_for(alice)), greeted(socket_for(bob)):
        pass


def test_socket_of_a_dead_server_is_forgotten(alice, settings):
    """A row that nobody has touched for two heartbeats does not count."""
    settings.SOCKETS_PER_USER = 1
    assert connections.enter(alice.pk, "old")
    assert not connections.enter(alice.pk, "new")
    long_ago = timezone.now() - timedelta(seconds=2 * settings.HEARTBEAT_SECONDS + 1)
    Connection.objects.update(seen_at=long_ago)

    assert connections.enter(alice.pk, "new")
    assert not connections.still_here("old")


async def test_socket_says_that_it_is_still_there(alice, quick_heartbeats):
    """The row is touched at each heartbeat."""
    async with greeted(socket_for(alice)), asyncio.timeout(10):
        before = (await alice.connections.aget()).seen_at - timedelta(seconds=0.01)
        await alice.connections.aupdate(seen_at=before)
        while not await alice.connections.filter(seen_at__gt=before).aexists():
            await asyncio.sleep(0.01)


async def test_socket_that_was_forgotten_is_closed(alice, quick_heartbeats):
    """Its server has slept for so long that its place may be taken: connect again."""
    async with greeted(socket_for(alice)) as socket:
        await Connection.objects.all().adelete()

        assert await close_code(socket) == 4408


async def test_row_that_cannot_be_removed_is_no_error(alice, monkeypatch):
    """When the database has failed, the row is forgotten later."""

    def fail(channel):
        raise OperationalError("gone")

    async with greeted(socket_for(alice)):
        monkeypatch.setattr(connections, "remove", fail)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time anyway")
def test_sockets_at_once_are_counted_one_after_the_other(alice, settings):
    """Of twenty that open at the same moment, ten get a place."""

    def enter(number):
        try:
            return connections.enter(alice.pk, f"channel {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        entered = list(threads.map(enter, range(20)))

    assert sum(entered) == settings.SOCKETS_PER_USER

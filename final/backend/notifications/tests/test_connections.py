"""The open sockets of each user, on all servers together."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection
from django.utils import timezone

from notifications import connections
from notifications.models import Connection
from notifications.tests.sockets import close_code, greeted, socket_for

pytestmark = pytest.mark.django_db(transaction=True)


async def test_open_socket_has_a_row(alice):
    """It says whether the socket is still open."""
    async with greeted(socket_for(alice)):
        row = await alice.connections.aget()

        assert row.channel
        assert row.open
        assert str(row) == "Socket of alice@example.com"
    assert not (await alice.connections.aget()).open


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


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan is SQLite's")
def test_sockets_that_are_over_are_found_by_index():
    """Each heartbeat looks for them: among the open ones, and among the closed ones."""
    plan = Connection.objects.over().explain()

    assert plan.count("USING INDEX connection_over (open=? AND seen_at<?)") == 2


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


async def test_row_that_cannot_be_changed_is_no_error(alice, monkeypatch):
    """When the database has failed, the row is over two heartbeats later."""

    def fail(channel):
        raise OperationalError("gone")

    async with greeted(socket_for(alice)):
        monkeypatch.setattr("notifications.farewells.end", sync_to_async(fail))


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


def test_staff_see_who_is_connected(alice, bob, client_for, settings):
    """The sockets that are open, the newest first; not those of a server that has died."""
    connections.enter(alice.pk, "dead")
    long_ago = timezone.now() - timedelta(seconds=2 * settings.HEARTBEAT_SECONDS + 1)
    Connection.objects.update(seen_at=long_ago)
    connections.enter(alice.pk, "first")
    connections.enter(bob.pk, "second")
    alice.is_staff = True

    listed = client_for(alice).get("/api/v1/connections/").data

    assert [row["user"]["username"] for row in listed["results"]] == ["bob", "alice"]
    assert listed["count"] == 2
    assert set(listed["results"][0]) == {"id", "user", "opened_at", "seen_at"}


def test_others_do_not_see_who_is_connected(client, client_for, alice):
    """It is for staff."""
    assert client.get("/api/v1/connections/").status_code == 401
    assert client_for(alice).get("/api/v1/connections/").status_code == 403

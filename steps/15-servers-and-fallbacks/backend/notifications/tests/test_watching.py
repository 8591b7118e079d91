"""The socket at /ws/notifications/<user_id>/: whose it is, and what it is sent."""

import pytest
from asgiref.sync import sync_to_async

from announcements.services import announce
from notifications.events import publish
from notifications.sessions import check_sessions
from notifications.tests.sockets import close_code, greeted, socket_for

pytestmark = pytest.mark.django_db(transaction=True)


def path_of(user, end="/"):
    return f"/ws/notifications/{user.pk}{end}"


@sync_to_async
def tell(user, value):
    publish(user_ids=[user.pk], kind="new_post", data={"id": value})


@sync_to_async
def change(user, **fields):
    """Change a user as the admin does."""
    for name, value in fields.items():
        setattr(user, name, value)
    user.save()


@pytest.mark.parametrize("end", ["", "/"])
async def test_user_gets_their_own_events(alice, bob, end):
    """And nobody else's, and no announcements."""
    socket = socket_for(alice, path_of(alice, end))
    await socket.connect()
    greeting = await socket.receive_json_from()

    await tell(bob, "his")
    await sync_to_async(announce)(author=None, text="for everybody")
    await tell(alice, "hers")

    assert (await socket.receive_json_from())["data"] == {"id": "hers"}
    assert greeting["user_id"] == alice.pk
    assert "last_announcement" not in greeting
    await socket.disconnect()


async def test_staff_may_watch(alice, staff):
    """The greeting says whose events these are; they are complete after a resume, too."""
    await tell(alice, "before")
    socket = socket_for(staff, path_of(alice))
    await socket.connect()
    greeting = await socket.receive_json_from()
    position = {"epoch": greeting["epoch"], "seq": 0}
    await socket.send_json_to({"type": "resume", **position})
    missed = await socket.receive_json_from()
    end = await socket.receive_json_from()
    await tell(staff, "not here")
    await tell(alice, "now")
    event = await socket.receive_json_from()

    assert (greeting["user_id"], greeting["message"]) == (alice.pk, "Connected as sam")
    assert [missed["data"]["id"], event["data"]["id"]] == ["before", "now"]
    assert end == {"type": "resumed", "recovered": True, "last_seq": 1}
    await socket.disconnect()


@pytest.mark.parametrize("whose", ["bob", "nobody"])
async def test_others_may_not(alice, bob, whose):
    """4403, for somebody else and for nobody alike; and it has no row."""
    path = path_of(bob) if whose == "bob" else "/ws/notifications/987654321/"
    socket = socket_for(alice, path)
    await socket.connect()

    assert await close_code(socket) == 4403
    assert not await alice.connections.aexists()
    await socket.disconnect()


async def test_nobody_can_be_watched(staff):
    """Not even by staff."""
    socket = socket_for(staff, "/ws/notifications/987654321/")
    await socket.connect()

    assert await close_code(socket) == 4403
    await socket.disconnect()


@pytest.mark.parametrize("text", ["1x", "-1", "9" * 40, "\u0663", "1/2"])
async def test_other_paths_are_refused(alice, text):
    """What is not a number is not an address."""
    accepted, _ = await socket_for(alice, f"/ws/notifications/{text}/").connect()

    assert not accepted


async def test_watcher_counts_as_themself(alice, staff, settings):
    """Not for the limit of the one they watch."""
    settings.SOCKETS_PER_USER = 1
    async with greeted(socket_for(staff, path_of(alice))):
        async with greeted(socket_for(alice)):
            assert await alice.connections.acount() == 1


async def test_watcher_who_is_no_longer_staff_is_closed(alice, staff):
    """As soon as that is committed."""
    async with greeted(socket_for(staff, path_of(alice))) as socket:
        await change(staff, is_staff=False)

        assert await close_code(socket) == 4403


async def test_watcher_whose_session_ends_is_closed(alice, staff):
    """The end is told to their group, not to that of the one they watch."""
    async with greeted(socket_for(staff, path_of(alice))) as socket:
        await change(staff, is_active=False)

        assert await close_code(socket) == 4401


async def test_session_of_the_watched_one_ends_nothing(alice, staff):
    """Theirs is another session."""
    async with greeted(socket_for(staff, path_of(alice))) as socket:
        await sync_to_async(check_sessions)(alice.pk)

        assert await socket.receive_nothing()

"""Announcements on sockets: everybody gets each of them, once and in order."""

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from announcements.models import Announcement
from announcements.services import announce
from notifications.events import publish
from notifications.services import send_to_everyone
from notifications.tests.sockets import greeted, socket_for

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def say(*texts):
    """Announce each of these texts."""
    for text in texts:
        announce(author=None, text=text)


@sync_to_async
def tell(user, *values):
    """Tell one user of something for each value."""
    for value in values:
        publish(user_ids=[user.pk], kind="new_post", data={"id": value})


@pytest.fixture
def lost_hints(monkeypatch):
    """Nothing that is sent to everybody arrives anywhere."""
    monkeypatch.setattr("notifications.events.send_to_everyone", lambda frame: None)


async def texts_of(socket, count):
    """The texts of the next announcements."""
    frames = [await socket.receive_json_from() for _ in range(count)]
    assert {frame["type"] for frame in frames} == {"announcement"}
    return [frame["data"]["text"] for frame in frames]


async def answers(socket, **position):
    """What a socket gets when it resumes: the frames, and the last one."""
    await socket.send_json_to({"type": "resume", **position})
    frames = []
    while (frame := await socket.receive_json_from())["type"] != "resumed":
        frames.append(frame)
    return frames, frame


async def epoch_of(user):
    return (await sync_to_async(lambda: user.inbox)()).epoch


async def test_everybody_connected_is_told(alice, bob):
    """With the number of the announcement, and what the list has."""
    async with greeted(socket_for(alice)) as first, greeted(socket_for(bob)) as second:
        await say("We are back")

        frames = [await socket.receive_json_from() for socket in (first, second)]
    row = await Announcement.objects.aget()
    created_at = row.created_at.isoformat().replace("+00:00", "Z")
    data = {"id": 1, "text": "We are back", "created_at": created_at}
    assert frames == [{"type": "announcement", "data": data, "announcement": 1}] * 2


async def test_rollback_tells_nobody(alice, staff):
    """What was not announced is not heard."""

    @sync_to_async
    def fail():
        with transaction.atomic():
            announce(author=staff, text="never said")
            raise ZeroDivisionError

    async with greeted(socket_for(alice)) as socket:
        with pytest.raises(ZeroDivisionError):
            await fail()

        assert await socket.receive_nothing()


async def test_two_streams_do_not_disturb_each_other(alice):
    """Each has its own numbers."""
    async with greeted(socket_for(alice)) as socket:
        await tell(alice, "a", "b")
        await say("one")
        await tell(alice, "c")

        frames = [await socket.receive_json_from() for _ in range(4)]
        assert [(f.get("seq"), f.get("announcement")) for f in frames] == [
            (1, None),
            (2, None),
            (None, 1),
            (3, None),
        ]


async def test_client_gets_what_it_missed(alice):
    """After a break both streams are complete, and the answer has both positions."""
    async with greeted(socket_for(alice)):
        pass
    await tell(alice, "a")
    await say("one", "two")
    async with greeted(socket_for(alice)) as socket:
        position = {"epoch": await epoch_of(alice), "seq": 0, "announcement": 0}

        frames, last = await answers(socket, **position)

    assert [frame["data"].get("text") for frame in frames] == [None, "one", "two"]
    assert last == {
        "type": "resumed",
        "recovered": True,
        "last_seq": 1,
        "last_announcement": 2,
    }


async def test_client_of_step_nine_is_sent_none_of_the_past(alice):
    """Without a number of the last announcement, resume is about the user's own events."""
    await say("one")
    async with greeted(socket_for(alice)) as socket:
        frames, last = await answers(socket, epoch=await epoch_of(alice), seq=0)

    assert (frames, last["recovered"]) == ([], True)


@pytest.mark.parametrize("number", [-1, 3, 2**70, "0", None, 0.5])
async def test_number_that_never_was_is_not_resumed(alice, number):
    """The client is told what to request."""
    await say("one", "two")
    async with greeted(socket_for(alice)) as socket:
        position = {"epoch": await epoch_of(alice), "seq": 0, "announcement": number}

        frames, last = await answers(socket, **position)

    assert (frames, last["recovered"], last["last_announcement"]) == ([], False, 2)
    assert "/api/v1/announcements/" in last["refetch"]


async def test_whoever_missed_too_many_starts_over(alice, settings):
    """Beyond RESUME_LIMIT, or behind one that was deleted."""
    settings.RESUME_LIMIT = 2
    await say("one", "two", "three")
    async with greeted(socket_for(alice)) as socket:
        position = {"epoch": await epoch_of(alice), "seq": 0}

        assert not (await answers(socket, **position, announcement=0))[1]["recovered"]
        assert (await answers(socket, **position, announcement=1))[1]["recovered"]
        await Announcement.objects.filter(pk=2).adelete()
        assert not (await answers(socket, **position, announcement=1))[1]["recovered"]


async def test_gap_heals_with_the_next_one(alice, monkeypatch):
    """When a hint was lost, the next one brings what was missed along."""
    async with greeted(socket_for(alice)) as socket:
        with monkeypatch.context() as lost:
            lost.setattr("notifications.events.send_to_everyone", lambda frame: None)
            await say("one", "two")

        await say("three")

        assert await texts_of(socket, 3) == ["one", "two", "three"]


async def test_ping_shows_that_the_last_one_was_lost(alice, lost_hints):
    """The answer has the last number that there is."""
    async with greeted(socket_for(alice)) as socket:
        await say("one")
        await socket.send_json_to({"type": "ping"})

        assert (await socket.receive_json_from())["last_announcement"] == 1


async def test_announcement_is_sent_once(alice, lost_hints):
    """A hint for what was sent already is dropped."""
    async with greeted(socket_for(alice)) as socket:
        await say("one", "two")
        rows = [row async for row in Announcement.objects.order_by("-pk")]
        for row in rows * 2:
            await sync_to_async(send_to_everyone)(row.frame())

        assert await texts_of(socket, 2) == ["one", "two"]
        assert await socket.receive_nothing()

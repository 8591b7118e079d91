"""A socket that was away, or that missed something, gets what is stored."""

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.core.management import call_command
from django.db import OperationalError

from notifications import numbering
from notifications.consumers import REFETCH
from notifications.events import publish
from notifications.models import Inbox, Notification
from notifications.services import send_frames
from notifications.tests.sockets import socket_for

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def tell(user, *values):
    """Tell a user of something for each value."""
    for value in values:
        publish(user_ids=[user.pk], kind="new_post", data={"id": value})


@pytest.fixture
def lost_hints(monkeypatch):
    """Nothing that is sent arrives anywhere."""
    monkeypatch.setattr("notifications.events.send_frames", lambda frames: None)


def test_epoch_stays(alice):
    """A user's epoch is random, and the same as long as the inbox is."""
    first = numbering.inbox_of(alice.pk)
    publish(user_ids=[alice.pk], kind="new_post", data={})

    assert numbering.inbox_of(alice.pk).epoch == first.epoch
    first.delete()
    assert numbering.inbox_of(alice.pk).epoch != first.epoch


async def greeting_of(socket):
    """Open a socket, and read its greeting."""
    await socket.connect()
    return await socket.receive_json_from()


async def answers(socket, **position):
    """What a socket gets when it resumes: the values of its events, and the last frame."""
    await socket.send_json_to({"type": "resume", **position})
    values = []
    while (frame := await socket.receive_json_from())["type"] != "resumed":
        values.append(frame["data"]["id"])
    return values, frame


async def test_client_gets_what_it_missed(alice):
    """After a break, the events come in order, and then the position that they lead to."""
    socket = socket_for(alice)
    before = await greeting_of(socket)
    await socket.disconnect()
    await tell(alice, *"abc")

    socket = socket_for(alice)
    greeting = await greeting_of(socket)
    values, last = await answers(socket, epoch=before["epoch"], seq=before["last_seq"])

    assert (greeting["epoch"], greeting["last_seq"]) == (before["epoch"], 3)
    assert values == ["a", "b", "c"]
    assert last == {
        "type": "resumed",
        "recovered": True,
        "last_seq": 3,
        "last_announcement": 0,
    }
    await socket.disconnect()


async def test_events_are_the_same_as_those_that_were_sent(alice):
    """An event that is sent again has the same type, data, id and number."""
    socket = socket_for(alice)
    greeting = await greeting_of(socket)
    await tell(alice, "a")
    event = await socket.receive_json_from()

    await socket.send_json_to({"type": "resume", "epoch": greeting["epoch"], "seq": 0})

    assert await socket.receive_json_from() == event
    assert event["seq"] == 1
    await socket.disconnect()


@pytest.mark.parametrize(
    "seq", [-1, 2, 2**70, "0", None, 0.5, [], {}], ids=lambda seq: repr(seq)[:9]
)
async def test_position_that_never_was_is_not_resumed(alice, seq):
    """A client with such a position is told what to request."""
    await tell(alice, "a")
    socket = socket_for(alice)
    greeting = await greeting_of(socket)

    values, last = await answers(socket, epoch=greeting["epoch"], seq=seq)

    assert values == []
    assert last == {
        "type": "resumed",
        "recovered": False,
        "epoch": greeting["epoch"],
        "last_seq": 1,
        "last_announcement": 0,
        "refetch": REFETCH,
    }
    await socket.disconnect()


@pytest.mark.parametrize("epoch", ["", "another", None, 1, {}])
async def test_epoch_of_somebody_else_opens_nothing(alice, bob, epoch):
    """Numbers are compared only within an epoch, and only the user's own are sent."""
    await tell(alice, "hers")
    await tell(bob, "his")
    socket = socket_for(bob)
    await greeting_of(socket)
    if epoch == "another":
        epoch = (await sync_to_async(numbering.inbox_of)(alice.pk)).epoch

    values, last = await answers(socket, epoch=epoch, seq=0)

    assert (values, last["recovered"]) == ([], False)
    await socket.disconnect()


async def test_what_was_pruned_is_not_resumed(alice):
    """A position whose next notification is gone is too old; a newer one is not."""
    await tell(alice, *range(5))
    await sync_to_async(call_command)("prune_notifications", "--keep", "3")
    socket = socket_for(alice)
    epoch = (await greeting_of(socket))["epoch"]

    assert (await answers(socket, epoch=epoch, seq=1))[1]["recovered"] is False
    assert (await answers(socket, epoch=epoch, seq=2))[0] == [2, 3, 4]
    await Notification.objects.all().adelete()
    assert (await answers(socket, epoch=epoch, seq=2))[1]["recovered"] is False
    await socket.disconnect()


async def test_whoever_missed_too_much_starts_over(alice, settings):
    """Beyond RESUME_LIMIT, requesting the lists is cheaper for everybody."""
    settings.RESUME_LIMIT = 2
    await tell(alice, *range(4))
    socket = socket_for(alice)
    epoch = (await greeting_of(socket))["epoch"]

    assert (await answers(socket, epoch=epoch, seq=1))[1]["recovered"] is False
    assert (await answers(socket, epoch=epoch, seq=2))[0] == [2, 3]
    await socket.disconnect()


async def test_long_absence_is_read_in_pages(alice, monkeypatch, lost_hints):
    """However much was missed, no more than a page of it is in memory at once."""
    monkeypatch.setattr(numbering, "PAGE_SIZE", 3)
    await tell(alice, *range(10))
    socket = socket_for(alice)
    epoch = (await greeting_of(socket))["epoch"]

    values, last = await answers(socket, epoch=epoch, seq=0)

    assert (values, last["last_seq"]) == (list(range(10)), 10)
    await socket.disconnect()


async def test_gap_heals_with_the_next_event(alice, monkeypatch):
    """When a hint was lost, the next one brings what was missed along."""
    socket = socket_for(alice)
    await greeting_of(socket)
    with monkeypatch.context() as lost:
        lost.setattr("notifications.events.send_frames", lambda frames: None)
        await tell(alice, "a", "b")

    await tell(alice, "c")

    frames = [await socket.receive_json_from() for _ in range(3)]
    assert [frame["data"]["id"] for frame in frames] == ["a", "b", "c"]
    assert [frame["seq"] for frame in frames] == [1, 2, 3]
    await socket.disconnect()


async def test_thousand_events_of_which_the_layer_kept_ten_all_arrive(
    alice, lost_hints
):
    """A resume brings those that a full layer has dropped."""
    socket = socket_for(alice)
    epoch = (await greeting_of(socket))["epoch"]
    await tell(alice, *range(1000))
    kept = [row.frame() async for row in Notification.objects.order_by("seq")[:10]]
    for frame in kept:
        await sync_to_async(send_frames)({alice.pk: frame})
    heard = [(await socket.receive_json_from())["seq"] for _ in kept]

    missed, last = await answers(socket, epoch=epoch, seq=heard[-1])

    assert heard == list(range(1, 11))
    assert (missed, last["recovered"]) == (list(range(10, 1000)), True)
    await socket.disconnect()


async def test_gap_of_what_was_pruned_is_admitted(alice, lost_hints):
    """A socket that can no longer be sent everything is told so."""
    socket = socket_for(alice)
    await greeting_of(socket)
    await tell(alice, *range(3))
    frame = (await Notification.objects.aget(recipient=alice, seq=3)).frame()
    await Notification.objects.filter(seq=1).adelete()

    await sync_to_async(send_frames)({alice.pk: frame})

    answer = await socket.receive_json_from()
    assert (answer["type"], answer["recovered"], answer["last_seq"]) == (
        "resumed",
        False,
        3,
    )
    await socket.disconnect()


async def test_event_is_sent_once_in_whatever_order_hints_arrive(alice, lost_hints):
    """A hint for what was sent already is dropped."""
    socket = socket_for(alice)
    await greeting_of(socket)
    await tell(alice, "a", "b")
    stored = Notification.objects.order_by("-seq")

    for frame in [notification.frame() async for notification in stored] * 2:
        await sync_to_async(send_frames)({alice.pk: frame})

    frames = [await socket.receive_json_from() for _ in range(2)]
    assert [frame["seq"] for frame in frames] == [1, 2]
    assert await socket.receive_nothing()
    await socket.disconnect()


async def test_ping_shows_that_the_last_event_was_lost(alice, lost_hints):
    """The answer has the last number that there is, whether or not its event arrived."""
    socket = socket_for(alice)
    await greeting_of(socket)
    await tell(alice, "a")

    await socket.send_json_to({"type": "ping"})

    assert (await socket.receive_json_from())["last_seq"] == 1
    await socket.disconnect()


async def test_what_is_stored_while_connecting_is_sent(alice, monkeypatch):
    """An event between joining the group and reading the position is not lost."""
    layer = get_channel_layer()
    join = layer.group_add

    async def join_and_be_told(group, channel):
        await join(group, channel)
        if group == f"user_{alice.pk}":
            await tell(alice, "a")

    monkeypatch.setattr(layer, "group_add", join_and_be_told)
    socket = socket_for(alice)

    greeting = await greeting_of(socket)

    assert greeting["last_seq"] == 1
    assert (await answers(socket, epoch=greeting["epoch"], seq=0))[0] == ["a"]
    await socket.disconnect()


@pytest.mark.parametrize("message", ["ping", "resume"])
async def test_database_that_fails_closes_with_4503(alice, monkeypatch, message):
    """The client learns that trying later will help."""
    socket = socket_for(alice)
    await greeting_of(socket)

    def fail(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(Inbox.objects, "get_or_create", fail)
    await socket.send_json_to({"type": message})

    closed = await socket.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4503)
    await socket.disconnect()

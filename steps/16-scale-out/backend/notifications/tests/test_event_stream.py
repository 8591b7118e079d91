"""Notifications as Server-Sent Events: the promise of the socket, over HTTP."""

import asyncio
import json
import threading
import time
from contextlib import aclosing, asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from channels.testing import HttpCommunicator
from django.core.management import call_command
from django.db import OperationalError, transaction
from redis.exceptions import RedisError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from announcements.services import announce
from notifications import connections, hints
from notifications.asyncapi import name_of
from notifications.events import publish
from notifications.frames import STREAMED
from notifications.models import Connection, Inbox, Notification
from notifications.open_stream import OpenStream
from notifications.streams import REFETCH
from notifications.tests.test_asyncapi import validate_frame
from notifications.tests.test_metrics import Change
from numeneon import stopping
from numeneon.asgi import application
from numeneon.streaming import StreamMiddleware

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/notifications/stream/"
enter = sync_to_async(connections.enter)
tell_everybody = sync_to_async(announce)


@pytest.fixture(params=["woken", "http only"])
def both(request, settings):
    """With a channel layer, and without one."""
    settings.WEBSOCKETS = request.param == "woken"
    settings.POLL_SECONDS = 0.05


@sync_to_async
def tell(user, *values):
    """Tell a user of something for each value."""
    for value in values:
        publish(user_ids=[user.pk], kind="new_post", data={"id": value})


@asynccontextmanager
async def stream_of(user, place=None, **claims):
    """A stream that has begun."""
    claims = AccessToken.for_user(user).payload | claims
    stream = OpenStream(user, claims, place)
    assert await enter(user.pk, stream.channel)
    async with aclosing(stream.body()) as body, asyncio.timeout(10):
        yield body


async def read(body):
    """Return the next event: its place and its frame."""
    async for text in body:
        fields = dict(line.split(": ", 1) for line in text.splitlines() if line)
        if "data" in fields:
            frame = json.loads(fields["data"])
            assert fields["event"] == frame["type"]
            assert frame["type"] in map(name_of, STREAMED)
            if frame["type"] != "new_post":  # whose data are made up here
                validate_frame(frame)
            return fields.get("id"), frame
    return None, None


async def values_of(body, number):
    """The values of the next events."""
    return [(await read(body))[1]["data"]["id"] for _ in range(number)]


async def test_stream_begins_with_a_greeting(alice):
    """It says where the client is, in numbers and as the place to come back with."""
    await tell(alice, "a")

    async with stream_of(alice) as body:
        place, greeting = await read(body)

    assert greeting["type"] == "connection_established"
    assert greeting["user_id"] == alice.pk
    assert (greeting["last_seq"], greeting["last_announcement"]) == (1, 0)
    assert 3500 < greeting["expires_in"] <= 3600
    assert place == f"{greeting['epoch']}:1:0"


async def test_stream_has_what_is_stored(alice, bob, both):
    """The user's own events and announcements, each with the place behind it."""
    async with stream_of(alice) as body:
        _, greeting = await read(body)
        await tell(bob, "his")
        await tell(alice, "hers")
        own = await read(body)
        await tell_everybody(author=None, text="Hello")
        everybodys = await read(body)

    epoch = greeting["epoch"]
    assert (own[0], own[1]["data"], own[1]["seq"]) == (
        f"{epoch}:1:0",
        {"id": "hers"},
        1,
    )
    assert (everybodys[0], everybodys[1]["announcement"]) == (f"{epoch}:1:1", 1)


async def test_client_comes_back_to_what_it_missed(alice, both):
    """With the place in Last-Event-ID, what was missed comes in order, once."""
    async with stream_of(alice) as body:
        await read(body)
        await tell(alice, "a")
        place, _ = await read(body)
    await tell(alice, "b", "c")
    await tell_everybody(author=None, text="Hello")

    async with stream_of(alice, place) as body:
        greeted_at, greeting = await read(body)
        missed = await values_of(body, 3)
        place, resumed = await read(body)
        await tell(alice, "d")
        later = await values_of(body, 1)

    # The greeting moves no client past what it has not got yet.
    assert (greeted_at, greeting["last_seq"]) == (None, 3)
    assert (missed, later) == (["b", "c", 1], ["d"])
    assert resumed == {
        "type": "resumed",
        "recovered": True,
        "last_seq": 3,
        "last_announcement": 1,
    }
    assert place == f"{greeting['epoch']}:3:1"


@pytest.mark.parametrize(
    "place", ["x", "{}:2:0", "{}:0:1", "other:0:0", "{}:0", "{}:-1:0", "{}:٣:0"]
)
async def test_place_that_never_was_is_not_resumed(alice, place):
    """Such a client is told what to request."""
    await tell(alice, "a")
    epoch = (await Inbox.objects.aget(user=alice)).epoch

    async with stream_of(alice, place.format(epoch)) as body:
        await read(body)
        place, resumed = await read(body)

    assert resumed == {
        "type": "resumed",
        "recovered": False,
        "epoch": epoch,
        "last_seq": 1,
        "last_announcement": 0,
        "refetch": REFETCH,
    }
    assert place == f"{epoch}:1:0"


async def test_client_that_missed_too_much_starts_over(alice, settings):
    """What was deleted, and more than RESUME_LIMIT, is not sent again."""
    async with stream_of(alice) as body:
        place, _ = await read(body)
    await tell(alice, *range(4))
    settings.RESUME_LIMIT = 3
    async with stream_of(alice, place) as body:
        await read(body)
        assert (await read(body))[1]["recovered"] is False
    settings.RESUME_LIMIT = 4
    await sync_to_async(call_command)("prune_notifications", "--keep", "2")
    async with stream_of(alice, place) as body:
        await read(body)
        assert (await read(body))[1]["recovered"] is False
        await tell(alice, "next")
        assert await values_of(body, 1) == ["next"]


async def test_gap_in_an_open_stream_is_told(alice, both):
    """If events are deleted before they were sent, the client requests the lists."""
    async with stream_of(alice) as body:
        await read(body)
        await sync_to_async(publish_and_delete)(alice)
        place, frame = await read(body)
        await tell(alice, "b")

        assert (frame["type"], frame["recovered"]) == ("resumed", False)
        assert await values_of(body, 1) == ["b"]


def publish_and_delete(user):
    """Store an event, and delete it before anybody is told."""
    with transaction.atomic():
        publish(user_ids=[user.pk], kind="new_post", data={"id": "lost"})
        Notification.objects.all().delete()


async def test_event_between_the_numbers_and_the_groups_is_sent(alice, monkeypatch):
    """What is stored while a stream begins is in its numbers, or wakes it."""
    join = hints.Hints.join

    async def join_slowly(self):
        await join(self)
        await tell(alice, "a")

    monkeypatch.setattr(hints.Hints, "join", join_slowly)
    async with stream_of(alice) as body:
        place, greeting = await read(body)
        await tell(alice, "b")

        assert greeting["last_seq"] == 1
        assert await values_of(body, 1) == ["b"]


async def test_lost_hint_is_found_at_the_next_beat(
    alice, quick_heartbeats, monkeypatch
):
    """The database knows what no hint has told."""
    monkeypatch.setattr("notifications.events.send_frame", lambda *frame: None)
    async with stream_of(alice) as body:
        await read(body)
        await tell(alice, "a")

        assert await values_of(body, 1) == ["a"]


async def test_stream_without_redis_looks_into_the_database(
    alice, settings, monkeypatch
):
    """A layer that fails costs time, and no event."""
    settings.POLL_SECONDS = 0.05

    async def fail(self):
        raise RedisError("down")

    monkeypatch.setattr(hints.Hints, "join", fail)
    async with stream_of(alice) as body:
        await read(body)
        await tell(alice, "a")

        assert await values_of(body, 1) == ["a"]


@pytest.fixture
def layer_after(monkeypatch):
    """A function that has the layer do something after a stream has joined a group."""

    def add(then):
        layer = hints.get_channel_layer()
        group_add = layer.group_add

        async def add_and_then(group, channel):
            await group_add(group, channel)
            await then()

        monkeypatch.setattr(layer, "group_add", add_and_then)
        return layer

    return add


async def test_stream_that_fails_to_join_leaves(layer_after, settings):
    """Redis fails when the stream is in the first of its groups: it looks for itself."""
    settings.POLL_SECONDS = 0.05

    async def fail():
        raise RedisError("down")

    layer = layer_after(fail)
    async with asyncio.timeout(10), hints.Hints(["a", "b"]) as woken:
        assert list(layer.groups) == ["a"]
        await woken.wait(60)

    assert not layer.groups
    assert not stopping.listeners


async def test_client_that_goes_while_its_stream_joins(layer_after):
    """Nothing is left of the stream."""

    async def wait():
        await asyncio.sleep(60)

    layer = layer_after(wait)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), hints.Hints(["a", "b"]):
            pass

    assert not layer.groups
    assert not stopping.listeners


async def test_stream_ends_with_its_token(alice):
    """Not a second later, and its place is free."""
    async with stream_of(alice, exp=time.time() + 0.3) as body:
        await read(body)

        assert await read(body) == (None, None)
    assert not await alice.connections.filter(open=True).aexists()


async def test_stream_ends_with_a_logout(alice):
    """The hint that ends sockets ends streams, too."""
    refresh = await sync_to_async(RefreshToken.for_user)(alice)
    login = {"login": refresh["jti"]}
    async with stream_of(alice, **login) as body:
        await read(body)
        await anext(body)  # the comment: it waits
        await sync_to_async(refresh.blacklist)()

        assert await read(body) == (None, None)


async def test_logout_is_noticed_without_a_layer(alice, quick_heartbeats, settings):
    """As a socket whose hint is lost: at the next beat."""
    settings.WEBSOCKETS = False
    refresh = await sync_to_async(RefreshToken.for_user)(alice)
    async with stream_of(alice, login=refresh["jti"]) as body:
        await read(body)
        await sync_to_async(refresh.blacklist)()

        assert await read(body) == (None, None)


async def test_stream_ends_with_its_server(alice):
    """Otherwise the server would wait for it. The client goes to another one."""
    async with stream_of(alice) as body:
        await read(body)
        await anext(body)
        [listener] = stopping.listeners
        listener()

        assert await read(body) == (None, None)
    assert not stopping.listeners


async def test_forgotten_stream_ends(alice, quick_heartbeats):
    """Its place may have been taken: the client comes back."""
    async with stream_of(alice) as body:
        await read(body)
        await Connection.objects.all().adelete()

        assert await read(body) == (None, None)


async def test_stream_is_a_limited_amount(alice, settings):
    """A client confirms what it has read with its next request."""
    settings.MAX_UNCONFIRMED_BYTES = 1000
    async with stream_of(alice) as body:
        place, _ = await read(body)
        await tell(alice, *range(50))
        values = []
        while (event := await read(body))[1]:
            place = event[0]
            values.append(event[1]["data"]["id"])
    async with stream_of(alice, place) as body:
        await read(body)
        values += await values_of(body, 1)

    assert 3 < len(values) < 20
    assert values == list(range(len(values)))


async def test_failing_database_ends_a_stream(
    alice, quick_heartbeats, monkeypatch, caplog
):
    """The client comes back when it works again; there is one entry in the log."""

    async def fail(claims):
        raise OperationalError("gone")

    async with stream_of(alice) as body:
        await read(body)
        monkeypatch.setattr("notifications.open_stream.user_of", fail)

        assert await read(body) == (None, None)
    assert "so a stream ends" in caplog.text


async def test_streams_are_measured_and_logged(alice, caplog):
    """As sockets are: how many are open, what they are sent, how they come back."""
    caplog.set_level("INFO")
    change = Change()
    async with stream_of(alice, "x") as body:
        await read(body)
        await read(body)
        await tell(alice, "a")
        await values_of(body, 1)
        assert change["streams_open"] == 1
        assert change["frames_sent_total"] == 1
        assert change["resumes_total", "refetch"] == 1
    assert change["streams_open"] == 0
    assert "Stream opened" in caplog.text
    assert "Stream ended" in caplog.text


# As a request


def get(token=None, **headers):
    """A request for a stream, as a server passes it on."""
    names = {"host": "testserver", **headers}
    if token:
        names["authorization"] = f"Bearer {token}"
    pairs = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in names.items()
    ]
    return HttpCommunicator(application, "GET", URL, headers=pairs)


async def chunk(request):
    """The next piece of a body."""
    return (await request.receive_output(10))["body"].decode()


async def test_request_is_answered_with_a_stream(alice):
    """Its headers tell caches and proxies to pass it on; when the client leaves, it ends."""
    request = get(AccessToken.for_user(alice))
    await request.send_input({"type": "http.request"})
    start = await request.receive_output(10)
    headers = {name.lower(): value for name, value in start["headers"]}

    assert start["status"] == 200
    assert headers[b"content-type"] == b"text/event-stream"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-accel-buffering"] == b"no"
    assert "connection_established" in await chunk(request)
    assert await chunk(request) == ": still here\n\n"
    assert await alice.connections.filter(open=True).acount() == 1
    await request.send_input({"type": "http.disconnect"})
    await request.wait(10)
    assert not await alice.connections.filter(open=True).aexists()


async def test_idle_stream_has_no_thread(alice):
    """Django's thread for the request ends when the stream begins."""
    before = set(threading.enumerate())
    requests = [get(AccessToken.for_user(alice)) for _ in range(3)]
    for request in requests:
        await request.send_input({"type": "http.request"})
        await request.receive_output(10)
        await chunk(request)
        await chunk(request)

    # One is shared by all streams and sockets of a process.
    async with asyncio.timeout(10):
        while len(set(threading.enumerate()) - before) > 1:
            await asyncio.sleep(0.01)
    for request in requests:
        await request.send_input({"type": "http.disconnect"})
        await request.wait(10)


@pytest.mark.parametrize("token", [None, "x"])
async def test_request_without_a_token_is_refused(token):
    """As by the rest of the API."""
    response = await get(token).get_response(timeout=10)

    assert response["status"] == 401
    assert (b"WWW-Authenticate", b'Bearer realm="api"') in response["headers"]
    assert b"access token" in response["body"]


async def test_streams_count_as_sockets(alice, settings):
    """Together a user has SOCKETS_PER_USER."""
    settings.SOCKETS_PER_USER = 1
    await enter(alice.pk, "a socket")

    response = await get(AccessToken.for_user(alice)).get_response(timeout=10)

    assert response["status"] == 429


def test_wsgi_is_refused(api):
    """A server that speaks WSGI would need a thread for each stream."""
    response = api.get(URL)

    assert response.status_code == 501
    assert "WSGI" in response.json()["detail"]


# A client that does not read


async def stream(scope, receive, send):
    """An application that streams."""
    header = (b"Content-Type", b"text/event-stream")
    await send({"type": "http.response.start", "status": 200, "headers": [header]})
    while True:
        await send({"type": "http.response.body", "body": b"x", "more_body": True})


async def hang(message):
    """A server that waits for its client."""
    if message["type"] == "http.response.body":
        await asyncio.sleep(60)


async def test_client_that_does_not_read_is_cut_off(settings, caplog):
    """It costs a few seconds, and is counted."""
    settings.SEND_SECONDS = 0.05
    change = Change()

    await StreamMiddleware(stream)({}, None, hang)

    assert change["events_dropped_total", "unread"] == 1
    assert "does not read" in caplog.text


async def test_other_timeouts_are_not_hidden():
    """Only streams are limited."""

    async def fails(scope, receive, send):
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await StreamMiddleware(fails)({}, None, hang)

"""What is counted while sockets open, receive, resume and close."""

import time

import pytest
from asgiref.sync import sync_to_async
from prometheus_client import REGISTRY
from redis.exceptions import RedisError

from notifications import events, metrics
from notifications.observed import ObserverMiddleware
from notifications.services import send_frames
from notifications.tests.sockets import Socket, close_code, greeted, socket_for

publish = sync_to_async(events.publish)
live = pytest.mark.django_db(transaction=True)


class Change:
    """By how much each metric has changed since this was made."""

    def __init__(self):
        self.before = self.read()

    @staticmethod
    def read():
        return {
            (
                sample.name.removeprefix("numeneon_"),
                *sample.labels.values(),
            ): sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
        }

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        return self.read().get(key, 0) - self.before.get(key, 0)


@pytest.fixture
def change():
    return Change()


def observed(application):
    """A socket to an application that is observed."""
    return Socket(ObserverMiddleware(application), "/")


async def accepts(scope, receive, send):
    """An application that accepts, says hello, and waits for the end."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "hello"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def test_open_socket_is_counted(change):
    """The gauge goes up and down, the counters only up."""
    socket = observed(accepts)
    await socket.connect()
    assert await socket.receive_from() == "hello"

    assert (change["sockets_open"], change["socket_connects_total"]) == (1, 1)
    assert change["frames_sent_total"] == 1

    await socket.disconnect(code=1001)

    assert (change["sockets_open"], change["socket_connects_total"]) == (0, 1)
    assert change["socket_closes_total", "1001"] == 1


async def test_first_code_counts(change):
    """The server closes with 4401: what the client answers is not the reason."""

    async def closes(scope, receive, send):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4401})
        await receive()
        assert (await receive())["type"] == "websocket.disconnect"

    socket = observed(closes)
    await socket.connect()
    await socket.disconnect(code=1005)

    assert change["socket_closes_total", "4401"] == 1
    assert change["socket_closes_total", "1005"] == 0


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError, "1011"), (ConnectionResetError, "1006")]
)
async def test_socket_that_fails_is_not_open(change, error, code):
    """An error in the application, or a client that has gone while it was sent a frame."""

    async def fails(scope, receive, send):
        await send({"type": "websocket.accept"})
        if error is ValueError:
            raise error
        await send({"type": "websocket.send", "text": "to nobody"})

    async def send(message):
        if message["type"] == "websocket.send":
            raise error

    with pytest.raises(error):
        await ObserverMiddleware(fails)({}, None, send)

    assert change["sockets_open"] == 0
    assert change["socket_closes_total", code] == 1


async def test_refused_handshake_was_never_open(change):
    """Neither a connection nor a close is counted."""

    async def refuses(scope, receive, send):
        await send({"type": "websocket.close"})

    socket = observed(refuses)
    await socket.connect()
    await socket.wait()

    assert change["socket_connects_total"] == 0
    assert change["sockets_open"] == 0


def test_strange_codes_are_one_series(change):
    """A client cannot add to what is stored."""
    for code in range(3000, 3020):
        metrics.count_close(code)

    assert change["socket_closes_total", "other"] == 20
    assert change["socket_closes_total", "3000"] == 0


@live
async def test_delay_is_measured(alice, change):
    """From publishing to sending, once for each socket."""
    async with greeted(socket_for(alice)) as one, greeted(socket_for(alice)) as two:
        began = time.time()
        await publish(user_ids=[alice.pk], kind="new_message", data={})
        for socket in (one, two):
            await socket.receive_json_from()
    longest = time.time() - began

    assert change["publish_to_send_seconds_count"] == 2
    assert 0 < change["publish_to_send_seconds_sum"] <= 2 * longest


@live
async def test_resumes_are_counted_by_outcome(alice, change):
    """Some clients get what they missed, others have to request it."""
    async with greeted(socket_for(alice)) as socket:
        inbox = await sync_to_async(lambda: alice.inbox)()
        for epoch in (inbox.epoch, "unknown"):
            await socket.send_json_to({"type": "resume", "epoch": epoch, "seq": 0})
            await socket.receive_json_from()

    assert change["resumes_total", "recovered"] == 1
    assert change["resumes_total", "refetch"] == 1


@live
async def test_missed_events_are_counted(alice, change):
    """Two were lost on the way: the third one shows it."""
    async with greeted(socket_for(alice)) as socket:
        frame = {"type": "new_message", "data": {}, "seq": 3}
        await sync_to_async(send_frames)({alice.pk: frame})
        await socket.receive_json_from()

    assert change["events_dropped_total", "missed"] == 2


@live
async def test_unread_events_are_counted(alice, change, settings):
    """Those that a client would have to leave unread."""
    settings.MAX_UNCONFIRMED_BYTES = 300
    async with greeted(socket_for(alice)) as socket:
        frame = {"type": "new_message", "data": "x" * 300}
        await sync_to_async(send_frames)({alice.pk: frame})

        assert await close_code(socket) == 4408
    assert change["events_dropped_total", "unread"] == 1


def test_events_that_the_layer_does_not_take_are_counted(change, settings):
    """The caller learns of it, too."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:9"]},
        }
    }

    with pytest.raises(RedisError):
        send_frames({1: {"type": "a"}, 2: {"type": "b"}})

    assert change["events_dropped_total", "layer"] == 2

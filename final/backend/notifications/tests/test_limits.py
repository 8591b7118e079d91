"""What a client may do to its socket, and when that ends."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from notifications.limits import MOST_BAD_FRAMES, TokenBucket
from notifications.services import send_frame
from notifications.tests.sockets import close_code, greeted, socket_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr("time.monotonic", lambda: Clock.now)
    return Clock


def test_bucket_is_full_at_first(clock):
    """So many are allowed at once, and not one more."""
    bucket = TokenBucket(per_minute=3)

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_bucket_fills_evenly(clock):
    """After a third of a minute there is a third of them again."""
    bucket = TokenBucket(per_minute=3)
    for _ in range(3):
        bucket.take()
    clock.now += 20

    assert [bucket.take(), bucket.take()] == [True, False]


def test_bucket_does_not_overflow(clock):
    """After an hour there are no more than at first."""
    bucket = TokenBucket(per_minute=3)
    clock.now += 3600

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


async def test_flood_is_ended(alice, settings):
    """One frame too many in a minute closes the socket with 4429."""
    settings.FRAMES_PER_MINUTE = 3
    async with greeted(socket_for(alice)) as socket:
        for _ in range(3):
            await socket.send_json_to({"type": "ping"})
            assert (await socket.receive_json_from())["type"] == "pong"
        await socket.send_json_to({"type": "ping"})

        assert await close_code(socket) == 4429


@pytest.mark.parametrize("sign", ["x", "é"])
async def test_large_frame_is_refused(alice, settings, sign):
    """A frame of more bytes than allowed closes the socket with 4400."""
    settings.MAX_FRAME_BYTES = 1000
    async with greeted(socket_for(alice)) as socket:
        await socket.send_to(text_data=f'"{"x" * 998}"')
        assert (await socket.receive_json_from())["type"] == "error"

        await socket.send_to(text_data=f'"{sign * 999}"')

        assert await close_code(socket) == 4400


async def test_large_binary_frame_is_refused(alice, settings):
    """Its bytes count too."""
    settings.MAX_FRAME_BYTES = 1000
    async with greeted(socket_for(alice)) as socket:
        await socket.send_to(bytes_data=bytes(1001))

        assert await close_code(socket) == 4400


async def test_nonsense_is_answered_only_so_often(alice):
    """A client that never sends anything sensible is closed with 4400."""
    async with greeted(socket_for(alice)) as socket:
        for _ in range(MOST_BAD_FRAMES):
            await socket.send_to(text_data="nonsense")
            assert (await socket.receive_json_from())["type"] == "error"

        assert await close_code(socket) == 4400


@sync_to_async
def tell(user, text):
    send_frame({"type": "new_message", "data": {"content": text}}, {user.pk: {}})


async def test_client_that_confirms_nothing_is_cut_off(alice, settings):
    """After so many bytes without a frame from the client, it is closed with 4408."""
    settings.MAX_UNCONFIRMED_BYTES = 1000
    async with greeted(socket_for(alice)) as socket:
        for _ in range(3):
            await tell(alice, "x" * 300)

        assert await close_code(socket) == 4408


async def test_any_frame_confirms(alice, settings):
    """A client that sends a ping now and then gets all."""
    settings.MAX_UNCONFIRMED_BYTES = 1000
    async with greeted(socket_for(alice)) as socket:
        for _ in range(5):
            await tell(alice, "x" * 300)
            assert (await socket.receive_json_from())["type"] == "new_message"
            await socket.send_json_to({"type": "ping"})
            assert (await socket.receive_json_from())["type"] == "pong"


async def test_server_gives_a_client_up(alice, settings):
    """A send() that never ends, like uvicorn's with a client that does not read, is given up."""
    settings.SEND_SECONDS = 0.05
    scope = socket_for(alice).scope
    application = socket_for(alice).application
    sent = []

    async def receive():
        await asyncio.sleep(0 if not sent else 60)
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])
        if message["type"] == "websocket.send":
            await asyncio.sleep(60)

    await asyncio.wait_for(application(scope, receive, send), 10)

    assert sent == ["websocket.accept", "websocket.send"]
    assert not await alice.connections.filter(open=True).aexists()

"""A process that has to end lets its clients go, one after the other."""

import asyncio
import signal

import pytest
from asgiref.sync import sync_to_async
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from notifications import draining
from notifications.hints import Hints
from notifications.observed import ObserverMiddleware
from notifications.tests.sockets import Socket, close_code, socket_for
from notifications.tests.test_event_stream import get

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def stays(monkeypatch):
    """Nothing of a test's end is left for the next one."""
    yield
    draining.leaving.clear()


@pytest.fixture
def servers_handler(monkeypatch):
    """What the server does about SIGTERM: it notes the time."""
    calls = []
    handler = lambda *args: calls.append(asyncio.get_running_loop().time())
    monkeypatch.setattr(signal, "getsignal", {signal.SIGTERM: handler}.get)
    return calls


@pytest.fixture
async def sigterm(servers_handler):
    """A function that has this process get a SIGTERM, as far as its lifespan can tell."""
    loop, handlers = asyncio.get_running_loop(), {}
    loop.add_signal_handler = handlers.__setitem__
    said, told = asyncio.Queue(), asyncio.Queue()
    running = asyncio.create_task(draining.lifespan({}, said.get, told.put))
    said.put_nowait({"type": "lifespan.startup"})
    assert (await told.get())["type"] == "lifespan.startup.complete"
    yield handlers[signal.SIGTERM]
    said.put_nowait({"type": "lifespan.shutdown"})
    await running
    assert (await told.get())["type"] == "lifespan.shutdown.complete"


async def open_socket(user):
    socket = socket_for(user)
    await socket.connect()
    await socket.receive_json_from()
    return socket


async def test_sockets_are_closed_in_turn(
    alice, settings, sigterm, servers_handler, monkeypatch
):
    """With 1012, spread over the time that there is; then the server ends."""
    settings.DRAIN_SECONDS = 9
    sockets = [await open_socket(alice) for _ in range(3)]
    ends = [asyncio.create_task(close_code(socket)) for socket in sockets]
    loop = asyncio.get_running_loop()
    began, closed = loop.time(), []

    sigterm()
    with monkeypatch.context() as stopped:
        # Only the test moves the clock: on no machine a turn comes too late.
        for now in range(10):
            stopped.setattr(loop, "time", lambda now=now: began + now)
            for _ in range(100):
                await asyncio.sleep(0)
            closed.append(sum(end.done() for end in ends))

    assert closed == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert {await end for end in ends} == {1012}
    assert len(servers_handler) == 1
    for socket in sockets:
        await socket.disconnect()
    assert not await alice.connections.filter(open=True).aexists()


async def test_process_without_sockets_ends_at_once(sigterm, servers_handler):
    """There is nobody to wait for."""
    sigterm()
    async with asyncio.timeout(10):
        while not servers_handler:
            await asyncio.sleep(0.01)

    assert len(servers_handler) == 1


async def test_second_signal_ends_it_now(alice, settings, sigterm, servers_handler):
    """A second SIGTERM means: hurry."""
    settings.DRAIN_SECONDS = 60
    sockets = [await open_socket(alice) for _ in range(2)]

    sigterm()
    await asyncio.sleep(0.01)
    assert servers_handler == []
    sigterm()

    assert len(servers_handler) == 1
    for socket in sockets:
        await socket.disconnect()
    for task in draining.tasks:
        task.cancel()


async def test_process_that_leaves_says_so():
    """Load balancers send their requests elsewhere."""
    draining.leaving.set()

    answer = await sync_to_async(APIClient().get)("/api/v1/health/")

    assert (answer.status_code, answer.json()["status"]) == (503, "draining")
    assert answer.json()["ready"] is False


async def test_process_that_leaves_takes_no_new_sockets_and_streams(alice):
    """They would have to go at once."""
    draining.leaving.set()
    socket = Socket(ObserverMiddleware(None), "/")
    stream = get(AccessToken.for_user(alice))
    await stream.send_input({"type": "http.request"})

    assert not (await socket.connect())[0]
    assert (await stream.receive_output(10))["status"] == 503
    async with Hints([]) as hints:
        assert hints.stopped  # a stream that was let in a moment before


async def test_server_without_signals_is_no_problem(monkeypatch):
    """On Windows a process is only killed."""

    def missing(*args):
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", missing)
    sent = []

    async def receive():
        return {}

    async def send(message):
        sent.append(message["type"])

    await draining.lifespan({}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

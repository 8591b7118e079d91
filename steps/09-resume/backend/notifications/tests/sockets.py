"""Sockets for tests."""

from contextlib import asynccontextmanager

from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from notifications.routing import websocket_urlpatterns


class Socket(WebsocketCommunicator):
    """A client that is patient: a busy computer may need more than Channels' one second."""

    async def receive_output(self, timeout=10):
        """Wait for what the server sends next."""
        return await super().receive_output(max(timeout, 10))

    async def disconnect(self, code=1000, timeout=4):
        """Go away, and wait until the server has cleaned up."""
        await super().disconnect(code, timeout)


def socket_for(user, path="/ws/notifications/"):
    """A socket whose user is known, as if the middleware had found them."""
    socket = Socket(URLRouter(websocket_urlpatterns), path)
    socket.scope["user"] = user
    return socket


@asynccontextmanager
async def greeted(socket):
    """Open a socket, read the greeting, and close it in the end."""
    accepted, _ = await socket.connect()
    assert accepted
    await socket.receive_json_from()
    try:
        yield socket
    finally:
        # Also raises what ended the consumer, which might go unnoticed otherwise.
        await socket.disconnect()

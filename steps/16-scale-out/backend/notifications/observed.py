"""Sees every socket from outside: how it begins and how it ends, also after an error."""

import logging
import time

from notifications import metrics
from numeneon.stopping import leaving

logger = logging.getLogger(__name__)


class ObserverMiddleware:
    """Counts sockets, and the frames that they are sent."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        """Called by the server for each WebSocket; it returns when the socket has ended."""
        if leaving.is_set():
            # Refused: the client tries again, and gets to another process.
            await send({"type": "websocket.close"})
            return
        socket = ObservedSocket(receive, send)
        try:
            await self.application(scope, socket.receive, socket.send)
        except Exception:
            socket.ends_with(1011)
            raise
        finally:
            # Also after an error: a gauge that only disconnect() lowers would stay too high.
            socket.count_end()


class ObservedSocket:
    """Passes on what a server and an application say to each other about one socket."""

    def __init__(self, receive, send):
        self.receive_from_server = receive
        self.send_to_server = send
        self.accepted_at = None
        self.code = None

    async def receive(self):
        """Called by the application for the next message from the server."""
        message = await self.receive_from_server()
        if message["type"] == "websocket.disconnect":
            self.ends_with(message.get("code"))
        return message

    async def send(self, message):
        """Called by the application with each message for the server."""
        try:
            await self.send_to_server(message)
        except OSError:
            # This is how uvicorn says that the client has gone.
            self.ends_with(1006)
            raise
        if message["type"] == "websocket.accept":
            self.accepted_at = time.monotonic()
            logger.info("Socket accepted")
            metrics.CONNECTS.inc()
            metrics.OPEN.inc()
        elif message["type"] == "websocket.send":
            metrics.FRAMES.inc()
        elif message["type"] == "websocket.close":
            self.ends_with(message.get("code") or 1000)

    def ends_with(self, code):
        """Note the code with which the socket ends. The first one is the reason."""
        self.code = self.code or code

    def count_end(self):
        """Count the end of a socket. One that was never accepted was never open."""
        if self.accepted_at is None:
            logger.info("Socket refused")
            return
        code = self.code or 1006  # there was no close frame
        seconds = round(time.monotonic() - self.accepted_at, 1)
        metrics.OPEN.dec()
        metrics.count_close(code)
        logger.info("Socket ended", extra={"code": code, "seconds": seconds})

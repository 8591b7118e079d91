"""What a client may cost: the size and the rate of its frames, and what it leaves unread."""

import asyncio
import logging
import time

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from notifications import metrics

logger = logging.getLogger(__name__)

MOST_BAD_FRAMES = 10


class TokenBucket:
    """Allows so many frames a minute; what was not used is saved for up to a minute."""

    def __init__(self, per_minute):
        self.per_minute = per_minute
        self.tokens = per_minute
        self.filled_at = time.monotonic()

    def take(self):
        """Take a token. Return False if there is none."""
        now = time.monotonic()
        new = (now - self.filled_at) / 60 * self.per_minute
        self.tokens = min(self.tokens + new, self.per_minute)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class LimitedConsumer(AsyncJsonWebsocketConsumer):
    """A socket for JSON that is closed when its client breaks a limit."""

    closed = False
    bad_frames = 0
    unconfirmed = 0  # how many bytes were sent since the client's last frame

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.bucket = TokenBucket(settings.FRAMES_PER_MINUTE)

    async def __call__(self, scope, receive, send):
        """Called by Channels for each socket, until the socket has ended."""

        async def send_in_time(message):
            # Under uvicorn send() waits for a client that does not read.
            async with asyncio.timeout(settings.SEND_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            metrics.DROPPED.labels("unread").inc()
            logger.warning("A client does not read what it is sent: its socket ends")
        finally:
            # In every case: disconnect() is not called after an exception.
            await self.leave()

    async def leave(self):
        """Called when the socket has ended: nothing of it may stay behind."""

    async def dispatch(self, message):
        """Called by Channels for everything that happens to this socket."""
        if not self.closed or message["type"] == "websocket.disconnect":
            await super().dispatch(message)

    async def close(self, code=None, reason=None):
        """Close the socket, once: sending anything afterwards is an error."""
        if not self.closed:
            self.closed = True
            await super().close(code, reason)

    async def send_json(self, content, close=False):
        """Send a frame, unless the client has left too much unconfirmed."""
        text = await self.encode_json(content)
        self.unconfirmed += len(text)
        if self.unconfirmed > settings.MAX_UNCONFIRMED_BYTES:
            metrics.DROPPED.labels("unread").inc()
            await self.close(code=4408)
        if not self.closed:
            await self.send(text_data=text, close=close)

    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        """Called for each frame from the client: it shows that the client reads."""
        self.unconfirmed = 0
        if not self.bucket.take():
            await self.close(code=4429)
            return
        text = text_data or ""
        if max(len(text.encode()), len(bytes_data or b"")) > settings.MAX_FRAME_BYTES:
            await self.close(code=4400)
            return
        try:
            content = await self.decode_json(text)
        except (ValueError, RecursionError):
            # An uncaught exception would close the socket.
            await self.complain("Send JSON in a text frame.")
        else:
            await self.receive_json(content)

    async def complain(self, message):
        """Tell the client what is wrong with its frame, but only so often."""
        self.bad_frames += 1
        await self.send_json({"type": "error", "message": message})
        if self.bad_frames >= MOST_BAD_FRAMES:
            await self.close(code=4400)

"""What a client may cost: the size and the rate of its frames, and what it leaves unread."""

import asyncio
import logging
import time
from asyncio import FIRST_COMPLETED as FIRST
from functools import partial

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings

from notifications import draining, metrics

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
    sending = None  # since when send() has been waiting
    bad_frames = 0
    unconfirmed = 0  # how many bytes were sent since the client's last frame

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.bucket = TokenBucket(settings.FRAMES_PER_MINUTE)

    async def __call__(self, scope, receive, send):
        """Called by Channels for each socket, until the socket has ended."""
        self.scope, self.asgi_send = scope, send
        self.channel_layer = get_channel_layer()
        self.channel_name = await self.channel_layer.new_channel()
        # Channels' own __call__() starts a task for each event; here are two for all.
        self.turn = asyncio.Lock()
        next_event = partial(self.channel_layer.receive, self.channel_name)
        tasks = [asyncio.create_task(self.take(each)) for each in (receive, next_event)]
        draining.sockets.add(self)
        try:
            await self.wait_for_any(tasks)
        except StopConsumer:
            pass
        except TimeoutError:
            metrics.DROPPED.labels("unread").inc()
            logger.warning("A client does not read what it is sent: its socket ends")
        finally:
            # In every case: disconnect() is not called after an exception.
            draining.sockets.discard(self)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.leave()

    async def take(self, receive):
        """Runs as long as the socket does: takes what comes from its client, or its groups."""
        while True:
            message = await receive()
            # One after the other, whether they come from here or from there.
            async with self.turn:
                await self.dispatch(message)

    async def wait_for_any(self, tasks):
        """Wait until one of the tasks ends, or cannot send what it has to."""
        seconds, done = settings.SEND_SECONDS, ()
        while not done:
            # A look now and then at each socket costs less than a timer for each frame.
            done, _ = await asyncio.wait(tasks, timeout=seconds / 2, return_when=FIRST)
            if self.sending and time.monotonic() - self.sending > seconds:
                raise TimeoutError
        done.pop().result()

    async def base_send(self, message):
        """Called by Channels with each message for the server."""
        # Under uvicorn send() waits for a client that does not read.
        self.sending = time.monotonic()
        await self.asgi_send(message)
        self.sending = None

    async def leave(self):
        """Called when the socket has ended: nothing of it may stay behind."""

    async def dispatch(self, message):
        """Called by Channels for everything that happens to this socket."""
        if self.closed and message["type"] != "websocket.disconnect":
            return
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        # Channels' dispatch() has a thread close old database connections first, for every
        # event. What uses the database here does so: it is all in database_sync_to_async.
        await handler(message)

    async def close(self, code=None, reason=None):
        """Close the socket, once: sending anything afterwards is an error."""
        if not self.closed:
            self.closed = True
            await super().close(code, reason)

    async def send_json(self, content, close=False):
        """Send a frame."""
        await self.send_text(await self.encode_json(content))

    async def send_text(self, text):
        """Send a frame that is text already, unless too much is unconfirmed."""
        self.unconfirmed += len(text)
        if self.unconfirmed > settings.MAX_UNCONFIRMED_BYTES:
            metrics.DROPPED.labels("unread").inc()
            await self.close(code=4408)
        if not self.closed:
            await self.base_send({"type": "websocket.send", "text": text})

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

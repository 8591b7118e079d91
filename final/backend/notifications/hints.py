"""Tells a stream that there may be something new. The database knows what it is."""

import asyncio
from contextlib import suppress

from django.conf import settings
from redis.exceptions import RedisError

from notifications import metrics
from notifications.layers import get_channel_layer
from notifications.services import SEND_TIMEOUT
from numeneon import stopping


class Hints:
    """Woken by the groups that a socket would be in; by the clock, if there is no layer."""

    def __init__(self, groups):
        self.groups = groups
        self.layer = get_channel_layer()
        self.arrived = asyncio.Event()
        self.check_session = False
        self.stopped = False
        self.oldest = {}  # that was not measured
        self.has_joined = False
        self.listener = None

    async def __aenter__(self):
        """Join the groups: from here on nothing is missed."""
        stopping.listen(self.stop)
        # The process may have been told before this stream was listening.
        self.stopped = stopping.leaving.is_set()
        try:
            # Without its Redis, a stream is as one on a server that has no layer.
            with suppress(OSError, RedisError):
                if self.layer:
                    async with asyncio.timeout(SEND_TIMEOUT):
                        await self.join()
        except BaseException:
            # The client has gone meanwhile: then nobody else calls __aexit__().
            await self.__aexit__()
            raise
        return self

    async def join(self):
        """Listen, and become a member of the groups."""
        self.channel = await self.layer.new_channel()
        self.listener = asyncio.create_task(self.listen())
        for group in self.groups:
            await self.layer.group_add(group, self.channel)
        self.has_joined = True

    async def listen(self):
        """Runs until the stream ends."""
        while True:
            message = await self.layer.receive(self.channel)
            if message["type"] == "session.check":
                self.check_session = True
            self.oldest = self.oldest or message
            self.arrived.set()

    def stop(self):
        """Called when the server is told to stop."""
        self.stopped = True
        self.arrived.set()

    @property
    def only_news(self):
        """Whether nothing but news has been told."""
        return not self.check_session and not self.stopped

    @property
    def may_be_woken(self):
        """Whether hints can come. Only the hub can say that its Redis is down."""
        if not self.has_joined or self.listener.done():
            return False
        return getattr(self.layer, "is_listening", True)

    async def wait(self, seconds):
        """Wait for a hint, or until it is time to look without one."""
        if not self.may_be_woken:
            seconds = min(seconds, settings.POLL_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.arrived.wait()
        self.arrived.clear()

    def measure(self):
        """Observe how long the oldest hint took until all that is new was sent."""
        metrics.observe_delay(self.oldest)
        self.oldest = {}

    async def __aexit__(self, *error):
        """Leave the groups, also if not all of them were joined."""
        stopping.listeners.discard(self.stop)
        if not self.listener:
            return
        # One task receives all the time: Redis's layer forgets a channel whose receive()
        # is cancelled.
        self.listener.cancel()
        for group in self.groups:
            with suppress(OSError, RedisError):
                await self.layer.group_discard(group, self.channel)

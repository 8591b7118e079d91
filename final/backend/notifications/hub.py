"""A channel layer with one connection to Redis for all sockets of a process.

Redis sends this process what is published to the groups that have members here. Each event
is decoded once, however many sockets it is for.
"""

import asyncio
import json
import logging
import secrets
from contextvars import Context

import redis
from channels.layers import BaseChannelLayer
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from notifications.outbox import CATCH_UP, Outbox

logger = logging.getLogger(__name__)

# Deployments that share a Redis need one each: the number of a database separates no groups.
PREFIX = "numeneon:"
# Every process listens to it: one event for many groups is published once.
MANY = PREFIX + "many"
# So many groups get an event each; for more of them there is one that all processes read.
FEW = 20
CONFIRM_SECONDS = 1
QUIET_SECONDS = 10
RECONNECT_SECONDS = 1


class Channel(str):
    """The name of a socket. It carries the socket's outbox, and both end together."""


class HubChannelLayer(BaseChannelLayer):
    """Groups of sockets, whose events come through Redis."""

    def __init__(self, url, capacity=100, **options):
        super().__init__(capacity=capacity)
        self.url = url
        self.options = options
        self.groups = {}  # the channels in each group
        self.confirmed = {}  # by group: set when Redis has confirmed it, or is late
        self.pubsub = None  # while it is connected
        self.listener = None
        # It keeps its connections. One that Redis has dropped fails when it is next used.
        retry = Retry(NoBackoff(), retries=1)
        self.publisher = redis.Redis.from_url(url, retry=retry, **options)

    # Sending

    def publish(self, event, groups):
        """Send an event to groups, with what is each one's own: from synchronous code."""
        pipe = self.publisher.pipeline(transaction=False)
        if len(groups) > FEW:
            pipe.publish(MANY, encode(event, groups))
        else:
            for group, numbers in groups.items():
                pipe.publish(PREFIX + group, encode(event, {group: numbers}))
        pipe.execute()

    async def group_send(self, group, message):
        """Called by code that knows only Channels' own interface."""
        await asyncio.to_thread(self.publish, message, {group: None})

    # Receiving

    @property
    def is_listening(self):
        """Whether Redis sends us now what is published."""
        return self.pubsub is not None

    async def new_channel(self, prefix="socket"):
        """Called by Channels for each socket."""
        channel = Channel(f"{prefix}.{secrets.token_hex(8)}")
        channel.outbox = Outbox(self.capacity)
        if self.listener is None or self.listener.done():
            # In a context of its own: its log lines are not about the first socket.
            self.listener = asyncio.create_task(self.listen(), context=Context())
        return channel

    async def receive(self, channel):
        """Called by Channels for a socket's next event."""
        return await channel.outbox.get()

    async def group_add(self, group, channel):
        """Make a socket a member. With the first one here, Redis is asked for the group."""
        is_new = group not in self.groups
        self.groups.setdefault(group, set()).add(channel)
        confirmed = self.confirmed.setdefault(group, asyncio.Event())
        if is_new and self.pubsub:
            await self.tell_redis(self.pubsub.subscribe(PREFIX + group))
        try:
            # What is published before that is lost.
            await asyncio.wait_for(confirmed.wait(), CONFIRM_SECONDS)
        except TimeoutError:
            # Redis may be down. When it confirms, something may have been missed.
            confirmed.set()

    async def group_discard(self, group, channel):
        """Remove a member. After the last one here, Redis is asked no more."""
        members = self.groups.get(group, set())
        members.discard(channel)
        if members or self.groups.pop(group, None) is None:
            return
        del self.confirmed[group]
        if self.pubsub:
            await self.tell_redis(self.pubsub.unsubscribe(PREFIX + group))

    async def tell_redis(self, command):
        """Have a command sent. If that fails, listen() subscribes to everything later."""
        try:
            await command
        except (OSError, redis.RedisError):
            self.pubsub = None

    async def listen(self):
        """Runs as long as the process does: listens to Redis, however often it goes away."""
        while True:
            try:
                await self.listen_once()
            except Exception as error:
                # Any error: nobody else would listen for this process.
                logger.warning("Not listening to Redis, so events wait: %r", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def listen_once(self):
        """Listen until the connection breaks."""
        retry = AsyncRetry(NoBackoff(), retries=0)  # listen() does that
        client = aioredis.Redis.from_url(self.url, retry=retry, **self.options)
        async with client, client.pubsub() as pubsub:
            # It connects here. Only then may others use it.
            await pubsub.subscribe(MANY)
            self.pubsub = pubsub
            try:
                if self.groups:
                    await pubsub.subscribe(*(PREFIX + name for name in self.groups))
                await self.read(pubsub)
            finally:
                self.pubsub = None

    async def read(self, pubsub):
        """Deliver what comes. A connection that says nothing is asked whether it is there."""
        asked = False
        while True:
            message = await pubsub.get_message(timeout=QUIET_SECONDS)
            if message and message["type"] == "message":
                self.deliver(message["data"])
            elif message and message["type"] == "subscribe":
                self.confirm(message["channel"].decode().removeprefix(PREFIX))
            elif message is None and asked:
                raise ConnectionError("no answer to a ping")
            elif message is None:
                await pubsub.ping()
            asked = message is None

    def confirm(self, group):
        """Note that Redis sends us what is published to a group, from now on."""
        confirmed = self.confirmed.get(group)
        if confirmed and confirmed.is_set():
            # Late, or not for the first time. What was missed is in the database.
            for channel in self.groups[group]:
                channel.outbox.put(CATCH_UP)
        elif confirmed:
            confirmed.set()

    def deliver(self, data):
        """Put an event into the outboxes of those who are here."""
        published = json.loads(data)
        for group, numbers in published["groups"].items():
            if members := self.groups.get(group):
                event = {**published["event"], "numbers": numbers}
                for channel in members:
                    channel.outbox.put(event)


def encode(event, groups):
    """Return what Redis passes on."""
    return json.dumps({"event": event, "groups": groups})

"""The hub: one connection to Redis for all sockets of a process."""

import asyncio
import weakref

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from notifications import hub
from notifications.hints import Hints
from notifications.hub import FEW, MANY, PREFIX, HubChannelLayer
from notifications.outbox import CATCH_UP, Outbox
from notifications.tests.test_metrics import Change

EVENT = {"type": "notify", "text": "hello"}


class Redis:
    """Passes on what is published, as Redis does; it can be switched off."""

    def __init__(self):
        self.up = True
        self.answers = 0  # to so many pings
        self.subscribers = set()
        self.published = []
        self.trips = 0

    def pipeline(self, transaction):
        return Pipeline(self)

    def publish(self, channel, data):
        self.published.append(channel)
        for subscriber in self.subscribers:
            if channel in subscriber.channels:
                subscriber.messages.put_nowait({"type": "message", "data": data})

    def go_down(self):
        self.up = False
        for subscriber in self.subscribers:
            subscriber.messages.put_nowait(None)

    # What the hub asks of redis.asyncio

    def from_url(self, url, **options):
        return self

    def pubsub(self):
        return Subscriber(self)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass


class Pipeline:
    def __init__(self, redis):
        self.redis = redis
        self.commands = []

    def publish(self, *command):
        self.commands.append(command)

    def execute(self):
        if not self.redis.up:
            raise RedisConnectionError("no Redis")
        self.redis.trips += 1
        for command in self.commands:
            self.redis.publish(*command)


class Subscriber:
    def __init__(self, redis):
        self.redis = redis
        self.channels = set()
        self.messages = asyncio.Queue()
        self.asked = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.redis.subscribers.discard(self)

    async def subscribe(self, *channels):
        if not self.redis.up:
            raise RedisConnectionError("no Redis")
        self.redis.subscribers.add(self)
        self.channels.update(channels)
        for channel in channels:
            message = {"type": "subscribe", "channel": channel.encode()}
            self.messages.put_nowait(message)

    async def unsubscribe(self, channel):
        self.channels.discard(channel)

    async def ping(self):
        self.asked += 1
        if self.asked <= self.redis.answers:
            self.messages.put_nowait({"type": "pong"})

    async def get_message(self, timeout):
        try:
            async with asyncio.timeout(timeout):
                message = await self.messages.get()
        except TimeoutError:
            return None
        if message is None:
            raise RedisConnectionError("no Redis")
        return message


@pytest.fixture
def redis(monkeypatch):
    """A Redis in memory, in place of the real one."""
    redis = Redis()
    monkeypatch.setattr(hub.aioredis, "Redis", redis)
    monkeypatch.setattr(hub, "RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr(hub, "CONFIRM_SECONDS", 0.05)
    return redis


@pytest.fixture
async def layer(redis):
    """A hub that listens."""
    layer = HubChannelLayer("redis://", capacity=3)
    layer.publisher = redis
    await layer.new_channel()
    await until(lambda: layer.pubsub)
    yield layer
    layer.listener.cancel()


async def until(condition):
    """Wait until something is true."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def member_of(layer, *groups):
    """The channel of a new socket that is in these groups."""
    channel = await layer.new_channel()
    for group in groups:
        await layer.group_add(group, channel)
    return channel


async def next_of(layer, channel):
    """The next event for a socket, without what the layer adds to it."""
    async with asyncio.timeout(10):
        return await layer.receive(channel)


def waiting(channel):
    """How many events wait for a socket."""
    return len(channel.outbox.events)


async def test_event_reaches_the_members_of_a_group(layer):
    """Two sockets get it, and the one of another group does not."""
    anna, ben = await member_of(layer, "a"), await member_of(layer, "a", "b")
    other = await member_of(layer, "b")

    layer.publish(EVENT, {"a": {"seq": 5}})

    events = [await next_of(layer, channel) for channel in (anna, ben)]
    assert events[0] == {**EVENT, "numbers": {"seq": 5}}
    assert events[0] is events[1]  # decoded once
    assert waiting(other) == 0


async def test_each_group_has_its_own_numbers(layer):
    """What is the same for all is said once, and the numbers are each one's own."""
    channels = [await member_of(layer, f"user_{number}") for number in range(3)]

    layer.publish(EVENT, {f"user_{number}": {"seq": number} for number in range(3)})

    events = [await next_of(layer, channel) for channel in channels]
    assert [event["numbers"]["seq"] for event in events] == [0, 1, 2]


@pytest.mark.parametrize("number", [2, FEW, FEW + 1, 1000])
async def test_one_round_trip_for_all_groups(layer, redis, number):
    """A few groups are sent an event each; one for many is published once."""
    channel = await member_of(layer, "user_1")

    layer.publish(EVENT, {f"user_{each}": {} for each in range(number)})

    assert await next_of(layer, channel) == {**EVENT, "numbers": {}}
    assert redis.trips == 1
    assert len(redis.published) == (number if number <= FEW else 1)


async def test_channels_own_way_to_send(layer):
    """Code that knows only group_send() reaches the sockets, too."""
    channel = await member_of(layer, "a")

    await layer.group_send("a", {"type": "session.check"})

    assert (await next_of(layer, channel))["type"] == "session.check"


async def test_redis_is_asked_for_groups_that_have_members(layer, redis):
    """Asked with the first member, and no more after the last one has left."""
    first, second = await member_of(layer, "a"), await member_of(layer, "a")
    (subscriber,) = redis.subscribers
    assert subscriber.channels == {MANY, PREFIX + "a"}

    await layer.group_discard("a", first)
    assert PREFIX + "a" in subscriber.channels
    await layer.group_discard("a", second)
    await layer.group_discard("a", second)

    assert subscriber.channels == {MANY}
    assert layer.groups == {}


async def test_nothing_is_left_of_a_socket_that_has_ended(layer):
    """However it has, also while events wait for it."""
    channel = await member_of(layer, "a")
    outbox = weakref.ref(channel.outbox)
    layer.publish(EVENT, {"a": {}})
    await until(lambda: waiting(channel))

    await layer.group_discard("a", channel)
    del channel

    assert outbox() is None


async def test_full_outbox_is_emptied(layer):
    """A socket that does not keep up is told so once, when it has time; others get all."""
    slow, quick = await member_of(layer, "a"), await member_of(layer, "a")
    for number in range(10):
        layer.publish(EVENT, {"a": {"seq": number}})
        assert (await next_of(layer, quick))["numbers"]["seq"] == number
        assert waiting(slow) <= 3

    first = await next_of(layer, slow)

    assert first == CATCH_UP


def test_dropped_events_are_counted():
    """All those that a socket is not sent, and no call to catch up."""
    change = Change()
    outbox = Outbox(capacity=3)
    for number in range(4):
        outbox.put({"type": "notify", "numbers": {"seq": number}})
    assert change["events_dropped_total", "outbox"] == 4

    for number in range(3):
        outbox.put({"type": "notify", "numbers": {"seq": number}})

    assert change["events_dropped_total", "outbox"] == 7


async def test_redis_that_comes_back(layer, redis, caplog):
    """The sockets stay, all groups are asked for again, and what was missed is read."""
    channel = await member_of(layer, "a")
    redis.go_down()
    await until(lambda: layer.pubsub is None)
    other = await member_of(layer, "b")  # opened while there is no Redis
    await layer.group_discard("c", other)
    assert "Not listening to Redis, so events wait" in caplog.text
    with pytest.raises(RedisConnectionError):
        layer.publish(EVENT, {"a": {}})
    redis.up = True
    await until(lambda: layer.pubsub)

    for each in (channel, other):
        assert await next_of(layer, each) == CATCH_UP
    layer.publish(EVENT, {"a": {}, "b": {}})
    for each in (channel, other):
        assert (await next_of(layer, each))["type"] == "notify"


async def test_redis_that_says_nothing(layer, redis, monkeypatch):
    """A connection that is quiet is asked, and given up if there is no answer."""
    monkeypatch.setattr(hub, "QUIET_SECONDS", 0.02)
    redis.answers = 1
    (before,) = redis.subscribers
    redis.go_down()
    redis.up = True

    await until(lambda: redis.subscribers and before not in redis.subscribers)
    (quiet,) = redis.subscribers
    await until(lambda: quiet not in redis.subscribers)
    assert quiet.asked == 2


async def test_subscription_that_fails_is_made_up_for(layer, redis):
    """Redis has gone, and the first one to notice is a socket that joins a group."""
    redis.up = False
    channel = await member_of(layer, "a")
    redis.go_down()
    redis.up = True

    assert await next_of(layer, channel) == CATCH_UP
    layer.publish(EVENT, {"a": {}})
    assert (await next_of(layer, channel))["type"] == "notify"


async def test_socket_that_missed_much_is_told_once(layer, redis):
    """However many groups it is in."""
    channel = await member_of(layer, "a", "b")
    redis.go_down()
    redis.up = True
    await until(lambda: layer.pubsub is None)
    await until(lambda: waiting(channel))
    await asyncio.sleep(0.02)

    assert waiting(channel) == 1


async def test_stream_looks_for_itself_without_redis(
    layer, redis, settings, monkeypatch
):
    """Every POLL_SECONDS, also if it began without; then it is woken again."""
    settings.POLL_SECONDS = 0.05
    monkeypatch.setattr("notifications.hints.get_channel_layer", lambda: layer)
    redis.go_down()
    await until(lambda: layer.pubsub is None)
    async with asyncio.timeout(10), Hints(["a"]) as hints:
        await hints.wait(60)
        assert hints.oldest == {}
        redis.up = True
        while hints.oldest != CATCH_UP:
            await hints.wait(60)

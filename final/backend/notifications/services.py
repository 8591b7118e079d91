"""Sending something to people who are connected."""

import asyncio
import json
import time

from asgiref.sync import async_to_sync
from redis.exceptions import RedisError

from notifications import metrics
from notifications.layers import get_channel_layer

SEND_TIMEOUT = 2  # seconds

# The group of all sockets at /ws/notifications/.
EVERYONE = "everyone"


def user_group(user_id):
    """Return the name of the group that holds all sockets of one user."""
    return f"user_{user_id}"


def watcher_group(user_id):
    """Return the name of the group of sockets that this user opened to others' events."""
    return f"watcher_{user_id}"


def send_notification(*, user_ids, kind, data):
    """Send an event to every open socket of these users, from synchronous code."""
    send_frame({"type": kind, "data": data}, dict.fromkeys(user_ids, {}))


def send_frame(frame, numbers):
    """Send a frame to users, with each one's own numbers: a dict by user id."""
    send(frame, {user_group(pk): own for pk, own in numbers.items()})


def send_to_everyone(frame, numbers):
    """Send a frame to all open sockets: one event to one group, however many there are."""
    send(frame, {EVERYONE: numbers})


def send(frame, groups):
    """Send a frame to groups. It becomes text here, once, however many sockets it is for."""
    text = json.dumps(frame)
    try:
        publish({"type": "notify", "text": text, "published_at": time.time()}, groups)
    except (OSError, RedisError):
        # An upper limit: those before the one that failed were sent.
        metrics.DROPPED.labels("layer").inc(len(groups))
        raise


def publish(event, groups):
    """Put an event into groups, with what is each one's own: a dict by group."""
    layer = get_channel_layer()
    if layer is None:
        return  # HTTP only: streams look into the database.
    # type(): the layer of channels_redis looks up attributes in the running event loop.
    if hasattr(type(layer), "publish"):
        layer.publish(event, groups)
    else:
        # One call for all groups: each call may start a new event loop.
        async_to_sync(put_into_groups)(layer, event, groups)


async def put_into_groups(layer, event, groups):
    """Put an event into the groups of a layer that takes one at a time."""
    for group, numbers in groups.items():
        # Without a timeout, a layer that hangs would block the code that sends.
        async with asyncio.timeout(SEND_TIMEOUT):
            await layer.group_send(group, {**event, "numbers": numbers})

"""Sending something to people who are connected."""

import asyncio
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
    send_frames({pk: {"type": kind, "data": data} for pk in user_ids})


def send_frames(frames):
    """Send frames, a dict by user id, to every open socket of the user each is for."""
    send_each({user_group(pk): frame for pk, frame in frames.items()})


def send_to_everyone(frame):
    """Send a frame to all open sockets: one event to one group, however many there are."""
    send_each({EVERYONE: frame})


def send_each(frames):
    """Send frames, a dict by group, each with the time at which it was published."""
    event = {"type": "notify", "published_at": time.time()}
    events = {group: {**event, "payload": frame} for group, frame in frames.items()}
    try:
        # One call to async_to_sync for all groups: each call may start a new event loop.
        async_to_sync(send_to_groups)(events)
    except (OSError, RedisError):
        # An upper limit: those before the one that failed were sent.
        metrics.DROPPED.labels("layer").inc(len(events))
        raise


async def send_to_groups(events):
    """Put each group's event into it."""
    layer = get_channel_layer()
    if layer is None:
        return  # HTTP only: streams look into the database.
    for group, event in events.items():
        # Without a timeout, a layer that hangs would block the code that sends.
        async with asyncio.timeout(SEND_TIMEOUT):
            await layer.group_send(group, event)

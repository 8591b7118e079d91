"""Sending something to people who are connected."""

import asyncio
import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

SEND_TIMEOUT = 2  # seconds


def user_group(user_id):
    """Return the name of the group that holds all sockets of one user."""
    return f"user_{user_id}"


def send_notification(*, user_ids, kind, data):
    """Send an event to every open socket of these users, from synchronous code."""
    send_frames({pk: {"type": kind, "data": data} for pk in user_ids})


def send_frames(frames):
    """Send frames, a dict by user id, to every open socket of the user each is for."""
    events = {
        user_group(pk): {"type": "notify", "payload": frame}
        for pk, frame in frames.items()
    }
    # One call to async_to_sync for all users: each call may start a new event loop.
    async_to_sync(send_to_groups)(events)


def can_send():
    """Return whether the channel layer accepts events."""
    try:
        async_to_sync(send_to_groups)({"health": {"type": "health"}})
    except (OSError, RedisError):
        logger.exception("The channel layer does not answer")
        return False
    return True


async def send_to_groups(events):
    """Put each group's event into it."""
    layer = get_channel_layer()
    for group, event in events.items():
        # Without a timeout, a layer that hangs would block the code that sends.
        async with asyncio.timeout(SEND_TIMEOUT):
            await layer.group_send(group, event)

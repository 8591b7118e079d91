"""A channel layer that remembers which groups were sent to, once that is done.

Sending takes a moment, as it does with a Redis: whoever does not wait for it is found out.
"""

import asyncio

from channels.layers import InMemoryChannelLayer

_LATENCY = 0.01  # seconds

sent = []


class RecordingLayer(InMemoryChannelLayer):
    """The layer in memory, with the way to another machine in front of it."""

    async def group_send(self, group, message):
        """Note the group when the message has arrived there."""
        await asyncio.sleep(_LATENCY)
        await super().group_send(group, message)
        sent.append(group)

"""What waits for one socket: a client that reads slowly costs so much memory, and no more."""

import asyncio
from collections import deque

from notifications import metrics

# Instead of events that a socket has not been sent: it reads them from the database.
CATCH_UP = {"type": "catch.up"}


class Outbox:
    """What one socket has yet to be sent: so much of it, and then only that it is behind."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.events = deque()
        self.waiting = None

    def put(self, event):
        """Add an event. If there are too many, the socket reads them from the database."""
        if len(self.events) >= self.capacity:
            dropped = [each for each in (*self.events, event) if each is not CATCH_UP]
            metrics.DROPPED.labels("outbox").inc(len(dropped))
            self.events.clear()
            event = CATCH_UP
        if event is not CATCH_UP or event not in self.events:
            self.events.append(event)
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(None)

    async def get(self):
        """Take the oldest event, when there is one."""
        while not self.events:
            self.waiting = asyncio.get_running_loop().create_future()
            await self.waiting
        return self.events.popleft()

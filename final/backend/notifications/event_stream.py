"""Notifications as Server-Sent Events: for clients that cannot open a WebSocket."""

import json
import time

from announcements.streams import AnnouncementStream
from notifications import metrics
from notifications.streams import REFETCH, UserStream, start_after


class EventStream:
    """The events of one client as text, each once and in order."""

    def __init__(self, user, claims, last_event_id):
        self.user = user
        self.claims = claims
        self.last_event_id = last_event_id
        self.own = UserStream(None, user.pk)
        self.streams = [self.own, AnnouncementStream(None)]

    async def begin(self):
        """Yield the greeting, and what the client has missed."""
        for stream in self.streams:
            await stream.start()
        greeting = {
            "type": "connection_established",
            "message": f"Connected as {self.user.username}",
            "user_id": self.user.pk,
            "epoch": self.own.epoch,
            **self.position(),
            "expires_in": max(0, int(self.claims["exp"] - time.time())),
        }
        if not self.last_event_id:
            yield self.text(greeting, self.place())
            return
        # Without a place: until it has what it missed, the client's own is right.
        yield self.text(greeting)
        self.recovered = start_after(self.streams, self.last_event_id)
        if self.recovered:
            async for text in self.news():
                yield text
        else:
            yield await self.start_over()
        metrics.RESUMES.labels("recovered" if self.recovered else "refetch").inc()
        if self.recovered:
            resumed = {"type": "resumed", "recovered": True, **self.position()}
            yield self.text(resumed, self.place())

    async def news(self):
        """Yield what is stored and was not sent, in order; if some is gone, start over."""
        for stream in self.streams:
            epoch, last = self.own.epoch, await stream.last()
            if stream.sent < last:
                async for frame in stream.missed():
                    metrics.FRAMES.inc()
                    yield self.text(frame, self.place())
            if stream.sent < last or self.own.epoch != epoch:
                yield await self.start_over()
                return

    async def start_over(self):
        """Return the event that tells the client what to request, and where to continue."""
        self.recovered = False
        for stream in self.streams:
            await stream.start()
        answer = {"type": "resumed", "recovered": False, "epoch": self.own.epoch}
        answer |= {**self.position(), "refetch": REFETCH}
        return self.text(answer, self.place())

    def position(self):
        """Return the last number that was sent of each stream: last_seq and so on."""
        return {f"last_{stream.name}": stream.sent for stream in self.streams}

    def place(self):
        """Return the epoch and the numbers, as the client sends them back when it returns."""
        numbers = [str(stream.sent) for stream in self.streams]
        return ":".join([self.own.epoch, *numbers])

    def text(self, frame, place=None):
        """Return a frame as an event: a few lines, and an empty one."""
        lines = [f"id: {place}"] if place else []
        lines += [f"event: {frame['type']}", f"data: {json.dumps(frame)}"]
        return "\n".join([*lines, "", ""])

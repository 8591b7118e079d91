"""Numbered streams on their way to one client: each frame once, and in order."""

import re

from django.conf import settings

from notifications import metrics, numbering
from notifications.services import user_group
from numeneon.threads import database_sync_to_async

inbox_of = database_sync_to_async(numbering.inbox_of)
page_after = database_sync_to_async(numbering.page_after)

# What a client requests that has missed events which are gone.
REFETCH = [
    "/api/notifications/",
    "/api/messages/",
    "/api/posts/",
    "/api/friends/",
    "/api/friends/requests/",
    "/api/v1/orders/",
    "/api/v1/announcements/",
]

# How far a client has read, as it says when it comes back: an epoch and two numbers.
PLACE = re.compile(r"(\w{1,16}):(\d{1,18}):(\d{1,18})", re.ASCII)


class Stream:
    """Frames with numbers, and how far one client has been sent them.

    A subclass has the group that they are sent to and the number's name in a frame, and
    reads last() and page() from the database.
    """

    sent = 0  # the number of the last frame that was sent

    def __init__(self, socket):
        self.socket = socket

    async def start(self):
        """Begin behind the last frame that there is."""
        self.sent = await self.last()

    async def resume(self, seen):
        """Send what follows that number. Return False if this is not possible."""
        last = await self.last()
        return self.start_after(seen, last) and await self.catch_up(last)

    def start_after(self, seen, last):
        """Begin behind the frame that a client has seen. Return False if it cannot have."""
        if not isinstance(seen, int) or not 0 <= seen <= last:
            return False  # The stream has never been there.
        if last - seen > settings.RESUME_LIMIT:
            return False
        self.sent = seen
        return True

    async def hear(self, number, text):
        """Send a frame, and what is missing before it. Return False if some of that is gone."""
        missed = number - self.sent - 1
        if missed == 0:
            await self.forward(number, text)
        elif missed > 0:
            metrics.DROPPED.labels("missed").inc(missed)
        return number <= self.sent or await self.catch_up(number)

    async def catch_up(self, last):
        """Send all that is stored and was not sent. Return False if some of it is gone."""
        async for frame in self.missed():
            await self.socket.send_json(frame)
            if self.socket.closed:
                break
        return self.sent >= last

    async def missed(self):
        """Yield what is stored and was not sent. Stop where something is gone."""
        while page := await self.page():
            for row in page:
                frame = row.frame()
                if frame[self.name] != self.sent + 1:
                    return
                self.sent = frame[self.name]
                yield frame

    async def forward(self, number, text):
        """Send the next frame, and remember its number."""
        self.sent = number
        await self.socket.send_text(text)


class UserStream(Stream):
    """The notifications of one user."""

    name = "seq"

    def __init__(self, socket, user_id):
        super().__init__(socket)
        self.user_id = user_id
        self.group = user_group(user_id)

    async def last(self):
        """Read the last number that there is, and the epoch that it belongs to."""
        inbox = await inbox_of(self.user_id)
        self.epoch = inbox.epoch
        return inbox.last_seq

    async def page(self):
        """Read the next notifications."""
        return await page_after(self.user_id, self.sent)


def start_after(streams, place):
    """Continue streams where a client has been. Return False if this is not possible."""
    found = PLACE.fullmatch(place)
    if not found or found[1] != streams[0].epoch:
        return False
    seen = zip(streams, map(int, found.groups()[1:]), strict=True)
    return all(stream.start_after(number, stream.sent) for stream, number in seen)

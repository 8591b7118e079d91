"""Numbered streams on their way to one socket: each frame once, and in order."""

from channels.db import database_sync_to_async
from django.conf import settings

from notifications import metrics, numbering
from notifications.services import user_group

inbox_of = database_sync_to_async(numbering.inbox_of)
page_after = database_sync_to_async(numbering.page_after)


class Stream:
    """Frames with numbers, and how far one socket has been sent them.

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
        if not isinstance(seen, int) or not 0 <= seen <= last:
            return False  # The stream has never been there.
        if last - seen > settings.RESUME_LIMIT:
            return False
        self.sent = seen
        return await self.catch_up(last)

    async def hear(self, frame):
        """Send a frame, and what is missing before it. Return False if some of that is gone."""
        number = frame[self.name]
        missed = number - self.sent - 1
        if missed == 0:
            await self.forward(frame)
        elif missed > 0:
            metrics.DROPPED.labels("missed").inc(missed)
        return number <= self.sent or await self.catch_up(number)

    async def catch_up(self, last):
        """Send all that is stored and was not sent. Return False if some of it is gone."""
        while not self.socket.closed and (page := await self.page()):
            for row in page:
                frame = row.frame()
                if frame[self.name] != self.sent + 1:
                    return False
                await self.forward(frame)
        return self.sent >= last

    async def forward(self, frame):
        """Send the next frame, and remember its number."""
        self.sent = frame[self.name]
        await self.socket.send_json(frame)


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

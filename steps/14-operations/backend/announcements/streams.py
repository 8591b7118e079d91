"""Announcements on their way to one socket."""

from channels.db import database_sync_to_async

from announcements import numbering
from notifications.services import EVERYONE
from notifications.streams import Stream

last_number = database_sync_to_async(numbering.last_number)
page_after = database_sync_to_async(numbering.page_after)


class AnnouncementStream(Stream):
    """What everybody is told."""

    name = "announcement"
    group = EVERYONE

    async def last(self):
        """Read the last number that there is."""
        return await last_number()

    async def page(self):
        """Read the next announcements."""
        return await page_after(self.sent)

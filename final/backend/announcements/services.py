"""Telling everybody something."""

from django.db import transaction

from announcements.models import Announcement
from announcements.numbering import next_number
from notifications import events


@transaction.atomic
def announce(*, author, text):
    """Store an announcement, and send it to everybody who is connected."""
    number = next_number()
    announcement = Announcement.objects.create(id=number, author=author, text=text)
    events.announcement(announcement)
    return announcement

"""Which announcements a user has read: one number, not a row for each of them."""

from announcements.models import Announcement
from announcements.numbering import last_number
from notifications import events
from notifications.models import Inbox
from notifications.numbering import inbox_of


def unread_of(user):
    """Return how many announcements the user has not read."""
    read = inbox_of(user.pk).announcements_read
    return Announcement.objects.filter(pk__gt=read).count()


def mark_up_to(*, user, up_to):
    """Mark an announcement and all older ones as read. Return how many are left."""
    # An announcement that does not exist yet cannot have been read.
    up_to = min(up_to, last_number())
    behind = Inbox.objects.filter(user=user, announcements_read__lt=up_to)
    left = unread_of(user)
    if behind.update(announcements_read=up_to):
        left = unread_of(user)
        events.announcements_read(user, {"up_to": up_to, "unread": left})
    return left

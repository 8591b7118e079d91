"""The numbers of announcements: 1, 2, 3 for everybody, and none is ever skipped."""

from announcements.models import Announcement, AnnouncementCounter

PAGE_SIZE = 100


def next_number():
    """Return the number of the next announcement. Call it in a transaction."""
    AnnouncementCounter.objects.get_or_create(pk=1)
    # Locked until the transaction ends: nobody gets 9 before 8 is stored, or given up. No
    # other lock is taken while we hold this one, so nobody can wait for us in a circle.
    counter = AnnouncementCounter.objects.select_for_update().get(pk=1)
    counter.last += 1
    counter.save()
    return counter.last


def last_number():
    """Return the number of the last announcement that was made."""
    counter, _ = AnnouncementCounter.objects.get_or_create(pk=1)
    return counter.last


def page_after(number):
    """Return the next announcements after that number, the oldest first."""
    return list(Announcement.objects.filter(pk__gt=number).order_by("pk")[:PAGE_SIZE])

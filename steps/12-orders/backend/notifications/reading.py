"""What users do with their notifications: read them."""

from django.db import transaction
from django.utils import timezone

from notifications import events


def mark_one(*, user, notification_id):
    """Mark one notification as read. Return how many are left."""
    return _mark(user, {"pk": notification_id}, {"ids": [notification_id]})


def mark_up_to(*, user, up_to):
    """Mark a notification and all older ones as read. Return how many are left."""
    return _mark(user, {"pk__lte": up_to}, {"up_to": up_to})


@transaction.atomic
def _mark(user, seen, data):
    """Mark the unread ones among those seen, and tell the user's devices."""
    unread = user.notifications.unread()
    marked = unread.filter(**seen).update(read_at=timezone.now())
    left = unread.count()
    if marked:
        events.notifications_read(user, {**data, "unread": left})
    return left

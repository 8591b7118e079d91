"""Who is connected: a row for each open socket, in the database that all processes share."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from notifications.models import Connection, Inbox


@transaction.atomic
def enter(user_id, channel):
    """Store a socket. Return False if its user has too many open ones already."""
    # Locked: two sockets that open at once are counted one after the other.
    Inbox.objects.get_or_create(user_id=user_id)
    Inbox.objects.select_for_update().get(user_id=user_id)
    theirs = Connection.objects.filter(user_id=user_id)
    theirs.filter(seen_at__lt=too_long_ago()).delete()
    if theirs.count() >= settings.SOCKETS_PER_USER:
        return False
    Connection.objects.create(user_id=user_id, channel=channel)
    return True


def too_long_ago():
    """Return the moment before which a socket must have been seen not to count any more."""
    return timezone.now() - timedelta(seconds=2 * settings.HEARTBEAT_SECONDS)


def still_here(channel):
    """Note that a socket is still open. Return False if its row is gone."""
    rows = Connection.objects.filter(channel=channel)
    return rows.update(seen_at=timezone.now()) > 0


def remove(channel):
    """Remove the row of a socket that has ended."""
    Connection.objects.filter(channel=channel).delete()

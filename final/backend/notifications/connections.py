"""Who is connected: a row for each open socket, in the database that all processes share."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from notifications.models import Connection, Inbox
from notifications.presence import tell_friends


@transaction.atomic
def enter(user_id, channel):
    """Store a socket. Return False if its user has too many open ones already."""
    theirs = locked_rows_of(user_id)
    theirs.over().delete()
    if theirs.filter(open=True).count() >= settings.SOCKETS_PER_USER:
        return False
    if not theirs.exists():
        tell_friends(user_id)
    Connection.objects.create(user_id=user_id, channel=channel)
    return True


@transaction.atomic
def forget(user_id):
    """Remove a user's sockets that are over. If none is left, tell their friends."""
    theirs = locked_rows_of(user_id)
    deleted, _ = theirs.over().delete()
    # Only one server deletes the last row, so only that one tells them.
    if deleted and not theirs.exists():
        tell_friends(user_id)


def locked_rows_of(user_id):
    """Return a user's sockets, after a lock: their rows come and go one after the other."""
    # First the inbox and then its sockets, everywhere: no two transactions can each wait
    # for the other.
    Inbox.objects.get_or_create(user_id=user_id)
    Inbox.objects.select_for_update().get(user_id=user_id)
    return Connection.objects.filter(user_id=user_id)


def open_now():
    """Return the open sockets of all servers, the newest first."""
    rows = Connection.objects.present().filter(open=True)
    return rows.select_related("user").order_by("-pk")


def still_here(channel):
    """Note that a socket is still open. Return False if its row is gone."""
    rows = Connection.objects.filter(channel=channel)
    return rows.update(seen_at=timezone.now()) > 0


def end(channel):
    """Note that a socket has ended. Return False if it had no row."""
    rows = Connection.objects.filter(channel=channel)
    return rows.update(open=False, seen_at=timezone.now()) > 0


def sweep():
    """Forget the sockets of servers that have died: a killed one says nothing."""
    users = Connection.objects.over().values_list("user", flat=True)
    for user_id in set(users):
        forget(user_id)

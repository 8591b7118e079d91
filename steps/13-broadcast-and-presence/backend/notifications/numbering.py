"""The numbers of each user's notifications: 1, 2, 3, and none is ever skipped."""

from django.db import connection

from notifications.models import Inbox, Notification, new_epoch

PAGE_SIZE = 100

# Creates an inbox for a user who has none, adds one to the others, and locks all of them
# until the transaction ends: nobody gets 9 before the transaction with 8 has ended.
NEXT_NUMBERS = f"""
    INSERT INTO {Inbox._meta.db_table} AS inbox (user_id, epoch, last_seq) VALUES {{rows}}
    ON CONFLICT (user_id) DO UPDATE SET last_seq = inbox.last_seq + 1
    RETURNING user_id, last_seq
"""


def next_numbers(user_ids):
    """Return the number of each user's next notification. Call it in a transaction."""
    # Always in the same order: two transactions cannot each wait for the other.
    ids = sorted(set(user_ids))
    if not ids:
        return {}
    rows = ", ".join(["(%s, %s, 1)"] * len(ids))
    values = [value for pk in ids for value in (pk, new_epoch())]
    with connection.cursor() as cursor:
        cursor.execute(NEXT_NUMBERS.format(rows=rows), values)
        return dict(cursor.fetchall())


def inbox_of(user_id):
    """Return a user's inbox, which says what the last number is."""
    inbox, _ = Inbox.objects.get_or_create(user_id=user_id)
    return inbox


def page_after(user_id, seq):
    """Return the next notifications after that number, the oldest first."""
    missed = Notification.objects.filter(recipient=user_id, seq__gt=seq)
    return list(missed.order_by("seq")[:PAGE_SIZE])

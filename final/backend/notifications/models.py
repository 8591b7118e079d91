"""The events of each user, kept so that nobody has to be connected to get them."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone


def new_epoch():
    """Return a random name for the time since an inbox began to count."""
    return secrets.token_hex(8)


class Inbox(models.Model):
    """How far a user's notifications are numbered, and since when."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True
    )
    epoch = models.CharField(max_length=16, default=new_epoch)
    last_seq = models.PositiveBigIntegerField(default=0)
    # With a default in the database: next_numbers() inserts rows that do not name it.
    announcements_read = models.PositiveBigIntegerField(default=0, db_default=0)

    def __str__(self):
        return f"Inbox of {self.user}"


class NotificationQuerySet(models.QuerySet):
    """Ways to read notifications."""

    def unread(self):
        """Those that have not been marked as read."""
        return self.filter(read_at=None)

    def recipients_of_more_than(self, number):
        """The ids of users who have more notifications than that."""
        counted = self.values("recipient").annotate(number=models.Count("pk"))
        return counted.filter(number__gt=number).values_list("recipient", flat=True)


class Notification(models.Model):
    """One event for one user. The row is the truth, the frame on a socket only a hint."""

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="notifications",
        # The first index below begins with this column and does the same.
        db_index=False,
    )
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=50)
    data = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            # It is also the index for what a client missed.
            models.UniqueConstraint(
                fields=["recipient", "seq"], name="notification_number"
            ),
        ]
        indexes = [
            # One for each question: a page of the list, what is unread, what is old.
            models.Index(fields=["recipient", "-id"], name="notification_list"),
            models.Index(
                fields=["recipient", "-id"],
                condition=models.Q(read_at=None),
                name="notification_unread",
            ),
            models.Index(fields=["created_at"], name="notification_age"),
        ]

    def __str__(self):
        return f"{self.kind} for {self.recipient}"

    def frame(self):
        """Return what a socket is sent: the event, the id of its row and its number."""
        return {"type": self.kind, "data": self.data, **self.numbers()}

    def numbers(self):
        """Return what is different for each user who is told."""
        return {"id": self.pk, "seq": self.seq}


class ConnectionQuerySet(models.QuerySet):
    """Ways to read sockets."""

    def present(self):
        """Those whose users are online: open, or closed so recently that they may be back."""
        return self.filter(_seen("gte"))

    def over(self):
        """All others: closed for a while, or of a server that says nothing any more."""
        return self.filter(_seen("lt"))


def _seen(than):
    """Compare when sockets were last seen with when they must have been seen to count."""
    now = timezone.now()
    two_heartbeats = timedelta(seconds=2 * settings.HEARTBEAT_SECONDS)
    grace = timedelta(seconds=settings.PRESENCE_GRACE_SECONDS)
    # With __in, because SQLite does not use the index for open=True.
    is_open, is_closed = ("open__in", [True]), ("open__in", [False])
    open_ones = models.Q(is_open, (f"seen_at__{than}", now - two_heartbeats))
    closed_ones = models.Q(is_closed, (f"seen_at__{than}", now - grace))
    return open_ones | closed_ones


class Connection(models.Model):
    """A socket. While it is open, its server says now and then that it is still there."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="connections"
    )
    channel = models.CharField(max_length=100, unique=True)
    opened_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(auto_now=True)
    # With a default in the database: the version before this one inserts rows, too.
    open = models.BooleanField(default=True, db_default=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        indexes = [
            # Each heartbeat asks which ones are over.
            models.Index(fields=["open", "seen_at"], name="connection_over"),
        ]

    def __str__(self):
        return f"Socket of {self.user}"

"""The events of each user, kept so that nobody has to be connected to get them."""

from django.conf import settings
from django.db import models


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
    kind = models.CharField(max_length=50)
    data = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
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
        """Return what a socket is sent: the event, and the id of its row."""
        return {"type": self.kind, "data": self.data, "id": self.pk}

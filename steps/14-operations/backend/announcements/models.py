"""What staff tell everybody: one row, however many users there are."""

from django.conf import settings
from django.db import models
from rest_framework.fields import DateTimeField


class AnnouncementCounter(models.Model):
    """How far announcements are numbered. The table has one row."""

    last = models.PositiveBigIntegerField(default=0)

    def __str__(self):
        return f"{self.last} announcements"


class Announcement(models.Model):
    """Something that everybody is told."""

    # From next_number(): ids that the database gives are not in the order of the commits.
    id = models.PositiveBigIntegerField(primary_key=True)
    text = models.TextField(max_length=2000)
    # The row stays when its author's account is deleted: a number must not go missing.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.pk}: {self.text[:50]}"

    def frame(self):
        """Return what a socket is sent: the same fields that the list has, and the number."""
        # Not called seq: that counts the notifications of one user.
        return {
            "type": "announcement",
            "data": {
                "id": self.pk,
                "text": self.text,
                "created_at": DateTimeField().to_representation(self.created_at),
            },
            "announcement": self.pk,
        }

"""Private messages. The app is not called messages: Django has one of that name."""

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Max, OuterRef, Q, When

from numeneon.queries import count_of


class MessageQuerySet(models.QuerySet):
    """Ways to read messages."""

    def of(self, user):
        """What this user wrote or received, newest first."""
        mine = self.filter(Q(sender=user) | Q(receiver=user))
        return mine.select_related("sender", "receiver")

    def between(self, user, partner):
        """What these two wrote to each other, newest first."""
        return self.of(user).filter(Q(sender=partner) | Q(receiver=partner))

    def unread_from(self, sender, receiver):
        """What the receiver has not read yet."""
        return self.filter(sender=sender, receiver=receiver, is_read=False)

    def conversations_of(self, user):
        """The last message with each partner, and how many of theirs are unread."""
        partner = Case(When(sender=user, then="receiver"), default="sender")
        mine = self.of(user).annotate(partner=partner)
        by_partner = mine.order_by().values("partner")
        latest = by_partner.annotate(latest=Max("pk")).values("latest")
        unread = Message.objects.unread_from(OuterRef("partner"), user)
        return mine.filter(pk__in=latest).annotate(
            unread_count=count_of(unread, by="sender")
        )


class Message(models.Model):
    """One message from one user to another."""

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sent"
    )
    receiver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="received"
    )
    content = models.TextField(max_length=2000)
    is_read = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(sender=F("receiver")), name="no_message_to_oneself"
            ),
        ]

    def __str__(self):
        return f"{self.sender} to {self.receiver}: {self.content[:40]}"

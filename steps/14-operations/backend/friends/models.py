"""Friendships, from the request to the accepted friendship, in one table."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least


class FriendshipQuerySet(models.QuerySet):
    """Ways to read friendships."""

    def accepted(self):
        """Those that were accepted."""
        return self.exclude(accepted_at=None)

    def requests_to(self, user):
        """Those that wait for this user's answer, newest first."""
        waiting = self.filter(to_user=user, accepted_at=None)
        return waiting.select_related("from_user").order_by("-created_at", "-id")

    def between(self, user, other):
        """The one of these two, whoever asked."""
        return self.filter(
            Q(from_user=user, to_user=other) | Q(from_user=other, to_user=user)
        )


class Friendship(models.Model):
    """Two users, the one who asked first. Without accepted_at it is a request."""

    from_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="asked"
    )
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="was_asked"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True, blank=True)

    objects = FriendshipQuerySet.as_manager()

    class Meta:
        constraints = [
            # Sorted, so that it counts for both directions, even when both ask at once.
            models.UniqueConstraint(
                Least("from_user", "to_user"),
                Greatest("from_user", "to_user"),
                name="one_friendship_per_pair",
            ),
            models.CheckConstraint(
                condition=~Q(from_user=F("to_user")), name="no_friendship_with_oneself"
            ),
        ]

    def __str__(self):
        return f"{self.from_user} and {self.to_user}"


def friends_of(user):
    """The users whose friendship with this user was accepted."""
    friendships = Friendship.objects.accepted()
    return get_user_model().objects.filter(
        Q(pk__in=friendships.filter(from_user=user).values("to_user"))
        | Q(pk__in=friendships.filter(to_user=user).values("from_user"))
    )

"""How two users become friends, and stop being friends."""

from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone

from friends.models import Friendship
from notifications import events


class AlreadyConnected(Exception):
    """The two are friends, or one of them has asked the other."""


def send_request(*, from_user, to_user):
    """Send a friend request."""
    try:
        with transaction.atomic():
            friendship = Friendship.objects.create(from_user=from_user, to_user=to_user)
    except IntegrityError as error:
        raise AlreadyConnected from error
    events.friend_request(friendship)
    return friendship


@transaction.atomic
def accept_request(*, request_id, receiver):
    """Accept a friend request."""
    # Locked, so that of two simultaneous answers only one finds the request.
    requests = Friendship.objects.requests_to(receiver).select_for_update(of=("self",))
    friendship = get_object_or_404(requests, pk=request_id)
    friendship.accepted_at = timezone.now()
    friendship.save(update_fields=["accepted_at"])
    events.friend_accepted(friendship)
    return friendship


def decline_request(*, request_id, receiver):
    """Decline a friend request. Return whether there was one."""
    requests = Friendship.objects.requests_to(receiver).filter(pk=request_id)
    deleted, _ = requests.delete()
    return bool(deleted)


def remove_friend(*, user, friend):
    """End a friendship. Return whether there was one."""
    friendships = Friendship.objects.accepted().between(user, friend)
    deleted, _ = friendships.delete()
    return bool(deleted)

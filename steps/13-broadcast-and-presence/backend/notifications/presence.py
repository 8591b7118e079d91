"""Who is online: everybody who has a row in the table of sockets. Nothing is counted."""

from django.db import transaction

from friends.models import friends_of
from notifications.models import Connection
from notifications.services import send_frames


def online_friends_of(user_id):
    """Return the ids of the friends of a user who are online."""
    theirs = Connection.objects.present().filter(user__in=friends_of(user_id))
    return sorted(set(theirs.values_list("user", flat=True)))


def tell_friends(user_id):
    """Tell a user's friends, after the commit, whether the user is online."""

    def send():
        # Read now: if two servers tell friends at once, a wrong last frame is rare.
        online = Connection.objects.present().filter(user=user_id).exists()
        frame = {"type": "presence", "data": {"user_id": user_id, "online": online}}
        send_frames(dict.fromkeys(online_friends_of(user_id), frame))

    transaction.on_commit(send, robust=True)

"""Who is told what, in the REST API's own format."""

from django.db import transaction

from friends.models import friends_of
from friends.serializers import FriendRequestSerializer
from messaging.serializers import MessageSerializer
from notifications.models import Notification
from notifications.numbering import next_numbers
from notifications.services import send_frames, send_to_everyone
from orders.serializers import OrderStatusSerializer
from posts.serializers import PostSerializer


def friend_request(friendship):
    """Tell the user who receives the request."""
    shown = FriendRequestSerializer(friendship).data
    data = {
        "request_id": shown["id"],
        "from_user": shown["from_user"],
        "created_at": shown["created_at"],
    }
    publish(user_ids=[friendship.to_user_id], kind="friend_request", data=data)


def friend_accepted(friendship):
    """Tell the user who sent the request that it was accepted."""
    data = {"friend": FriendRequestSerializer(friendship).data["to_user"]}
    publish(user_ids=[friendship.from_user_id], kind="friend_accepted", data=data)


def new_message(message):
    """Tell the receiver of a message."""
    shown = MessageSerializer(message).data
    data = {name: shown[name] for name in ("id", "sender", "content", "created_at")}
    publish(user_ids=[message.receiver_id], kind="new_message", data=data)


def new_post(post):
    """Tell the author's friends."""
    shown = PostSerializer(post).data
    data = {name: shown[name] for name in ("id", "author", "content", "created_at")}
    friend_ids = friends_of(post.author).values_list("pk", flat=True)
    publish(user_ids=friend_ids, kind="new_post", data=data)


def order_status(order):
    """Tell the order's customer."""
    data = OrderStatusSerializer(order).data
    publish(user_ids=[order.customer.user_id], kind="order_status", data=data)


def notifications_read(user, data):
    """Tell the user's own devices what has been read. There is nothing to store."""
    send_after_commit({user.pk: {"type": "notifications_read", "data": data}})


def announcements_read(user, data):
    """Tell the user's own devices which announcements have been read."""
    send_after_commit({user.pk: {"type": "announcements_read", "data": data}})


def announcement(row):
    """Tell everybody who is connected. The others read it later: it is stored."""
    frame = row.frame()
    transaction.on_commit(lambda: send_to_everyone(frame), robust=True)


@transaction.atomic(savepoint=False)
def publish(*, user_ids, kind, data):
    """Store a notification for each of these users, and send it to their sockets."""
    stored = Notification.objects.bulk_create(
        Notification(recipient_id=pk, seq=seq, kind=kind, data=data)
        for pk, seq in next_numbers(user_ids).items()
    )
    send_after_commit({row.recipient_id: row.frame() for row in stored})


def send_after_commit(frames):
    """Send each user a frame after the commit, and never if the transaction rolls back."""

    def send():
        send_frames(frames)

    # Robust: a channel layer that is down must not fail a request that did its work.
    # Django logs the function's name; a functools.partial has none.
    transaction.on_commit(send, robust=True)

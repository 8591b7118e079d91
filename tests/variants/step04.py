"""Variants of step 4."""

import course
from course.source import extract
from tests.variants import Edit, broken, correct

_EVENTS = "backend/notifications/events.py"
_SERVICES = "backend/notifications/services.py"
_FRIENDS = "backend/friends/services.py"
_FRIENDS_MODELS = "backend/friends/models.py"
_MESSAGING = "backend/messaging/services.py"
_POSTS = "backend/posts/services.py"
_FOLDER = course.step(4).folder
_GROUP_SENDS = extract(_FOLDER / _SERVICES, "send_to_groups")
_GROUPS = "{user_group(pk) for pk in user_ids}"


def event(name: str, body: str) -> Edit:
    """Another body for one of the functions of events.py."""
    whole = extract(_FOLDER / _EVENTS, name)
    return Edit(_EVENTS, whole, whole.split("\n", 1)[0] + "\n" + body)


def in_service(path: str, call: str, instead: str) -> Edit:
    """Something else where a service tells of what happened."""
    return Edit(path, f"    {call}\n", instead)


_ASKED = "events.friend_request(friendship)"
_ACCEPTED = "events.friend_accepted(friendship)"
_WRITTEN = "events.new_message(message)"
_POSTED = "events.new_post(post)"

# Another learner's solution: no calls in the services, Django's signals instead; data made
# by hand; the exceptions of the channel layer caught and logged.
_BY_SIGNALS = (
    in_service(_FRIENDS, _ASKED, ""),
    in_service(_FRIENDS, _ACCEPTED, ""),
    in_service(_MESSAGING, _WRITTEN, ""),
    in_service(_POSTS, _POSTED, ""),
    Edit(_FRIENDS, "from notifications import events\n", ""),
    Edit(_MESSAGING, "from notifications import events\n", ""),
    Edit(_POSTS, "from notifications import events\n", ""),
    Edit(_EVENTS, None, None),
    Edit("backend/notifications/tests/test_events.py", None, None),
    Edit("backend/notifications/tests/test_publish.py", None, None),
    Edit(
        "backend/notifications/apps.py",
        "",
        """from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self):
        from . import signals  # noqa: F401
""",
    ),
    Edit(
        "backend/notifications/signals.py",
        "",
        """import logging

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from friends.models import Friendship
from messaging.models import Message
from posts.models import Post

from .services import send_notification

log = logging.getLogger(__name__)


def tell(ids, kind, data):
    def now():
        try:
            send_notification(user_ids=ids, kind=kind, data=data)
        except Exception:
            log.exception("%s was not delivered", kind)

    transaction.on_commit(now)


def short(user):
    return {"username": user.username, "id": user.pk}


def long(user):
    return {**short(user), "first_name": user.first_name, "last_name": user.last_name}


@receiver(post_save, sender=Friendship)
def friendship_saved(instance, created, **kwargs):
    if created:
        at = instance.created_at.isoformat()
        data = {"request_id": instance.pk, "from_user": long(instance.from_user)}
        tell([instance.to_user_id], "friend_request", {**data, "created_at": at})
    elif instance.accepted_at:
        tell([instance.from_user_id], "friend_accepted", {"friend": long(instance.to_user)})


@receiver(post_save, sender=Message)
def message_saved(instance, created, **kwargs):
    if created:
        data = {"id": instance.id, "sender": short(instance.sender), "content": instance.content}
        at = instance.created_at.isoformat()
        tell([instance.receiver_id], "new_message", {**data, "created_at": at})


@receiver(post_save, sender=Post)
def post_saved(instance, created, **kwargs):
    if not created or instance.parent or instance.shared_from:
        return
    accepted = Friendship.objects.exclude(accepted_at=None)
    ids = set(accepted.filter(from_user=instance.author).values_list("to_user", flat=True))
    ids |= set(accepted.filter(to_user=instance.author).values_list("from_user", flat=True))
    data = {"id": instance.id, "author": short(instance.author), "content": instance.content}
    tell(ids, "new_post", {**data, "created_at": instance.created_at.isoformat()})
""",
    ),
)

_REQUEST = """    shown = FriendRequestSerializer(friendship).data
    data = {{
        "request_id": shown["id"],
        "from_user": {user},
        "created_at": shown["created_at"],{more}
    }}
    publish(user_ids={to}, kind="friend_request", data=data)
"""


def request_told(user='shown["from_user"]', more="", to="[friendship.to_user_id]") -> Edit:
    """friend_request with something else in it."""
    return event("friend_request", _REQUEST.format(user=user, more=more, to=to))


_MESSAGE = """    shown = MessageSerializer(message).data
    data = {{name: shown[name] for name in {names}}}
    publish(user_ids={to}, kind="new_message", data=data)
"""
_MESSAGE_NAMES = '("id", "sender", "content", "created_at")'


def message_told(names=_MESSAGE_NAMES, to="[message.receiver_id]") -> Edit:
    """new_message with something else in it."""
    return event("new_message", _MESSAGE.format(names=names, to=to))


_POST = """    shown = PostSerializer(post).data
    data = {{name: shown[name] for name in ("id", "author", "content", "created_at")}}
    friend_ids = {friends}
    {publish}
"""
_PUBLISH_POST = 'publish(user_ids=friend_ids, kind="new_post", data=data)'
_FRIEND_IDS = 'list(friends_of(post.author).values_list("pk", flat=True))'


def post_told(friends=_FRIEND_IDS, publish=_PUBLISH_POST) -> Edit:
    """new_post to somebody else, or in another way."""
    return event("new_post", _POST.format(friends=friends, publish=publish))


def published(body: str) -> Edit:
    """Another way to publish."""
    return event("publish", body)


_ONE_PAIR_KEY = (
    Edit(
        _FRIENDS_MODELS,
        "    accepted_at = models.DateTimeField(null=True, blank=True)\n",
        "    accepted_at = models.DateTimeField(null=True, blank=True)\n"
        "    pair = models.CharField(max_length=50, unique=True)\n",
    ),
    Edit(
        _FRIENDS_MODELS,
        "    def __str__(self):\n",
        "    def save(self, **kwargs):\n"
        '        self.pair = "-".join(sorted([str(self.from_user_id), str(self.to_user_id)]))\n'
        "        super().save(**kwargs)\n\n"
        "    def __str__(self):\n",
    ),
    Edit(
        "backend/friends/migrations/0002_friendship_pair.py",
        "",
        """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("friends", "0001_initial")]
    operations = [
        migrations.AddField(
            "friendship", "pair", models.CharField(max_length=50, unique=True, default="")
        ),
    ]
""",
    ),
)

_SIGNALS = "backend/notifications/signals.py"
_SEND = "        send_notification(user_ids=user_ids, kind=kind, data=data)\n"
_ATOMIC = Edit(
    "backend/numeneon/settings.py",
    'AUTH_USER_MODEL = "users.User"',
    'AUTH_USER_MODEL = "users.User"\nDATABASES["default"]["ATOMIC_REQUESTS"] = True',
)

# Enough where on_commit() calls the function at once, and only there.
_TRIED = (
    published(
        """    import logging

    def send():
        send_notification(user_ids=user_ids, kind=kind, data=data)

    try:
        transaction.on_commit(send)
    except Exception:
        logging.exception("not sent")
"""
    ),
    Edit(_FRIENDS, "@transaction.atomic\ndef accept_request", "def accept_request"),
    Edit(_FRIENDS, '.select_for_update(of=("self",))', ""),
)

VARIANTS = [
    broken(
        "events.ready",
        "another group than the consumer's",
        Edit(_SERVICES, _GROUPS, '{f"users_{pk}" for pk in user_ids}'),
    ),
    correct(
        "events.ready",
        "all groups at once",
        Edit(
            _SERVICES,
            _GROUP_SENDS,
            "async def send_to_groups(groups, event):\n"
            "    send = get_channel_layer().group_send\n"
            "    await asyncio.gather(*(send(group, event) for group in groups))\n",
        ),
    ),
    broken(
        "events.ready",
        "a coroutine that is never awaited",
        Edit(_SERVICES, "async_to_sync(send_to_groups)(", "send_to_groups("),
    ),
    broken("events.friend-request", "is not told", in_service(_FRIENDS, _ASKED, "")),
    broken(
        "events.friend-request",
        "one id in place of a list",
        request_told(to="friendship.to_user_id"),
    ),
    broken(
        "events.friend-request",
        "the service returns nothing",
        Edit(
            _FRIENDS,
            "    events.friend_request(friendship)\n    return friendship\n",
            "    events.friend_request(friendship)\n",
        ),
    ),
    broken(
        "events.friend-request",
        "a coroutine of all four is never awaited",
        Edit(_SERVICES, "def send_notification", "async def send_notification"),
        Edit(_SERVICES, "    async_to_sync(send_to_groups)(", "    await send_to_groups("),
    ),
    broken(
        "events.friend-request",
        "all four stop at a name that is not there",
        published("    transaction.on_commit(sends, robust=True)\n"),
    ),
    broken(
        "events.friend-request",
        "nothing is published",
        published("    return transaction, send_notification\n"),
    ),
    broken(
        "events.friend-request",
        "the function for the commit does nothing",
        Edit(_EVENTS, _SEND, "        return send_notification\n"),
    ),
    correct(
        "events.friend-request",
        "another event besides",
        published(
            """    def send():
        send_notification(user_ids=user_ids, kind="unread", data={"count": 1})
        send_notification(user_ids=user_ids, kind=kind, data=data)

    transaction.on_commit(send, robust=True)
"""
        ),
    ),
    broken(
        "events.friend-request",
        "told to the one who asks",
        request_told(to="[friendship.from_user_id]"),
    ),
    broken(
        "events.friend-request",
        "told to both",
        request_told(to="[friendship.from_user_id, friendship.to_user_id]"),
    ),
    broken(
        "events.friend-request",
        "one field too many",
        request_told(more='\n        "to_user": shown["to_user"],'),
    ),
    broken(
        "events.friend-request",
        "the wrong user",
        request_told(user='shown["to_user"]'),
    ),
    broken(
        "events.friend-request",
        "an error that is only logged",
        request_told(user='shown["sender"]'),
        in_service(
            _FRIENDS,
            _ASKED,
            f"    transaction.on_commit(lambda: {_ASKED}, robust=True)\n",
        ),
    ),
    correct("events.friend-request", "by signals and by hand", *_BY_SIGNALS),
    broken(
        "events.friend-accepted",
        "names the one who had asked",
        event(
            "friend_accepted",
            '    data = {"friend": FriendRequestSerializer(friendship).data["from_user"]}\n'
            '    publish(user_ids=[friendship.from_user_id], kind="friend_accepted", data=data)\n',
        ),
    ),
    broken(
        "events.friend-accepted",
        "told to the one who accepts",
        event(
            "friend_accepted",
            '    data = {"friend": FriendRequestSerializer(friendship).data["to_user"]}\n'
            '    publish(user_ids=[friendship.to_user_id], kind="friend_accepted", data=data)\n',
        ),
    ),
    broken(
        "events.friend-accepted",
        "a signal that tells of the request again",
        *_BY_SIGNALS,
        Edit(
            _SIGNALS,
            "    if created:\n        at = instance.created_at.isoformat()\n        data = {",
            "    if True:\n        at = instance.created_at.isoformat()\n        data = {",
        ),
        Edit(_SIGNALS, "    elif instance.accepted_at", "    if instance.accepted_at"),
    ),
    broken(
        "events.friend-accepted",
        "the service returns nothing",
        Edit(
            _FRIENDS,
            "    events.friend_accepted(friendship)\n    return friendship\n",
            "    events.friend_accepted(friendship)\n",
        ),
    ),
    correct("events.friend-accepted", "by signals and by hand", *_BY_SIGNALS),
    broken(
        "events.new-message",
        "one field too many",
        message_told('("id", "sender", "receiver", "content", "created_at")'),
    ),
    broken(
        "events.new-message",
        "a field is missing",
        message_told('("id", "sender", "content")'),
    ),
    broken(
        "events.new-message",
        "told to the sender as well",
        message_told(to="[message.receiver_id, message.sender_id]"),
    ),
    broken(
        "events.new-message",
        "told twice",
        in_service(_MESSAGING, _WRITTEN, f"    {_WRITTEN}\n    {_WRITTEN}\n"),
    ),
    correct("events.new-message", "by signals and by hand", *_BY_SIGNALS),
    broken(
        "events.new-post",
        "only those whom the author had asked",
        post_told('list(post.author.asked.values_list("to_user_id", flat=True))'),
    ),
    broken(
        "events.new-post",
        "the author is told as well",
        post_told(f"{_FRIEND_IDS} + [post.author_id]"),
    ),
    broken(
        "events.new-post",
        "everybody is told",
        post_told('list(type(post.author).objects.values_list("pk", flat=True))'),
    ),
    broken(
        "events.new-post",
        "friends whose request is pending as well",
        post_told(
            '[*post.author.asked.values_list("to_user_id", flat=True),'
            ' *post.author.was_asked.values_list("from_user_id", flat=True)]'
        ),
    ),
    correct("events.new-post", "a set of ids", *_BY_SIGNALS),
    broken(
        "events.after-commit",
        "sent at once",
        published(
            """    import logging

    try:
        send_notification(user_ids=user_ids, kind=kind, data=data)
    except Exception:
        logging.exception("not sent")
"""
        ),
    ),
    broken(
        "events.after-commit",
        "one of them at once",
        in_service(
            _MESSAGING,
            _WRITTEN,
            """    try:
        events.send_notification(
            user_ids=[receiver.pk],
            kind="new_message",
            data={
                "id": message.pk,
                "sender": {"id": sender.pk, "username": sender.username},
                "content": content,
                "created_at": message.created_at.isoformat(),
            },
        )
    except Exception:
        pass
""",
        ),
    ),
    correct(
        "events.after-commit",
        "a partial, caught by itself",
        published(
            """    import logging
    from functools import partial

    def send(ids):
        try:
            send_notification(user_ids=ids, kind=kind, data=data)
        except Exception:
            logging.exception("not sent")

    transaction.on_commit(partial(send, list(user_ids)))
"""
        ),
    ),
    broken(
        "events.refused",
        "told once more when it is there already",
        Edit(
            _FRIENDS,
            "    except IntegrityError as error:\n",
            "    except IntegrityError as error:\n"
            "        events.friend_request(Friendship.objects.between(from_user, to_user).get())\n",
        ),
    ),
    broken(
        "events.refused",
        "told before the request is found",
        Edit(
            _FRIENDS,
            "    friendship = get_object_or_404(requests, pk=request_id)\n",
            "    events.friend_accepted(Friendship.objects.get(pk=request_id))\n"
            "    friendship = get_object_or_404(requests, pk=request_id)\n",
        ),
        in_service(_FRIENDS, _ACCEPTED, ""),
        Edit(_FRIENDS, "@transaction.atomic\ndef accept_request", "def accept_request"),
    ),
    correct("events.refused", "by signals and by hand", *_BY_SIGNALS),
    broken(
        "events.only-news",
        "declining tells that they are friends",
        Edit(
            _FRIENDS,
            "    requests = Friendship.objects.requests_to(receiver).filter(pk=request_id)\n",
            "    requests = Friendship.objects.requests_to(receiver).filter(pk=request_id)\n"
            "    for request in requests:\n"
            "        events.friend_accepted(request)\n",
        ),
    ),
    broken(
        "events.only-news",
        "a like is a post",
        Edit(
            _POSTS,
            "        post.liked_by.add(user)\n",
            "        post.liked_by.add(user)\n        events.new_post(post)\n",
        ),
    ),
    broken(
        "events.only-news",
        "a signal that takes an edited post for a new one",
        *_BY_SIGNALS,
        Edit(_SIGNALS, "if not created or instance.parent or", "if instance.parent or"),
    ),
    correct("events.only-news", "by signals and by hand", *_BY_SIGNALS),
    broken(
        "events.layer-down",
        "a try around on_commit, and the whole request in a transaction",
        _ATOMIC,
        *_TRIED,
    ),
    correct(
        "events.layer-down", "a try around on_commit, outside of transactions", *_TRIED
    ),
    correct("events.layer-down", "robust, and the whole request in a transaction", _ATOMIC),
    broken(
        "events.layer-down",
        "not robust",
        Edit(
            _EVENTS,
            "transaction.on_commit(send, robust=True)",
            "transaction.on_commit(send)",
        ),
    ),
    broken(
        "events.layer-down",
        "catches another exception",
        published(
            """    def send():
        try:
            send_notification(user_ids=user_ids, kind=kind, data=data)
        except OSError:
            pass

    transaction.on_commit(send)
"""
        ),
    ),
    correct("events.layer-down", "caught and logged", *_BY_SIGNALS),
    broken(
        "events.fan-out",
        "one call for each friend",
        post_told(
            publish="for pk in friend_ids:\n"
            '        publish(user_ids=[pk], kind="new_post", data=data)'
        ),
    ),
    broken(
        "events.fan-out",
        "one query for each friend",
        post_told(
            "[type(post.author).objects.get(pk=pk).pk for pk in"
            " friends_of(post.author).values_list('pk', flat=True)]"
        ),
    ),
    broken(
        "events.fan-out", "only the first page of friends", post_told(f"{_FRIEND_IDS}[:20]")
    ),
    correct(
        "events.fan-out",
        "in two halves",
        post_told(
            publish="half = len(friend_ids) // 2\n"
            '    publish(user_ids=friend_ids[:half], kind="new_post", data=data)\n'
            '    publish(user_ids=friend_ids[half:], kind="new_post", data=data)'
        ),
    ),
    correct("events.fan-out", "friendships that cannot be copied", *_ONE_PAIR_KEY),
]

"""The WebSocket ends of notifications: one socket, one signed-in user."""

import logging
import time

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.db import DatabaseError, InterfaceError
from redis.exceptions import RedisError

from announcements.streams import AnnouncementStream
from notifications import metrics
from notifications.services import watcher_group
from notifications.signed_in import SignedInConsumer
from notifications.streams import REFETCH, UserStream

logger = logging.getLogger(__name__)


class NotificationConsumer(SignedInConsumer):
    """Forward a user's notifications and all announcements, each once and in order."""

    streams = ()  # what this socket is sent; the stream of a user comes first
    joined = ()  # its groups

    async def dispatch(self, message):
        """Called by Channels for everything that happens to this socket."""
        try:
            await super().dispatch(message)
            metrics.observe_delay(message)
        except (DatabaseError, InterfaceError):
            # As HTTP's 503: not now. The client resumes when it is back.
            logger.exception("The database failed, so a socket is closed")
            await self.close(code=4503)
        except RedisError as error:
            logger.warning("The channel layer failed, so a socket is closed: %r", error)
            await self.close(code=4503)

    async def welcome(self):
        """Called when it is known whose socket this is."""
        user = self.scope["user"]
        self.streams = self.streams_for(user)
        for stream in self.streams:
            # First the group, then the number: an event that is stored in between counts
            # for both, so it cannot be missed.
            await self.join(stream.group)
            await stream.start()
        await self.send_json(
            {
                "type": "connection_established",
                "message": f"Connected as {user.username}",
                "user_id": self.own.user_id,
                "epoch": self.own.epoch,
                **self.position(),
                **self.expiry(),
            }
        )

    def streams_for(self, user):
        """Return the streams for this user."""
        return [UserStream(self, user.pk), AnnouncementStream(self)]

    @property
    def own(self):
        """The stream of a user."""
        return self.streams[0]

    def position(self):
        """Return the last number that was sent of each stream: last_seq and so on."""
        return {f"last_{stream.name}": stream.sent for stream in self.streams}

    async def join(self, group):
        """Become a member of a group, until the socket ends."""
        self.joined += (group,)
        await self.channel_layer.group_add(group, self.channel_name)

    async def leave(self):
        """Called when the socket has ended, however it did."""
        await super().leave()
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive_json(self, content, **kwargs):
        """Called by receive() with what a frame says: three types are answered."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "auth":
            await self.authenticate(content.get("token"))
        elif self.claims is None:
            await self.complain("Send a frame of the type auth first.")
        elif kind == "ping":
            await self.answer_ping(content.get("sent"))
        elif kind == "resume":
            await self.resume(content)
        else:
            await self.complain("The type of a frame is auth, ping or resume.")

    async def answer_ping(self, sent):
        """Send the server's time, the last numbers, and what the client sent to measure with."""
        answer = {"type": "pong", "time": round(1000 * time.time())}
        # A number, and one that every client can read: JSON has no NaN and no infinity.
        if type(sent) in (int, float) and abs(sent) < 2**53:
            answer["sent"] = sent
        last = {f"last_{stream.name}": await stream.last() for stream in self.streams}
        await self.send_json(answer | last)

    async def resume(self, seen):
        """Send what the client has missed, or tell it that this is not possible."""
        recovered = seen.get("epoch") == self.own.epoch and "seq" in seen
        for stream in self.streams:
            # If the client does not name a stream, it gets none of its past events.
            if recovered and stream.name in seen:
                recovered = await stream.resume(seen[stream.name])
        metrics.RESUMES.labels("recovered" if recovered else "refetch").inc()
        if recovered:
            answer = {"type": "resumed", "recovered": True}
            await self.send_json(answer | self.position())
        else:
            await self.start_over()

    async def start_over(self):
        """Tell the client what to request, and the numbers to continue from."""
        for stream in self.streams:
            await stream.start()
        answer = {"type": "resumed", "recovered": False, "epoch": self.own.epoch}
        await self.send_json(answer | self.position() | {"refetch": REFETCH})

    async def notify(self, event):
        """Called when a frame comes into one of our groups: a hint, which may be lost."""
        numbers = event["numbers"]
        text = with_numbers(event["text"], numbers)
        for stream in self.streams:
            if stream.name in numbers:
                if not await stream.hear(numbers[stream.name], text):
                    await self.start_over()
                return
        await self.send_text(text)

    async def catch_up(self, event):
        """Called when events were lost on their way to us: they are in the database."""
        for stream in self.streams:
            if not await stream.catch_up(await stream.last()):
                await self.start_over()
                return


def with_numbers(text, numbers):
    """Add numbers to a frame that is text already."""
    added = "".join(f', "{name}": {number}' for name, number in numbers.items())
    return f"{text[:-1]}{added}}}"


class UserConsumer(NotificationConsumer):
    """Forward the notifications of the user in the URL, to that user and to staff."""

    @property
    def owner_id(self):
        """Whose notifications these are."""
        return int(self.scope["url_route"]["kwargs"]["user_id"])

    def streams_for(self, user):
        """Return the stream of the user in the URL, and no announcements."""
        return [UserStream(self, self.owner_id)]

    async def sign_in(self, user, claims):
        """Make this the socket of a user who may see these notifications."""
        if await may_watch(user.pk, self.owner_id):
            await super().sign_in(user, claims)
        else:
            await self.close(code=4403)

    async def welcome(self):
        """Called when it is known whose socket this is."""
        # The owner's group is not told when the session of somebody else ends.
        await self.join(watcher_group(self.scope["user"].pk))
        await super().welcome()

    async def session_check(self, event=None):
        """Called now and then: a user may no longer be staff."""
        await super().session_check(event)
        if not await may_watch(self.scope["user"].pk, self.owner_id):
            await self.close(code=4403)


@database_sync_to_async
def may_watch(user_id, owner_id):
    """Return whether a user may see the notifications of this owner, if there is one."""
    if user_id == owner_id:
        return True
    users = get_user_model().objects
    staff = users.filter(pk=user_id, is_staff=True)
    # In this order: only staff can find out which users exist.
    return staff.exists() and users.filter(pk=owner_id).exists()

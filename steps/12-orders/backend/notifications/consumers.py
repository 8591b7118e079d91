"""The WebSocket end of notifications: one socket, one signed-in user."""

import logging

from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from notifications import numbering
from notifications.services import user_group
from notifications.signed_in import SignedInConsumer

logger = logging.getLogger(__name__)

inbox_of = database_sync_to_async(numbering.inbox_of)
page_after = database_sync_to_async(numbering.page_after)

REFETCH = [
    "/api/notifications/",
    "/api/messages/",
    "/api/posts/",
    "/api/friends/",
    "/api/friends/requests/",
    "/api/v1/orders/",
]


class NotificationConsumer(SignedInConsumer):
    """Forward a user's notifications to one open socket, each once and in order."""

    group = None
    sent = 0  # the number of the last notification that was sent

    async def dispatch(self, message):
        """Called by Channels for everything that happens to this socket."""
        try:
            await super().dispatch(message)
        except (DatabaseError, InterfaceError):
            # As HTTP's 503: not now. The client resumes when it is back.
            logger.exception("The database failed, so a socket is closed")
            await self.close(code=4503)

    async def welcome(self):
        """Called when it is known whose socket this is."""
        user = self.scope["user"]
        self.group = user_group(user.pk)
        # First the group, then the number: an event that is stored in between counts for
        # both, so it cannot be missed.
        await self.channel_layer.group_add(self.group, self.channel_name)
        inbox = await inbox_of(user.pk)
        self.sent = inbox.last_seq
        await self.send_json(
            {
                "type": "connection_established",
                "message": f"Connected as {user.username}",
                "user_id": user.pk,
                "epoch": inbox.epoch,
                "last_seq": inbox.last_seq,
                **self.expiry(),
            }
        )

    async def leave(self):
        """Called when the socket has ended, however it did."""
        await super().leave()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content, **kwargs):
        """Called by receive() with what a frame says: three types are answered."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "auth":
            await self.authenticate(content.get("token"))
        elif self.claims is None:
            await self.complain("Send a frame of the type auth first.")
        elif kind == "ping":
            inbox = await inbox_of(self.scope["user"].pk)
            await self.send_json({"type": "pong", "last_seq": inbox.last_seq})
        elif kind == "resume":
            await self.resume(content.get("epoch"), content.get("seq"))
        else:
            await self.complain("The type of a frame is auth, ping or resume.")

    async def resume(self, epoch, seq):
        """Send what the client has missed, or tell it that this is not possible."""
        inbox = await inbox_of(self.scope["user"].pk)
        if numbering.can_resume(inbox, epoch, seq):
            self.sent = seq
            if await self.catch_up(inbox.last_seq):
                answer = {"recovered": True, "last_seq": self.sent}
                await self.send_json({"type": "resumed", **answer})
                return
        await self.start_over()

    async def catch_up(self, last_seq):
        """Send all that is stored and was not sent. Return False if some of it is gone."""
        while not self.closed and (
            page := await page_after(self.scope["user"].pk, self.sent)
        ):
            for notification in page:
                if notification.seq != self.sent + 1:
                    return False
                await self.forward(notification.frame())
        return self.sent >= last_seq

    async def start_over(self):
        """Tell the client what to request, and the number to continue from."""
        inbox = await inbox_of(self.scope["user"].pk)
        self.sent = inbox.last_seq
        answer = {"epoch": inbox.epoch, "last_seq": inbox.last_seq, "refetch": REFETCH}
        await self.send_json({"type": "resumed", "recovered": False, **answer})

    async def forward(self, frame):
        """Send a frame, and remember its number if it has one."""
        self.sent = frame.get("seq", self.sent)
        await self.send_json(frame)

    async def notify(self, event):
        """Called when send_frames() puts a frame into our group: a hint, which may be lost."""
        frame = event["payload"]
        seq = frame.get("seq")
        if seq is None or seq == self.sent + 1:
            await self.forward(frame)
        elif seq > self.sent and not await self.catch_up(seq):
            await self.start_over()

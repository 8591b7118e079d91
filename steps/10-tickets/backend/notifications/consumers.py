"""The WebSocket end of notifications: one socket, one signed-in user."""

import logging

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError, InterfaceError

from notifications import numbering
from notifications.middleware import SUBPROTOCOL
from notifications.services import user_group

logger = logging.getLogger(__name__)

inbox_of = database_sync_to_async(numbering.inbox_of)
page_after = database_sync_to_async(numbering.page_after)

REFETCH = [
    "/api/notifications/",
    "/api/messages/",
    "/api/posts/",
    "/api/friends/",
    "/api/friends/requests/",
]


class NotificationConsumer(AsyncJsonWebsocketConsumer):
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

    async def connect(self):
        """Called when a client wants to connect, before the socket is open."""
        user = self.scope["user"]
        if not user.is_authenticated:
            # A close before accept() reaches the browser as 1006, not as our code.
            await self.accept(self.chosen_subprotocol())
            await self.close(code=self.scope.get("refusal", 4401))
            return
        self.group = user_group(user.pk)
        # First the group, then the number: an event that is stored in between counts for
        # both, so it cannot be missed.
        await self.channel_layer.group_add(self.group, self.channel_name)
        inbox = await inbox_of(user.pk)
        self.sent = inbox.last_seq
        await self.accept(self.chosen_subprotocol())
        await self.send_json(
            {
                "type": "connection_established",
                "message": f"Connected as {user.username}",
                "user_id": user.pk,
                "epoch": inbox.epoch,
                "last_seq": inbox.last_seq,
            }
        )

    async def disconnect(self, code):
        """Called when the socket is closed, by whichever side."""
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        """Called for each frame from the client: anything but JSON is an error."""
        try:
            content = await self.decode_json(text_data or "")
        except (ValueError, RecursionError):
            # An uncaught exception would close the socket.
            error = {"type": "error", "message": "Send JSON in a text frame."}
            await self.send_json(error)
        else:
            await self.receive_json(content)

    async def receive_json(self, content, **kwargs):
        """Called by receive() with what a frame says: two types are answered."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "ping":
            inbox = await inbox_of(self.scope["user"].pk)
            await self.send_json({"type": "pong", "last_seq": inbox.last_seq})
        elif kind == "resume":
            await self.resume(content.get("epoch"), content.get("seq"))

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
        while page := await page_after(self.scope["user"].pk, self.sent):
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

    def chosen_subprotocol(self):
        """Return our subprotocol if it was offered: a browser fails if none of its own is chosen."""
        return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None

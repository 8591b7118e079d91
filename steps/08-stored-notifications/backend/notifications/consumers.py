"""The WebSocket end of notifications: one socket, one signed-in user."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from notifications.middleware import SUBPROTOCOL
from notifications.services import user_group


class NotificationConsumer(AsyncJsonWebsocketConsumer):
    """Forward a user's notifications to one open socket."""

    group = None

    async def connect(self):
        """Called when a client wants to connect, before the socket is open."""
        user = self.scope["user"]
        if not user.is_authenticated:
            # A close before accept() reaches the browser as 1006, not as our code.
            await self.accept(self.chosen_subprotocol())
            await self.close(code=4401)
            return
        self.group = user_group(user.pk)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept(self.chosen_subprotocol())
        await self.send_json(
            {
                "type": "connection_established",
                "message": f"Connected as {user.username}",
                "user_id": user.pk,
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
        """Called by receive() with what a frame says: a ping is answered, the rest ignored."""
        if isinstance(content, dict) and content.get("type") == "ping":
            await self.send_json({"type": "pong"})

    async def notify(self, event):
        """Called when send_notification() puts an event into our group."""
        await self.send_json(event["payload"])

    def chosen_subprotocol(self):
        """Return our subprotocol if it was offered: a browser fails if none of its own is chosen."""
        return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None

"""The parts of the settings that real-time needs."""

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from channels.routing import get_default_application
from django.core.management import get_commands


def test_runserver_is_daphnes():
    """Django's own runserver would answer a WebSocket with 404."""
    assert get_commands()["runserver"] == "daphne"


def test_asgi_application_can_be_imported():
    """The server finds what ASGI_APPLICATION names."""
    assert callable(get_default_application())


def test_group_reaches_its_members_and_nobody_else():
    """Two channels of a group each get the message, a third one does not."""

    async def send_and_receive():
        layer = get_channel_layer()
        await layer.group_add("friends", "alice")
        await layer.group_add("friends", "bob")
        await layer.group_send("friends", {"type": "greeting"})
        # Had carol got the greeting as well, she would receive it first.
        await layer.send("carol", {"type": "later"})
        names = ("alice", "bob", "carol")
        return [(await layer.receive(name))["type"] for name in names]

    assert async_to_sync(send_and_receive)() == ["greeting", "greeting", "later"]

"""The parts of the settings that real-time needs."""

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from channels.routing import get_default_application
from django.core.management import get_commands

from numeneon.tests.test_settings import load_settings


def test_runserver_is_daphnes():
    """Django's own runserver would answer a WebSocket with 404."""
    assert get_commands()["runserver"] == "daphne"


def test_asgi_application_can_be_imported():
    """The server finds what ASGI_APPLICATION names."""
    assert callable(get_default_application())


@pytest.mark.parametrize(
    ("url", "layer"),
    [
        ("", "InMemoryChannelLayer"),
        ("redis://127.0.0.1:6379", "RedisPubSubChannelLayer"),
    ],
)
def test_redis_url_chooses_the_layer(url, layer):
    """Without a Redis, events stay in the process."""
    backend = load_settings(REDIS_URL=url).CHANNEL_LAYERS["default"]["BACKEND"]

    assert backend.rsplit(".")[-1] == layer


@pytest.mark.parametrize(
    ("url", "cache"), [("", "DatabaseCache"), ("redis://127.0.0.1:6379", "RedisCache")]
)
def test_tickets_are_kept_where_all_processes_find_them(url, cache):
    """Never in the memory of one process: another one may get the socket."""
    backend = load_settings(REDIS_URL=url).CACHES["default"]["BACKEND"]

    assert backend.rsplit(".")[-1] == cache


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

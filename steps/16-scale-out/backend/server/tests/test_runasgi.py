"""manage.py runasgi: what it passes on to uvicorn, and what it refuses."""

import pytest
import uvicorn
from django.core.management import CommandError, call_command


@pytest.fixture
def started(monkeypatch):
    """What uvicorn was started with, instead of starting it."""
    options = {}
    monkeypatch.setattr(uvicorn, "run", options.update)
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    return options


def test_defaults_are_for_a_developer(started):
    """Without options it listens on this machine only, in one process."""
    call_command("runasgi")

    wanted = {"host": "127.0.0.1", "port": 8000, "reload": False, "workers": 1}
    assert started.items() >= wanted.items()


def test_environment_says_port_and_processes(started, monkeypatch, settings):
    """A host's PORT and WEB_CONCURRENCY are used."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.pubsub.X"}}
    monkeypatch.setenv("PORT", "10000")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")

    call_command("runasgi")

    assert (started["port"], started["workers"]) == (10000, 3)


def test_sockets_are_limited_as_in_the_settings(started, settings):
    """uvicorn refuses frames that the consumers would refuse, and compresses none."""
    call_command("runasgi", "--interface=asgi")

    assert started["ws_max_size"] == settings.MAX_FRAME_BYTES
    assert started["ws_per_message_deflate"] is False


def test_other_interface_is_refused(started):
    """WSGI would serve the API, and no socket."""
    with pytest.raises(CommandError, match="must be asgi"):
        call_command("runasgi", "--interface=wsgi")

    assert not started


def test_several_processes_without_redis_are_refused(started):
    """With a layer in memory each process would have events of its own."""
    with pytest.raises(CommandError, match="REDIS_URL"):
        call_command("runasgi", "--workers=2")

    assert not started

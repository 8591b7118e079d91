"""Without WebSockets: the REST API works, and everybody is told."""

import pytest
from rest_framework.test import APIClient

from messaging.services import send_message
from notifications.tests.sockets import Socket
from numeneon import health, http_only
from numeneon.tests.test_settings import PRODUCTION, load_settings, python

# As on a machine that has not installed it.
WITHOUT_CHANNELS = "import sys; sys.modules['channels'] = None; "
HTTP_ONLY = {"CHANNEL_LAYERS": {}, "WEBSOCKETS": False}


@pytest.fixture(params=HTTP_ONLY)
def http_only_settings(request, settings):
    """One of the two reasons at a time."""
    setattr(settings, request.param, HTTP_ONLY[request.param])


@pytest.mark.parametrize("value", ["off", "Off", "0", "no", "false"])
def test_websockets_can_be_switched_off(value):
    """Then there is no channel layer, and Redis is not required in production."""
    variables = {**PRODUCTION, "REDIS_URL": "", "WEBSOCKETS": value}

    loaded = load_settings(**variables)

    assert loaded.WEBSOCKETS is False
    assert loaded.CHANNEL_LAYERS == {}
    assert "channels" not in loaded.INSTALLED_APPS


@pytest.mark.parametrize("value", ["", "on", "1"])
def test_websockets_are_on_otherwise(value):
    """As in every step before."""
    assert load_settings(WEBSOCKETS=value).WEBSOCKETS is True


@pytest.mark.parametrize(
    ("code", "variables", "reason"),
    [
        ("", {"WEBSOCKETS": "off"}, "WEBSOCKETS is off"),
        (WITHOUT_CHANNELS, {}, "the package channels is not installed"),
    ],
    ids=["off", "no package"],
)
def test_server_starts_and_says_why_it_is_http_only(code, variables, reason):
    """One line in the log, and nothing of Channels is imported."""
    channels = (
        "any(sys.modules[name] for name in sys.modules if name[:8] == 'channels')"
    )
    code += f"import sys, numeneon.asgi; assert not {channels}"

    done = python("-c", code, **variables)

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("HTTP only") == 1
    assert f"because {reason}: clients read the event stream" in done.stderr


def test_reason_may_be_the_layer(settings):
    """Settings of one's own may have none."""
    settings.CHANNEL_LAYERS = {}

    assert http_only.reason() == "CHANNEL_LAYERS is empty"


async def test_handshake_is_refused():
    """With HTTP 403, and without an exception."""
    socket = Socket(http_only.refuse, "/ws/notifications/")

    accepted, _ = await socket.connect()

    assert not accepted


def test_health_is_degraded(client, db, http_only_settings, caplog, monkeypatch):
    """Each time it is asked; the log has said it once."""
    monkeypatch.setattr(health, "PART_SECONDS", 10)
    response = client.get("/api/v1/health/")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["parts"]["events"]["status"] == "unavailable"
    assert response.json()["parts"]["database"]["status"] == "ok"
    assert "events" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_events_are_stored(alice, bob, http_only_settings, caplog):
    """What nobody is sent now can be read, or streamed."""
    send_message(sender=bob, receiver=alice, content="Hello")

    assert alice.notifications.get().kind == "new_message"
    assert not caplog.records


def test_there_are_no_tickets(api, http_only_settings):
    """A client does not have to find out by failing."""
    response = api.post("/api/v1/ws/ticket/")

    assert response.status_code == 404
    assert "/api/v1/notifications/stream/" in response.json()["detail"]


def test_api_works(api, http_only_settings):
    """Something is written, and read."""
    assert api.post("/api/posts/", {"content": "Hello"}).status_code == 201
    assert api.get("/api/posts/").json()["count"] == 1
    assert APIClient().get("/api/posts/").status_code == 401

"""What a line in the log says, and what it does not."""

import json
import logging

import pytest
from channels.testing import HttpCommunicator
from rest_framework_simplejwt.tokens import AccessToken

from notifications.tests.sockets import Socket
from numeneon import logs
from numeneon.asgi import application
from numeneon.formatters import JsonFormatter, TextFormatter
from numeneon.tests.test_settings import PRODUCTION, load_settings


def record(message, *args, **extra):
    """A line of the log, before it is written."""
    made = logging.LogRecord("shop", logging.INFO, "shop.py", 1, message, args, None)
    vars(made).update(extra)
    return made


@pytest.fixture(autouse=True)
def fresh_context():
    """Each test begins as a task does."""
    token = logs.context.set({})
    yield
    logs.context.reset(token)


def test_json_line_has_the_fields():
    """A program finds the same things in every line."""
    logs.bind(connection="c1")
    logs.bind(user=7)

    line = json.loads(
        JsonFormatter().format(record("Closed %s", "now", code=4401))
    )

    assert line.pop("time").startswith("20")
    assert line == {
        "level": "INFO",
        "logger": "shop",
        "message": "Closed now",
        "connection": "c1",
        "user": 7,
        "code": 4401,
    }


def test_text_line_has_the_fields():
    """People see them in front of the message."""
    logs.bind(request="r1")

    line = TextFormatter().format(record("GET /", status=200))

    assert line == "INFO request=r1 status=200 GET /"


def test_traceback_is_a_part_of_its_line():
    """A line break within it does not begin another line."""
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        failed = record("Failed", exc_info=(ValueError, error, error.__traceback__))

    text = JsonFormatter().format(failed)

    assert "\n" not in text
    assert "ValueError: a\nb" in json.loads(text)["traceback"]


@pytest.mark.parametrize("formatter", [JsonFormatter, TextFormatter])
def test_other_fields_are_left_out(formatter):
    """Django adds whole requests, and addresses have tokens in them."""
    line = formatter().format(record("GET /a?token=secret", request="secret", user="x"))

    assert "secret" not in line
    assert "GET /a?..." in line


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({}, "text"),
        ({"LOG_FORMAT": "json"}, "json"),
        (PRODUCTION, "json"),
        (PRODUCTION | {"LOG_FORMAT": "text"}, "text"),
    ],
)
def test_format_of_production_is_json(variables, chosen):
    """A variable changes it."""
    handlers = load_settings(**variables).LOGGING["handlers"]

    assert handlers["console"]["formatter"] == chosen


@pytest.fixture
def lines(caplog, monkeypatch):
    """What was logged so far, as JSON."""
    caplog.set_level(logging.INFO)
    written = []

    def emit(each):
        # While the line is written: later the context is another one.
        written.append(json.loads(JsonFormatter().format(each)))

    monkeypatch.setattr(caplog.handler, "emit", emit)
    return written


async def test_request_has_an_id(lines):
    """It is in the answer and on each line, and the line has no query."""
    headers = [(b"host", b"testserver")]
    path = "/nowhere/?token=secret"
    client = HttpCommunicator(application, "GET", path, headers=headers)

    answer = await client.get_response(timeout=10)
    await client.wait(10)

    request_id = dict(answer["headers"])[b"x-request-id"].decode()
    assert {line["request"] for line in lines} == {request_id}
    assert lines[-1]["message"] == "GET /nowhere/"
    assert lines[-1]["status"] == 404
    assert "secret" not in str(lines)


@pytest.mark.django_db(transaction=True)
async def test_socket_has_an_id(alice, lines):
    """All lines of a socket have it, and those after the sign-in have the user."""
    ids = set()
    for _ in range(2):
        token = AccessToken.for_user(alice)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        socket = Socket(application, "/ws/notifications/", headers)
        await socket.connect()
        await socket.receive_json_from()
        await socket.disconnect()

        messages = [line["message"] for line in lines]
        assert messages == ["Socket accepted", "Signed in", "Socket ended"]
        assert lines[-1]["user"] == alice.pk
        assert lines[-1]["code"] == 1000
        [own_id] = {line["connection"] for line in lines}
        ids.add(own_id)
        assert str(token) not in str(lines)
        lines.clear()
    assert len(ids) == 2


async def test_refused_handshake_is_logged(lines):
    """Its origin may be missing in ALLOWED_ORIGINS."""
    socket = Socket(application, "/ws/nowhere/")

    assert await socket.connect() == (False, 1000)
    await socket.wait()

    assert [line["message"] for line in lines] == ["Socket refused"]

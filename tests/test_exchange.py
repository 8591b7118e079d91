"""What went over the wire: recorded within bounds, secrets masked, drawn as a sequence."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

import course
from checks import report, sequence
from checks.errors import NotYet
from checks.exchange import Departure, Event, Exchange, Secrets
from checks.harness.client import NoAnswer, Socket, request
from checks.harness.recorder import Recorder, aside, recording
from checks.results import ItemResult, Report, Status
from checks.runner import Session
from tests.test_client import raw_server, socket_server  # noqa: F401 - fixtures
from tests.variants import Edit, Variant

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJlLW9mLWFsaWNl"
OPAQUE = "9f2d7a5b1c3e4f60718293a4b5c6d7e8f9012345"
CONVERSATION = (
    Event(
        0, "handshake", "client", "server", "GET /ws/", (("Origin", "http://a"),), socket=1
    ),
    Event(3, "layer", "server", "layer", "group_add user_1", socket=1),
    Event(4, "answer", "server", "client", "101 Switching Protocols", socket=1),
    Event(
        5, "frame", "server", "client", '{"type": "greeting", "to": "Zo\u00eb"}', socket=1
    ),
    Event(5004, "silence", "server", "client", "nothing for 5 s", socket=1),
    Event(5005, "close", "client", "server", "close 1000", socket=1),
)


def recorded(talk, error=None, recorder=None):
    """The exchange of whatever a client does in that function."""
    recorder = recorder or Recorder()
    with recording(recorder):
        talk()
    return recorder.exchange(error)


def texts(exchange):
    """Who said what."""
    return [(event.kind, event.sender, event.text) for event in exchange.events]


# Recording


def test_socket_is_recorded_from_handshake_to_close(socket_server):  # noqa: F811
    """Handshake with its headers, answer, frames in both directions, and who closed."""

    def serve(connection):
        connection.send("hello " + connection.recv())
        connection.close(4401, "log in")

    address = socket_server(serve)

    def talk():
        with Socket.open(address, origin="http://page") as socket:
            socket.send({"type": "hi"})
            socket.until_closed()

    exchange = recorded(talk)

    assert texts(exchange) == [
        ("handshake", "client", "GET /"),
        ("answer", "server", "101 Switching Protocols"),
        ("frame", "client", '{"type": "hi"}'),
        ("frame", "server", 'hello {"type": "hi"}'),
        ("close", "server", "close 4401 log in"),
    ]
    headers = dict(exchange.events[0].headers)
    assert headers["Origin"] == "http://page"
    assert headers["Upgrade"] == "websocket"
    assert headers["Host"] in address
    times = [event.ms for event in exchange.events]
    assert times == sorted(times)


def test_request_is_recorded_with_its_status(raw_server):  # noqa: F811
    """Method, path and status; what a probe is asked is nobody's business."""
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    port = raw_server([answer])
    own = raw_server([answer])

    def talk():
        request(port, "POST", "/api/messages/", token=TOKEN)
        request(own, "POST", "/__check__/found/")

    exchange = recorded(talk)

    assert texts(exchange) == [
        ("request", "client", "POST /api/messages/"),
        ("answer", "server", "403 Forbidden"),
    ]
    assert exchange.events[0].headers == (("Authorization", "Bearer eyJhbG...aWNl"),)


def test_refusals_and_silences_are_events(raw_server):  # noqa: F811
    """A handshake that is refused, and a request that nobody answers."""
    refusing = raw_server([b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"])
    silent = raw_server([])

    def talk():
        Socket.open(f"ws://127.0.0.1:{refusing}/").close()
        with pytest.raises(NoAnswer):
            request(silent, "GET", "/", patience=0.1)

    assert [text for _, _, text in texts(recorded(talk))] == [
        "GET /",
        "403 Forbidden",
        "GET /",
        "no answer within 0.1 s",
    ]


def test_each_item_has_its_own(socket_server):  # noqa: F811
    """Items run side by side: a thread writes to the recorder that it was given."""
    address = socket_server(lambda connection: connection.send(connection.request.path))
    found = {}

    def judge(name):
        def talk():
            with Socket.open(address + name) as socket:
                socket.until_closed()

        found[name] = recorded(talk)

    threads = [threading.Thread(target=judge, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for name, exchange in found.items():
        assert exchange.events[0].text == f"GET /{name}"
        assert ("frame", "server", f"/{name}") in texts(exchange)


def test_preparation_is_shown_only_if_it_fails(raw_server):  # noqa: F811
    """That people sign up first says nothing about a socket, unless they cannot."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    port, other, silent = raw_server([answer]), raw_server([answer]), raw_server([])

    def talk():
        with aside():
            request(port, "POST", "/signup/")
        request(other, "GET", "/")
        with pytest.raises(NoAnswer), aside():
            request(silent, "POST", "/login/", patience=0.1)

    exchange = recorded(talk)

    assert [event.text for event in exchange.events] == [
        "GET /",
        "200 OK",
        "POST /login/",
        "no answer within 0.1 s",
    ]


def test_nothing_said_is_no_exchange():
    """An item that reads files has nothing to show."""
    assert recorded(lambda: None) is None


# Bounds and secrets


def test_talker_is_bounded(socket_server):  # noqa: F811
    """The first and the last events are kept, what is between is counted."""

    def serve(connection):
        for number in range(500):
            connection.send(str(number))

    address = socket_server(serve)

    def talk():
        with Socket.open(address) as socket:
            socket.until_closed()

    exchange = recorded(talk)

    assert len(exchange.events) == 100
    assert exchange.left_out == 503 - 100
    assert exchange.events[exchange.left_after].text == "57"
    assert [event.text for event in exchange.events][-2:] == ["499", "close 1000"]


@pytest.mark.parametrize("token", [TOKEN, OPAQUE], ids=["JWT", "opaque"])
@pytest.mark.parametrize("way", ["subprotocol", "ticket", "query", "header"])
def test_token_is_never_whole(token, way, socket_server):  # noqa: F811
    """However it was sent, and although the project sends it back, in a megabyte or not."""

    def serve(connection):
        connection.send(f"your token is {token}")
        connection.send((token + " ") * 5000)
        connection.send("x" * 230 + token)
        connection.send("y" * 1_000_000)
        connection.close(1000, f"bye {token}"[:100])

    address = socket_server(serve)
    options = {
        "subprotocol": {"subprotocols": ["access_token", token]},
        "ticket": {"subprotocols": ["ticket", token]},
        "header": {"headers": {"Authorization": f"Bearer {token}"}},
        "query": {},
    }[way]

    def talk():
        query = f"?token={token}" if way == "query" else ""
        with Socket.open(address + query, **options) as socket:
            socket.until_closed()

    news = NotYet(f"it said {token}", expected=f"nobody says {token}")
    exchange = recorded(talk, news)
    result = ItemResult("a.b", "It holds.", Status.FAILED, exchange=exchange)
    written = report.to_json(Report(5, "/project", [result])) + "\n".join(
        sequence.drawn(exchange)
    )

    assert token not in "".join(written.split())
    assert token[:12] not in written
    assert f"{token[:6]}...{token[-4:]}" in written
    assert len(written) < 10_000


def test_made_up_token_stays_readable():
    """What is too short to be a secret is what the item is about."""
    secrets = Secrets(["not-a-token", "1", OPAQUE])

    assert secrets.masked(f"not-a-token, 1, {OPAQUE}") == "not-a-token, 1, 9f2d7a...2345"


# Where it left the expected path


def test_departure_is_behind_the_last_news(socket_server):  # noqa: F811
    """The client closes when it has seen enough; that is not where it went wrong."""
    address = socket_server(lambda connection: connection.send("no") or connection.recv())

    def talk():
        with Socket.open(address) as socket:
            socket.receive()

    exchange = recorded(talk, NotYet("it said no", expected="it says yes"))

    assert exchange.departure == Departure(2, "it says yes", "it said no")
    assert exchange.events[2].text == "no"
    assert recorded(talk, ZeroDivisionError()).departure is None


# Reports


def test_json_has_an_exchange_only_where_there_is_one():
    """Absent for items without, and JUnit does not change."""
    with_one = ItemResult(
        "a.b", "It holds.", Status.PASSED, exchange=Exchange(CONVERSATION)
    )
    without = ItemResult("a.b", "It holds.", Status.PASSED)
    [told] = json.loads(report.to_json(Report(5, "/p", [with_one])))["items"]
    [plain] = json.loads(report.to_json(Report(5, "/p", [without])))["items"]

    assert "exchange" not in plain
    assert {**plain, "exchange": told["exchange"]} == told
    assert told["exchange"]["events"][0] == {
        "ms": 0,
        "kind": "handshake",
        "from": "client",
        "to": "server",
        "text": "GET /ws/",
        "server": 1,
        "socket": 1,
        "headers": {"Origin": "http://a"},
    }
    assert report.to_junit(Report(5, "/p", [with_one])) == report.to_junit(
        Report(5, "/p", [without])
    )


@pytest.mark.parametrize("columns", [30, 60, 80, 100])
def test_sequence_fits_and_is_ascii(columns, monkeypatch):
    """No line is wider than the terminal, whatever is in a frame."""
    monkeypatch.setenv("COLUMNS", str(columns))
    exchange = Exchange(CONVERSATION, Departure(4, "an event \u2026 " * 9, "nothing"))

    for line in sequence.drawn(exchange):
        assert len(line) <= columns
        assert line.isascii() and line.isprintable()


def test_sequence_has_a_lane_for_each(monkeypatch):
    """Times at the left, arrows in their direction, the layer only where it is known."""
    monkeypatch.setenv("COLUMNS", "70")

    lines = sequence.drawn(Exchange(CONVERSATION))
    without = sequence.drawn(Exchange(CONVERSATION[:1]))

    assert lines[0].split() == ["ms", "client", "server", "layer"]
    assert without[0].split() == ["ms", "client", "server"]
    assert lines[2:5] == [
        "    0  | GET /ws/                           |                        |",
        "       | Origin: http://a                   |                        |",
        "       |----------------------------------->|                        |",
    ]
    assert lines[5:7] == [
        "    3  |                                    | group_add user_1       |",
        "       |                                    |----------------------->|",
    ]
    assert (
        lines[8] == "       |<-----------------------------------|                        |"
    )
    assert "Zo\\xeb" in "\n".join(lines)


def test_departure_is_drawn_where_it_happened():
    """Behind the event that it follows, in words, with and without colour."""
    exchange = Exchange(CONVERSATION, Departure(4, "an event", "nothing more"))

    plain = sequence.drawn(exchange)
    mark = next(n for n, line in enumerate(plain) if "it left the expected path" in line)

    assert "nothing for 5 s" in plain[mark - 2]
    assert plain[mark + 1 : mark + 3] == [
        "   expected  an event",
        "   seen      nothing more",
    ]
    assert "close 1000" in plain[mark + 4]
    assert "\033" not in "".join(plain)
    assert "\033[1;31m" in sequence.drawn(exchange, colour=True)[mark]


def test_several_sockets_are_told_apart():
    """They get numbers as soon as there are two; and so do servers that have no lane."""
    events = [
        Event(number, "handshake", "client", "server", "GET /ws/", (), number, number)
        for number in (1, 2, 3)
    ]
    text = "\n".join(sequence.drawn(Exchange(tuple(events))))

    assert "socket 1, server 1: GET /ws/" in text
    assert "socket 3, server 3: GET /ws/" in text
    assert "socket" not in "\n".join(sequence.drawn(Exchange(tuple(events[:1]))))


def test_two_servers_have_a_lane_each(monkeypatch):
    """An event that one process was told and the other has not: what did not cross."""
    monkeypatch.setenv("COLUMNS", "60")
    events = (
        Event(0, "handshake", "client", "server", "GET /ws/", server=1, socket=1),
        Event(1, "request", "client", "server", "POST /api/", server=2),
        Event(2, "answer", "server", "client", "201 Created", server=2),
        Event(9, "silence", "server", "client", "nothing for 5 s", server=1, socket=1),
    )

    assert sequence.drawn(Exchange(events)) == [
        "   ms  client                         server 1      server 2",
        "       |                              |                    |",
        "    0  | GET /ws/                     |                    |",
        "       |----------------------------->|                    |",
        "    1  | POST /api/                   |                    |",
        "       |------------------------------|------------------->|",
        "    2  | 201 Created                  |                    |",
        "       |<-----------------------------|--------------------|",
        "    9  | nothing for 5 s              |                    |",
        "       |. . . . . . . . . . . . . . . |                    |",
    ]


def test_what_was_left_out_is_said():
    """Between the first and the last events."""
    text = "\n".join(sequence.drawn(Exchange(CONVERSATION, left_out=1200, left_after=1)))

    assert text.index("group_add") < text.index("1200 more are left out")
    assert text.index("1200 more are left out") < text.index("101 Switching")


# On a real project


@pytest.fixture
def judged(shared):
    """The verdict on one item of step 3, and everything that anybody is shown of the run."""

    def run(project: Path, item: str) -> tuple[ItemResult, str]:
        with Session(project, **shared) as session:
            found = session.run(course.step("notifications-app").number, only=[item])
        lines = [
            line
            for result in found.items
            if result.exchange
            for line in sequence.drawn(result.exchange)
        ]
        [result] = [result for result in found.items if result.id == item]
        return result, report.to_json(found) + report.to_junit(found) + "\n".join(lines)

    return run


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The project as after step 5, with another consumer."""
    edit = Edit("backend/notifications/consumers.py", old, new)
    Variant("", "", (edit,), passes=False).make(course.step("asgi"), tmp_path / "project")
    return tmp_path / "project"


def no_token_in(written: str) -> None:
    """What looks like a JWT shows its two ends only; the second part would begin with eyJ."""
    assert "eyJhbG..." in written
    assert set(re.findall(r"eyJ[\w-]*", written)) == {"eyJhbG"}


@pytest.mark.server
def test_greeting_is_shown_with_its_layer(judged):
    """The handshake with a masked token, 101, the greeting, the group, and who closed."""
    result, written = judged(course.step("asgi").folder, "consumer.greets-user")

    assert result.status is Status.PASSED
    first = [event for event in result.exchange.events if event.socket == 1]
    assert [(event.kind, event.sender) for event in first[:5]] == [
        ("handshake", "client"),
        ("layer", "server"),
        ("answer", "server"),
        ("frame", "server"),
        ("close", "client"),
    ]
    handshake, layer, answer, greeting, close = first[:5]
    offered = dict(handshake.headers)["Sec-WebSocket-Protocol"]
    assert re.fullmatch(r"access_token, eyJhbG\.\.\.[\w-]{4}", offered)
    assert layer.text.startswith("group_add user_")
    assert answer.text == "101 Switching Protocols"
    assert dict(answer.headers) == {"Sec-WebSocket-Protocol": "access_token"}
    assert json.loads(greeting.text)["message"] == "Connected as alice"
    assert close.text == "close 1000"
    assert result.exchange.departure is None
    no_token_in(written)


@pytest.mark.server
def test_failure_shows_where_it_left_the_path(tmp_path, judged):
    """A consumer that does not close: after 101 comes nothing, and that is the place."""
    project = changed(tmp_path, "            await self.close(code=4401)\n", "")
    result, _ = judged(project, "consumer.close-code")

    assert result.status is Status.FAILED
    exchange = result.exchange
    assert exchange.departure.expected == "accepted, then closed with 4401"
    assert exchange.departure.seen.startswith("without a token: accepted, no frame")
    assert exchange.events[exchange.departure.after].kind == "silence"
    assert "it left the expected path" in "\n".join(sequence.drawn(exchange))


@pytest.mark.server
def test_hostile_project_is_bounded_and_masked(tmp_path, judged):
    """It sends the token back, in its frames and its close reason, and a megabyte of noise."""
    project = changed(
        tmp_path,
        "        self.group = user_group(user.pk)\n",
        """        token = self.scope["subprotocols"][-1] if self.scope["subprotocols"] else "none"
        if self.scope["user"].is_authenticated:
            await self.accept(subprotocol=token)
            await self.send(text_data="x" * 230 + token)
            await self.send(text_data=(token + " ") * 3000)
            await self.send(text_data="\\x1b[31m" + "y" * 900_000)
            for number in range(300):
                await self.send(text_data=f"{number} {token}")
            await self.close(4000, token[:120])
            return
        self.group = user_group(user.pk)
""",
    )
    result, written = judged(project, "consumer.greets")

    assert result.status is Status.FAILED
    assert len(result.exchange.events) <= 160
    no_token_in(written)
    assert len(written) < 100_000
    assert "\x1b" not in written

"""test_websockets.py and compare_http.py, pointed at a server that plays its part."""

import asyncio
import json
import sys
import threading
import time

import pytest
import uvicorn

import compare_http
import test_websockets

ANSWERS = {
    "/api/v1/health/": {"status": "ok"},
    "/api/auth/login/": {"access": "secret-token"},
    "/api/auth/me/": {"id": 2, "username": "bob"},
    "/api/v1/ws/ticket/": {"ticket": "secret-ticket"},
    "/api/messages/": {},
}
FRAMES = [
    {"type": "pong"},
    {"type": "presence"},
    {"type": "new_message"},
]


class FakeServer:
    """An ASGI application that says what Numeneon would."""

    def __init__(self):
        self.answers = dict(ANSWERS)
        self.origins = {"https://elsewhere.example": False}
        self.sockets = True
        self.used = set()

    async def __call__(self, scope, receive, send):
        """Called by uvicorn for each request and each socket."""
        if scope["type"] == "http":
            found = self.answers.get(scope["path"])
            start = {
                "type": "http.response.start",
                "status": 200 if found is not None else 404,
            }
            await send(start)
            body = json.dumps(found).encode()
            await send({"type": "http.response.body", "body": body})
        elif await self.accepted(dict(scope["headers"]), scope["subprotocols"], send):
            await self.talk(receive, send)

    async def accepted(self, headers, offered, send):
        """Answer a handshake, and return whether the socket stays open."""
        origin = headers.get(b"origin", b"").decode()
        if not self.sockets or not self.origins.get(origin, True):
            await send({"type": "websocket.close"})
            return False
        await send({"type": "websocket.accept", "subprotocol": (offered or [None])[0]})
        if offered and not self.used:
            self.used.update(offered)
            return True
        await send({"type": "websocket.close", "code": 4408 if offered else 4401})
        return False

    async def talk(self, receive, send):
        """Greet, and answer a ping with more than was asked for."""
        greeting = {"type": "connection_established", "message": "Connected as bob"}
        await send({"type": "websocket.send", "text": json.dumps(greeting)})
        while (message := await receive())["type"] != "websocket.disconnect":
            if "text" in message:
                for frame in FRAMES:
                    await send({"type": "websocket.send", "text": json.dumps(frame)})


@pytest.fixture
def fake():
    return FakeServer()


@pytest.fixture
def url(fake):
    """Where the server listens, as long as a test runs."""
    config = uvicorn.Config(fake, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def try_out(url, monkeypatch, capsys):
    """A function that runs the client. It returns the exit code and the output."""

    def run(*arguments):
        given = [url, "--email=bob@example.com", *arguments]
        monkeypatch.setattr(sys, "argv", ["test_websockets.py", *given])
        monkeypatch.setattr("getpass.getpass", lambda: "correct horse")
        # The machine may be busy.
        monkeypatch.setattr("remote.SECONDS", 30)
        return test_websockets.main(), capsys.readouterr().out

    return run


def test_server_that_works_gets_a_line_for_everything(try_out):
    """Eight things are tried, all work, and no line has a token or a ticket."""
    status, said = try_out("--sender=alice@example.com")

    assert status == 0
    assert said.count("ok  ") == 8
    assert "secret" not in said


def test_event_is_not_tried_without_a_sender(try_out):
    """With one account there is nobody who writes."""
    status, said = try_out()

    assert status == 0
    assert "not tried" in said


def test_server_without_sockets_gets_advice(try_out, fake):
    """A refused handshake ends it: without a socket nothing else can work."""
    fake.sockets = False

    status, said = try_out()

    assert status == 1
    assert said.splitlines()[-1].startswith("FAILED A ticket opens a socket.")


def test_other_site_that_is_let_in_is_reported(try_out, fake):
    """What is wrong in one place does not hide what works in the others."""
    fake.origins.clear()

    status, said = try_out()

    assert status == 1
    assert "FAILED A page of another site" in said
    assert said.count("ok  ") == 7


def test_address_that_is_missing_is_reported(try_out, fake):
    """Something else than Numeneon answers with 404."""
    del fake.answers["/api/v1/health/"]

    status, said = try_out()

    assert status == 1
    assert "/api/v1/health/ got HTTP 404" in said


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ws://127.0.0.1:8000"])
def test_url_of_another_kind_is_refused(monkeypatch, capsys, url):
    """The URL is the one that a browser would open."""
    argv = ["test_websockets.py", url, "--email=bob@example.com"]
    monkeypatch.setattr(sys, "argv", argv)

    with pytest.raises(SystemExit):
        test_websockets.main()

    assert "begins with http" in capsys.readouterr().err


def test_without_tls_both_comparisons_speak_http_1(url, capsys):
    """HTTP/2 is agreed on in the TLS handshake: without, there are six connections."""
    asyncio.run(compare_http.main(url))

    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("HTTP/1.1 connections: 6,") for line in lines)
    assert len(lines) == 2

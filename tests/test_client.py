"""What a server sends is read within bounds, and whatever it is, it is a result."""

import contextlib
import itertools
import json
import socket
import threading
import time

import pytest
import websockets.sync.server
from websockets.sync.client import ClientConnection

from checks.harness.client import NoAnswer, Socket, parsed, request, shorten
from course.deadline import Deadline, within

HEAD = b"HTTP/1.1 200 OK\r\n"


def stop_accepting(listener):
    """Wake a thread that waits for a connection which has never been made."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def raw_server():
    """Serve one connection: what the iterable gives, a piece at a time; its port."""
    with contextlib.ExitStack() as stack:

        def serve(pieces, pause=0.0):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            over = threading.Event()

            def run():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        for piece in pieces:
                            connection.sendall(piece)
                            if over.wait(pause):
                                return
                        over.wait(60)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(over.set)
            stack.callback(stop_accepting, listener)
            return listener.getsockname()[1]

        yield serve


@pytest.fixture
def socket_server():
    """Serve WebSockets with a function; the address."""
    with contextlib.ExitStack() as stack:

        def serve(handler):
            server = stack.enter_context(
                websockets.sync.server.serve(handler, "127.0.0.1", 0, max_size=None)
            )
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"

        yield serve


DRIPS = {
    "headers": itertools.chain([HEAD], itertools.repeat(b"x")),
    "body": itertools.chain(
        [HEAD + b"Content-Length: 999\r\n\r\n"], itertools.repeat(b"x")
    ),
}


@pytest.mark.parametrize("part", DRIPS)
def test_dripping_answer_has_one_deadline(part, raw_server):
    """Patience is for the answer as a whole, not for each byte of it."""
    port = raw_server(DRIPS[part], pause=0.05)
    start = time.monotonic()

    with pytest.raises(NoAnswer, match=r"within 0\.5 s"):
        request(port, "GET", "/", patience=0.5)

    assert time.monotonic() - start < 5


ENDLESS = {
    "body": (HEAD + b"\r\n", b"x" * 65536),
    "headers": (HEAD, b"X-More: 1\r\n" * 5000),
    "line": (HEAD, b"x" * 65536),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
}


@pytest.mark.parametrize("part", ENDLESS)
def test_endless_answer_is_cut_off(part, raw_server):
    """An answer is read up to a limit, whichever of its parts has no end."""
    first, more = ENDLESS[part]
    port = raw_server(itertools.chain([first], itertools.repeat(more)))
    start = time.monotonic()

    with pytest.raises(NoAnswer):
        request(port, "GET", "/", patience=20)

    assert time.monotonic() - start < 15


def test_deadline_of_the_item_comes_first(raw_server):
    """A request takes no longer than what is left to the item that makes it."""
    port = raw_server([])
    start = time.monotonic()

    with pytest.raises(NoAnswer), within(Deadline.after(0.2)):
        request(port, "GET", "/", patience=30)

    assert time.monotonic() - start < 5


def test_what_no_request_can_hold_is_no_answer(raw_server):
    """A token with a line break in it is the project's, and no fault of the check."""
    with pytest.raises(NoAnswer, match="GET /"):
        request(raw_server([]), "GET", "/", token="a\nb")


def test_deep_json_is_text():
    """JSON that is nested beyond all reason is not walked."""
    for text in (b"[" * 100_000, b"[" * 400 + b"]" * 400):
        assert parsed(text) == text.decode()
    assert parsed(b'{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}


def test_shown_text_is_harmless():
    """What a terminal would obey, and what no file can hold, is replaced."""
    assert shorten("a\x1b[2Jb") == "a\N{REPLACEMENT CHARACTER}[2Jb"
    shorten(json.loads('"\\ud800"')).encode("utf-8")


def test_socket_that_never_stops_talking_is_cut_off(socket_server):
    """After as many frames as no correct project sends, the socket counts as silent."""

    def talk(connection):
        while True:
            connection.send('{"type": "tick"}')

    start = time.monotonic()
    with Socket.open(socket_server(talk)) as found:
        assert found.event("never", patience=30) is None
        assert found.receive() is None

    assert "more and more frames" in str(found)
    assert len(str(found)) < 500
    assert time.monotonic() - start < 20


def test_slow_talker_has_one_deadline(socket_server):
    """Patience is for the event that is waited for, not for each frame before it."""

    def talk(connection):
        while True:
            connection.send('{"type": "tick"}')
            time.sleep(0.05)  # the slowness is what is tested

    start = time.monotonic()
    with Socket.open(socket_server(talk)) as found:
        assert found.event("never", patience=0.5) is None
        assert found.until_closed(patience=0.5) is None

    assert time.monotonic() - start < 5


def test_huge_frame_is_not_read(socket_server):
    """A frame beyond the limit ends the reading, and the text says what it was."""
    with Socket.open(socket_server(lambda c: c.send("x" * 100_000_000))) as found:
        assert found.receive() is None

    assert found.close_code is None and found.ended
    assert "could not be read" in str(found)


def test_frame_before_a_close_is_kept(socket_server, monkeypatch):
    """It counts even if the server has gone before our side could answer its close."""
    send_data = ClientConnection.send_data
    greeting = b'{"type": "connection_established"}'
    # Both at once: a text and a close, as RFC 6455 has them in section 5.2.
    frames = bytes([0x81, len(greeting)]) + greeting + b"\x88\x02" + (4401).to_bytes(2)

    def answer(connection):
        if connection.protocol.close_rcvd:
            connection.socket.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError("the server has gone")
        send_data(connection)

    monkeypatch.setattr(ClientConnection, "send_data", answer)
    with Socket.open(socket_server(lambda c: c.socket.sendall(frames))) as found:
        assert found.receive() == {"type": "connection_established"}
        assert found.receive() is None

    assert found.close_code == 4401


def test_null_is_a_frame(socket_server):
    """A frame that says null is not taken for silence."""

    def talk(connection):
        connection.send("null")
        connection.send('{"type": "event"}')
        connection.recv()

    with Socket.open(socket_server(talk)) as found:
        assert found.event("event") == {"type": "event"}


def test_handshake_that_never_ends_is_given_up(raw_server):
    """A server that drips its answer to a handshake is a result, not a wait."""
    port = raw_server(itertools.chain([HEAD], itertools.repeat(b"x")), pause=0.05)
    start = time.monotonic()

    found = Socket.open(f"ws://127.0.0.1:{port}/", patience=0.5)

    assert not found.opened and found.trouble
    assert time.monotonic() - start < 5


def test_redirected_handshake_is_a_refusal(raw_server):
    """A redirect is not followed, wherever it leads."""
    head = b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
    port = raw_server([head])

    found = Socket.open(f"ws://127.0.0.1:{port}/", at=("127.0.0.1", port), patience=2)

    assert found.refused == 301


def test_token_that_no_handshake_can_hold_is_a_result(raw_server):
    """A subprotocol with a colon cannot be sent; the socket says so."""
    url = f"ws://127.0.0.1:{raw_server([])}/"

    found = Socket.open(url, subprotocols=["access_token", "a:b"])

    assert not found.opened and "a:b" in found.trouble

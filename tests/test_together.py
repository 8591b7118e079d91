"""Many sockets are opened at one moment, and all of them are open at the same time."""

import contextlib
import json
import socket
import threading

import pytest
import websockets.sync.server

from checks.harness.client import Socket
from checks.harness.people import Person
from checks.harness.together import Gate, arrivals

PEOPLE = [
    Person(number, f"person{number}", "", "", f"token-{number}", "") for number in (1, 2, 3)
]


def sending(end, data):
    """Send in a thread, as each of many handshakes is sent."""
    thread = threading.Thread(target=end.sendall, args=[data], daemon=True)
    thread.start()
    return thread


@pytest.fixture
def pairs():
    """Two connections: our ends and the servers'."""
    with contextlib.ExitStack() as stack:
        made = [socket.socketpair() for _ in range(2)]
        for end in (end for pair in made for end in pair):
            stack.callback(end.close)
            end.settimeout(10)
        yield made


def test_last_byte_waits_for_the_others(pairs):
    """No handshake is complete before all are there; what follows is sent as it is."""
    gate = Gate(2, patience=10)
    (one, its_server), (two, other_server) = pairs
    first, second = gate.around(one), gate.around(two)

    with first, second:
        threads = [sending(first, b"GET 1\n")]
        assert its_server.recv(100) == b"GET 1"
        threads.append(sending(second, b"GET 2\n"))
        assert its_server.recv(100) == b"\n"
        assert other_server.makefile("rb").readline() == b"GET 2\n"
        for thread in threads:
            thread.join(10)
        first.sendall(b"more")
        assert its_server.recv(100) == b"more"


def test_one_that_never_comes_holds_nobody(pairs):
    """If a connection fails, the others are sent when their patience is over."""
    gate = Gate(2, patience=0.05)
    ours, server = pairs[0]

    with gate.around(ours) as alone:
        alone.sendall(b"GET 1\n")
        assert server.makefile("rb").readline() == b"GET 1\n"


@pytest.fixture
def address():
    """A server that greets nobody before all are there, each by the id in its path."""
    together = threading.Barrier(len(PEOPLE), timeout=10)

    def greet(connection):
        together.wait()
        user_id = int(connection.request.path.strip("/"))
        words = {"message": f"Connected as person{user_id}", "user_id": user_id}
        connection.send(json.dumps({"type": "connection_established", **words}))
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            connection.recv()

    with websockets.sync.server.serve(greet, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join(5)


def test_all_are_open_at_once_and_closed_in_the_end(address):
    """Each has its own first frame while the others are still open."""

    def open_one(person, gate):
        return Socket.open(f"{address}{person.id}", gate=gate)

    with arrivals(open_one, PEOPLE) as arrived:
        assert [a.person for a in arrived] == PEOPLE
        assert all(a.greeted for a in arrived)
        sockets = [a.socket for a in arrived]

    assert all(found.receive(1) is None for found in sockets)


def test_greeting_of_another_is_seen(address):
    """A socket that is greeted as somebody else is not greeted."""
    swapped = {1: 2, 2: 1, 3: 3}

    def open_one(person, gate):
        return Socket.open(f"{address}{swapped[person.id]}", gate=gate)

    with arrivals(open_one, PEOPLE) as arrived:
        assert [a.greeted for a in arrived] == [False, False, True]

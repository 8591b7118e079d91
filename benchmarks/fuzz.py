"""Whether sequences of frames that nobody thought of can stop the server, or make it grow.

    python benchmarks/fuzz.py [--sequences 10000] [--waves 10] [--server uvicorn|daphne] [--seed N]

Starts the last step's server on a database of its own. hypothesis makes the sequences: commands
with parts missing, doubled or of another type, any JSON, any text, any bytes, and what is no
WebSocket frame at all. After each of them the client must have been answered, or closed with a code
that says why; no exception may be in the log. Between the waves come clients that flood, do not
read, never sign in or open too many sockets. In the end the server must still serve, and its memory
must be within 5 % of what it was after the second wave. Exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import random
import re
import socket as plain
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.configuration import set_hypothesis_home_dir  # noqa: E402

from checks.harness import client  # noqa: E402
from checks.harness.memory import resident  # noqa: E402
from course import steps  # noqa: E402
from course.contract import (  # noqa: E402
    AUTH,
    CLOSE_CODES,
    PING,
    PONG,
    RESUME,
    SOCKET_PATH,
    headers_of,
    without_steering,
)
from course.processes import free_port, listening, wait_until  # noqa: E402

BACKEND = steps()[-1].folder / "backend"
USERS = 8
PATIENCE = 10.0
# Besides ours: a frame that breaks the protocol, text that is not UTF-8, a frame that is too long.
EXPECTED = {*CLOSE_CODES, 1002, 1007, 1009}
# Daphne says so when a client leaves at the moment at which it is sent something.
HUNG_UP = "Disconnected: Attempt to send on a closed protocol"
MOST_GROWTH = 0.05
SERVERS = {
    "uvicorn": ["uvicorn", "--lifespan", "off", "--log-level", "error", "--port"],
    "daphne": ["daphne", "-v", "0", "-p"],
}
PEOPLE = """
import json
from rest_framework_simplejwt.tokens import AccessToken
from users.models import User

names = [f"user{{n}}" for n in range({users})]
User.objects.bulk_create(User(username=n, email=f"{{n}}@example.com") for n in names)
print(json.dumps([str(AccessToken.for_user(user)) for user in User.objects.order_by("pk")]))
"""

# What a client may send.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
TYPES = st.sampled_from(
    [PING, RESUME, AUTH, "notify", "session.check", "websocket.close", "__init__", ""]
)
COMMANDS = st.fixed_dictionaries(
    {"type": TYPES | VALUES},
    optional={
        "epoch": VALUES,
        "seq": st.integers(-2, 3) | VALUES,
        "token": VALUES,
        "group": st.text(max_size=120),
        "payload": VALUES,
    },
)
TEXTS = st.one_of(
    COMMANDS.map(json.dumps),
    COMMANDS.map(json.dumps).map(lambda text: text[: len(text) * 2 // 3]),
    VALUES.map(json.dumps),
    st.text(max_size=200).filter(lambda text: text.isprintable()),
    st.sampled_from(["[" * 30_000, '{"a":' * 10_000, "9" * 60_000, "x" * 70_000, ""]),
)
# Raw frames: any first byte, and a length that need not be true.
RAW = st.binary(min_size=1, max_size=64)
FRAMES = st.one_of(
    TEXTS, TEXTS, TEXTS, st.binary(max_size=200), st.tuples(st.just("raw"), RAW)
)
SEQUENCES = st.lists(FRAMES, min_size=1, max_size=8)


@dataclass
class Server:
    """The last step's server, and what has become of those who were connected to it."""

    kind: str
    folder: Path
    port: int = field(default_factory=free_port)
    tokens: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        return without_steering(os.environ) | {
            "DATABASE_URL": f"sqlite:///{self.folder / 'fuzz.sqlite3'}",
            "SECRET_KEY": "a-key-for-one-test-only-0123456789-abcdefghijkl",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self) -> None:
        """Make the database and its users, and start the server."""
        self._manage("migrate", "-v0")
        code = PEOPLE.format(users=USERS)
        said = self._manage("shell", "-v0", "--no-imports", "-c", code)
        self.tokens = json.loads(said)
        argv = ["-m", *SERVERS[self.kind], str(self.port), "numeneon.asgi:application"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *argv], cwd=BACKEND, env=self.env, stdout=log, stderr=log
            )
        assert wait_until(lambda: listening(self.port), seconds=60), "it does not listen"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(30)

    def _manage(self, *argv: str) -> str:
        command = [sys.executable, "manage.py", *argv]
        done = subprocess.run(
            command,
            cwd=BACKEND,
            env=self.env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    @contextlib.contextmanager
    def connected(self, token: str | None = None, **options: Any) -> Iterator[Any]:
        """A WebSocket with that token, or with none."""
        from websockets.sync.client import connect

        with connect(
            f"ws://127.0.0.1:{self.port}{SOCKET_PATH}",
            additional_headers=headers_of(token, "header"),
            open_timeout=PATIENCE,
            close_timeout=0.1,
            ping_interval=None,
            compression=None,
            proxy=None,
            **options,
        ) as socket:
            yield socket

    def serves(self) -> bool:
        """Whether HTTP and a socket are answered."""
        answer = client.request(self.port, "GET", "/healthz/")
        with self.connected(self.tokens[0]) as socket:
            return answer.status == 200 and self._pong(socket) == PONG

    def take(self, sequence: list[Any]) -> None:
        """Send that sequence on a new socket, and note how that ended."""
        token = random.choice(self.tokens)
        raw = False
        with self.connected(token) as socket:
            socket.recv(timeout=PATIENCE)
            for frame in sequence:
                with contextlib.suppress(OSError, _closed()):
                    if isinstance(frame, tuple):
                        raw = True
                        socket.socket.sendall(frame[1])
                    else:
                        socket.send(frame)
            # Who has begun a frame and does not finish it gets no answer: we hang up.
            end = self._pong(socket, patience=0.05 if raw else PATIENCE)
        self.ends[end] += 1
        expected = {PONG, *map(str, EXPECTED)} | ({"silence", "1006"} if raw else set())
        if end not in expected:
            self.faults.append(f"{end} after {sequence!r:.300}")

    def _pong(self, socket: Any, patience: float = PATIENCE) -> str:
        """PONG, the code that the socket is closed with, or "silence"."""
        closed = _closed()
        try:
            socket.send(json.dumps({"type": PING}))
            while json.loads(socket.recv(timeout=patience)).get("type") != PONG:
                pass
            return PONG
        except closed as error:
            return str(error.rcvd.code if error.rcvd else 1006)
        except TimeoutError:
            return "silence"

    # Clients that mean harm

    def attack(self) -> None:
        """A flood, a client that does not read, half a handshake, and too many sockets."""
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                sock = plain.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
                stack.enter_context(sock)
                sock.sendall(b"GET /ws/notifications/ HTTP/1.1\r\nHost: ")
            for _ in range(20):
                stack.enter_context(self.connected())
            for _ in range(15):
                stack.enter_context(self.connected(self.tokens[1]))
            with (
                self.connected(self.tokens[2]) as flood,
                contextlib.suppress(OSError, _closed()),
            ):
                for _ in range(2_000):
                    flood.send(json.dumps({"type": PING}))
            with self.connected(self.tokens[3]) as deaf:
                for _ in range(60):
                    deaf.send(json.dumps({"type": RESUME, "epoch": "x", "seq": 0}))
            assert self.serves(), "while clients mean harm, others are not served"

    def memory(self) -> int:
        """What the server has in memory, once all of its sockets have ended."""
        time.sleep(1.5)
        assert self.process
        return resident(self.process.pid) or 0

    def exceptions(self) -> str:
        """The ends of the tracebacks in the log, each with the lines before it."""
        log = self.log.read_text("utf-8", errors="replace")
        ends = re.findall(
            r"(?:^ .*\n){1,6}^[\w.]+(?:: .*)?$(?!\n\nDuring handling)", log, re.MULTILINE
        )
        return "\n".join(end for end in dict.fromkeys(ends) if not end.endswith(HUNG_UP))


def _closed() -> type[Exception]:
    from websockets.exceptions import ConnectionClosed

    return ConnectionClosed


def wave(server: Server, count: int, number: int) -> None:
    """Send the server that many sequences."""

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(SEQUENCES)
    def send(sequence: list[Any]) -> None:
        server.take(sequence)

    send()


def run(options: argparse.Namespace, server: Server) -> bool:
    """All waves; prints the figures."""
    sizes = []
    began = time.monotonic()
    for number in range(options.waves):
        wave(server, options.sequences // options.waves, options.seed + number)
        server.attack()
        assert server.serves(), "the server does not serve any more"
        sizes.append(server.memory())
    plateau = sizes[min(1, len(sizes) - 1)]
    growth = sizes[-1] / plateau - 1 if plateau else 0.0
    print(f"{server.kind}, seed {options.seed}, {time.monotonic() - began:.0f} s")
    print(f"sequences: {sum(server.ends.values())}")
    for end, count in server.ends.most_common():
        print(f"  ended with {end}: {count}")
    print("memory in MB: " + ", ".join(f"{size / 1e6:.1f}" for size in sizes))
    print(f"after the second wave it grew by {growth:.1%}")
    print(f"faults: {len(server.faults)}")
    for fault in server.faults[:5]:
        print(f"  {fault}")
    trace = server.exceptions()
    print(f"exceptions in the log: {'yes' if trace else 'none'}\n{trace[:4000]}".rstrip())
    return not server.faults and not trace and growth <= MOST_GROWTH


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--waves", type=int, default=10)
    parser.add_argument("--server", choices=SERVERS, default="uvicorn")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    # The client's own library is surprised by servers that hang up on us.
    logging.getLogger("websockets").setLevel(logging.CRITICAL + 1)
    with tempfile.TemporaryDirectory() as name:
        set_hypothesis_home_dir(name)
        server = Server(options.server, Path(name))
        try:
            server.start()
            return 0 if run(options, server) else 1
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())

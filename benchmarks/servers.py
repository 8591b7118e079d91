"""The contenders of compare.py and soak.py: each is started, pinned and has a crowd of clients."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checks.harness import services  # noqa: E402
from checks.harness.memory import resident  # noqa: E402
from course import step, steps  # noqa: E402
from course.contract import without_steering  # noqa: E402
from course.processes import Process, free_port, listens  # noqa: E402

HERE = ROOT / "benchmarks" / "contenders"
SECRET_KEY = "a-key-for-one-measurement-0123456789-abcdefgh"
FINAL = steps()[-1].folder / "backend"
TEXTBOOK = step("asgi").folder / "backend"
# The longest that any one command to a crowd may take.
MOST_SECONDS = 400.0

PEOPLE = """
import json, sys
from rest_framework_simplejwt.tokens import AccessToken
from friends.models import Friendship
from users.models import User
from django.utils import timezone

sizes, now = {sizes}, timezone.now()
names = [f"author{{size}}" for size in sizes] + [f"user{{n}}" for n in range({count})]
User.objects.bulk_create(
    User(username=n, email=f"{{n}}@example.com", is_staff=n.startswith("author"))
    for n in names
)
people = list(User.objects.order_by("pk"))
authors, users = people[: len(sizes)], people[len(sizes) :]
for author, size in zip(authors, sizes):
    Friendship.objects.bulk_create(
        Friendship(from_user=author, to_user=user, accepted_at=now) for user in users[:size]
    )
print(json.dumps([[user.pk, str(AccessToken.for_user(user))] for user in people]))
"""


class Missing(Exception):
    """What a contender needs is not on this machine; the words say what."""


def processors() -> list[int]:
    """The processors that this process may use; [] where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def place(role: str, number: int = 0) -> set[int]:
    """The processor of a server, of its clients, or of Redis and the database."""
    cpus = processors()
    if role == "server":
        return set(cpus[number % max(1, len(cpus)) :][:1])
    last = -2 if role == "services" and len(cpus) > 2 else -1
    return set(cpus[last:][:1])


@contextlib.contextmanager
def pinned(cpus: set[int]) -> Iterator[None]:
    """Have what is started here run on these processors only, where the system can do that."""
    before = processors()
    if cpus:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        if cpus:
            os.sched_setaffinity(0, before)


def busy(pids: Sequence[int]) -> float | None:
    """The seconds of processor time that these processes have used; None where nobody says."""
    try:
        files = [f for pid in pids for f in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9
    except (OSError, ValueError):
        return None


class Crowd:
    """The process with the clients of one contender (crowd.py)."""

    def __init__(self) -> None:
        with pinned(place("clients")):
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "benchmarks" / "crowd.py"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def ask(self, do: str, **command: Any) -> dict[str, Any]:
        """Have a command carried out. Raises TimeoutError."""
        self.tell(do, **command)
        return self.answer()

    def tell(self, do: str, **command: Any) -> None:
        """Give a command; answer() waits for its end."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """What the last command led to. Raises TimeoutError."""
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], MOST_SECONDS)[0]:
            raise TimeoutError("the clients do not answer")
        said = self.process.stdout.readline()
        if not said:
            raise ChildProcessError("the clients have ended")
        answer: dict[str, Any] = json.loads(said)
        return answer

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(10)


@dataclass
class Contender:
    """Servers that run, what their clients say to them, and these clients."""

    key: str
    title: str
    processes: list[Process]
    ports: list[int]
    path: str
    heads: list[dict[str, str]]  # of the handshake, one for each user
    requests: dict[str, dict[str, Any]]  # what can be asked of it, by name
    crowd: Crowd = field(default_factory=Crowd)
    size: int = 0  # how many sockets are open
    env: dict[str, str] = field(default_factory=dict)

    @property
    def pids(self) -> list[int]:
        """The processes that are measured."""
        return [process.pid for process in self.processes]

    def connect(
        self, heads: list[dict[str, str]], first: int, **more: Any
    ) -> dict[str, Any]:
        """Open more sockets."""
        where = {"ports": self.ports, "path": self.path} | more
        return self.crowd.ask("connect", heads=heads, first=first, **where)

    def memory(self) -> int | None:
        """The bytes that the servers keep."""
        found = [resident(pid) for pid in self.pids]
        return sum(size or 0 for size in found) if all(found) else None

    def stop(self) -> None:
        """End the clients and the servers."""
        self.crowd.stop()
        for process in self.processes:
            process.kill()


@dataclass
class Arena:
    """What the contenders share: a folder and a database server; and how many users."""

    folder: Path
    stack: contextlib.ExitStack
    postgres: services.Service | None
    sizes: list[int]

    def redis(self) -> str:
        """The URL of a new Redis: what is published reaches all of its databases."""
        with pinned(place("services")):
            redis = services.start_redis(self.folder)
        self.stack.callback(redis.stop)
        return redis.url

    def database(self, name: str) -> str:
        """The URL of an empty database."""
        if self.postgres is None:
            return f"sqlite:///{self.folder / name}.sqlite3"
        import psycopg

        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{self.postgres.url.rpartition('/')[0]}/{name}"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a contender."""
        return without_steering(os.environ) | {
            "SECRET_KEY": SECRET_KEY,
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }

    def start(
        self, argv: list[str], env: dict[str, str], folder: Path, number: int = 0
    ) -> tuple[Process, int]:
        """Start a server, where PORT stands in its arguments; the process and its port."""
        port = free_port()
        words = [word.replace("PORT", str(port)) for word in argv]
        with pinned(place("server", number)):
            process = Process(words, cwd=folder, env=env)
        if not listens(process, port):
            raise ChildProcessError(
                f"{' '.join(words)} does not listen:\n{process.log(20)}"
            )
        return process, port

    def people(self, env: dict[str, str], backend: Path) -> list[tuple[int, str]]:
        """Make authors, one for each size with so many friends, and users: ids and tokens."""
        manage(env, backend, "migrate", "-v0")
        code = PEOPLE.format(sizes=self.sizes, count=max(self.sizes))
        said = manage(env, backend, "shell", "-v0", "--no-imports", "-c", code)
        return [(pk, token) for pk, token in json.loads(said)]


def manage(env: dict[str, str], backend: Path, *argv: str) -> str:
    """Run a command of manage.py."""
    return subprocess.run(
        [sys.executable, "manage.py", *argv],
        cwd=backend,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def final_environment(arena: Arena, name: str, **more: str) -> dict[str, str]:
    """The environment of the last step in production, with a database of its own."""
    return arena.environment(
        DJANGO_SETTINGS_MODULE="measured.settings",
        DEBUG="false",
        DATABASE_URL=arena.database(name),
        REDIS_URL=arena.redis(),
        **more,
    )


def final(arena: Arena, count: int = 1, **more: str) -> Contender:
    """The last step under runasgi, in so many processes with a port each."""
    name = f"final_{count}"
    env = final_environment(arena, name, **more)
    people = arena.people(env, FINAL)
    argv = [sys.executable, "manage.py", "runasgi", "--port", "PORT"]
    servers = [arena.start(argv, env, FINAL, number) for number in range(count)]
    ports = [port for _, port in servers]
    # Render's proxy says so; without it the project sends everybody to https.
    head = {"X-Forwarded-Proto": "https"}
    return Contender(
        "final" if count == 1 else name,
        "final, 1 process" if count == 1 else f"final, {count} processes",
        [process for process, _ in servers],
        ports,
        "/ws/notifications/",
        [{"Authorization": f"Bearer {token}"} for _, token in people[len(arena.sizes) :]],
        {
            **django_requests(arena, people, ports[0], head),
            "broadcast": {
                "port": ports[0],
                "path": "/api/v1/announcements/",
                "head": head | {"Authorization": f"Bearer {people[0][1]}"},
                "body": '{"text": "MARK"}',
            },
        },
        env=env,
    )


def textbook(arena: Arena) -> Contender:
    """Step 5 on Daphne with the channel layer that most examples have."""
    env = arena.environment(
        DJANGO_SETTINGS_MODULE="measured.settings",
        DATABASE_URL=arena.database("textbook"),
        MEASURED_CORE_LAYER=arena.redis(),
    )
    people = arena.people(env, TEXTBOOK)
    argv = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", "PORT", "-v", "0"]
    process, port = arena.start([*argv, "numeneon.asgi:application"], env, TEXTBOOK)
    origin = {"Origin": f"http://127.0.0.1:{port}"}
    return Contender(
        "textbook",
        "textbook",
        [process],
        [port],
        "/ws/notifications/",
        [
            origin | {"Sec-WebSocket-Protocol": f"access_token, {token}"}
            for _, token in people[len(arena.sizes) :]
        ],
        django_requests(arena, people, port, {}),
    )


def django_requests(
    arena: Arena, people: list[tuple[int, str]], port: int, head: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """What is asked of a step."""
    authors, users = people[: len(arena.sizes)], people[len(arena.sizes) :]
    message = {
        "port": port,
        "head": head | {"Authorization": f"Bearer {users[0][1]}"},
        "body": json.dumps({"receiver_id": users[1][0], "content": "MARK"}),
    }
    return {
        "event": {
            "port": port,
            "path": "/measured/event/",
            "head": head,
            "first": users[0][0],
        },
        "message": message | {"path": "/api/messages/"},
        "silent": message | {"path": "/measured/message/"},
        **{
            f"post {size}": {
                "port": port,
                "path": "/api/posts/",
                "head": head | {"Authorization": f"Bearer {token}"},
                "body": '{"content": "MARK"}',
            }
            for size, (_, token) in zip(arena.sizes, authors, strict=True)
        },
    }


def bare(arena: Arena) -> Contender:
    """The ceiling: contenders/bare.py under uvicorn, with the options of runasgi."""
    argv = [sys.executable, "-m", "uvicorn", "bare:application", "--port", "PORT"]
    argv += ["--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    argv += ["--ws-per-message-deflate", "false"]
    process, port = arena.start(argv, arena.environment(), HERE)
    return _without_framework(arena, "bare", "bare ASGI loop", process, port, "/")


def socket_io(arena: Arena) -> Contender:
    """Socket.IO on Node, installed from npm into the folder. Raises Missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise Missing("Socket.IO is left out: there is no `node` and `npm` here")
    installed = subprocess.run(
        [
            npm,
            "install",
            "--prefix",
            arena.folder,
            "--no-audit",
            "--no-fund",
            "socket.io@4",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if installed.returncode:
        raise Missing("Socket.IO is left out: npm could not install socket.io")
    env = arena.environment(NODE_PATH=str(arena.folder / "node_modules"))
    process, port = arena.start(
        [node, str(HERE / "socketio.js"), "PORT"], env, arena.folder
    )
    path = "/socket.io/?EIO=4&transport=websocket"
    return _without_framework(arena, "socket_io", "Socket.IO", process, port, path)


def _without_framework(
    arena: Arena, key: str, title: str, process: Process, port: int, path: str
) -> Contender:
    import jwt

    claims = [{"user_id": n, "exp": time.time() + 7200} for n in range(max(arena.sizes))]
    request = {"port": port, "path": "/"}
    return Contender(
        key,
        title,
        [process],
        [port],
        path,
        [{"Authorization": f"Bearer {jwt.encode(c, SECRET_KEY, 'HS256')}"} for c in claims],
        {
            "event": request | {"first": 0},
            "broadcast": request | {"body": '{"mark": "MARK"}'},
        },
    )


CONTENDERS = {
    "bare": bare,
    "final": final,
    "final_2": lambda arena: final(arena, 2),
    "socket_io": socket_io,
    "textbook": textbook,
}


@contextlib.contextmanager
def arena(folder: Path, sizes: list[int], *, sqlite: bool) -> Iterator[Arena]:
    """A database server for all contenders, or SQLite where there is no PostgreSQL."""
    raise_file_limit()
    with contextlib.ExitStack() as stack:
        postgres = None
        if not sqlite and services.postgres_folder():
            with pinned(place("services")):
                postgres = services.start_postgres()
            stack.callback(postgres.stop)
        yield Arena(folder, stack, postgres, sizes)


def raise_file_limit() -> None:
    """Each socket is a file: as many as the system allows."""
    with contextlib.suppress(ImportError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

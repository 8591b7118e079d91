"""Whether every device shows every notification once and in order, whatever is restarted.

    python benchmarks/loss.py [--minutes 10] [--users 20] [--devices 3] [--notifications 10000]
                              [--redis-restarts 5] [--server-restarts 10] [--seed N]
    python benchmarks/loss.py --soak [--minutes 15]

Starts two servers of the last step under uvicorn, with a PostgreSQL and a Redis of their own.
Users write messages and posts to each other at a steady pace. Their devices do what the page's
client does (static/client/notifications.js), and lose their connections at random; meanwhile
Redis and the servers are stopped and started again, every second time by SIGKILL. In the end
what each device has shown is compared with the rows. Exit status 1 if anything was lost, out of
order, shown twice or different, or if a request failed while its server was up.

--soak: a third server that nobody stops shows whether memory grows; the other two are killed in
turn, one a minute, at half the rate of messages that compare.py has measured.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.compare import FIGURES  # noqa: E402
from checks.harness import client, services  # noqa: E402
from checks.harness.memory import resident  # noqa: E402
from course import steps  # noqa: E402
from course.contract import (  # noqa: E402
    GREETING,
    PING,
    PONG,
    RESUME,
    RESUMED,
    STORED_EVENTS,
    address_of,
    headers_of,
    without_steering,
)
from course.processes import free_port, listening, wait_until  # noqa: E402

BACKEND = steps()[-1].folder / "backend"
# Seconds: until a silent device pings, how long it waits for an answer, how long it is away.
SILENCE, PATIENCE, LONGEST_ABSENCE = 3.0, 5.0, 5.0
FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0
# How long a Redis or a server stays away, and how long all devices may take to catch up.
DOWN, CATCH_UP = 1.0, 120.0
# How often a device loses its connection: once in so many seconds, on average.
BREAKS_EVERY = 20.0

PEOPLE = """
import itertools, json
from rest_framework_simplejwt.tokens import AccessToken
from friends.models import Friendship
from users.models import User
from django.utils import timezone

names = [f"user{{n}}" for n in range({users})]
User.objects.bulk_create(User(username=n, email=f"{{n}}@example.com") for n in names)
people = list(User.objects.order_by("pk"))
Friendship.objects.bulk_create(
    Friendship(from_user=one, to_user=other, accepted_at=timezone.now())
    for one, other in itertools.combinations(people, 2)
)
print(json.dumps([[user.pk, str(AccessToken.for_user(user))] for user in people]))
"""
ROWS = """
import json
from notifications.models import Notification

rows = Notification.objects.order_by("recipient", "seq")
print(json.dumps([[r.recipient_id, r.frame()] for r in rows], default=str))
"""


@dataclass
class Backend:
    """The servers, and what they need; each can be stopped and started again on its port."""

    env: dict[str, str]
    folder: Path
    redis: services.Service
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    # Whether each stop is a SIGKILL, or only every second one.
    always_kill: bool = False
    # What the last server had in memory, in MB, and when.
    memory: list[tuple[float, float]] = field(default_factory=list)
    # When each server was last away: until then its requests may fail.
    away_until: dict[int, float] = field(default_factory=dict)

    def manage(self, *argv: str) -> str:
        """Run a command of manage.py."""
        return subprocess.run(
            [sys.executable, "manage.py", *argv],
            cwd=BACKEND,
            env=self.env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def shell(self, code: str) -> Any:
        """What a script prints as JSON that runs in manage.py shell."""
        return json.loads(self.manage("shell", "-v0", "--no-imports", "-c", code))

    def start(self, port: int) -> None:
        """Start the server of that port, and wait until it listens."""
        argv = ["manage.py", "runasgi", "--port", str(port)]
        with (self.folder / f"{port}.log").open("ab") as log:
            self.processes[port] = subprocess.Popen(
                [sys.executable, *argv], cwd=BACKEND, env=self.env, stdout=log, stderr=log
            )
        assert wait_until(lambda: listening(port), seconds=60), "the server does not listen"

    def restart_server(self, number: int) -> None:
        """Stop one of the servers in turn, every second time without a warning, and start it."""
        port = self.ports[number % 2]
        self.away_until[port] = float("inf")
        process = self.processes[port]
        kill = self.always_kill or number % 4 > 1
        process.kill() if kill else process.terminate()
        process.wait(30)
        time.sleep(DOWN)
        self.start(port)
        self.away_until[port] = time.monotonic()

    def restart_redis(self) -> None:
        """Stop Redis, which forgets everything, and start it again."""
        self.redis.stop()
        time.sleep(DOWN)
        self.redis = services.start_redis(self.folder, port=self.redis.port)

    def stop(self) -> None:
        """End what runs."""
        for process in self.processes.values():
            process.kill()
            process.wait(30)
        self.redis.stop()


@dataclass
class Device:
    """A client as the page's own: a position, and what was shown."""

    token: str
    ports: list[int]
    chance: random.Random
    epoch: Any = None
    seen: int = 0
    screen: list[Any] = field(default_factory=list)
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    resuming: bool = False

    async def live(self) -> None:
        """Connect, and come back for as long as the test lasts."""
        failures = 0
        while True:
            with contextlib.suppress(OSError, TimeoutError, Disconnected):
                async with self._connected() as socket:
                    failures = 0
                    await self._listen(socket)
            self.counts["disconnects"] += 1
            failures += 1
            limit = min(LONGEST_DELAY, FIRST_DELAY * 2**failures)
            await asyncio.sleep(self.chance.uniform(0, limit))

    @contextlib.asynccontextmanager
    async def _connected(self) -> Any:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        base = f"127.0.0.1:{self.chance.choice(self.ports)}"
        try:
            async with connect(
                address_of(f"ws://{base}", self.token, "header"),
                additional_headers=headers_of(self.token, "header"),
                open_timeout=PATIENCE,
                close_timeout=1,
                ping_interval=None,
                proxy=None,
            ) as socket:
                yield socket
        except WebSocketException as error:
            raise Disconnected from error

    async def _listen(self, socket: Any) -> None:
        """Take what comes, until the connection breaks: by itself or, at random, by us."""
        end = time.monotonic() + self.chance.expovariate(1 / BREAKS_EVERY)
        waiting = False
        while (left := end - time.monotonic()) > 0:
            patience = PATIENCE if waiting else SILENCE
            try:
                text = await asyncio.wait_for(socket.recv(), min(left, patience))
            except TimeoutError:
                if left <= patience:
                    break
                if waiting:
                    raise  # a server that does not answer
                waiting = True
                await socket.send(json.dumps({"type": PING}))
            else:
                waiting = False
                await self._take(socket, json.loads(text))
        # No closing handshake: as a phone that has lost its network.
        socket.transport.abort()
        await asyncio.sleep(self.chance.uniform(0, LONGEST_ABSENCE))

    async def _take(self, socket: Any, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == GREETING:
            self.resuming = False
            if self.epoch is None:
                self.epoch, self.seen = frame["epoch"], frame["last_seq"]
            else:
                await self._resume(socket)
        elif kind == PONG and frame["last_seq"] > self.seen:
            await self._resume(socket)
        elif kind == RESUMED:
            self.resuming = False
            if not frame["recovered"]:  # nothing is ever pruned here
                self.counts["not recovered"] += 1
        elif kind in STORED_EVENTS and frame["seq"] > self.seen + 1:
            self.counts["gaps"] += 1
            await self._resume(socket)
        elif kind in STORED_EVENTS and frame["seq"] > self.seen:
            self.seen = frame["seq"]
            self.screen.append(frame)
        elif kind in STORED_EVENTS:
            self.counts["dropped as seen"] += 1

    async def _resume(self, socket: Any) -> None:
        if not self.resuming:
            self.resuming = True
            self.counts["resumes"] += 1
            position = {"epoch": self.epoch, "seq": self.seen}
            await socket.send(json.dumps({"type": RESUME, **position}))


class Disconnected(Exception):
    """The connection was refused or has ended."""


@dataclass
class Writers:
    """Everybody, writing to each other; a post reaches all friends, a message one."""

    backend: Backend
    people: list[tuple[int, str]]
    chance: random.Random
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    failed: list[str] = field(default_factory=list)

    def write_one(self, number: int) -> int:
        """One request to one of the servers; how many notifications it should have made."""
        (_, token), (other, _) = self.chance.sample(self.people, 2)
        port = self.chance.choice(self.backend.ports)
        path, body, reached = (
            "/api/posts/",
            {"content": f"Post {number}"},
            len(self.people) - 1,
        )
        if self.chance.random() < 0.9:
            path, reached = "/api/messages/", 1
            body = {"receiver_id": other, "content": f"Message {number}"}  # type: ignore[dict-item]
        began = time.monotonic()
        try:
            answer = client.request(port, "POST", path, body=body, token=token)
        except client.NoAnswer as error:
            self._failed(port, began, str(error))
            return 0
        if answer.status != 201:
            self._failed(port, began, str(answer))
            return 0
        self.counts["requests"] += 1
        return reached

    def _failed(self, port: int, began: float, what: str) -> None:
        """A request to a server that was away may fail; any other must not."""
        if self.backend.away_until.get(port, 0) >= began:
            self.counts["requests to a stopped server"] += 1
        else:
            self.failed.append(what)


@dataclass
class Verdict:
    """What the screens have, compared with the rows."""

    rows: int = 0
    lost: int = 0
    out_of_order: int = 0
    twice: int = 0
    different: int = 0
    numbers: int = 0

    @property
    def is_good(self) -> bool:
        return not any(
            (self.lost, self.out_of_order, self.twice, self.different, self.numbers)
        )


def reconcile(rows: list[tuple[int, Any]], devices: dict[int, list[Device]]) -> Verdict:
    """Compare each device's screen with its user's rows, which are in the order of numbers."""
    stored: dict[int, list[Any]] = {user: [] for user in devices}
    for user, frame in rows:
        stored[user].append(frame)
    verdict = Verdict(rows=len(rows))
    for user, theirs in stored.items():
        # The numbers are 1, 2, 3, and rows that were stored later have later ids.
        verdict.numbers += [f["seq"] for f in theirs] != list(range(1, len(theirs) + 1))
        verdict.numbers += [f["id"] for f in theirs] != sorted(f["id"] for f in theirs)
        place = {frame["id"]: n for n, frame in enumerate(theirs)}
        by_id = {frame["id"]: frame for frame in theirs}
        for device in devices[user]:
            shown = [frame["id"] for frame in device.screen]
            places = [place[id] for id in shown if id in place]
            verdict.lost += len(by_id.keys() - set(shown))
            verdict.twice += len(shown) - len(set(shown))
            verdict.out_of_order += sum(a > b for a, b in itertools.pairwise(places))
            verdict.different += sum(by_id.get(f["id"]) != f for f in device.screen)
    return verdict


async def run(options: argparse.Namespace, backend: Backend) -> tuple[Verdict, list[str]]:
    """The whole test; prints its figures."""
    chance = random.Random(options.seed)
    backend.manage("migrate", "-v0")
    people = [
        (pk, token) for pk, token in backend.shell(PEOPLE.format(users=options.users))
    ]
    for port in backend.ports:
        backend.start(port)
    devices = {
        pk: [
            Device(token, backend.ports, random.Random(chance.random()))
            for _ in range(options.devices)
        ]
        for pk, token in people
    }
    all_devices = [device for theirs in devices.values() for device in theirs]
    tasks = [asyncio.create_task(device.live()) for device in all_devices]
    tasks.append(asyncio.create_task(watch_memory(backend)))
    while not all(device.epoch for device in all_devices):
        await asyncio.sleep(0.1)
    writers = Writers(backend, people, random.Random(chance.random()))
    began = time.monotonic()
    trouble = cause_trouble(options, backend, chance)
    await asyncio.gather(write(options, writers, began), trouble)
    rows = backend.shell(ROWS)
    last = collections.Counter(user for user, _ in rows)
    caught_up = time.monotonic()
    while time.monotonic() < caught_up + CATCH_UP:
        if all(d.seen >= last[user] for user, theirs in devices.items() for d in theirs):
            break
        await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    verdict = reconcile([(user, frame) for user, frame in rows], devices)
    report(options, verdict, all_devices, writers, time.monotonic() - began)
    if options.soak:
        sizes = [size for _, size in backend.memory]
        print(
            f"memory of the server that went on: {sizes[0]:.0f} to {max(sizes):.0f} MB,",
            end="",
        )
        print(f" in the end {sizes[-1]:.0f}; {growth(backend.memory):+.0f} MB an hour")
    return verdict, writers.failed


async def watch_memory(backend: Backend) -> None:
    """Note now and then what the server needs that is never stopped in a soak."""
    while True:
        await asyncio.sleep(5)
        if used := resident(backend.processes[backend.ports[-1]].pid):
            backend.memory.append((time.monotonic(), used / 1e6))


def growth(memory: list[tuple[float, float]]) -> float:
    """MB an hour, by the least squares, once the first third of the time is over."""
    rest = memory[len(memory) // 3 :]
    if len(rest) < 3:
        return 0.0
    seconds, sizes = zip(*rest, strict=True)
    return statistics.linear_regression(seconds, sizes).slope * 3600


async def write(options: argparse.Namespace, writers: Writers, began: float) -> None:
    """Write at a steady pace until so many notifications were made."""
    loop, made, number = asyncio.get_running_loop(), 0, 0
    total, seconds = options.notifications, options.minutes * 60 * 0.95
    with ThreadPoolExecutor(4) as pool:
        while made < total:
            batch = [
                loop.run_in_executor(pool, writers.write_one, number + n) for n in range(4)
            ]
            number += len(batch)
            made += sum(await asyncio.gather(*batch))
            due = began + seconds * made / total
            # Never at once: a server that is away refuses in no time.
            await asyncio.sleep(max(0.05, due - time.monotonic()))


async def cause_trouble(
    options: argparse.Namespace, backend: Backend, chance: random.Random
) -> None:
    """Restart Redis and the servers, at moments spread over the time."""
    began, seconds = time.monotonic(), options.minutes * 60 * 0.9
    deeds = [("redis", n) for n in range(options.redis_restarts)]
    deeds += [("server", n) for n in range(options.server_restarts)]
    chance.shuffle(deeds)
    for place, (what, number) in enumerate(deeds):
        due = began + seconds * (place + chance.random()) / len(deeds)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if what == "redis":
            await asyncio.to_thread(backend.restart_redis)
        else:
            await asyncio.to_thread(backend.restart_server, number)


def report(
    options: argparse.Namespace,
    verdict: Verdict,
    devices: list[Device],
    writers: Writers,
    seconds: float,
) -> None:
    """Print the figures."""
    counts = sum((device.counts for device in devices), collections.Counter())
    shown = sum(len(device.screen) for device in devices)
    print(f"seed {options.seed}, {seconds:.0f} s")
    print(f"{verdict.rows} notifications of {options.users} users, {len(devices)} devices")
    print(f"restarts: Redis {options.redis_restarts}, servers {options.server_restarts}")
    for name in sorted(writers.counts):
        print(f"{name}: {writers.counts[name]}")
    for name in sorted(counts):
        print(f"{name}: {counts[name]}")
    print(f"requests that failed: {len(writers.failed)}")
    for line in writers.failed[:5]:
        print(f"  {line[:300]}")
    print(f"shown: {shown}")
    print(
        f"lost {verdict.lost}, out of order {verdict.out_of_order}, "
        f"shown twice {verdict.twice}, different {verdict.different}, "
        f"users with wrong numbers {verdict.numbers}"
    )


def soak(options: argparse.Namespace) -> None:
    """Half of the messages a second that one process could do, and a kill every minute."""
    measured = json.loads(FIGURES.read_text("utf-8"))["summary"]["final"]
    requests = measured["message a second"]["figures"]["median"] / 2 * options.minutes * 60
    options.redis_restarts, options.server_restarts = 0, round(options.minutes)
    # Of ten requests nine are messages, with one notification each, and one is a post.
    options.notifications = int(requests * (0.9 + 0.1 * (options.users - 1)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--devices", type=int, default=3)
    parser.add_argument("--notifications", type=int, default=10_000)
    parser.add_argument("--redis-restarts", type=int, default=5)
    parser.add_argument("--server-restarts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--soak", action="store_true", help="kill a server every minute")
    options = parser.parse_args()
    if options.soak:
        soak(options)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        postgres = services.start_postgres()
        stack.callback(postgres.stop)
        redis = services.start_redis(Path(name))
        env = without_steering(os.environ) | {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
            "SECRET_KEY": "a-key-for-one-test-only-0123456789-abcdefghijkl",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        backend = Backend(env, Path(name), redis, always_kill=options.soak)
        if options.soak:
            backend.ports.append(free_port())
        stack.callback(backend.stop)
        verdict, failed = asyncio.run(run(options, backend))
    return 0 if verdict.is_good and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

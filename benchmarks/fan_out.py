"""What a post to 500 friends costs over a post to none, beside the loop that it replaces.

    python benchmarks/fan_out.py [--friends 500] [--posts 9] [--postgres]

Starts the last step under uvicorn with a Redis of its own, and posts as an author without
friends and as one with many. The same server is started again with a `publish()` that stores
and sends to one friend after the other. Each figure is the fastest of the posts, taken in
turn; the ratio is what counts. Exit status 1 if storing and sending take 100 ms or more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checks.harness import client, services  # noqa: E402
from course import steps  # noqa: E402
from course.contract import without_steering  # noqa: E402
from course.processes import free_port, listening, wait_until  # noqa: E402

BACKEND = steps()[-1].folder / "backend"
MOST_SECONDS = 0.1

PEOPLE = """
import json, sys
from rest_framework_simplejwt.tokens import AccessToken
from friends.models import Friendship
from users.models import User
from django.utils import timezone

count = {count}
names = ["alone", "star", *(f"friend{{n}}" for n in range(count))]
User.objects.bulk_create(User(username=n, email=f"{{n}}@example.com") for n in names)
alone, star, *friends = User.objects.order_by("pk")
now = timezone.now()
Friendship.objects.bulk_create(
    Friendship(from_user=star, to_user=friend, accepted_at=now) for friend in friends
)
print(json.dumps([str(AccessToken.for_user(user)) for user in (alone, star)]))
"""
# As it is written at first: everything for one friend, then everything for the next one.
LOOP = """
from numeneon.asgi import application  # noqa: F401
from django.db import transaction
from notifications import events
from notifications.models import Notification
from notifications.numbering import next_numbers
from notifications.services import send_notification


def publish(*, user_ids, kind, data):
    for pk in user_ids:
        seq = next_numbers([pk])[pk]
        Notification.objects.create(recipient_id=pk, seq=seq, kind=kind, data=data)

        def send(pk=pk):
            send_notification(user_ids=[pk], kind=kind, data=data)

        transaction.on_commit(send, robust=True)


events.publish = publish
"""


def manage(env: dict[str, str], *argv: str) -> str:
    """Run a command of manage.py."""
    done = subprocess.run(
        [sys.executable, "manage.py", *argv],
        cwd=BACKEND,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


@contextlib.contextmanager
def serving(env: dict[str, str], application: str) -> Iterator[int]:
    """The port of a server with that application."""
    port = free_port()
    argv = ["-m", "uvicorn", application, "--port", str(port), "--lifespan", "off"]
    argv += ["--log-level", "warning"]
    process = subprocess.Popen([sys.executable, *argv], cwd=BACKEND, env=env)
    try:
        assert wait_until(lambda: listening(port), seconds=30), "the server does not listen"
        yield port
    finally:
        process.terminate()
        process.wait(30)


def timed(port: int, tokens: list[str], posts: int) -> list[float]:
    """The seconds that a post of each author takes, the fastest of so many."""
    taken: list[list[float]] = [[] for _ in tokens]
    for number in range(posts + 1):
        for token, seconds in zip(tokens, taken, strict=True):
            began = time.perf_counter()
            body = {"content": f"Post {number}"}
            answer = client.request(port, "POST", "/api/posts/", body=body, token=token)
            assert answer.status == 201, answer
            seconds.append(time.perf_counter() - began)
    # The first request of a server imports what it needs.
    rest = [seconds[1:] for seconds in taken]
    print(f"  medians {', '.join(f'{1000 * statistics.median(s):.1f} ms' for s in rest)}")
    return [min(seconds) for seconds in rest]


def measure(env: dict[str, str], folder: Path, friends: int, posts: int) -> float:
    """Print what a post costs in both ways; the seconds that it takes more than one to none."""
    manage(env, "migrate", "-v0")
    people = PEOPLE.format(count=friends)
    tokens = json.loads(manage(env, "shell", "-v0", "--no-imports", "-c", people))
    (folder / "loop_asgi.py").write_text(LOOP, "utf-8")
    more: list[float] = []
    for name, application in (
        ("stored and sent together", "numeneon.asgi:application"),
        ("one friend after the other", "loop_asgi:application"),
    ):
        print(f"{name}:")
        with serving(env, application) as port:
            own, crowd = timed(port, tokens, posts)
        more.append(crowd - own)
        print(f"  no friends {1000 * own:.1f} ms, {friends} friends {1000 * crowd:.1f} ms")
        print(f"  storing and sending: {1000 * more[-1]:.1f} ms")
    print(f"ratio: {more[1] / more[0]:.1f}")
    return more[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--friends", type=int, default=500)
    parser.add_argument("--posts", type=int, default=9)
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        redis = services.start_redis(folder)
        stack.callback(redis.stop)
        database = f"sqlite:///{folder / 'db.sqlite3'}"
        if options.postgres:
            postgres = services.start_postgres()
            stack.callback(postgres.stop)
            database = postgres.url
        env = without_steering(os.environ) | {
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "SECRET_KEY": "a-key-for-one-measurement-0123456789-abcdefgh",
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        seconds = measure(env, folder, options.friends, options.posts)
    return 1 if seconds >= MOST_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())

"""The demo page in a real browser: bob's window hears alice, and comes back."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import jwt
import pytest

import course
from course import contract
from course.files import copy_tree
from course.processes import Process, free_port, listens
from tests.browser import Visit

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo-page")]

PASSWORD = "sunny-meadow-42"
# A development server makes another key at each start; with this one it stays the same.
KEY = "the-same-key-after-each-restart-0123456789"
SECONDS = (
    30_000  # of the page's own clock, in milliseconds: the longest wait between two tries
)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after the step whose page hears events, with its demo users."""
    return prepared(course.step("asgi").folder, tmp_path_factory.mktemp("demo"))


def prepared(source: Path, folder: Path) -> Path:
    """The backend of a copy of a project, with a database and the demo users in it."""
    project = folder / "project"
    copy_tree(source, project)
    for command in (["migrate"], ["seed_demo", "--password", PASSWORD]):
        made = started(project / "backend", "manage.py", *command)
        assert made.wait(60) == 0, made.log()
        made.kill()
    return project / "backend"


def started(backend: Path, *arguments: str, key: str = KEY) -> Process:
    """A program of the project, with that secret key."""
    env = contract.without_steering(os.environ) | {"SECRET_KEY": key}
    return Process([sys.executable, *arguments], cwd=backend, env=env)


@contextlib.contextmanager
def server(backend: Path, port: int, key: str = KEY) -> Iterator[None]:
    """The project's server at a port: the one that serves its static files too."""
    arguments = ["manage.py", "runserver", "--noreload", str(port)]
    process = started(backend, *arguments, key=key)
    try:
        assert listens(process, port), process.log()
        yield
    finally:
        process.kill()


@pytest.fixture
def signed_in(visits: Callable[..., Visit]) -> Callable[[str, int], Visit]:
    """Opens a window at the demo page and signs somebody in there."""

    def open_one(name: str, port: int) -> Visit:
        seen = visits()
        seen.page.goto(f"http://127.0.0.1:{port}/demo/")
        seen.page.get_by_label("Email").fill(f"{name}@example.com")
        seen.page.get_by_label("Password").fill(PASSWORD)
        seen.page.get_by_role("button", name="Sign in").click()
        says(seen, "open")
        return seen

    return open_one


def says(seen: Visit, state: str) -> None:
    """Wait until the page says that of its socket."""
    seen.page.get_by_text(re.compile(rf"^Socket: {state}")).wait_for()


def hears(seen: Visit, message: str) -> None:
    """Wait until the page shows a message of alice's."""
    seen.page.get_by_text(f"alice: {message}", exact=True).wait_for()


def send(seen: Visit, message: str) -> None:
    """Write a message to the only friend that the page offers first, which is bob."""
    seen.page.get_by_label("To").select_option(label="bob")
    seen.page.get_by_label("Message").fill(message)
    seen.page.get_by_role("button", name="Send").click()
    hears(seen, message)


def test_window_hears_and_comes_back(
    backend: Path, signed_in: Callable[[str, int], Visit]
) -> None:
    """A message appears without a reload; after a restart, so does what was missed."""
    port, other = free_port(), free_port()
    with server(backend, port):
        bob = signed_in("bob", port)
        bob.page.evaluate("window.loadedOnce = true")
        send(signed_in("alice", port), "Are you there?")
        hears(bob, "Are you there?")
    says(bob, "closed with 1006, next try in ")

    with server(backend, other):  # of another process: no event of it reaches bob
        send(signed_in("alice", other), "You missed this")
    with server(backend, port):
        says(bob, "open")
        hears(bob, "You missed this")

    assert bob.page.evaluate("window.loadedOnce") is True, "nobody has reloaded the page"


@pytest.mark.parametrize("kind", ["expired", "of another key", "not a token"])
def test_refused_token_is_not_tried_again(
    kind: str, backend: Path, signed_in: Callable[[str, int], Visit]
) -> None:
    """4401 once, the form to sign in, and no other try however long one waits."""
    claims = {"token_type": "access", "jti": "1", "user_id": "2"}
    hour = 3600 if kind != "expired" else -3600
    key = KEY if kind != "of another key" else KEY[::-1]
    made = jwt.encode(claims | {"exp": int(time.time()) + hour}, key, "HS256")
    token = "not-a-token" if kind == "not a token" else made
    port = free_port()
    with server(backend, port):
        bob = signed_in("bob", port)
        tries: list[str] = []
        bob.page.on("websocket", lambda opened: tries.append(opened.url))
        bob.page.clock.install()
        bob.page.evaluate("(made) => { token = made; listen(); }", token)
        says(bob, "closed with 4401, please sign in again")
        bob.page.clock.run_for(10 * SECONDS)

        assert len(tries) == 1
        assert bob.page.get_by_role("button", name="Sign in").is_visible()
    assert bob.complaints == []


def test_waits_grow_and_differ(
    backend: Path, signed_in: Callable[[str, int], Visit]
) -> None:
    """While there is no server, the waits double up to a limit, each with a part of chance."""
    port = free_port()
    with server(backend, port):
        bob = signed_in("bob", port)
        bob.page.clock.install()
        # From here on the page's time passes only when the test says so.
        bob.page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    waits = []
    for _ in range(7):
        says(bob, "closed with 1006, next try in ")
        said = bob.text("#socket")
        waits.append(float(re.search(r"in ([\d.]+) s", said)[1]))
        bob.page.evaluate("element('socket').textContent = 'Socket: waiting'")
        bob.page.clock.run_for(SECONDS)

    longest = [1, 2, 4, 8, 16, 30, 30]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert (
        len({round(wait / most, 2) for wait, most in zip(waits, longest, strict=True)}) > 3
    )

"""A real browser and a real tool for it to look at: fixtures for the tests of the site.

The browser is the system's Chromium, driven by Playwright. Every request that would leave
the machine fails and is noted; `Visit.outside` must be empty at the end of every test.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pytest

import course
from course import ROOT
from tests.needs import lacking, needs
from tools.player.browser import CHROMIUM, arguments

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

LOCAL = {"127.0.0.1", "localhost"}
INSIDE = {"data", "blob", "file", "about"}
# No other name has an address.
CLOSED = f"--host-resolver-rules=MAP * ~NOTFOUND, {', '.join(f'EXCLUDE {host}' for host in LOCAL)}"
# What a copy of the repository needs to run the command and build the pages.
PARTS = ("course", "checks", "docs", "steps", "tools", "workshop")
PARTS += ("mkdocs.yml", "requirements.txt")
BEFORE = course.step("emit-events")
SECONDS = 120


def chromium() -> str:
    """The system's Chromium."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        lacking("Chromium was not found; on Debian and Ubuntu: apt-get install chromium")
    return found


@dataclass
class Visit:
    """A browser window of its own: its page, what it tried to reach, what it complained of."""

    context: BrowserContext
    page: Page
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)


def visit(browser: Browser, **options: Any) -> Visit:
    """Open a window; `options` are Playwright's for a context (viewport, color_scheme)."""
    # Playwright waits with the help of eval, which the pages' own policy forbids.
    context = browser.new_context(**({"bypass_csp": True} | options))
    context.set_default_timeout(SECONDS * 1000)
    made = Visit(context, context.new_page())

    # Not a route: with one, a browser keeps nothing of what pages share.
    context.on("request", lambda request: _note(made, request.url))
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on(
        "console",
        lambda said: made.complaints.append(said.text) if said.type == "error" else None,
    )
    made.page.on("websocket", lambda opened: _note(made, opened.url))
    return made


def _note(made: Visit, url: str) -> None:
    address = urlsplit(url)
    if address.scheme not in INSIDE and address.hostname not in LOCAL:
        made.outside.append(url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    playwright = needs("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        options = [*arguments(), CLOSED]
        made = driver.chromium.launch(executable_path=chromium(), args=options)
        yield made
        made.close()


@pytest.fixture
def visits(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens windows, each with storage of its own; none may have tried to leave the machine."""
    opened: list[Visit] = []

    def open_one(**options: Any) -> Visit:
        opened.append(visit(browser, **options))
        return opened[-1]

    yield open_one
    outside = [url for each in opened for url in each.outside]
    for each in opened:
        each.context.close()
    assert outside == []


def checkout(folder: Path, built: Path | None = None) -> Path:
    """A copy of this repository, as far as the command needs it, without a workspace; with the
    pages of a copy that has built them, as after an earlier start."""
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    if built:
        shutil.copytree(built / ".tutorial" / "site", folder / ".tutorial" / "site")
        shutil.copy2(built / ".tutorial" / "site.stamp", folder / ".tutorial")
    return folder


class Tool:
    """`tutorial.py` without a command, on a terminal of its own, in a copy of the repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said = ""
        self._grown = threading.Condition()

    def __enter__(self) -> Self:
        import pty

        self._terminal, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workshop"],
            cwd=self.root,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=os.environ | {"NO_COLOR": "1", "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(inner)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:
                data = b""
            with self._grown:
                self.said += data.decode("utf-8", errors="replace")
                self._grown.notify_all()
            if not data:
                os.close(self._terminal)
                return

    def press(self, keys: str) -> None:
        """Type at its terminal."""
        os.write(self._terminal, keys.encode())

    def wait_for(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """Wait for a text on its terminal."""
        end = time.monotonic() + seconds
        with self._grown:
            while True:
                found = re.search(pattern, self.said)
                if found:
                    return found
                left = end - time.monotonic()
                assert left > 0, f"{pattern!r} was not printed; this was:\n{self.said}"
                self._grown.wait(left)

    @property
    def address(self) -> str:
        """Where it serves the pages, with a slash at the end."""
        return self.wait_for(r"http://127\.0\.0\.1:\d+/")[0]

    def ready(self) -> str:
        """Wait until the pages are built, answered and kept; the address."""
        import http.client

        parts = urlsplit(self.address)
        end = time.monotonic() + SECONDS
        while True:
            connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
            connection.request("GET", "/")
            answered = connection.getresponse().status == 200
            if answered and (self.root / ".tutorial" / "site.stamp").is_file():
                return self.address
            assert time.monotonic() < end, f"no pages; the tool said:\n{self.said}"
            connection.close()
            time.sleep(0.1)


def use_step(root: Path, slug: str) -> None:
    """Make the workspace of a copy what a step's folder is, file by file, as a save does."""
    for source in sorted((root / "steps" / slug).rglob("*")):
        target = root / "workspace" / source.relative_to(root / "steps" / slug)
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def catch_up(root: Path, step: int) -> None:
    """Put the workspace of a copy into the state after a step, and note so."""
    command = [sys.executable, "-m", "workshop", "catch-up", str(step)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository whose workspace is as after BEFORE."""
    needs("mkdocs")
    needs("material")
    root = checkout(tmp_path_factory.mktemp("browser") / "tutorial")
    catch_up(root, BEFORE.number)
    return root


@pytest.fixture(scope="session")
def tool(copy: Path) -> Iterator[Tool]:
    """The command running in it, with its pages built."""
    with Tool(copy) as running:
        running.ready()
        yield running


@pytest.fixture(scope="session")
def plain(tool: Tool, copy: Path) -> Iterator[str]:
    """The same pages on a server that knows nothing of the tool; its address."""
    folder = copy / ".tutorial" / "site"
    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    """A file server that prints nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass

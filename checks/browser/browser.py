"""Chrome, Edge or Chromium without a window on the screen, driven by the DevTools protocol.

The protocol is JSON over a WebSocket, and the checks have a WebSocket client anyway: nothing
has to be downloaded for a learner who has a browser.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from checks.browser.window import Window
from checks.errors import EnvironmentFault, NotYet
from course.deadline import at_most, patient, waiting_for
from course.processes import Process, supervised, wait_until

# The browser to use, for one in a place where nobody looks.
VARIABLE = "NUMENEON_BROWSER"
# The first has the same engine and none of a desktop's parts: a window costs it half.
NAMES = (
    "chromium-headless-shell",
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chrome",
    "msedge",
)
_MAC_APPS = ("Google Chrome", "Chromium", "Microsoft Edge")
_WINDOWS_PATHS = (
    "Google/Chrome/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
    "Chromium/Application/chrome.exe",
)
# What no page needs. The first three are pages of the browser's own, for the suggestions of
# its address bar: each takes half a second of the processor for every window. The last one is
# a process that waits for a page to come.
NEEDLESS = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "SpareRendererForSitePerProcess",
)
# Nothing of the person's own profile, and nothing that talks to the vendor by itself.
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--password-store=basic",
    "--use-mock-keychain",
    f"--disable-features={','.join(NEEDLESS)}",
)
_START_SECONDS = patient(30.0)
_ANSWER_SECONDS = patient(20.0)
_END_SECONDS = 3.0


class BrowserError(Exception):
    """What the browser said to a command that it refused."""


def executable() -> str | None:
    """An installed browser that speaks the protocol, None if there is none."""
    if named := os.environ.get(VARIABLE):
        return shutil.which(named)
    places = [shutil.which(name) for name in NAMES]
    if sys.platform == "darwin":
        places += [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in _MAC_APPS]
    if os.name == "nt":
        roots = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        folders = [os.environ[root] for root in roots if root in os.environ]
        places += [f"{folder}/{path}" for path in _WINDOWS_PATHS for folder in folders]
    return next((place for place in places if place and Path(place).is_file()), None)


class Browsers:
    """Starts a browser when the first window is wanted, and keeps it until close()."""

    def __init__(self) -> None:
        self._browser: Browser | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Have a browser that runs, for the windows to come."""
        with self._lock:
            self._running()

    def window(self) -> Window:
        """A new window, which shares nothing with the others."""
        with self._lock:
            return self._running().window()

    def _running(self) -> Browser:
        if self._browser is None or not self._browser.alive:
            self._end()
            self._browser = Browser()
        return self._browser

    def close(self) -> None:
        """End the browser, if one was started."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._browser:
            self._browser.close()
            self._browser = None


class Browser:
    """One running browser and the connection to it."""

    def __init__(self) -> None:
        found = executable()
        if found is None:
            raise EnvironmentFault(
                "no browser was found that a check can use: Chrome, Edge or Chromium",
                todo=f"install one of them; if it is there, set {VARIABLE} to its program",
            )
        self._folder = tempfile.TemporaryDirectory(
            prefix="numeneon-browser-", ignore_cleanup_errors=True
        )
        self._closing = contextlib.ExitStack()
        self._process = _started(found, Path(self._folder.name))
        try:
            address = _address(self._process, Path(self._folder.name))
            self._connection = self._closing.enter_context(_connection(address))
        except BaseException:
            self._process.kill()
            self._folder.cleanup()
            raise
        self._numbers = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._windows: dict[str, Window] = {}
        self._news = threading.Condition()
        self.alive = True
        threading.Thread(target=self._read, name="browser", daemon=True).start()

    def window(self) -> Window:
        """A new window with storage of its own."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask(
            "Target.createTarget", url="about:blank", browserContextId=context
        )["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        made = Window(self, context, session)
        self._windows[session] = made
        made.prepare()
        return made

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The answer to a command. Raises BrowserError, and NotYet where a page hangs."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        self._connection.send(json.dumps(message))
        seconds = at_most(_ANSWER_SECONDS)
        with waiting_for(f"the browser's answer to {method}"), self._news:
            self._news.wait_for(lambda: number in self._answers or not self.alive, seconds)
            answer = self._answers.pop(number, None)
        if answer is None and not self.alive:
            raise EnvironmentFault(f"the browser ended; its last lines:\n{self._log()}")
        if answer is None:
            raise NotYet(
                f"the browser did not answer within {seconds:g} s",
                expected="scripts in the page that come to an end",
                todo="open the page yourself and look for a loop without an end",
            )
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def _log(self) -> str:
        return self._process.log(6) or "(nothing printed)"

    def forget(self, window: Window) -> None:
        """Close a window."""
        self._windows.pop(window.session, None)
        with contextlib.suppress(BrowserError, EnvironmentFault, NotYet, OSError):
            self.ask("Target.disposeBrowserContext", browserContextId=window.context)

    def send(self, method: str, session: str, **parameters: Any) -> None:
        """A command whose answer nobody waits for: those of the reading thread itself."""
        message = {"id": 0, "method": method, "params": parameters, "sessionId": session}
        self._connection.send(json.dumps(message))

    def _read(self) -> None:
        from websockets.exceptions import WebSocketException

        try:
            for text in self._connection:
                self._sort(json.loads(text))
        except (OSError, WebSocketException):
            pass
        with self._news:
            self.alive = False
            self._news.notify_all()

    def _sort(self, message: dict[str, Any]) -> None:
        if (number := message.get("id")) is not None:
            with self._news:
                self._answers[number] = message
                self._news.notify_all()
        elif window := self._windows.get(message.get("sessionId", "")):
            window.hear(message["method"], message["params"])

    def close(self) -> None:
        """End it, and remove its profile."""
        with contextlib.suppress(BrowserError, EnvironmentFault, NotYet, OSError):
            self.ask("Browser.close")
        self.alive = False
        self._closing.close()
        self._process.wait(_END_SECONDS)
        self._process.kill()
        self._folder.cleanup()


def _started(program: str, profile: Path) -> Process:
    # A sandbox inside a sandbox: root, and most containers, cannot have one.
    root = hasattr(os, "geteuid") and not os.geteuid()
    options = [*_OPTIONS, *(["--no-sandbox"] if root else []), f"--user-data-dir={profile}"]
    return supervised([program, *options, "about:blank"], cwd=profile, env=os.environ)


def _address(process: Process, profile: Path) -> str:
    """Where a browser that is starting can be reached: it writes that into its profile."""
    note = profile / "DevToolsActivePort"

    def written() -> bool:
        return note.is_file() and len(note.read_text().split()) == 2

    with waiting_for("the browser to start"):
        up = wait_until(
            written, seconds=_START_SECONDS, alive=lambda: process.exit_code is None
        )
    if not up:
        raise EnvironmentFault(
            f"{process.argv[4]} did not start; its last lines:\n{process.log(6)}",
            todo=f"start it yourself; another browser can be named in {VARIABLE}",
        )
    port, path = note.read_text().split()
    return f"ws://127.0.0.1:{port}{path}"


def _connection(address: str) -> Any:
    from websockets.sync.client import connect

    return connect(
        address,
        max_size=None,
        compression=None,
        proxy=None,
        ping_interval=None,
        close_timeout=1,
    )

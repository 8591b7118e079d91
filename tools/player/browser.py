"""The browser windows of a page: one for each name, at the server's address.

In a block of the language `form`, `Label: value` fills in what has that label, and
`[Name]` presses the button of that name.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from checks.browser.browser import NEEDLESS
from tools.player.matching import as_shown, matches, rewritten

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Locator,
        Page,
    )

CHROMIUM = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
# What Playwright switches off, as far as it concerns a local page. Chromium knows one such
# list: ours takes the place of Playwright's.
_OFF = (
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
# It only ends what hangs: a browser on a busy machine may take long.
SECONDS = 120.0
# Lines of a page that wait for something: if that never comes, they end as well.
_IN_TIME = """\
() => Promise.race([
  (async () => {%s
  })(),
  new Promise((done, fail) => {
    setTimeout(() => fail(new Error("these lines did not end within %d s")), 1000 * %d);
  }),
])"""
# How long a window is watched after it has printed what is shown: nothing more may come.
SETTLING_MS = 300
_BUTTON = re.compile(r"\[(.+)\]")
_FIELD = re.compile(r"([^:]+): +(.+)")


class NoBrowser(Exception):
    """There is no browser on this machine; the text says what is missing."""


class Windows:
    """The windows that a page has opened, and what the console of each has printed."""

    def __init__(self, browser: Browser, port: int, second_port: int) -> None:
        self._browser = browser
        self._port = port
        self._second_port = second_port
        self._pages: dict[str, Page] = {}
        self._contexts: list[BrowserContext] = []
        self._printed: dict[str, list[str]] = {}

    def run(self, name: str, lines: Sequence[str]) -> None:
        """Paste lines into the console of a window.

        Raises playwright's Error with what the browser says to them.
        """
        script = rewritten("\n".join(lines), self._port, self._second_port)
        self._page(name).evaluate(_IN_TIME % (script, SECONDS, SECONDS))

    def open(self, name: str, address: str) -> None:
        """Show a page in a window: `/demo/` at port 8000, or a whole address."""
        whole = f"http://127.0.0.1:8000{address}" if address.startswith("/") else address
        self._page(name).goto(rewritten(whole, self._port, self._second_port))

    def fill_in(self, name: str, lines: Sequence[str]) -> None:
        """Do in a window what the lines of a `form` say.

        Raises ValueError for a line that says nothing, and playwright's Error.
        """
        page = self._page(name)
        for line in lines:
            if button := _BUTTON.fullmatch(line):
                page.get_by_role("button", name=button[1], exact=True).click()
            elif field := _FIELD.fullmatch(line):
                # Only its beginning: the label of a list holds what one can choose as well.
                label = re.compile(rf"^\s*{re.escape(field[1])}\b")
                _fill(page.get_by_label(label), field[2])
            else:
                raise ValueError(f"{line!r} is neither `Label: value` nor `[Button]`")

    def seen(self, name: str, shown: Sequence[str]) -> list[str]:
        """What a window's page says, once it is what is shown or time is up."""
        page = self._page(name)
        end = time.monotonic() + SECONDS
        while not matches(shown, self._text(page)) and time.monotonic() < end:
            page.wait_for_timeout(50)
        page.wait_for_timeout(SETTLING_MS)
        return self._text(page)

    def printed(self, name: str, shown: Sequence[str]) -> list[str]:
        """What a window's console has printed since the last time, once it is what is shown
        or time is up."""
        page = self._page(name)
        end = time.monotonic() + SECONDS
        while not matches(shown, self._said(name)) and time.monotonic() < end:
            page.wait_for_timeout(50)
        page.wait_for_timeout(SETTLING_MS)
        said = self._said(name)
        self._printed[name].clear()
        return said

    def unread(self) -> list[str]:
        """What was printed and not asked for."""
        return [line for name in self._printed for line in self._said(name)]

    def close(self) -> None:
        """Close all windows."""
        for context in self._contexts:
            context.close()

    def _page(self, name: str) -> Page:
        if name not in self._pages:
            context = self._browser.new_context()
            context.set_default_timeout(SECONDS * 1000)
            self._contexts.append(context)
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{self._port}/")
            self._printed[name] = []
            page.on("console", lambda message: self._note(name, message))
            self._pages[name] = page
        return self._pages[name]

    def _text(self, page: Page) -> list[str]:
        lines = [line.strip() for line in page.inner_text("body").splitlines()]
        return self._as_shown([line for line in lines if line])

    def _note(self, name: str, message: ConsoleMessage) -> None:
        if message.type == "log":
            self._printed[name].append(message.text)

    def _said(self, name: str) -> list[str]:
        lines = [line for text in self._printed[name] for line in text.splitlines()]
        return self._as_shown(lines)

    def _as_shown(self, lines: Sequence[str]) -> list[str]:
        return as_shown(lines, self._port, "\0", self._second_port)


def _fill(control: Locator, value: str) -> None:
    """Type into a field, or choose from a list."""
    if control.evaluate("(control) => control.matches('select')"):
        control.select_option(label=value)
    else:
        control.fill(value)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window on the screen. Raises NoBrowser."""
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ModuleNotFoundError:
        raise NoBrowser("the package playwright is not installed") from None
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise NoBrowser("Chromium was not found")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=arguments())
        yield browser
        browser.close()


def arguments() -> list[str]:
    """What Chromium gets besides Playwright's own arguments."""
    # A sandbox inside a sandbox: root, and most containers, cannot have one.
    root = hasattr(os, "geteuid") and not os.geteuid()
    switched_off = f"--disable-features={','.join((*_OFF, *NEEDLESS))}"
    return [switched_off, *(["--no-sandbox"] if root else [])]

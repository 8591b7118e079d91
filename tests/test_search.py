"""Somebody who pastes an exact message into the site's search finds its cure first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import course
from tests.browser import Visit

pytestmark = pytest.mark.browser

WS = "ws://127.0.0.1:8000/ws/notifications/"
# What programs print, whole lines as people copy them, and the entry of docs/fix/ about it.
MESSAGES = {
    "ModuleNotFoundError: No module named 'notifications'": "no-module-notifications",
    "Error: That port is already in use.": "port-in-use",
    "Listen failure: Couldn't listen on 127.0.0.1:8000: [Errno 98] Address already in "
    "use.": "daphne-port-in-use",
    "ERRORS: ?: (daphne.E001) Daphne must be listed before django.contrib.staticfiles in "
    "INSTALLED_APPS.": "daphne-e001",
    "CommandError: You have not set ASGI_APPLICATION, which is needed to run the "
    "server.": "no-asgi-application",
    "django.core.exceptions.ImproperlyConfigured: Requested setting INSTALLED_APPS, but "
    "settings are not configured. You must either define the environment variable "
    "DJANGO_SETTINGS_MODULE or call settings.configure() before accessing "
    "settings.": "settings-not-configured",
    "django.core.exceptions.ImproperlyConfigured: Requested setting "
    "DEFAULT_INDEX_TABLESPACE, but settings are not configured.": "default-index-tablespace",
    "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.": "apps-not-loaded",
    "django.db.utils.OperationalError: no such table: users_user": "no-such-table",
    "Given token not valid for any token type": "token-not-valid",
    "SyntaxError: Unexpected token '<', \"<!doctype \"... is not valid "
    "JSON": "unexpected-token",
    "redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:6379. Connect call "
    "failed ('127.0.0.1', 6379).": "redis-refused",
    f"WebSocket connection to '{WS}' failed: Error during WebSocket handshake: Unexpected "
    "response code: 404": "chrome-404",
    f"WebSocket connection to '{WS}' failed: Error during WebSocket handshake: Unexpected "
    "response code: 403": "chrome-403",
    f"WebSocket connection to '{WS}' failed: Error during WebSocket handshake: Sent "
    "non-empty 'Sec-WebSocket-Protocol' header but no response was "
    "received": "no-subprotocol",
    f"WebSocket connection to '{WS}' failed: Error in connection establishment: "
    "net::ERR_CONNECTION_REFUSED": "connection-refused",
    "Firefox can\N{RIGHT SINGLE QUOTATION MARK}t establish a connection to the server at "
    f"{WS}.": "firefox-cannot-connect",
    "Uncaught SyntaxError: Failed to construct 'WebSocket': The subprotocol 'Bearer "
    "eyJhbGci' is invalid.": "bearer-prefix",
    "server rejected WebSocket connection: HTTP 500": "rejected-500",
    "ValueError: No route found for path 'ws/notification/'.": "no-route-found",
    "KeyError: 'user'": "key-error-user",
    "django.core.exceptions.SynchronousOnlyOperation: You cannot call this from an async "
    "context - use a thread or sync_to_async.": "async-context",
    "RuntimeError: no running event loop": "no-running-event-loop",
    "RuntimeWarning: coroutine 'InMemoryChannelLayer.group_send' was never "
    "awaited": "never-awaited",
    "ValueError: No handler for message type new_message": "no-handler",
    "InvalidChannelLayerError: Cannot import BACKEND "
    "'channels_redis.pubsub.RedisPubSubChannelLayer'": "no-module-channels-redis",
    "4400": "closed-4400",
    "4401": "closed-4401",
    "4429": "closed-4429",
    "1006": "closed-1006",
    "1012": "closed-1012",
    "4503": "closed-4503",
    "Exception: invalid close code 1013 (must be 1000 or from [3000, 4999])": "invalid-close-code",
    "django.db.utils.OperationalError: deadlock detected": "deadlock-detected",
}
FIRST = """() => [...document.querySelectorAll('.md-search-result__item a')].slice(0, 2)
    .map((link) => new URL(link.href)).map((url) => url.pathname + url.hash)"""


def found(seen: Visit, message: str) -> list[str]:
    """The first page that the search offers for a message, and its first section."""
    box = seen.page.locator(".md-search__input")
    box.fill("")
    box.press("End")  # the search listens for keys
    seen.page.wait_for_function("() => !document.querySelector('.md-search-result__item')")
    box.fill(message)
    box.press("End")
    seen.page.wait_for_function("() => document.querySelector('.md-search-result__item')")
    return list(seen.page.evaluate(FIRST))


def test_exact_message_leads_to_its_entry(plain: str, visits: Callable[..., Visit]) -> None:
    """The fix page comes first, and on it the entry about this message."""
    seen = visits()
    seen.page.goto(plain)
    seen.page.keyboard.press("/")

    wrong = {
        message: offered
        for message, anchor in MESSAGES.items()
        if (offered := found(seen, message)) != ["/fix/", f"/fix/#{anchor}"]
    }

    assert wrong == {}


def test_messages_are_those_of_the_page() -> None:
    """Every entry named above exists."""
    text = Path(course.ROOT, "docs", "fix", "index.md").read_text("utf-8")

    assert len(MESSAGES) >= 20
    assert [a for a in MESSAGES.values() if f"{{ #{a} }}" not in text] == []

"""The browser of a check: what a window reports, and a page whose time is the check's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from checks.browser import browser
from checks.browser.app import stage
from checks.browser.browser import Browsers
from checks.browser.window import PageError, Window
from checks.errors import EnvironmentFault
from tests.needs import require

PAGE = "data:text/html,<title>Home</title><p>Hello</p>"
pytestmark = pytest.mark.xdist_group("windows")


@pytest.fixture(scope="module")
def windows() -> Iterator[Callable[[], Window]]:
    """Opens windows of one browser."""
    require(browser.executable(), "Chromium")
    browsers = Browsers()
    yield browsers.window
    browsers.close()


def test_no_browser_is_the_machine_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's project is to blame, and the message says what to install."""
    monkeypatch.setenv(browser.VARIABLE, "no-such-browser")

    with pytest.raises(EnvironmentFault, match="Chrome, Edge or Chromium"):
        Browsers().window()


@pytest.mark.browser
def test_window_reports_what_happens(windows: Callable[[], Window]) -> None:
    """What the page shows, what its console says, and the errors among it."""
    with windows() as window:
        window.open(PAGE)
        window.run("console.log('said', ['a list'])")
        window.run("setTimeout(() => { throw new Error('broken') })")
        window.until("false", 0.2)

        assert window.text() == "Hello"
        assert "said" in window.console[0]
        assert "a list" in window.console[0]
        assert [error.splitlines()[0] for error in window.errors] == ["Error: broken"]


@pytest.mark.browser
def test_script_that_stops_is_news_of_the_page(windows: Callable[[], Window]) -> None:
    """The text is the browser's own."""
    with windows() as window, pytest.raises(PageError, match="nothing is not defined"):
        window.run("nothing")


@pytest.mark.browser
def test_windows_share_nothing(windows: Callable[[], Window]) -> None:
    """Two people can use them."""
    with windows() as one, windows() as other:
        one.open(PAGE)
        one.run("window.mark = 1")
        other.open(PAGE)

        assert other.run("window.mark") is None


@pytest.mark.browser
def test_time_passes_when_the_check_says_so(windows: Callable[[], Window]) -> None:
    """Timers fire in their order, and clocks agree with them."""
    with windows() as window:
        window.before_each_page(stage(sockets=True))
        window.open(PAGE)
        window.run(
            "window.seen = []; const start = Date.now();"
            "for (const wait of [40000, 10000, 20000])"
            "  setTimeout(() => seen.push([wait, Date.now() - start]), wait);"
            "setInterval(() => seen.push('tick'), 15000); 0"
        )

        window.run("numeneonStage.advance(39999)")

        assert window.run("seen") == [[10000, 10000], "tick", [20000, 20000], "tick"]


@pytest.mark.browser
def test_played_server_behaves_as_it_is_told(windows: Callable[[], Window]) -> None:
    """It greets and answers pings; it says nothing more; it refuses; it is down."""
    with windows() as window:
        window.before_each_page(stage(sockets=True))
        window.open(PAGE)
        window.run(
            "window.heard = [];"
            "window.connect = async () => {"
            "  const socket = new WebSocket('ws://x/');"
            "  socket.onmessage = ({ data }) => heard.push(JSON.parse(data).type);"
            "  socket.addEventListener('close', ({ code }) => heard.push(code));"
            "  await numeneonStage.settled();"
            '  if (socket.readyState === 1) socket.send(\'{"type": "ping"}\');'
            "  await numeneonStage.settled();"
            "}; 0"
        )
        for behaviour in ("'up'", "'mute'", "4401", "'down'", "'hanging'"):
            window.run(f"numeneonStage.serverIs({behaviour}); connect()")

        heard = ["connection_established", "pong", "connection_established", 4401, 1006]
        assert window.run("heard") == heard
        assert len(window.run("numeneonStage.attempts")) == 5

"""One window of the browser: the page in it, what its console says, what goes over the wire."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from checks.errors import NotYet
from checks.harness.recorder import Line, Recorder, current
from course.deadline import at_most, patient, waiting_for
from course.processes import poll_interval

if TYPE_CHECKING:
    from checks.browser.browser import Browser

LOADING_SECONDS = patient(15.0)
_SHOWN_WORDS = 2_000


class PageError(NotYet):
    """A page that does not load, or a script in it that stopped; the text is the browser's."""


@dataclass
class Wire:
    """One WebSocket of the page, as the browser's network panel would show it."""

    url: str
    protocols: tuple[str, ...] = ()
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    closed: bool = False
    line: Line = field(default_factory=Line)


@dataclass(frozen=True)
class Reply:
    """What a request is answered with that never leaves the machine."""

    status: int
    headers: dict[str, str]
    body: bytes


class Window:
    """Opens pages and runs scripts in them, from any thread."""

    def __init__(self, browser: Browser, context: str, session: str) -> None:
        self._browser = browser
        self.context = context
        self.session = session
        self.console: list[str] = []
        self.errors: list[str] = []
        self._sent: list[tuple[str, str]] = []  # each request with its id
        self.failures: list[str] = []
        self.wires: list[Wire] = []
        self._by_request: dict[str, Wire] = {}
        self._recorder: Recorder | None = current()
        self._loaded = threading.Event()
        self._reply: Callable[[dict[str, Any]], Reply] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._browser.forget(self)

    def prepare(self) -> None:
        """Ask the browser to report what happens in this window."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, self.session, **parameters)

    # What the check does

    def before_each_page(self, script: str) -> None:
        """Run a script in every page to come, before the page's own."""
        self._ask("Page.addScriptToEvaluateOnNewDocument", source=script)

    def answer(self, pattern: str, reply: Callable[[dict[str, Any]], Reply]) -> None:
        """Answer requests for such addresses ourselves: `https://host/*`."""
        self._reply = reply
        self._ask("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def open(self, url: str) -> None:
        """Show a page, once it has loaded. Raises PageError."""
        self._loaded.clear()
        said = self._ask("Page.navigate", url=url)
        if error := said.get("errorText"):
            raise PageError(f"{url}: {error}")
        with waiting_for(f"{url} to load"):
            if not self._loaded.wait(at_most(LOADING_SECONDS)):
                raise PageError(f"{url} had not loaded after {LOADING_SECONDS:g} s")

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is awaited. Raises PageError."""
        said = self._ask(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if details := said.get("exceptionDetails"):
            raise PageError(_error_of(details))
        return said["result"].get("value")

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function, given as JavaScript, returns for these arguments."""
        given = ", ".join(map(json.dumps, arguments))
        return self.run(f"({function})({given})")

    def until(self, script: str, seconds: float) -> Any:
        """Wait until an expression is true; its value, or the last one when time is up."""
        began = time.monotonic()
        end = began + at_most(seconds)
        while True:
            value = self.run(script)
            if value or time.monotonic() > end:
                return value
            time.sleep(poll_interval(began))

    @property
    def requests(self) -> list[str]:
        """The addresses of all requests so far, without those that the browser has blocked."""
        return [url for _, url in self._sent]

    def text(self) -> str:
        """All words that the page shows."""
        return str(self.run("document.body.innerText"))[:_SHOWN_WORDS]

    # What the browser reports, in its own thread

    def hear(self, event: str, told: dict[str, Any]) -> None:
        """Note one event of the protocol."""
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.consoleAPICalled":
                words = " ".join(map(_words_of, told["args"]))
                self._note(words, is_error=told["type"] in ("error", "assert"))
            case "Runtime.exceptionThrown":
                self._note(_error_of(told["exceptionDetails"]), is_error=True)
            case "Log.entryAdded":
                entry = told["entry"]
                text = f"{entry['text']} {entry.get('url', '')}"
                self._note(text, is_error=entry["level"] == "error")
            case "Network.requestWillBeSent":
                self._sent.append((told["requestId"], told["request"]["url"]))
            case "Network.loadingFailed" if told.get("blockedReason"):
                self._take_back(told["requestId"])
            case "Network.responseReceived" if told["response"]["status"] >= 400:
                answer = told["response"]
                self.failures.append(f"{answer['status']} {answer['url']}")
            case "Fetch.requestPaused":
                threading.Thread(target=self._fulfil, args=[told], daemon=True).start()
            case _ if event.startswith("Network.webSocket"):
                self._hear_wire(event.removeprefix("Network.webSocket"), told)

    def _take_back(self, number: str) -> None:
        """Forget the last request of that id: the browser has blocked it, so it was not sent."""
        own = [each for each in self._sent if each[0] == number]
        for each in own[-1:]:
            self._sent.remove(each)

    def _note(self, text: str, *, is_error: bool) -> None:
        self.console.append(text)
        if is_error:
            self.errors.append(text)

    def _hear_wire(self, event: str, told: dict[str, Any]) -> None:
        if event == "Created":
            self._add_wire(told)
            return
        wire = self._by_request.get(told["requestId"])
        if wire is None:
            return
        match event:
            case "WillSendHandshakeRequest":
                wire.protocols = _protocols_of(told["request"]["headers"])
                for protocol in wire.protocols[1:]:
                    wire.line.guard(protocol)
            case "FrameSent":
                wire.sent.append(told["response"]["payloadData"])
                wire.line.sent("frame", wire.sent[-1])
            case "FrameReceived":
                wire.received.append(told["response"]["payloadData"])
                wire.line.heard("frame", wire.received[-1])
            case "Closed":
                wire.closed = True
                wire.line.heard("close", "closed")

    def _add_wire(self, told: dict[str, Any]) -> None:
        wire = Wire(told["url"])
        if self._recorder:
            parts = urlsplit(wire.url)
            host, port = parts.hostname or "", parts.port or 0
            wire.line = self._recorder.line(host, port, socket=True)
            wire.line.sent("handshake", f"GET {parts.path}")
        self._by_request[told["requestId"]] = wire
        self.wires.append(wire)

    def _fulfil(self, told: dict[str, Any]) -> None:
        import base64

        assert self._reply
        reply = self._reply(told["request"])
        self._browser.send(
            "Fetch.fulfillRequest",
            self.session,
            requestId=told["requestId"],
            responseCode=reply.status,
            responseHeaders=[{"name": k, "value": v} for k, v in reply.headers.items()],
            body=base64.b64encode(reply.body).decode(),
        )


def _error_of(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details.get("text"))


def _words_of(logged: dict[str, Any]) -> str:
    """What the console shows of a value; of an object or a list what is in it."""
    inside = logged.get("preview", {}).get("properties", ())
    words = [logged.get("value", logged.get("description", ""))]
    return " ".join(map(str, [*words, *(each.get("value", "") for each in inside)]))


def _protocols_of(headers: dict[str, str]) -> tuple[str, ...]:
    offered = next(
        (v for k, v in headers.items() if k.lower() == "sec-websocket-protocol"), ""
    )
    return tuple(part.strip() for part in offered.split(",") if part.strip())

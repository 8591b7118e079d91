"""The pages that tick themselves: their sockets, and the thread that serves them.

A page gets the whole state of its step at every change, never single changes: one that was
away has all it needs with the first message, and a slow one skips to the newest. It is
admitted by Origin and by a token that only a page from here holds. It can ask for a check
and nothing else, and only from this machine.

Close codes: 4400 not understood, 4403 not a page of ours, 4408 too slow, 4429 too many.

Three threads: the main one runs the watch, `live` runs the event loop with all sockets and
the Board, `pages` builds (see build.py). The watch hands its news to the loop with
call_soon_threadsafe(); what pages ask for comes back in a deque, whose append() and
popleft() need no lock.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import errno
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from course import Step
from course.files import write_text
from course.terminal import complain, say
from workshop.commands.watch import Observer
from workshop.errors import EnvironmentTrouble
from workshop.events import CheckAsked, PageOpened
from workshop.home import PAGES_PORT, Home
from workshop.pages.board import Board, progress_of
from workshop.pages.build import Builder, trouble
from workshop.pages.serve import (
    LOOPBACK,
    address_of,
    answer,
    error_log,
    is_loopback,
    network_name,
)
from workshop.progress import Progress

if TYPE_CHECKING:
    from checks.results import ItemResult, Report

PORTS_TRIED = 20
# From the handshake to the token, which live.js sends at once. Seconds.
ADMISSION_SECONDS = 5.0
# From connecting to the whole request: a browser opens connections ahead of its need. Seconds.
REQUEST_SECONDS = 30
# Also the time that a slow reader has for a large file. Seconds.
CLOSE_SECONDS = 10
# How long the end waits for the loop, whose sockets may take CLOSE_SECONDS. Seconds.
END_SECONDS = 5
MOST_PAGES = 64
MOST_WAITING = 16  # sockets that have shown no token yet
MOST_CONNECTIONS = 256  # of any kind, the silent ones included


@dataclass(eq=False)
class PageConnection:
    """One connected page: its socket, the step it shows, whether it has news to get."""

    socket: ServerConnection
    step: Step | None
    near: bool
    news: asyncio.Event = field(default_factory=asyncio.Event)


class PageSockets:
    """All connected pages. Used in the loop's thread only, but for `asked`."""

    def __init__(self, home: Home, board: Board, version: Callable[[], str]) -> None:
        """`version` tells the version of the pages that are served now."""
        self.home = home
        self.board = board
        self.token = secrets.token_urlsafe(16)
        self.asked: collections.deque[CheckAsked | PageOpened] = collections.deque(
            maxlen=16
        )
        self._version = version
        self._pages: set[PageConnection] = set()
        self._waiting = 0

    def wake(self) -> None:
        """Send the state to every page."""
        for page in self._pages:
            page.news.set()

    async def talk(self, connection: ServerConnection) -> None:
        """Serve one socket from its opening to its end."""
        with contextlib.suppress(ConnectionClosed):
            page = await self._admit(connection)
            if page is None:
                return
            self._pages.add(page)
            sender = asyncio.create_task(self._send(page))
            try:
                async for text in connection:
                    if not self._hear(page, text):
                        await connection.close(4400, "not understood")
            finally:
                self._pages.discard(page)
                sender.cancel()

    async def _admit(self, connection: ServerConnection) -> PageConnection | None:
        """Wait for the first message, {token, step}; None if the page was turned away."""
        if self._waiting >= MOST_WAITING:
            await connection.close(4429, "too many that wait")
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(ADMISSION_SECONDS):
                said = parsed(await connection.recv())
        except TimeoutError:
            await connection.close(4408, "no token in time")
            return None
        finally:
            self._waiting -= 1
        code, reason = self._objection(said)
        if said is None or code:
            await connection.close(code, reason)
            return None
        near = is_loopback(str(connection.remote_address[0]))
        page = PageConnection(connection, self._step(said.get("step")), near)
        page.news.set()
        if near and page.step:
            self.asked.append(PageOpened(page.step))
        return page

    def _objection(self, said: dict[str, Any] | None) -> tuple[int, str]:
        """With which close code and words to turn a page away; (0, '') if it may stay."""
        if said is None:
            return 4400, "not understood"
        token = said.get("token")
        if not isinstance(token, str) or not _same(token, self.token):
            return 4403, "not a page from here"
        if len(self._pages) >= MOST_PAGES:
            return 4429, "too many pages"
        return 0, ""

    async def _send(self, page: PageConnection) -> None:
        """Send the state whenever there is news; what changed meanwhile goes as one."""
        with contextlib.suppress(ConnectionClosed):
            while await page.news.wait():
                page.news.clear()
                state = self.board.shown(page.step, near=page.near)
                state["site"] = self._version()
                await page.socket.send(json.dumps(state, ensure_ascii=False))

    def _hear(self, page: PageConnection, text: str | bytes) -> bool:
        """The one thing to ask for, {"type": "check"}; whether it was understood."""
        said = parsed(text)
        if said is None or said.get("type") != "check":
            return False
        if page.near and page.step:
            wish = CheckAsked(page.step)
            judging = self.board.running and self.board.watched == page.step.number
            if not judging and wish not in self.asked:
                self.asked.append(wish)
        return True

    def _step(self, number: object) -> Step | None:
        """The step of that number, if it has a checklist."""
        for step in self.home.steps:
            if type(number) is int and step.number == number:
                return step if self.home.checklist(step) else None
        return None


class Live(Observer):
    """Serves the pages while it is entered; the watch tells it what it finds."""

    def __init__(
        self,
        home: Home,
        progress: Progress,
        host: str = LOOPBACK,
        port: int = PAGES_PORT,
        *,
        strict: bool = False,
    ) -> None:
        """Listens on `host` at `port`; at another one when that is taken, unless `strict`."""
        self.home = home
        self.host = host
        self.port = port
        self.board = Board(home, progress.project)
        known = {step.number: progress.verdicts.get(step.slug, {}) for step in home.steps}
        self.board.begin(progress_of(progress), known)
        self.sockets = PageSockets(home, self.board, lambda: self.builder.site.version)
        self.builder = Builder(home, self.sockets.token, lambda: self._tell(None))
        self._strict = strict
        self._connections = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._trouble: OSError | None = None
        # A daemon: a loop that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._main, name="live", daemon=True)
        self._log = error_log(home)

    # What the watch calls, in its own thread.

    def started(self, step: Step) -> None:
        self._tell(self.board.started, step)

    def verdict(self, result: ItemResult) -> None:
        self._tell(self.board.verdict, result)

    def finished(self, report: Report, progress: Progress) -> None:
        self._tell(self.board.finished, report.duration_s, progress_of(progress))

    def moved(self, step: Step) -> None:
        self._tell(self.board.moved, step)

    def asked(self) -> CheckAsked | PageOpened | None:
        try:
            return self.sockets.asked.popleft()
        except IndexError:
            return None

    def _tell(self, change: Callable[..., None] | None, *details: object) -> None:
        """Change the board and wake every page, in the loop's thread."""

        def act() -> None:
            if change:
                change(*details)
            self.sockets.wake()

        loop = self._loop
        if loop:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(act)

    # Beginning and end.

    def __enter__(self) -> Self:
        """Raises EnvironmentTrouble if nothing can listen there."""
        self._thread.start()
        self._ready.wait()  # set by _serve() in every case
        if self._trouble:
            raise EnvironmentTrouble(self._words(self._trouble))
        self.builder.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._loop and self._stop:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self.builder.__exit__(*error)
        self._thread.join(END_SECONDS)

    def _words(self, error: OSError) -> str:
        """What to say of an address that cannot be listened at."""
        if error.errno == errno.EADDRINUSE:
            return (
                f"Port {self.port} is in use by another program. Stop it, or choose "
                "another port with --port."
            )
        return f"The pages cannot be served at {self.host}: {error.strerror}."

    @property
    def token(self) -> str:
        """What a page from here holds."""
        return self.sockets.token

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the pages."""
        return address_of(self.host if is_loopback(self.host) else LOOPBACK, self.port)

    @property
    def network_address(self) -> str | None:
        """Where browsers on other machines find the pages; None if none can."""
        if is_loopback(self.host):
            return None
        return address_of(network_name(self.host), self.port)

    def page(self, step: Step) -> str:
        """The address of a step's page."""
        return f"{self.address}steps/{step.slug}/"

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            server = await self._listen()
        except OSError as error:
            self._trouble = error
            return
        finally:
            self._ready.set()
        async with server:
            await self._stop.wait()

    async def _listen(self) -> Server:
        """Take the wanted port; else, unless `strict`, the first free one of the next."""
        others = () if self._strict else (*range(self.port + 1, self.port + PORTS_TRIED), 0)
        for port in (self.port, *others):
            try:
                server = await self._listen_at(port)
            except OSError as error:
                taken = error.errno in {errno.EADDRINUSE, errno.EACCES}
                if not taken or port == (self.port, *others)[-1]:
                    raise
                continue
            self.port = next(iter(server.sockets)).getsockname()[1]
            return server
        raise AssertionError("the last port is returned from or raises")

    async def _listen_at(self, port: int) -> Server:
        live = self

        class Bounded(ServerConnection):
            """A connection that is dropped at once when there are too many."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                live._connections += 1
                super().connection_made(transport)
                if live._connections > MOST_CONNECTIONS:
                    self.transport.abort()

            def connection_lost(self, error: Exception | None) -> None:
                live._connections -= 1
                super().connection_lost(error)

        return await serve(
            self.sockets.talk,
            self.host,
            port,
            process_request=self._answer,
            create_connection=Bounded,
            compression=None,
            max_size=1024,
            open_timeout=REQUEST_SECONDS,
            close_timeout=CLOSE_SECONDS,
            server_header=None,
            logger=self._log,
        )

    async def _answer(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        return answer(self.builder.site, self.host, request)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """A JSON object, None if it is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@contextlib.contextmanager
def serving(
    home: Home, progress: Progress, host: str | None = None, port: int | None = None
) -> Iterator[Live | None]:
    """Serve the pages; yields None, after a word on why, where that is not possible.

    A `port` that was asked for is taken, or EnvironmentTrouble raised. Otherwise it is the
    one of the last time, and another one, with a word, when that is taken.
    """
    with contextlib.ExitStack() as stack:
        live = None
        why = trouble(home)
        if why:
            say(why, "")
        else:
            wanted = port or _last_port(home)
            try:
                made = Live(
                    home, progress, host or LOOPBACK, wanted, strict=port is not None
                )
                live = stack.enter_context(made)
                write_text(home.state / "port", f"{live.port}\n")
            except (EnvironmentTrouble, OSError) as error:
                if port is not None:
                    raise
                complain(str(error), "")
            if live and live.port != wanted:
                say(
                    f"Port {wanted} is in use by another program; using {live.port} instead.",
                    "",
                )
        yield live


def _last_port(home: Home) -> int:
    """The port of the last time: a page that is still open finds the tool there again."""
    with contextlib.suppress(OSError, ValueError):
        port = int((home.state / "port").read_text("utf-8"))
        if 1024 <= port < 65536:
            return port
    return PAGES_PORT

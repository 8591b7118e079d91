"""The page that ticks itself: serves the pages, and tells them what the watch finds.

A page gets the whole state of its step at every change, never single changes: one that was
away has all it needs with the first message, and a slow one skips to the newest. It is
admitted by Origin and by a token that only a page from here holds. It can ask for a check
and nothing else, and only from this machine.

Close codes: 4400 not understood, 4403 not a page of ours, 4408 too slow, 4429 too many.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import errno
import ipaddress
import json
import logging
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from course import Step
from course.files import write_text
from course.terminal import complain, say
from workshop.commands.steps import state as state_of
from workshop.commands.watch import Observer
from workshop.errors import EnvironmentTrouble
from workshop.home import Home
from workshop.pages.build import Builder, StaticResponse, trouble
from workshop.progress import Progress

if TYPE_CHECKING:
    from checks.results import ItemResult, Report

SCHEMA = 1
LOOPBACK = "127.0.0.1"
PORT = 8765
PORTS_TRIED = 20
SOCKET_PATH = "/live"
ADMISSION_SECONDS = 5.0
MOST_PAGES = 64


class Board:
    """What is known about the steps and their items. Used in the server's thread only."""

    def __init__(self, home: Home, project: Path) -> None:
        self.home = home
        self.project = project
        self.watched: int | None = None
        self.running: set[str] = set()
        self.runs = 0
        self.seconds = 0.0
        self.verdicts: dict[int, dict[str, dict[str, Any]]] = {}
        self.steps: list[dict[str, Any]] = []

    def begin(
        self, progress: list[dict[str, Any]], known: dict[int, dict[str, str]]
    ) -> None:
        """Start from what was noted earlier: verdicts without their messages."""
        self.steps = progress
        self.verdicts = {
            step: {id: {"status": status} for id, status in items.items()}
            for step, items in known.items()
        }

    def started(self, step: Step) -> None:
        self.watched = step.number
        self.running = {item.id for item in self.home.checklist(step)}

    def verdict(self, result: ItemResult) -> None:
        self.running.discard(result.id)
        if self.watched is not None:
            known = self.verdicts.setdefault(self.watched, {})
            known[result.id] = self._told(result)

    def finished(self, seconds: float, progress: list[dict[str, Any]]) -> None:
        self.running = set()
        self.runs += 1
        self.seconds = seconds
        self.steps = progress

    def moved(self, step: Step) -> None:
        self.watched = step.number

    def _told(self, result: ItemResult) -> dict[str, Any]:
        return {
            "status": str(result.status),
            "message": result.message,
            "hint": result.hint,
            "file": result.file,
            "line": result.line,
            "blocked_by": result.blocked_by,
        }

    def shown(self, step: Step | None, *, near: bool) -> dict[str, Any]:
        """The state as a page of `step` gets it. A page that is not `near`, on this machine,
        gets no link that opens an editor and may not ask for anything.
        """
        mine = step is not None and step.number == self.watched
        return {
            "type": "state",
            "schema": SCHEMA,
            "step": step.number if step else None,
            "watched": self.watched,
            "running": bool(mine and self.running),
            "runs": self.runs,
            "seconds": round(self.seconds, 3),
            "may_ask": near,
            "items": self._items(step, near=near) if step else [],
            "steps": self.steps,
        }

    def _items(self, step: Step, *, near: bool) -> list[dict[str, Any]]:
        known = self.verdicts.get(step.number, {})
        running = self.running if step.number == self.watched else set()
        blank = {"status": "unknown"}
        items = []
        for item in self.home.checklist(step):
            told = {"id": item.id, "running": item.id in running} | known.get(
                item.id, blank
            )
            if near and told.get("file"):
                told["open"] = editor_link(self.project / told["file"], told.get("line"))
            items.append(told)
        return items


def editor_link(file: Path, line: int | None) -> str:
    """The address under which an editor opens a file at a line."""
    path = file.as_posix()
    start = path if path.startswith("/") else f"/{path}"
    return f"vscode://file{quote(start)}" + (f":{line}" if line else "")


def progress_of(progress: Progress) -> list[dict[str, Any]]:
    """How far each step is, in the course's order."""
    table = []
    for step in progress.home.steps:
        done, total = progress.count(step)
        table.append(
            {
                "number": step.number,
                "slug": step.slug,
                "title": step.title,
                "finished": progress.is_done(step),
                "state": state_of(progress, step),
                "done": done,
                "total": total,
            }
        )
    return table


@dataclass(eq=False)
class PageConnection:
    """One connected page: its socket, the step it shows, whether it has news to get."""

    socket: ServerConnection
    step: Step | None
    near: bool
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Live(Observer):
    """Serves the pages while it is entered; the watch tells it what it finds."""

    def __init__(
        self, home: Home, progress: Progress, host: str = LOOPBACK, port: int = PORT
    ) -> None:
        """Listens on `host` at `port`, or one of the next when that is taken."""
        self.home = home
        self.host = host
        self.port = port
        self.token = secrets.token_urlsafe(16)
        self.board = Board(home, progress.project)
        known = {step.number: progress.verdicts.get(step.slug, {}) for step in home.steps}
        self.board.begin(progress_of(progress), known)
        self.builder = Builder(home, self.token, lambda: self._tell(None))
        self._asked: collections.deque[str] = collections.deque(maxlen=16)
        self._pages: set[PageConnection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._trouble: OSError | None = None
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

    def asked(self) -> str:
        try:
            return self._asked.popleft()
        except IndexError:
            return ""

    def _tell(self, change: Callable[..., None] | None, *details: object) -> None:
        """Change the board and wake every page, in the server's thread."""

        def act() -> None:
            if change:
                change(*details)
            for page in self._pages:
                page.news.set()

        loop = self._loop
        if loop:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(act)

    # Beginning and end.

    def __enter__(self) -> Self:
        """Raises EnvironmentTrouble if nothing can listen there."""
        self._thread.start()
        self._ready.wait()
        if self._trouble:
            raise EnvironmentTrouble(
                f"The pages cannot be served at {self.host}: {self._trouble.strerror}."
            )
        self.builder.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop and self._stop:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self.builder.__exit__(kind, error, trace)
        self._thread.join(5)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the pages."""
        host = self.host if is_loopback(self.host) else LOOPBACK
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

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
        """Take the first free port from the wanted one on, else whichever is free."""
        for port in (*range(self.port, self.port + PORTS_TRIED), 0):
            try:
                server = await serve(
                    self._talk,
                    self.host,
                    port,
                    process_request=self._answer,
                    compression=None,
                    max_size=1024,
                    open_timeout=30,
                    close_timeout=10,  # also the time that a slow reader has for a large file
                    server_header=None,
                    logger=self._log,
                )
            except OSError as error:
                if port == 0 or error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                    raise
                continue
            self.port = next(iter(server.sockets)).getsockname()[1]
            return server
        raise AssertionError("the loop above ends with port 0")

    # HTTP, and who may open a socket.

    async def _answer(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        headers = {name.title(): value for name, value in request.headers.raw_items()}
        host = headers.get("Host", "")
        if not knows_host(self.host, host):
            return refusal(403, "This address is not served here.")
        if request.path.partition("?")[0] != SOCKET_PATH:
            if request.method not in {"GET", "HEAD"}:
                return refusal(405, "Pages can only be read.")
            return response(self.builder.site.answer(request.path, headers), request.method)
        if headers.get("Origin") != f"http://{host}":
            return refusal(403, "Only pages from here may connect.")
        return None

    # The pages' sockets.

    async def _talk(self, connection: ServerConnection) -> None:
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
        try:
            async with asyncio.timeout(ADMISSION_SECONDS):
                said = parsed(await connection.recv())
        except TimeoutError:
            await connection.close(4408, "no token in time")
            return None
        code, reason = self._objection(said)
        if said is None or code:
            await connection.close(code, reason)
            return None
        near = is_loopback(str(connection.remote_address[0]))
        page = PageConnection(connection, self._step(said.get("step")), near)
        page.news.set()
        if near and page.step:
            self._asked.append(f"page {page.step.number}")
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
                state["site"] = self.builder.site.version
                await page.socket.send(json.dumps(state, ensure_ascii=False))

    def _hear(self, page: PageConnection, text: str | bytes) -> bool:
        """The one thing to ask for, {"type": "check"}; whether it was understood."""
        said = parsed(text)
        if said is None or said.get("type") != "check":
            return False
        if page.near and page.step:
            wish = f"check {page.step.number}"
            judging = self.board.running and self.board.watched == page.step.number
            if not judging and wish not in self._asked:
                self._asked.append(wish)
        return True

    def _step(self, number: object) -> Step | None:
        """The step of that number, if it has a checklist."""
        for step in self.home.steps:
            if type(number) is int and step.number == number:
                return step if self.home.checklist(step) else None
        return None


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """A JSON object, None if it is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which nobody else can reach."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found).is_loopback
    return False


def knows_host(bound: str, header: str) -> bool:
    """Whether a Host header is one that leads here.

    A web page elsewhere can point a name of its own at 127.0.0.1, and would then count as
    being of the same origin; so names that are not ours are refused.
    """
    name = re.sub(r":\d+$", "", header).strip("[]").lower()
    if name == "localhost" or is_loopback(name):
        return True
    if is_loopback(bound):
        return False
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    own = socket.gethostname().lower()
    return name in {own, f"{own}.local", bound.lower()}


def response(answer: StaticResponse, method: str) -> Response:
    """An answer in the form that the server library sends."""
    headers = Headers({**answer.headers, "Connection": "close"})
    if answer.status != 304:
        headers["Content-Length"] = str(len(answer.body))
    body = b"" if method == "HEAD" else answer.body
    return Response(answer.status, REASONS[answer.status], headers, body)


def refusal(status: int, text: str) -> Response:
    """A refusal in one sentence."""
    plain: Mapping[str, str] = {"Content-Type": "text/plain; charset=utf-8"}
    return response(StaticResponse(status, dict(plain), f"{text}\n".encode()), "GET")


REASONS = {
    200: "OK",
    301: "Moved Permanently",
    304: "Not Modified",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


def error_log(home: Home) -> logging.Logger:
    """Where the server's own errors go: a file, so that none lands on the terminal."""
    log = logging.getLogger("workshop.live")
    log.propagate = False
    log.setLevel(logging.ERROR)
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()
    home.state.mkdir(parents=True, exist_ok=True)
    log.addHandler(logging.FileHandler(home.state / "live.log", delay=True))
    return log


@contextlib.contextmanager
def serving(
    home: Home, progress: Progress, host: str | None = None
) -> Iterator[Live | None]:
    """Serve the pages; yields None, after a word on why, where that is not possible."""
    with contextlib.ExitStack() as stack:
        live = None
        why = trouble(home)
        if why:
            say(why, "")
        else:
            try:
                wanted = _last_port(home)
                live = stack.enter_context(Live(home, progress, host or LOOPBACK, wanted))
                write_text(home.state / "port", f"{live.port}\n")
            except (EnvironmentTrouble, OSError) as error:
                complain(str(error), "")
        yield live


def _last_port(home: Home) -> int:
    """The port of the last time: a page that is still open finds the tool there again."""
    with contextlib.suppress(OSError, ValueError):
        port = int((home.state / "port").read_text("utf-8"))
        if 1024 <= port < 65536:
            return port
    return PORT

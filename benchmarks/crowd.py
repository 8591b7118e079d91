"""Many WebSocket clients in one process, each as cheap as can be, and the POSTs that they wait for.

Reads commands from standard input, one JSON object a line, and answers each with another.
compare.py and soak.py start it, so that what measures is a process apart from what is measured.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

# In every frame that is measured: the number of the POST that caused it.
MARK = re.compile(rb"mark-(\d+)-")
SEQ = re.compile(rb'"seq": ?(\d+)')
# So many handshakes at a time, as many clients do that come at once.
AT_ONCE = 50
CONNECT_SECONDS = 60.0
# After so long without another frame, what is missing is lost.
QUIET_SECONDS = 3.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames of a server in these bytes, as (opcode, payload), and what is left."""
    found = []
    at = 0
    while len(data) - at >= 2:
        length, start = data[at + 1], at + 2
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[start : start + size])
            start += size
        if len(data) < max(start, start + length):
            break
        found.append((data[at] & 15, data[start : start + length]))
        at = start + length
    return found, data[at:]


def masked(opcode: int, payload: bytes) -> bytes:
    """A short frame of a client, with a mask that changes nothing."""
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


class Socket(asyncio.Protocol):
    """One client: makes the handshake, answers pings, and tells its crowd what it hears."""

    def __init__(self, crowd: Crowd, place: int, request: bytes) -> None:
        self.crowd, self.place, self.request = crowd, place, request
        self.rest = b""
        self.is_open = False
        self.greeted: asyncio.Future[None] = crowd.loop.create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        data = self.rest + data if self.rest else data
        if not self.is_open:
            head, separator, data = data.partition(b"\r\n\r\n")
            if not separator:
                self.rest = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            self.is_open = True
        found, self.rest = frames(data)
        for opcode, payload in found:
            if opcode in (TEXT, BINARY):
                self.hear(payload)
            elif opcode == PING:
                self.transport.write(masked(PONG, payload))
            elif opcode == CLOSE:
                self.crowd.codes[int.from_bytes(payload[:2])] += 1
                self.crowd.closed_at.append(time.perf_counter())
                self.transport.write(masked(CLOSE, payload[:2]))
                self.transport.close()

    def hear(self, payload: bytes) -> None:
        """Take a frame with content."""
        if mark := MARK.search(payload):
            self.crowd.hear(self.place, int(mark[1]))
            if self.crowd.follows:
                self.follow(payload)
        elif payload == b"2":  # from here to the next `else`: how Socket.IO says hello
            self.transport.write(masked(TEXT, b"3"))
        elif payload.startswith(b"0{"):
            self.transport.write(masked(TEXT, b"40"))
        elif not self.greeted.done():
            self.greeted.set_result(None)
            if self.crowd.follows:
                self.begin(json.loads(payload))

    def begin(self, greeting: dict[str, Any]) -> None:
        """Remember where the first socket of this place began; a later one resumes there."""
        position = self.crowd.positions.setdefault(
            self.place, {"epoch": greeting["epoch"], "seq": greeting["last_seq"]}
        )
        if position["seq"] < greeting["last_seq"]:
            resume = {"type": "resume", **position}
            self.transport.write(masked(TEXT, json.dumps(resume).encode()))

    def follow(self, payload: bytes) -> None:
        """Remember how far this place has come."""
        if number := SEQ.search(payload):
            self.crowd.positions[self.place]["seq"] = int(number[1])

    def connection_lost(self, error: Exception | None) -> None:
        if self.crowd.sockets.get(self.place) is self:
            del self.crowd.sockets[self.place]
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError("closed before the greeting"))
            self.greeted.exception()


@dataclass
class Heard:
    """Who has heard of one POST: places in the crowd, and when the newest frame came."""

    wanted: int
    everybody: asyncio.Event = field(default_factory=asyncio.Event)
    places: list[int] = field(default_factory=list)
    last: float = 0.0


def reconciled(expected: Iterable[int], times: int, heard: Iterable[int]) -> dict[str, int]:
    """How many frames are missing, came twice, or came to somebody whom they were not for."""
    wanted = collections.Counter(dict.fromkeys(expected, times))
    got = collections.Counter(heard)
    return {
        "expected": wanted.total(),
        "received": got.total(),
        "missing": (wanted - got).total(),
        "twice": sum((got - wanted)[place] for place in wanted),
        "strangers": sum(count for place, count in got.items() if place not in wanted),
    }


class Crowd:
    """The clients of one server, and what they have heard."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.sockets: dict[int, Socket] = {}
        self.codes: collections.Counter[int] = collections.Counter()
        self.closed_at: list[float] = []
        self.heard: dict[int, Heard] = {}
        # Whether sockets resume as a browser's do, and from where: by place.
        self.follows = False
        self.positions: dict[int, dict[str, Any]] = {}
        self.numbers = itertools.count(1)

    def hear(self, place: int, number: int) -> None:
        """Called by a socket for each frame that is measured."""
        if heard := self.heard.get(number):
            heard.last = time.perf_counter()
            heard.places.append(place)
            if len(heard.places) == heard.wanted:
                heard.everybody.set()

    async def connect(
        self,
        ports: list[int],
        path: str,
        heads: list[dict[str, str]],
        first: int,
        follows: bool = False,
    ) -> dict[str, Any]:
        """Open a socket for each of these headers, with places from `first` on."""
        self.follows = follows
        gate = asyncio.Semaphore(AT_ONCE)
        failed: collections.Counter[str] = collections.Counter()

        async def one(place: int, head: dict[str, str]) -> None:
            port = ports[place % len(ports)]
            socket = Socket(self, place, handshake(port, path, head))
            async with gate:
                try:
                    async with asyncio.timeout(CONNECT_SECONDS):
                        await self.loop.create_connection(lambda: socket, "127.0.0.1", port)
                        await socket.greeted
                    self.sockets[place] = socket
                except OSError as error:
                    failed[repr(error)] += 1

        began = time.perf_counter()
        await asyncio.gather(*(one(first + n, head) for n, head in enumerate(heads)))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "open": len(self.sockets), "failed": dict(failed)}

    async def post(self, request: dict[str, Any], places: list[int]) -> dict[str, Any]:
        """POST, and wait until each of these places has its frames, or no more of them come."""
        number = next(self.numbers)
        times = request.get("times", 1)
        heard = self.heard[number] = Heard(len(places) * times)
        began = time.perf_counter()
        answer = asyncio.create_task(posted(request, number))
        while places and not heard.everybody.is_set():
            before, was_answered = len(heard.places), answer.done()
            try:
                await asyncio.wait_for(heard.everybody.wait(), QUIET_SECONDS)
            except TimeoutError:
                if was_answered and len(heard.places) == before:
                    break
        status, answered = await answer
        if len(places) > 1:
            # What comes twice, or to somebody else, comes now.
            await asyncio.sleep(0.05)
        del self.heard[number]
        return {
            "status": status,
            "answered": answered - began,
            "last": max(0.0, heard.last - began),
            **reconciled(places, times, heard.places),
        }

    async def send(self, request: dict[str, Any]) -> dict[str, Any]:
        """POST, and do not wait; tally() says who has heard of it."""
        status, _ = await posted(request, (await self.listen())["number"])
        return {"status": status}

    async def listen(self) -> dict[str, Any]:
        """Give a number that somebody else will send; tally() says who has heard of it."""
        number = next(self.numbers)
        self.heard[number] = Heard(0)
        return {"number": number}

    async def tally(self, places: list[int]) -> dict[str, Any]:
        """What was expected and received of all that was sent."""
        heard = [place for each in self.heard.values() for place in each.places]
        told = reconciled(places, len(self.heard), heard)
        self.heard.clear()
        return told

    async def pace(
        self, request: dict[str, Any], place: int | None, rate: float, seconds: float
    ) -> dict[str, Any]:
        """POST at a steady rate. What each takes: to the frame at a place, or to its answer."""
        taken: list[float] = []
        faults = dict.fromkeys(("expected", "received", "missing", "failed"), 0)

        async def one() -> None:
            places = [] if place is None else [place]
            told = await self.post(request, places)
            faults["failed"] += told["status"] not in (200, 201)
            for name in ("expected", "received", "missing"):
                faults[name] += told[name]
            taken.append(told["answered"] if place is None else told["last"])

        began = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one()))
        await asyncio.gather(*tasks)
        return {"seconds": taken, **faults}

    async def flood(
        self, request: dict[str, Any], place: int | None, writers: int, seconds: float
    ) -> dict[str, Any]:
        """POST as fast as so many clients can, each one after the other."""
        end = time.perf_counter() + seconds
        faults = {"failed": 0}

        async def write() -> int:
            done = 0
            while time.perf_counter() < end:
                number = next(self.numbers)
                if place is not None:
                    self.heard[number] = Heard(1)
                status, _ = await posted(request, number)
                faults["failed"] += status not in (200, 201)
                done += 1
            return done

        began = time.perf_counter()
        done = sum(await asyncio.gather(*(write() for _ in range(writers))))
        took = time.perf_counter() - began
        waiting = asyncio.gather(*(h.everybody.wait() for h in self.heard.values()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(waiting, QUIET_SECONDS)
        missing = sum(not heard.places for heard in self.heard.values())
        self.heard.clear()
        told = {"expected": done, "received": done - missing, "missing": missing}
        return {"rate": done / took, **(told if place is not None else {}), **faults}

    async def drop(self, first: int) -> dict[str, Any]:
        """Close the sockets from that place on."""
        for place in [place for place in self.sockets if place >= first]:
            self.sockets.pop(place).transport.close()
        await asyncio.sleep(0.2)
        return await self.state()

    async def state(self) -> dict[str, Any]:
        """Who is still there, and with which codes the others were closed."""
        return {
            "open": len(self.sockets),
            "codes": dict(self.codes),
            "closed_at": self.closed_at,
        }


def handshake(port: int, path: str, head: dict[str, str]) -> bytes:
    """The request that opens a socket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *(f"{name}: {value}" for name, value in head.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# Connections that wait for the next request, and since when, by port.
_kept: dict[int, list[tuple[float, Connection]]] = collections.defaultdict(list)
# Servers close those that wait longer than about five seconds.
KEPT_SECONDS = 2.0


async def connection(port: int) -> Connection:
    """A connection for a request, if possible one that has had some."""
    while _kept[port]:
        since, (reader, writer) = _kept[port].pop()
        if time.perf_counter() - since < KEPT_SECONDS:
            return reader, writer
        writer.close()
    return await asyncio.open_connection("127.0.0.1", port)


async def posted(request: dict[str, Any], number: int) -> tuple[int, float]:
    """POST a body that says `mark-NUMBER-` where it says MARK: the answer's status and time."""
    body = request["body"].replace("MARK", f"mark-{number}-").encode()
    lines = [
        f"POST {request['path']} HTTP/1.1",
        f"Host: 127.0.0.1:{request['port']}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in request.get("head", {}).items()),
    ]
    reader, writer = await connection(request["port"])
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split()[1])
    if length := re.search(rb"(?i)content-length: *(\d+)", head):
        await reader.readexactly(int(length[1]))
    elif status != 204:
        await reader.readuntil(b"0\r\n\r\n")
    now = time.perf_counter()
    _kept[request["port"]].append((now, (reader, writer)))
    return status, now


async def main() -> None:
    """Answer commands until standard input ends."""
    crowd = Crowd()
    commands: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "connect": crowd.connect,
        "post": crowd.post,
        "send": crowd.send,
        "listen": crowd.listen,
        "tally": crowd.tally,
        "pace": crowd.pace,
        "flood": crowd.flood,
        "drop": crowd.drop,
        "state": crowd.state,
    }
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        answer = await commands[command.pop("do")](**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

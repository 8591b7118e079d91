"""A network between two programs of one machine: answers arrive late, as they do in a cloud."""

from __future__ import annotations

import asyncio
import threading
from typing import Self


class LatencyProxy:
    """Forwards a free port of 127.0.0.1 to another one; what comes back is late by `delay`.

    A race that a fast network hides for an hour (two time-outs of five seconds, say) is
    decided the same way each time here.
    """

    def __init__(self, target: int, delay: float) -> None:
        self.port = 0
        self._target = target
        self._delay = delay
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="slow-link", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def close(self) -> None:
        """Cut all connections."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(
            lambda: _Near(self._target, self._delay), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()


class _Near(asyncio.Protocol):
    """The end that the program connected to."""

    def __init__(self, target: int, delay: float) -> None:
        self._target = target
        self._delay = delay
        self._far: asyncio.Transport | None = None
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._task = asyncio.get_running_loop().create_task(self._connect(transport))

    async def _connect(self, near: asyncio.WriteTransport) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._far, _ = await loop.create_connection(
                lambda: _Far(near, self._delay), "127.0.0.1", self._target
            )
        except OSError:
            near.close()
            return
        for data in self._waiting:
            self._far.write(data)

    def data_received(self, data: bytes) -> None:
        if self._far is None:
            self._waiting.append(data)
        elif not self._far.is_closing():
            self._far.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._far:
            self._far.close()


class _Far(asyncio.Protocol):
    """The end towards the real server: hands its answers on, later."""

    def __init__(self, near: asyncio.WriteTransport, delay: float) -> None:
        self._near = near
        self._delay = delay

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._hand_on, data)

    def _hand_on(self, data: bytes) -> None:
        if not self._near.is_closing():
            self._near.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._near.close)

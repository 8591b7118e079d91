"""Leaving: a process that has to end closes its sockets one after the other, and then ends.

All at once, thousands of clients would connect to the other processes in the same second.
"""

import asyncio
import logging
import signal
from contextlib import suppress

from django.conf import settings

from numeneon.stopping import leaving

logger = logging.getLogger(__name__)

sockets = set()  # the consumers of those that are open here
tasks = set()


async def lifespan(scope, receive, send):
    """Called by the server when it starts; it returns when the server ends."""
    await receive()
    # Windows has no such signals.
    with suppress(NotImplementedError):
        drain_on_sigterm(asyncio.get_running_loop())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def drain_on_sigterm(loop):
    """Put drain() before what the server does about SIGTERM."""
    servers_handler = signal.getsignal(signal.SIGTERM)

    def on_sigterm():
        if leaving.is_set():
            # The second one: now.
            servers_handler(signal.SIGTERM, None)
        else:
            leaving.set()
            tasks.add(loop.create_task(drain(servers_handler)))

    loop.add_signal_handler(signal.SIGTERM, on_sigterm)


async def drain(servers_handler):
    """Close all sockets within DRAIN_SECONDS, and have the server end."""
    seconds = settings.DRAIN_SECONDS
    logger.info("Leaving: %d sockets end within %s seconds", len(sockets), seconds)
    turns = [
        asyncio.create_task(close_after(seconds * number / len(sockets), socket))
        for number, socket in enumerate(sockets)
    ]
    if turns:
        # A little longer, and not forever: a client that does not read holds its turn up.
        await asyncio.wait(turns, timeout=seconds + 1)
    servers_handler(signal.SIGTERM, None)


async def close_after(seconds, socket):
    """Close a socket when its turn comes."""
    await asyncio.sleep(seconds)
    if socket in sockets:
        # To clients, 1012 means that the service restarts: connect again.
        await socket.close(code=1012)

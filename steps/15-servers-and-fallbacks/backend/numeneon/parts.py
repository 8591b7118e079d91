"""The parts of the server that the health check asks, each by doing what requests do."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from django.core.cache import cache
from django.db import connection

from notifications.layers import has_websockets
from notifications.services import send_to_groups


class HttpOnly(Exception):
    """This server was started without a channel layer."""


def query_database():
    """Run a query on a new connection, as every request does."""
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def query_cache():
    """Look something up, as a socket does with its ticket."""
    with closing(connection):  # of the database, where the cache may be a table
        cache.get("health")


async def send_event():
    """Send an event to a group that nobody is in."""
    if not has_websockets():
        raise HttpOnly
    await send_to_groups({"health": {"type": "health"}})


def in_thread(function):
    """Return a coroutine function that runs a function in a thread of its own."""
    # One thread: while the function hangs, its next run waits, and takes no other thread.
    thread = ThreadPoolExecutor(1)

    async def run():
        await asyncio.get_running_loop().run_in_executor(thread, function)

    return run


PARTS = {
    "database": in_thread(query_database),
    "cache": in_thread(query_cache),
    "events": send_event,
}

"""What happens when a socket or a stream has ended: its user may be back soon."""

import asyncio
from contextlib import suppress

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from notifications import connections
from numeneon.threads import database_sync_to_async

end = database_sync_to_async(connections.end)
forget = database_sync_to_async(connections.forget)

# Tasks that outlive their sockets: asyncio does not keep tasks that nobody refers to.
farewells = set()


async def leave(channel, user_id):
    """Note that a socket or a stream has ended."""
    # A row that cannot be changed is over after two heartbeats.
    with suppress(DatabaseError, InterfaceError):
        if await end(channel):
            farewell = asyncio.create_task(say_farewell(user_id))
            farewells.add(farewell)
            farewell.add_done_callback(farewells.discard)


async def say_farewell(user_id):
    """Runs after a socket has ended: its user may come back before their friends notice."""
    await asyncio.sleep(settings.PRESENCE_GRACE_SECONDS)
    # What fails here, or never runs because the server ends, is left to another sweep().
    with suppress(DatabaseError, InterfaceError):
        await forget(user_id)

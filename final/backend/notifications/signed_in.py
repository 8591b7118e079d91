"""A socket that belongs to a signed-in user, and only for as long as they are."""

import asyncio
import logging
import random
import time
from contextlib import suppress

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from notifications import connections, farewells, sessions
from notifications.limits import LimitedConsumer
from notifications.middleware import SUBPROTOCOL
from numeneon import logs

logger = logging.getLogger(__name__)

claims_of = database_sync_to_async(sessions.claims_of)
user_of = database_sync_to_async(sessions.user_of)
enter = database_sync_to_async(connections.enter)
still_here = database_sync_to_async(connections.still_here)
sweep = database_sync_to_async(connections.sweep)


class SignedInConsumer(LimitedConsumer):
    """Knows the claims that its user signed in with; subclasses have a method welcome()."""

    claims = None
    clock = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Clients come back, perhaps to a process that has started since. Not all at once.
        lifetime = settings.SOCKET_LIFETIME_SECONDS * random.uniform(0.9, 1)
        self.ends_at = time.time() + lifetime

    async def connect(self):
        """Called when a client wants to connect."""
        # A close before accept() reaches the browser as 1006, not as our code.
        await self.accept(self.chosen_subprotocol())
        if self.scope["user"].is_authenticated:
            await self.sign_in(self.scope["user"], self.scope["claims"])
        elif self.scope["refusal"]:
            await self.close(code=self.scope["refusal"])
        else:
            self.meanwhile(self.wait_for_token())

    async def authenticate(self, token):
        """Take a token from a frame: the first one, or one that renews the session."""
        claims = await claims_of(token)
        user = await user_of(claims)
        if user is None:
            await self.close(code=4401)
        elif self.claims is None:
            await self.sign_in(user, claims)
        elif user != self.scope["user"]:
            await self.close(code=4403)
        else:
            self.begin(claims)
            await self.send_json({"type": "authenticated", **self.expiry()})

    async def sign_in(self, user, claims):
        """Make this the socket of a user, if they may have one more."""
        self.scope["user"] = user
        logs.bind(user=user.pk)
        if await enter(user.pk, self.channel_name):
            logger.info("Signed in")
            self.begin(claims)
            await self.welcome()
        else:
            await self.close(code=4429)

    def begin(self, claims):
        """Start the time for which these claims are good."""
        self.claims = claims
        self.meanwhile(self.watch())

    def expiry(self):
        """Return how many seconds are left, for the client."""
        return {"expires_in": max(0, int(self.claims["exp"] - time.time()))}

    def meanwhile(self, coroutine):
        """Run a coroutine beside the socket, in place of the one before."""
        if self.clock:
            self.clock.cancel()
        self.clock = asyncio.create_task(coroutine)

    async def wait_for_token(self):
        """Runs until the client has sent a token, or its time is over."""
        await asyncio.sleep(settings.AUTH_SECONDS)
        await self.close(code=4408)

    async def watch(self):
        """Runs until token or socket are too old; looks now and then what has changed."""
        while (left := min(self.claims["exp"], self.ends_at) - time.time()) > 0:
            await asyncio.sleep(min(left, settings.HEARTBEAT_SECONDS))
            # While the database is down nobody is signed out: it looks again later.
            with suppress(DatabaseError, InterfaceError):
                await self.session_check()
                await sweep()
        # Not 1012, which Daphne cannot send.
        await self.close(code=4401 if self.claims["exp"] <= time.time() else 4503)

    async def session_check(self, event=None):
        """Called by watch(), and when check_sessions() says that something has changed."""
        if await user_of(self.claims) is None:
            await self.close(code=4401)
        elif not await still_here(self.channel_name):
            # Forgotten, as if the server had died: its place may be taken by now.
            await self.close(code=4408)

    async def leave(self):
        """Called when the socket has ended, however it did."""
        if self.clock:
            self.clock.cancel()
        await farewells.leave(self.channel_name, self.scope["user"].pk)

    def chosen_subprotocol(self):
        """Return our subprotocol if it was offered: a browser fails if none of its own is chosen."""
        return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None

"""The answer to GET /api/v1/notifications/stream/, which ends with its client's session."""

import logging
import secrets
import time

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, InterfaceError
from django.http import JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from notifications import connections, metrics, sessions
from notifications.event_stream import EventStream
from notifications.farewells import leave
from notifications.hints import Hints
from numeneon import logs, stopping
from numeneon.streaming import CONTENT_TYPE
from numeneon.threads import database_sync_to_async, give_thread_back

logger = logging.getLogger(__name__)

user_of = database_sync_to_async(sessions.user_of)
enter = database_sync_to_async(connections.enter)
still_here = database_sync_to_async(connections.still_here)
sweep = database_sync_to_async(connections.sweep)

HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would wait until there is enough to pass on
}

# A comment, which clients ignore: it keeps proxies from closing an idle connection.
STILL_HERE = ": still here\n\n"


@require_GET
async def event_stream(request):
    """Called for GET: 200 with a stream of events; 401, 429, or 501 without ASGI."""
    if not isinstance(request, ASGIRequest):
        return refusal(501, "Under WSGI each stream would need a thread. Use ASGI.")
    if stopping.leaving.is_set():
        return refusal(503, "This server is about to end.")
    claims = sessions.claims_of_header(request.headers.get("Authorization", ""))
    user = await user_of(claims)
    if user is None:
        return refusal(401, "Send an access token in the header Authorization.")
    stream = OpenStream(user, claims, request.headers.get("Last-Event-ID"))
    if not await enter(user.pk, stream.channel):
        return refusal(429, "You have too many open sockets and streams.")
    body = stream.body()
    return StreamingHttpResponse(body, content_type=CONTENT_TYPE, headers=HEADERS)


def refusal(status, detail):
    """Return an error, as the REST API has them."""
    headers = {"WWW-Authenticate": 'Bearer realm="api"'} if status == 401 else {}
    return JsonResponse({"detail": detail}, status=status, headers=headers)


class OpenStream:
    """What one client is sent, from its request until it leaves or its session ends."""

    def __init__(self, user, claims, last_event_id):
        self.user_id = user.pk
        self.claims = claims
        self.events = EventStream(user, claims, last_event_id)
        self.channel = f"stream.{secrets.token_hex(8)}"  # its name among the sockets

    async def body(self):
        """Called by Django for the body of the answer, piece by piece."""
        give_thread_back()
        logs.bind(user=self.user_id)
        logger.info("Stream opened")
        began, size = time.monotonic(), 0
        try:
            with metrics.STREAMS_OPEN.track_inprogress():
                async for text in self.texts():
                    yield text
                    size += len(text)
                    # A client of a stream confirms nothing, except by another request.
                    if size > settings.MAX_UNCONFIRMED_BYTES:
                        break
        except (DatabaseError, InterfaceError):
            logger.exception("The database failed, so a stream ends")
        finally:
            # However it ends: Django cancels this when the client has gone.
            await leave(self.channel, self.user_id)
            seconds = round(time.monotonic() - began, 1)
            logger.info("Stream ended", extra={"seconds": seconds})

    async def texts(self):
        """Yield what the client is sent, until its session ends."""
        # First the groups, then the numbers: what is stored in between counts for both.
        async with Hints([stream.group for stream in self.events.streams]) as hints:
            async for text in self.events.begin():
                yield text
            while not hints.stopped and await self.may_stay():
                yield STILL_HERE
                beat = time.time() + settings.HEARTBEAT_SECONDS / 2
                async for text in self.news(min(beat, self.claims["exp"]), hints):
                    yield text

    async def may_stay(self):
        """Return whether the session goes on, and note that the stream is open."""
        if time.time() >= self.claims["exp"] or await user_of(self.claims) is None:
            return False
        await sweep()
        return await still_here(self.channel)

    async def news(self, until, hints):
        """Yield what is new until then, or until the session may have ended."""
        while hints.only_news and (left := until - time.time()) > 0:
            await hints.wait(left)
            async for text in self.events.news():
                yield text
            hints.measure()
        hints.check_session = False

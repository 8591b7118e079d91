"""Ends a stream of events whose client does not read."""

import asyncio
import logging

from django.conf import settings

from notifications import metrics

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/event-stream"


class StreamMiddleware:
    """Limits how long one piece of a stream may wait for its client."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        """Called by the server for each request."""
        seconds = None  # any other answer has its end in sight

        async def send_in_time(message):
            nonlocal seconds
            if message["type"] == "http.response.start" and streams(message):
                seconds = settings.SEND_SECONDS
            async with asyncio.timeout(seconds):
                await send(message)

        try:
            await self.application(scope, receive, send_in_time)
        except TimeoutError:
            if not seconds:
                raise
            metrics.DROPPED.labels("unread").inc()
            logger.warning("A client does not read what it is sent: its stream ends")


def streams(message):
    """Return whether an answer that begins with this message is a stream of events."""
    headers = {name.lower(): value for name, value in message["headers"]}
    return headers.get(b"content-type", b"").startswith(CONTENT_TYPE.encode())

"""Log lines that say which request or which socket they are about."""

import logging
import secrets
import time
from contextvars import ContextVar

logger = logging.getLogger(__name__)

# For each line. Every request and every socket is a task, with a value of its own here.
context = ContextVar("context")


def bind(**fields):
    """Add fields to every further line of this request or socket."""
    context.set({**context.get({}), **fields})


class LogMiddleware:
    """Gives every request and every socket an id, which is on each of its lines."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        """Called by the server for each request and each socket."""
        own_id = secrets.token_hex(8)
        if scope["type"] == "http":
            context.set({"request": own_id})
            await self.answer(own_id, scope, receive, send)
        else:
            context.set({"connection": own_id})
            await self.application(scope, receive, send)

    async def answer(self, own_id, scope, receive, send):
        """Pass a request on, and log how it was answered."""
        began, fields = time.monotonic(), {}

        async def noted_send(message):
            if message["type"] == "http.response.start":
                fields["status"] = message["status"]
                # People who report a problem can say which request it was.
                header = (b"x-request-id", own_id.encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        await self.application(scope, receive, noted_send)
        fields["milliseconds"] = round(1000 * (time.monotonic() - began))
        logger.info("%s %s", scope["method"], scope["path"], extra=fields)

"""What takes the place of sockets on a server that has none."""

import logging
from importlib.util import find_spec

from django.conf import settings

logger = logging.getLogger(__name__)


async def refuse(scope, receive, send):
    """Refuse a handshake with HTTP 403."""
    await receive()
    await send({"type": "websocket.close"})


def warn():
    """Log that there are no sockets: once, when the server starts."""
    logger.warning("HTTP only, because %s: clients read the event stream", reason())


def reason():
    """Return why there are no sockets."""
    if not find_spec("channels"):
        return "the package channels is not installed"
    return "CHANNEL_LAYERS is empty" if settings.WEBSOCKETS else "WEBSOCKETS is off"

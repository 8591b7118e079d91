"""Which sites' pages may open a socket: this server's own, and those in ALLOWED_ORIGINS."""

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest


class OriginMiddleware:
    """Refuses a handshake with HTTP 403 if a page of another site has sent it."""

    def __init__(self, application):
        self.application = application
        self.denier = WebsocketDenier.as_asgi()

    async def __call__(self, scope, receive, send):
        """Called once for each socket, before anything else."""
        application = self.application if is_allowed(scope) else self.denier
        return await application(scope, receive, send)


def is_allowed(scope):
    """Return whether the client that sends this handshake may open a socket."""
    # Django's own class for requests reads the headers, and checks ALLOWED_HOSTS.
    scheme = {"wss": "https"}.get(scope.get("scheme"), "http")
    handshake = {**scope, "method": "GET", "scheme": scheme, "query_string": ""}
    request = ASGIRequest(handshake, None)
    origin = request.headers.get("Origin")
    # No browser leaves it out: other clients bring credentials of their own.
    if origin is None or origin in settings.ALLOWED_ORIGINS:
        return True
    return origin == own_origin(request)


def own_origin(request):
    """Return the origin of this server's own pages, None if the host is not allowed."""
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return None

"""ASGI entry point: HTTP goes to Django, WebSockets go to their consumers."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")

# Loads the apps. The imports below need models, so they come after this line.
django_application = get_asgi_application()

from notifications.draining import lifespan  # noqa: E402
from notifications.layers import has_websockets  # noqa: E402
from numeneon import http_only  # noqa: E402
from numeneon.logs import LogMiddleware  # noqa: E402
from numeneon.streaming import StreamMiddleware  # noqa: E402

if has_websockets():
    from numeneon.sockets import socket_application
else:
    http_only.warn()
    socket_application = http_only.refuse

http_application = StreamMiddleware(django_application)


async def router(scope, receive, send):
    """Called by LogMiddleware for each request and each socket, and when the server starts."""
    others = {"websocket": socket_application, "lifespan": lifespan}
    application = others.get(scope["type"], http_application)
    await application(scope, receive, send)


application = LogMiddleware(router)

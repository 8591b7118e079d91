"""ASGI entry point: HTTP goes to Django, WebSockets go to their consumers."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")

# Loads the apps. The imports below need models, so they come after this line.
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from notifications.middleware import SocketAuthMiddleware  # noqa: E402
from notifications.routing import websocket_urlpatterns  # noqa: E402
from numeneon.origins import OriginMiddleware  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        # CORS does not apply to WebSockets: this keeps other sites' pages out.
        "websocket": OriginMiddleware(
            SocketAuthMiddleware(URLRouter(websocket_urlpatterns))
        ),
    }
)

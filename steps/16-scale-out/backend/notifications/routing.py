"""WebSocket URL patterns: what urls.py is for HTTP."""

from channels.security.websocket import WebsocketDenier
from django.urls import re_path

from notifications.consumers import NotificationConsumer, UserConsumer

websocket_urlpatterns = [
    # The trailing slash is optional: unlike HTTP, a WebSocket cannot be redirected.
    re_path(r"^ws/notifications/?$", NotificationConsumer.as_asgi()),
    # Not \d, which also matches the digits of other scripts.
    re_path(r"^ws/notifications/(?P<user_id>[0-9]{1,18})/?$", UserConsumer.as_asgi()),
    # Refuses any other path with HTTP 403; without this, URLRouter raises ValueError.
    re_path(r"", WebsocketDenier.as_asgi()),
]

"""What a WebSocket passes on its way to a consumer. Nothing here works without Channels."""

from channels.routing import URLRouter

from notifications.middleware import SocketAuthMiddleware
from notifications.observed import ObserverMiddleware
from notifications.routing import websocket_urlpatterns
from numeneon.origins import OriginMiddleware

# ObserverMiddleware is outside: it sees every socket, however that ends.
socket_application = ObserverMiddleware(
    # CORS does not apply to WebSockets: this keeps other sites' pages out.
    OriginMiddleware(SocketAuthMiddleware(URLRouter(websocket_urlpatterns)))
)

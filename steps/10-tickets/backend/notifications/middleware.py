"""Finds the user of a socket by what the client offers: a ticket or an access token."""

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

from notifications import tickets
from users.models import User

# A browser cannot send headers with a WebSocket, except for a list of subprotocols:
# new WebSocket(url, ["ticket", ticket]). A ticket in the URL would be logged.
SUBPROTOCOL = "ticket"


class SocketAuthMiddleware(BaseMiddleware):
    """Sets scope["user"] to the client's user, or to an AnonymousUser."""

    async def __call__(self, scope, receive, send):
        """Called once for each socket, before its consumer."""
        headers = dict(scope["headers"])
        protocols = scope["subprotocols"]
        if len(protocols) == 2 and protocols[0] == SUBPROTOCOL:
            user = await user_with_ticket(protocols[1], headers.get(b"origin", b""))
            # Too late: the client requests another ticket, and tries again.
            refusal = 4408
        else:
            user = await user_with_token(headers.get(b"authorization", b""))
            # Not authenticated: the client has to sign in first.
            refusal = 4401
        scope = {**scope, "user": user, "refusal": refusal}
        return await super().__call__(scope, receive, send)


@database_sync_to_async
def user_with_ticket(ticket, origin):
    """Return the active user that a ticket was issued to. This uses the ticket up."""
    user_id = tickets.redeem(ticket, origin.decode("latin1"))
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user or AnonymousUser()


@database_sync_to_async
def user_with_token(header):
    """Return the active user whose access token is in that Authorization header."""
    authentication = JWTAuthentication()
    try:
        # Without "Bearer" it is None, for which simplejwt would make a new token.
        token = authentication.get_raw_token(header) or b""
        return authentication.get_user(authentication.get_validated_token(token))
    except (AuthenticationFailed, TypeError, ValueError):
        # TypeError and ValueError: the user id in the token is not a number.
        return AnonymousUser()

"""Finds the user of a socket in the access token that the client offers."""

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

# A browser cannot send headers with a WebSocket, except for a list of subprotocols:
# new WebSocket(url, ["access_token", token]). A token in the URL would be logged.
SUBPROTOCOL = "access_token"


class JWTAuthMiddleware(BaseMiddleware):
    """Sets scope["user"] to the owner of the access token, or to an AnonymousUser."""

    async def __call__(self, scope, receive, send):
        """Called once for each socket, before its consumer."""
        protocols = scope["subprotocols"]
        offered = len(protocols) == 2 and protocols[0] == SUBPROTOCOL
        user = await user_of(protocols[1]) if offered else AnonymousUser()
        return await super().__call__({**scope, "user": user}, receive, send)


@database_sync_to_async
def user_of(token):
    """Return the active user that a valid access token belongs to."""
    authentication = JWTAuthentication()
    try:
        return authentication.get_user(authentication.get_validated_token(token))
    except (AuthenticationFailed, TypeError, ValueError):
        # TypeError and ValueError: the user id in the token is not a number.
        return AnonymousUser()

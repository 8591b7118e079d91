"""Finds out whose socket it is, from the token that the client offers."""

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

# A browser cannot send headers with a WebSocket, except for a list of subprotocols:
# new WebSocket(url, ["access_token", token]). An address would end up in log files.
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
    """Return the active user whom a valid access token names."""
    authentication = JWTAuthentication()
    try:
        return authentication.get_user(authentication.get_validated_token(token))
    except (AuthenticationFailed, TypeError, ValueError):
        # The last two stand for a user id that is none.
        return AnonymousUser()

"""Finds out by what the client offers, a ticket or an access token, who is signed in."""

from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser
from redis.exceptions import RedisError

from notifications import sessions, tickets

# A browser cannot send headers with a WebSocket, except for a list of subprotocols:
# new WebSocket(url, ["ticket", ticket]). A ticket in the URL would be logged.
SUBPROTOCOL = "ticket"


class SocketAuthMiddleware(BaseMiddleware):
    """Sets scope["user"] to the client's user, or to an AnonymousUser."""

    async def __call__(self, scope, receive, send):
        """Called once for each socket, before its consumer."""
        headers = dict(scope["headers"])
        protocols = scope["subprotocols"]
        claims, refusal = {}, None
        if len(protocols) == 2 and protocols[0] == SUBPROTOCOL:
            origin = headers.get(b"origin", b"")
            try:
                claims = await claims_of_ticket(protocols[1], origin)
                # Too late: the client requests another ticket, and tries again.
                refusal = 4401 if claims else 4408
            except RedisError:
                # Not now: nobody knows whether the ticket is valid.
                refusal = 4503
        elif protocols or b"authorization" in headers:
            header = headers.get(b"authorization", b"").decode("latin1")
            claims = await claims_of_header(header)
            # Not authenticated: the client has to sign in first.
            refusal = 4401
        # Otherwise the first frame has to bring a token.
        user = await user_of(claims) or AnonymousUser()
        scope = {**scope, "user": user, "claims": claims, "refusal": refusal}
        return await super().__call__(scope, receive, send)


@database_sync_to_async
def claims_of_ticket(ticket, origin):
    """Return the claims that a ticket was issued for. This uses the ticket up."""
    return tickets.redeem(ticket, origin.decode("latin1"))


claims_of_header = database_sync_to_async(sessions.claims_of_header)
user_of = database_sync_to_async(sessions.user_of)

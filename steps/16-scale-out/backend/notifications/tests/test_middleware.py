"""From a ticket or a token to a user."""

from datetime import timedelta

import jwt
import pytest
from asgiref.sync import sync_to_async
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from notifications import tickets
from notifications.middleware import SocketAuthMiddleware
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = "https://app.example"


@sync_to_async
def issue(user, origin):
    """Return a ticket for the user, as the view issues it."""
    return tickets.issue(AccessToken.for_user(user).payload, origin)


async def scope_behind(*subprotocols, **headers):
    """Return the scope that the middleware passes to the consumer."""
    seen = {}

    async def consumer(scope, receive, send):
        seen.update(scope)

    scope = {
        "type": "websocket",
        "subprotocols": list(subprotocols),
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }
    await SocketAuthMiddleware(consumer)(scope, None, None)
    assert "user" not in scope
    return seen


async def user_with(ticket, origin=ORIGIN):
    """Return the user of a socket that offers this ticket."""
    return (await scope_behind("ticket", ticket, origin=origin))["user"]


async def user_of(authorization):
    """Return the user of a socket with this header."""
    scope = await scope_behind(authorization=authorization)
    assert scope["refusal"] == 4401
    return scope["user"]


async def test_ticket_names_its_user(alice):
    """A ticket identifies the user it was issued to."""
    assert await user_with(await issue(alice, ORIGIN)) == alice


async def test_ticket_is_good_for_one_socket(alice):
    """The second socket that offers it is anonymous."""
    ticket = await issue(alice, ORIGIN)
    await user_with(ticket)

    assert (await user_with(ticket)).is_anonymous


async def test_ticket_of_another_origin_is_anonymous(alice):
    """A ticket counts only on the site that requested it."""
    ticket = await issue(alice, ORIGIN)

    assert (await user_with(ticket, "https://evil.example")).is_anonymous


async def test_ticket_in_another_place_is_anonymous(alice):
    """A ticket counts only as the second of exactly two subprotocols."""
    for offer in (["chat"], ["ticket", "x"], []):
        ticket = await issue(alice, "")

        assert (await scope_behind(*offer, ticket))["user"].is_anonymous


@pytest.mark.parametrize("ticket", ["", "x", "é" * 3, "." * 9999, "a\0b"])
async def test_malformed_ticket_is_anonymous(ticket):
    """A client can send any text in place of a ticket."""
    assert (await user_with(ticket)).is_anonymous


async def test_access_token_names_its_user(alice):
    """A valid access token in the header identifies its user."""
    assert await user_of(f"Bearer {AccessToken.for_user(alice)}") == alice


async def test_access_token_is_not_a_subprotocol(alice):
    """A browser has to get a ticket: its token is good for an hour, and for everything."""
    token = str(AccessToken.for_user(alice))

    assert (await user_with(token)).is_anonymous
    scope = await scope_behind("access_token", token)
    assert scope["user"].is_anonymous
    assert scope["refusal"] == 4401


def expired(user):
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=1))
    return token


def forged(user):
    return jwt.encode(AccessToken.for_user(user).payload, "x" * 50, "HS256")


def unsigned(user):
    return jwt.encode(AccessToken.for_user(user).payload, None, "none")


def nameless(user):
    return AccessToken()


def misnamed(user):
    token = AccessToken()
    token["user_id"] = "alice"
    return token


@pytest.mark.parametrize(
    "make_token", [expired, forged, unsigned, nameless, misnamed, RefreshToken.for_user]
)
async def test_token_that_proves_nothing_is_anonymous(alice, make_token):
    """A token that is not a valid access token signs nobody in."""
    token = await sync_to_async(make_token)(alice)

    assert (await user_of(f"Bearer {token}")).is_anonymous


@pytest.mark.parametrize("token", ["", "x", "x y", "a.b.c", "é.é.é", "." * 9999])
async def test_malformed_token_is_anonymous(token):
    """A client can send any text in place of a token."""
    assert (await user_of(f"Bearer {token}")).is_anonymous


async def test_token_of_another_scheme_is_anonymous(alice):
    """An Authorization header names its scheme."""
    assert (await user_of(f"Basic {AccessToken.for_user(alice)}")).is_anonymous


@pytest.mark.parametrize("change", ["deleted", "inactive"])
async def test_former_user_is_anonymous(alice, change):
    """Neither a token nor a ticket outlives its account."""
    token, ticket = AccessToken.for_user(alice), await issue(alice, ORIGIN)
    accounts = User.objects.filter(pk=alice.pk)
    if change == "deleted":
        await accounts.adelete()
    else:
        await accounts.aupdate(is_active=False)

    assert (await user_of(f"Bearer {token}")).is_anonymous
    scope = await scope_behind("ticket", ticket, origin=ORIGIN)
    assert scope["user"].is_anonymous
    assert scope["refusal"] == 4401


async def test_no_credentials_are_anonymous():
    """A client that offers nothing is anonymous, and not refused yet."""
    scope = await scope_behind()

    assert scope["user"].is_anonymous
    assert scope["refusal"] is None


async def test_ticket_that_is_not_valid_is_refused():
    """The client is told to try again, with another ticket."""
    assert (await scope_behind("ticket", "x", origin=ORIGIN))["refusal"] == 4408

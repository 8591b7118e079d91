"""From a token to a user."""

from datetime import timedelta

import jwt
import pytest
from asgiref.sync import sync_to_async
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from notifications.middleware import JWTAuthMiddleware
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def user_behind(*subprotocols):
    """Return the user that the middleware passes to the consumer."""
    seen = {}

    async def consumer(scope, receive, send):
        seen.update(scope)

    scope = {"type": "websocket", "subprotocols": list(subprotocols)}
    await JWTAuthMiddleware(consumer)(scope, None, None)
    assert "user" not in scope
    return seen["user"]


async def test_access_token_names_its_user(alice):
    """A valid access token identifies its user."""
    token = str(AccessToken.for_user(alice))

    assert await user_behind("access_token", token) == alice


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
    token = str(make_token(alice))

    assert (await user_behind("access_token", token)).is_anonymous


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 9999])
async def test_malformed_token_is_anonymous(token):
    """A client can send any text in place of a token."""
    assert (await user_behind("access_token", token)).is_anonymous


@pytest.mark.parametrize("change", ["deleted", "inactive"])
async def test_token_of_a_former_user_is_anonymous(alice, change):
    """A token does not outlive its account."""
    token = str(AccessToken.for_user(alice))
    accounts = User.objects.filter(pk=alice.pk)
    if change == "deleted":
        await accounts.adelete()
    else:
        await accounts.aupdate(is_active=False)

    assert (await user_behind("access_token", token)).is_anonymous


@pytest.mark.parametrize("offer", [[], ["access_token"], ["chat", "x"]])
async def test_no_token_is_anonymous(offer):
    """A client that offers no token is anonymous."""
    assert (await user_behind(*offer)).is_anonymous


@pytest.mark.parametrize(
    "offer", [["chat"], ["access_token", "x"], ["chat", "access_token"]]
)
async def test_token_elsewhere_is_anonymous(alice, offer):
    """A token counts only as the second of exactly two subprotocols."""
    token = str(await sync_to_async(AccessToken.for_user)(alice))

    assert (await user_behind(*offer, token)).is_anonymous

"""Signing in, and what a token opens."""

import pytest
from rest_framework.test import APIClient

from users.models import User


def log_in(email, password="correct horse"):
    data = {"email": email, "password": password}
    return APIClient().post("/api/auth/login/", data)


def test_login_ignores_the_case_of_the_address(alice):
    """An address may be typed with capitals."""
    response = log_in("Alice@EXAMPLE.com")

    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh"}


def test_login_with_a_wrong_password_is_401(alice):
    """A wrong password opens nothing."""
    assert log_in("alice@example.com", "wrong").status_code == 401


def test_login_of_an_unknown_address_is_401(db):
    """An unknown address gets the answer of a wrong password."""
    assert log_in("nobody@example.com").status_code == 401


def test_login_of_an_inactive_user_is_401(alice):
    """A deactivated account cannot sign in."""
    User.objects.update(is_active=False)

    assert log_in("alice@example.com").status_code == 401


def test_tokens_open_the_api(alice):
    """The access token works, and so does a refreshed one."""
    tokens = log_in("alice@example.com").json()
    client = APIClient()

    refreshed = client.post("/api/auth/token/refresh/", {"refresh": tokens["refresh"]})

    for access in tokens["access"], refreshed.json()["access"]:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        assert client.get("/api/auth/me/").json()["email"] == "alice@example.com"


def test_refresh_token_is_no_access_token(alice):
    """A refresh token opens nothing but the refresh."""
    refresh = log_in("alice@example.com").json()["refresh"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {refresh}")

    assert client.get("/api/auth/me/").status_code == 401


@pytest.mark.parametrize("change", ["delete", "deactivate"])
def test_refresh_of_a_former_user_is_401(alice, change):
    """Tokens die with their account."""
    refresh = log_in("alice@example.com").json()["refresh"]
    if change == "delete":
        alice.delete()
    else:
        User.objects.update(is_active=False)

    response = APIClient().post("/api/auth/token/refresh/", {"refresh": refresh})

    assert response.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/auth/me/",
        "/api/auth/search/",
        "/api/posts/",
        "/api/posts/1/replies/",
        "/api/friends/",
        "/api/friends/requests/",
        "/api/messages/",
        "/api/messages/conversations/",
        "/api/messages/conversation/1/",
    ],
)
def test_request_without_token_is_401(db, path):
    """Strangers are asked to sign in."""
    assert APIClient().get(path).status_code == 401

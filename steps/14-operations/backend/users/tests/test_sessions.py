"""Ending a session: logging out, and changing the password."""

import pytest

URL = "/api/auth/password/"
OLD = "correct horse"


def test_password_is_changed(api, alice):
    """Who knows the old password can set a new one."""
    new = "another battery staple"

    response = api.post(URL, {"old_password": OLD, "new_password": new})

    assert response.status_code == 204
    alice.refresh_from_db()
    assert alice.check_password(new)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [("wrong", "another battery", "old_password"), (OLD, "12345", "new_password")],
)
def test_password_is_not_changed(api, alice, old, new, field):
    """Not without the old one, and not to a bad one."""
    response = api.post(URL, {"old_password": old, "new_password": new})

    assert response.status_code == 400
    assert list(response.json()) == [field]


def test_stranger_cannot_change_a_password(client, db):
    """Without a token the answer is 401."""
    assert client.post(URL).status_code == 401


def test_log_out_with_a_token_that_is_none(client, db):
    """What is not a refresh token is answered with 401."""
    assert client.post("/api/auth/logout/", {"refresh": "x"}).status_code == 401

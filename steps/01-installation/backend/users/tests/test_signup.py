"""Signing up."""

from unittest import mock

import pytest
from django.db import IntegrityError
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from users.models import User
from users.serializers import SignupSerializer

NEW = {
    "username": "carol",
    "email": "carol@example.com",
    "password": "correct horse",
    "display_name": "Carol C.",
}


def sign_up(**changes):
    return APIClient().post("/api/auth/signup/", {**NEW, **changes})


def test_signup_answers_with_the_account(db):
    """A new account is shown without its password."""
    response = sign_up()

    assert response.status_code == 201
    assert response.json() == {
        "id": User.objects.get().pk,
        "username": "carol",
        "email": "carol@example.com",
        "first_name": "",
        "last_name": "",
        "display_name": "Carol C.",
    }


def test_signup_without_display_name_shows_the_username(db):
    """A user without a display name is shown by username."""
    data = {key: NEW[key] for key in NEW if key != "display_name"}

    response = APIClient().post("/api/auth/signup/", data)

    assert response.json()["display_name"] == "carol"


def test_long_username_is_cut_to_a_display_name(db):
    """A username may be longer than a display name."""
    data = {key: NEW[key] for key in NEW if key != "display_name"}

    response = APIClient().post("/api/auth/signup/", {**data, "username": "c" * 150})

    assert response.json()["display_name"] == "c" * 100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "alice"),
        ("username", "\uff41lice"),  # a wide a: stored as a plain one
        ("username", "two words"),
        ("email", "alice@example.com"),
        ("email", "Alice@Example.COM"),
        ("email", "not an address"),
        ("password", "short"),
        ("password", "12345678901"),
        ("password", "carol@example.com"),
        ("display_name", ""),
    ],
)
def test_signup_with_a_bad_value_names_the_field(alice, field, value):
    """A refusal says which field to change, and nothing is stored."""
    response = sign_up(**{field: value})

    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert User.objects.count() == 1


@pytest.mark.parametrize("field", ["username", "email"])
def test_signup_that_loses_a_race_names_the_field(make_user, field):
    """A duplicate that appears after validation is a 400 like any other."""
    serializer = SignupSerializer(data=NEW)
    serializer.is_valid(raise_exception=True)
    rival = make_user("rival")
    User.objects.filter(pk=rival.pk).update(**{field: NEW[field]})

    with pytest.raises(ValidationError) as caught:
        serializer.save()

    assert list(caught.value.detail) == [field]


def test_signup_reports_a_conflict_that_is_no_duplicate(db):
    """What the signup cannot explain to its user is not hidden."""
    serializer = SignupSerializer(data=NEW)
    serializer.is_valid(raise_exception=True)

    with (
        mock.patch("users.serializers.create_account", side_effect=IntegrityError),
        pytest.raises(IntegrityError),
    ):
        serializer.save()

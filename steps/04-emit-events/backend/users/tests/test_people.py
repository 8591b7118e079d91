"""Oneself, and finding others."""

import pytest

from users.models import Profile, User


def names(response):
    return [row["username"] for row in response.json()["results"]]


def test_me_shows_my_account(api, alice):
    """A user sees their own address."""
    response = api.get("/api/auth/me/")

    assert response.json() == {
        "id": alice.pk,
        "username": "alice",
        "email": "alice@example.com",
        "first_name": "",
        "last_name": "",
        "display_name": "Alice",
    }


def test_me_works_without_a_profile(client_for, db):
    """A user made by createsuperuser is shown by username."""
    admin = User.objects.create_superuser("root", "root@example.com", "correct horse")

    response = client_for(admin).get("/api/auth/me/")

    assert response.json()["display_name"] == "root"


def test_search_finds_others_without_their_address(api, bob):
    """A search shows names, and never an e-mail address."""
    response = api.get("/api/auth/search/", {"q": "BO"})

    assert response.json()["results"] == [
        {
            "id": bob.pk,
            "username": "bob",
            "first_name": "",
            "last_name": "",
            "display_name": "Bob",
        }
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("robert", ["bob"]),
        ("ali", []),
        ("example.com", []),
        ("", []),
        ("\0", []),
        ("o" * 60_000, []),
        ("o", ["bob", "carol"]),
    ],
)
def test_search_looks_at_names_only(api, make_user, text, found):
    """A search neither finds oneself nor reveals an address, and needs some text."""
    for name in "carol", "bob":
        make_user(name)
    Profile.objects.filter(user__username="bob").update(display_name="Robert")

    assert names(api.get("/api/auth/search/", {"q": text})) == found


def test_search_skips_inactive_users(api, bob):
    """A user who has left is not found."""
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert names(api.get("/api/auth/search/", {"q": "bob"})) == []


def test_search_takes_two_queries(api, make_user, django_assert_num_queries):
    """A long page costs as much as a short one."""
    for number in range(15):
        make_user(f"bob{number}")

    with django_assert_num_queries(2):
        response = api.get("/api/auth/search/", {"q": "bob"})

    assert len(response.json()["results"]) == 15


def test_users_are_shown_by_address_and_name(alice):
    """Users and profiles have a readable text."""
    assert str(alice) == "alice@example.com"
    assert str(alice.profile) == "Alice"

"""The list of friends, and leaving it."""

import pytest

from friends.models import Friendship


@pytest.mark.parametrize("alice_asked", [True, False])
def test_friends_are_listed_whoever_asked(api, befriend, alice, bob, alice_asked):
    """Both ends of a friendship see each other, without an address."""
    befriend(alice, bob) if alice_asked else befriend(bob, alice)

    response = api.get("/api/friends/")

    assert response.json()["results"] == [
        {
            "id": bob.pk,
            "username": "bob",
            "first_name": "",
            "last_name": "",
            "display_name": "Bob",
        }
    ]


def test_open_request_makes_no_friend(api, alice, bob):
    """Somebody who has not answered is not a friend yet."""
    Friendship.objects.create(from_user=alice, to_user=bob)

    assert api.get("/api/friends/").json()["count"] == 0


def test_friends_take_two_queries(
    api, befriend, alice, make_user, django_assert_num_queries
):
    """Many friends cost as much as one."""
    for number in range(15):
        befriend(make_user(f"user{number}"), alice)

    with django_assert_num_queries(2):
        response = api.get("/api/friends/")

    assert len(response.json()["results"]) == 15


def test_requests_take_two_queries(api, alice, make_user, django_assert_num_queries):
    """Many requests cost as much as one."""
    for number in range(15):
        Friendship.objects.create(from_user=make_user(f"user{number}"), to_user=alice)

    with django_assert_num_queries(2):
        response = api.get("/api/friends/requests/")

    assert len(response.json()["results"]) == 15


@pytest.mark.parametrize("alice_asked", [True, False])
def test_friend_is_removed_once(api, befriend, alice, bob, alice_asked):
    """Either end may leave, once."""
    befriend(alice, bob) if alice_asked else befriend(bob, alice)

    answers = [api.delete(f"/api/friends/remove/{bob.pk}/") for _ in range(2)]

    assert [response.status_code for response in answers] == [204, 404]


def test_open_request_is_not_removed(api, alice, bob):
    """Removing a friend does not touch a request."""
    request = Friendship.objects.create(from_user=alice, to_user=bob)

    assert api.delete(f"/api/friends/remove/{bob.pk}/").status_code == 404
    assert str(request) == "alice@example.com and bob@example.com"


def test_number_that_no_database_can_hold_is_nobody(api):
    """It is answered as any other id that nobody has."""
    assert api.delete(f"/api/friends/remove/{2**63}/").status_code == 404

"""Asking, accepting and declining."""

import pytest
from django.db import IntegrityError

from friends.models import Friendship
from users.models import User


def person(user):
    return {
        "id": user.pk,
        "username": user.username,
        "first_name": "",
        "last_name": "",
    }


def test_request_is_sent(api, alice, bob):
    """A request names both ends."""
    response = api.post(f"/api/friends/request/{bob.pk}/")

    friendship = Friendship.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": friendship.pk,
        "from_user": person(alice),
        "to_user": person(bob),
        "created_at": friendship.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_request_to_oneself_is_400(api, alice):
    """Nobody is their own friend."""
    assert api.post(f"/api/friends/request/{alice.pk}/").status_code == 400


@pytest.mark.parametrize("user_id", [0, 99999999999999999999])
def test_request_to_nobody_is_404(api, user_id):
    """A user who is not there cannot be asked."""
    assert api.post(f"/api/friends/request/{user_id}/").status_code == 404


def test_request_to_an_inactive_user_is_404(api, bob):
    """A user who left cannot be asked."""
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert api.post(f"/api/friends/request/{bob.pk}/").status_code == 404


@pytest.mark.parametrize("accepted_at", [None, "2026-01-01T00:00:00Z"])
@pytest.mark.parametrize("asked_by_alice", [True, False])
def test_second_request_is_409(api, alice, bob, accepted_at, asked_by_alice):
    """One request or friendship per pair, whoever asked first."""
    asking, asked = (alice, bob) if asked_by_alice else (bob, alice)
    Friendship.objects.create(from_user=asking, to_user=asked, accepted_at=accepted_at)

    response = api.post(f"/api/friends/request/{bob.pk}/")

    assert response.status_code == 409
    assert Friendship.objects.count() == 1


def test_database_refuses_a_friendship_with_oneself(alice):
    """What the view refuses, the database refuses too."""
    with pytest.raises(IntegrityError):
        Friendship.objects.create(from_user=alice, to_user=alice)


def test_requests_list_shows_who_asks_me(api, alice, bob, make_user):
    """Only open requests to oneself are listed."""
    carol = make_user("carol")
    asked = Friendship.objects.create(from_user=bob, to_user=alice)
    Friendship.objects.create(from_user=alice, to_user=carol)

    response = api.get("/api/friends/requests/")

    assert response.json()["results"] == [
        {
            "id": asked.pk,
            "from_user": person(bob),
            "created_at": asked.created_at.isoformat().replace("+00:00", "Z"),
        }
    ]


@pytest.mark.parametrize(("answer", "status"), [("accept", 200), ("decline", 204)])
def test_request_is_answered_once(api, alice, bob, answer, status):
    """An answered request is gone."""
    asked = Friendship.objects.create(from_user=bob, to_user=alice)

    answers = [api.post(f"/api/friends/{answer}/{asked.pk}/") for _ in range(2)]

    assert [response.status_code for response in answers] == [status, 404]
    assert Friendship.objects.accepted().exists() == (answer == "accept")


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_request_to_somebody_else_is_404(api, alice, bob, answer):
    """Only the one who was asked may answer."""
    asked = Friendship.objects.create(from_user=alice, to_user=bob)

    assert api.post(f"/api/friends/{answer}/{asked.pk}/").status_code == 404
    assert Friendship.objects.filter(accepted_at=None).exists()

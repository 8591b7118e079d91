"""Who is told what, and when nobody is told."""

import pytest

from friends.models import Friendship
from notifications import events
from posts.models import Post


@pytest.fixture
def sent(monkeypatch):
    """The events that are sent, as (user ids, kind, data)."""
    calls = []

    def record(frame, numbers):
        calls.append((sorted(numbers), frame["type"], frame["data"]))

    monkeypatch.setattr(events, "send_frame", record)
    return calls


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """A context that runs the on_commit callbacks when it ends."""
    return django_capture_on_commit_callbacks(execute=True)


def person(user):
    return {"id": user.pk, "username": user.username, "first_name": "", "last_name": ""}


def test_friend_request_reaches_the_one_who_is_asked(api, alice, bob, sent, commit):
    """The event contains the request's id and who sent it."""
    with commit:
        answer = api.post(f"/api/friends/request/{bob.pk}/").json()

    data = {
        "request_id": answer["id"],
        "from_user": person(alice),
        "created_at": answer["created_at"],
    }
    assert sent == [([bob.pk], "friend_request", data)]


def test_friend_accepted_reaches_the_one_who_asked(api, alice, bob, sent, commit):
    """The event names who said yes."""
    asked = Friendship.objects.create(from_user=bob, to_user=alice)

    with commit:
        api.post(f"/api/friends/accept/{asked.pk}/")

    assert sent == [([bob.pk], "friend_accepted", {"friend": person(alice)})]


def test_new_message_reaches_the_receiver(api, alice, bob, sent, commit):
    """The event holds the message."""
    with commit:
        answer = api.post(
            "/api/messages/", {"receiver_id": bob.pk, "content": "hi"}
        ).json()

    data = {
        "id": answer["id"],
        "sender": {"id": alice.pk, "username": "alice"},
        "content": "hi",
        "created_at": answer["created_at"],
    }
    assert sent == [([bob.pk], "new_message", data)]


def test_new_post_reaches_all_friends(
    api, alice, bob, make_user, befriend, sent, commit
):
    """Friends are told in one call, no matter which of the two asked; others are not."""
    carol, dan = make_user("carol"), make_user("dan")
    befriend(alice, bob)
    befriend(carol, alice)
    Friendship.objects.create(from_user=alice, to_user=dan)

    with commit:
        answer = api.post("/api/posts/", {"content": "hello"}).json()

    data = {
        "id": answer["id"],
        "author": {"id": alice.pk, "username": "alice"},
        "content": "hello",
        "created_at": answer["created_at"],
    }
    assert sent == [([bob.pk, carol.pk], "new_post", data)]


@pytest.mark.parametrize("action", ["replies", "share", "like"])
def test_reactions_are_no_news(api, alice, bob, befriend, sent, commit, action):
    """Replies, shares and likes reach nobody."""
    befriend(alice, bob)
    post = Post.objects.create(author=bob, content="hello")

    with commit:
        api.post(f"/api/posts/{post.pk}/{action}/", {"content": "hi"})

    assert sent == []

"""Replies, likes and shares."""

import pytest

from posts.models import Post


@pytest.fixture
def post(bob):
    """A post of bob's."""
    return Post.objects.create(author=bob, content="hello")


def test_reply_belongs_to_its_post(api, post):
    """A reply is a post with a parent."""
    response = api.post(f"/api/posts/{post.pk}/replies/", {"content": "hi"})

    assert response.status_code == 201
    assert response.json()["parent"] == post.pk
    assert api.get(f"/api/posts/{post.pk}/").json()["reply_count"] == 1


def test_reply_without_content_is_400(api, post):
    """A reply says something."""
    response = api.post(f"/api/posts/{post.pk}/replies/", {})

    assert response.status_code == 400


def test_replies_are_listed_oldest_first(api, alice, post):
    """A discussion is read from its start."""
    for content in "first", "second":
        Post.objects.create(author=alice, content=content, parent=post)
    Post.objects.create(author=alice, content="elsewhere")

    rows = api.get(f"/api/posts/{post.pk}/replies/").json()["results"]

    assert [row["content"] for row in rows] == ["first", "second"]


def test_replies_take_three_queries(api, make_user, post, django_assert_num_queries):
    """Many replies cost as much as one."""
    for number in range(15):
        author = make_user(f"user{number}")
        Post.objects.create(author=author, content="hi", parent=post)

    with django_assert_num_queries(3):
        response = api.get(f"/api/posts/{post.pk}/replies/")

    assert len(response.json()["results"]) == 15


def test_like_is_taken_back_by_a_second_one(api, post):
    """Liking twice is not liking."""
    path = f"/api/posts/{post.pk}/like/"

    answers = [api.post(path).json() for _ in range(2)]

    assert answers == [
        {"liked": True, "like_count": 1},
        {"liked": False, "like_count": 0},
    ]


def test_liked_is_told_to_the_one_who_likes(api, client_for, bob, post):
    """The count is for everybody, the mark for oneself."""
    api.post(f"/api/posts/{post.pk}/like/")

    seen = [c.get(f"/api/posts/{post.pk}/").json() for c in (api, client_for(bob))]

    assert [(row["like_count"], row["liked"]) for row in seen] == [
        (1, True),
        (1, False),
    ]


@pytest.mark.parametrize("content", [None, "", "look"])
def test_share_points_to_the_post(api, alice, post, content):
    """A share is a post of one's own, with or without a remark."""
    data = {} if content is None else {"content": content}

    response = api.post(f"/api/posts/{post.pk}/share/", data)

    assert response.status_code == 201
    assert response.json()["shared_from"] == post.pk
    assert response.json()["author"]["id"] == alice.pk
    assert response.json()["content"] == (content or "")


def test_share_outlives_its_post(api, post):
    """Deleting a post does not delete what others said about it."""
    share = api.post(f"/api/posts/{post.pk}/share/", {"content": "look"}).json()
    post.delete()

    response = api.get(f"/api/posts/{share['id']}/")

    assert response.json()["shared_from"] is None
    assert str(Post.objects.get()) == "alice@example.com: look"

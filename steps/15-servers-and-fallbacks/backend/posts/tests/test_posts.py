"""Writing, reading, changing and deleting posts."""

import pytest

from posts.models import Post


@pytest.fixture
def post(alice):
    """A post of alice's."""
    return Post.objects.create(author=alice, content="hello")


def test_post_is_published(api, alice):
    """A new post is answered in full."""
    response = api.post("/api/posts/", {"content": "hello", "parent": 1, "author": 9})

    post = Post.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": post.pk,
        "author": {"id": alice.pk, "username": "alice"},
        "content": "hello",
        "parent": None,
        "shared_from": None,
        "like_count": 0,
        "reply_count": 0,
        "liked": False,
        "created_at": post.created_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("data", [{}, {"content": ""}, {"content": "x" * 2001}])
def test_post_without_acceptable_content_is_400(api, data):
    """A post says something, and not too much."""
    response = api.post("/api/posts/", data)

    assert response.status_code == 400
    assert list(response.json()) == ["content"]


def test_list_shows_newest_first_without_replies(api, alice, post):
    """The list holds posts and shares; replies are below their post."""
    Post.objects.create(author=alice, content="reply", parent=post)
    Post.objects.create(author=alice, content="second")

    rows = api.get("/api/posts/").json()["results"]

    assert [row["content"] for row in rows] == ["second", "hello"]
    assert [row["reply_count"] for row in rows] == [0, 1]


def test_detail_shows_a_post_to_everybody(client_for, bob, post):
    """Anybody may read a post."""
    response = client_for(bob).get(f"/api/posts/{post.pk}/")

    assert response.json()["content"] == "hello"


@pytest.mark.parametrize("method", ["put", "patch"])
def test_author_changes_a_post(api, post, method):
    """The author may change what a post says."""
    response = getattr(api, method)(f"/api/posts/{post.pk}/", {"content": "changed"})

    assert response.json()["content"] == "changed"
    assert Post.objects.get().content == "changed"


def test_author_deletes_a_post(api, post):
    """The author may delete a post."""
    assert api.delete(f"/api/posts/{post.pk}/").status_code == 204
    assert not Post.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_others_cannot_change_a_post(client_for, bob, post, method):
    """Anybody else is refused."""
    client = client_for(bob)

    response = getattr(client, method)(f"/api/posts/{post.pk}/", {"content": "mine"})

    assert response.status_code == 403
    assert Post.objects.get().content == "hello"


@pytest.mark.parametrize("path", ["0/", "x/", "0/replies/", "99999999999999999999/"])
def test_unknown_post_is_404(api, path):
    """A post that is not there is not found."""
    assert api.get(f"/api/posts/{path}").status_code == 404


def test_list_takes_two_queries(api, make_user, django_assert_num_queries):
    """A page of posts by many authors costs as much as one post."""
    for number in range(15):
        author = make_user(f"user{number}")
        post = Post.objects.create(author=author, content="hello")
        post.liked_by.add(author)
        Post.objects.create(author=author, content="reply", parent=post)

    with django_assert_num_queries(2):
        rows = api.get("/api/posts/").json()["results"]

    assert [(row["like_count"], row["reply_count"]) for row in rows] == [(1, 1)] * 15


def test_list_comes_in_pages(api, alice):
    """A long list is cut, and says where it goes on."""
    Post.objects.bulk_create(Post(author=alice, content=str(n)) for n in range(25))

    first = api.get("/api/posts/").json()
    second = api.get(first["next"]).json()

    assert first["count"] == 25
    assert first["previous"] is None
    contents = [row["content"] for row in first["results"] + second["results"]]
    assert contents == [str(n) for n in reversed(range(25))]

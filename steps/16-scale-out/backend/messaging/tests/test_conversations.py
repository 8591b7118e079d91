"""Messages, sorted by the person one writes with."""

import pytest

from messaging.models import Message


def write(sender, receiver, content="hello", is_read=False):
    return Message.objects.create(
        sender=sender, receiver=receiver, content=content, is_read=is_read
    )


def test_conversations_show_the_last_message_of_each(api, alice, bob, make_user):
    """One row per partner, the latest first, with what is unread of theirs."""
    carol = make_user("carol")
    write(carol, alice, "from carol")
    write(bob, alice, "read", is_read=True)
    write(bob, alice, "unread")
    write(alice, bob, "mine")
    write(bob, carol, "not for alice")

    rows = api.get("/api/messages/conversations/").json()["results"]

    assert [
        (row["user"], row["last_message"]["content"], row["unread_count"])
        for row in rows
    ] == [
        ({"id": bob.pk, "username": "bob"}, "mine", 1),
        ({"id": carol.pk, "username": "carol"}, "from carol", 1),
    ]
    assert set(rows[0]) == {"user", "last_message", "unread_count"}


def test_conversations_take_two_queries(
    api, alice, make_user, django_assert_num_queries
):
    """Many conversations cost as much as one."""
    for number in range(15):
        user = make_user(f"user{number}")
        write(user, alice)
        write(alice, user)

    with django_assert_num_queries(2):
        response = api.get("/api/messages/conversations/")

    assert len(response.json()["results"]) == 15


def test_conversation_holds_both_directions(api, alice, bob, make_user):
    """A conversation shows what both wrote, and nobody else."""
    write(alice, bob, "question")
    write(bob, alice, "answer")
    write(make_user("carol"), alice, "elsewhere")

    response = api.get(f"/api/messages/conversation/{bob.pk}/")

    contents = [row["content"] for row in response.json()["results"]]
    assert contents == ["answer", "question"]


def test_read_marks_what_the_partner_wrote(api, alice, bob, make_user):
    """Only the messages of this partner to oneself are marked, once."""
    write(bob, alice)
    write(bob, alice)
    write(alice, bob)
    write(make_user("carol"), alice)
    path = f"/api/messages/conversation/{bob.pk}/read/"

    answers = [api.post(path).json() for _ in range(2)]

    assert answers == [{"updated": 2}, {"updated": 0}]
    assert Message.objects.filter(is_read=False).count() == 2


@pytest.mark.parametrize("path", ["0/", "99999999999999999999/"])
def test_conversation_with_nobody_is_404(api, path):
    """A partner who is not there is not found."""
    assert api.get(f"/api/messages/conversation/{path}").status_code == 404
    assert api.post(f"/api/messages/conversation/{path}read/").status_code == 404

"""Announcements over HTTP: what staff write, and what everybody reads."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from announcements.models import Announcement
from announcements.services import announce
from notifications.models import Inbox

URL = "/api/v1/announcements/"


@pytest.fixture
def announced(staff):
    """Three announcements."""
    return [announce(author=staff, text=text) for text in ("one", "two", "three")]


def test_staff_announce(client_for, staff):
    """The answer has what everybody will see."""
    response = client_for(staff).post(URL, {"text": "We are back"})

    assert response.status_code == 201
    answer = response.json()
    assert answer.pop("created_at").endswith("Z")
    assert answer == {"id": 1, "text": "We are back", "read": False}
    assert Announcement.objects.get().author == staff


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001])
def test_text_is_needed_and_has_a_limit(client_for, staff, text):
    """Otherwise nothing is announced, and no number is used up."""
    assert client_for(staff).post(URL, {"text": text}).status_code == 400
    assert announce(author=staff, text="one").pk == 1


def test_others_may_not(api):
    """Everybody else gets 403, and strangers get 401."""
    assert api.post(URL, {"text": "Buy this"}).status_code == 403
    assert APIClient().post(URL, {"text": "Buy this"}).status_code == 401
    assert APIClient().get(URL).status_code == 401
    assert not Announcement.objects.exists()


def test_everybody_reads_them(api, announced):
    """The newest first, a page at a time; one that was not read says so."""
    rows = api.get(URL).json()["results"]

    assert [row["text"] for row in rows] == ["three", "two", "one"]
    assert [row["read"] for row in rows] == [False, False, False]


def test_what_was_read_is_one_number(api, alice, client_for, bob, announced):
    """Everything up to there is read, by this user only."""
    second = announced[1].pk

    assert api.post(f"{URL}read/", {"up_to": second}).json() == {"unread": 1}

    rows = api.get(URL).json()["results"]
    assert [row["read"] for row in rows] == [False, True, True]
    assert api.get(f"{URL}unread-count/").json() == {"unread": 1}
    assert client_for(bob).get(f"{URL}unread-count/").json() == {"unread": 3}


def test_reading_goes_forwards(api, announced):
    """An older device does not take back what a newer one has read."""
    api.post(f"{URL}read/", {"up_to": 3})

    assert api.post(f"{URL}read/", {"up_to": 1}).json() == {"unread": 0}


def test_the_future_is_not_read(api, alice, staff, announced):
    """A number that does not exist yet means the last one that does."""
    assert api.post(f"{URL}read/", {"up_to": 2**62}).json() == {"unread": 0}
    announce(author=staff, text="four")

    assert api.get(f"{URL}unread-count/").json() == {"unread": 1}


@pytest.mark.parametrize("up_to", [None, 0, "x", 2**63])
def test_number_is_needed(api, up_to):
    """Anything else is refused."""
    assert api.post(f"{URL}read/", {"up_to": up_to}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_reading_is_told_to_the_users_devices(api, alice, announced, monkeypatch):
    """Once, and not again when there is nothing new."""
    told = []
    monkeypatch.setattr("notifications.events.send_frame", lambda *a: told.append(a))

    for _ in range(2):
        api.post(f"{URL}read/", {"up_to": 2})

    data = {"up_to": 2, "unread": 1}
    assert told == [({"type": "announcements_read", "data": data}, {alice.pk: {}})]


def test_cost_does_not_depend_on_how_many_are_told(staff, make_user):
    """One row, and no row of anybody's inbox is touched."""
    announce(author=staff, text="the first one makes the counter")
    inboxes = Inbox.objects.count()
    with CaptureQueriesContext(connection) as alone:
        announce(author=staff, text="to few")
    for number in range(10):
        make_user(f"user{number}")

    with CaptureQueriesContext(connection) as crowd:
        announce(author=staff, text="to many")

    assert len(crowd) == len(alone)
    assert Inbox.objects.count() == inboxes


def test_admin_announces(client, staff, monkeypatch):
    """What is added in the admin is announced like any other; nothing is changed there."""
    staff.is_superuser = True
    staff.save()
    client.force_login(staff)

    client.post("/admin/announcements/announcement/add/", {"text": "From the admin"})

    made = Announcement.objects.get()
    assert (made.pk, made.text, made.author) == (1, "From the admin", staff)
    assert str(made) == "1: From the admin"
    page = f"/admin/announcements/announcement/{made.pk}/change/"
    assert client.post(page, {"text": "Other"}).status_code == 403


def test_old_addresses_stay(api):
    """Notifications are at both addresses, and answer the same."""
    for path in ("", "unread-count/"):
        old = api.get(f"/api/notifications/{path}")
        new = api.get(f"/api/v1/notifications/{path}")
        assert (new.status_code, new.json()) == (old.status_code, old.json())

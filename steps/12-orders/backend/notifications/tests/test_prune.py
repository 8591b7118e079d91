"""manage.py prune_notifications."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from notifications.events import publish
from notifications.models import Notification
from notifications.numbering import inbox_of


@pytest.fixture
def store(db):
    """A function that stores notifications of a given age, in days."""

    def make(user, count, days=0):
        last = inbox_of(user.pk).last_seq
        for _ in range(count):
            publish(user_ids=[user.pk], kind="new_post", data={})
        age = timezone.now() - timedelta(days=days)
        new = Notification.objects.filter(recipient=user, seq__gt=last)
        new.update(created_at=age)

    return make


def prune(*arguments):
    output = StringIO()
    call_command("prune_notifications", *arguments, stdout=output)
    return output.getvalue()


def left(user):
    return list(user.notifications.order_by("id").values_list("id", flat=True))


def test_old_notifications_are_deleted(alice, store):
    """A notification older than seven days is deleted, read or not."""
    store(alice, 2, days=8)
    store(alice, 3, days=6)

    assert prune() == "Notifications deleted: 2\n"
    assert len(left(alice)) == 3


def test_only_the_newest_of_each_user_stay(alice, bob, store):
    """A user with too many loses the oldest; nobody else loses any."""
    store(alice, 5)
    store(bob, 3)
    newest = left(alice)[2:]

    assert prune("--keep", "3") == "Notifications deleted: 2\n"
    assert (left(alice), len(left(bob))) == (newest, 3)


def test_pruning_again_changes_nothing(alice, store):
    """The limits are the only thing that counts."""
    store(alice, 1, days=2)
    store(alice, 1)

    assert [prune("--days", "1") for _ in range(2)] == [
        "Notifications deleted: 1\n",
        "Notifications deleted: 0\n",
    ]


def test_many_users_cost_a_few_queries(make_user, store, django_assert_num_queries):
    """Users within the limits cost no queries of their own."""
    for number in range(5):
        store(make_user(f"user{number}"), 2)

    with django_assert_num_queries(2):
        prune("--keep", "2")

"""Numbers of notifications: no two alike, none left out."""

import threading
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import F

from messaging.services import send_message
from notifications.events import publish
from notifications.models import Inbox, Notification
from notifications.numbering import next_numbers


def numbers_of(user):
    return list(
        Notification.objects.filter(recipient=user)
        .order_by("id")
        .values_list("seq", flat=True)
    )


def tell(*users, count=1):
    for _ in range(count):
        publish(user_ids=[user.pk for user in users], kind="new_post", data={})


def test_each_user_has_numbers_of_their_own(alice, bob):
    """Everybody's first notification is number 1."""
    tell(alice, count=2)
    tell(bob, alice)

    assert (numbers_of(alice), numbers_of(bob)) == ([1, 2, 3], [1])
    assert (
        Inbox.objects.get(user=alice).last_seq,
        Inbox.objects.get(user=bob).last_seq,
    ) == (3, 1)


def test_user_who_is_named_twice_is_told_once(alice):
    """One event, one notification."""
    tell(alice, alice)

    assert numbers_of(alice) == [1]


def test_nobody_needs_no_number(db, django_assert_num_queries):
    """A post by somebody without friends has no recipients."""
    with django_assert_num_queries(0):
        assert next_numbers([]) == {}


def test_many_numbers_take_one_query(make_user, django_assert_num_queries):
    """First notifications and later ones alike."""
    ids = [make_user(f"user{number}").pk for number in range(15)]
    next_numbers(ids[:5])

    with django_assert_num_queries(1):
        numbers = next_numbers(ids)

    assert numbers == dict.fromkeys(ids[:5], 2) | dict.fromkeys(ids[5:], 1)


@pytest.mark.django_db(transaction=True)
def test_rolled_back_number_is_given_again(alice, bob):
    """What was rolled back leaves no hole."""
    send_message(sender=alice, receiver=bob, content="one")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send_message(sender=alice, receiver=bob, content="never said")
        raise ZeroDivisionError

    send_message(sender=alice, receiver=bob, content="two")

    assert numbers_of(bob) == [1, 2]


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time"
)
@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_get_different_numbers(alice, bob, make_user):
    """Many threads that tell the same people, in any order, neither collide nor hang."""
    carol = make_user("carol")
    groups = [(alice, bob, carol), (carol, bob, alice), (bob,), (carol, alice)]
    failed = []

    def work(group):
        try:
            tell(*group, count=10)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[group]) for group in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    for user in (alice, bob, carol):
        assert numbers_of(user) == list(range(1, 31))


def test_migration_numbers_what_was_there(alice, bob):
    """Notifications from before there were numbers get them in the order of their ids."""
    tell(alice, bob)
    tell(alice, count=2)
    Notification.objects.update(seq=F("id") + 10)
    Inbox.objects.all().delete()

    numbers = import_module("notifications.migrations.0004_numbers")
    numbers.number_all(apps, None)
    numbers.make_inboxes(apps, None)

    assert (numbers_of(alice), numbers_of(bob)) == ([1, 2, 3], [1])
    assert Inbox.objects.get(user=alice).last_seq == 3

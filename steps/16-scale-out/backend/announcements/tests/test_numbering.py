"""Numbers of announcements: no two alike, none left out, in the order of the commits."""

import threading

import pytest
from django.db import connection, transaction

from announcements.models import Announcement, AnnouncementCounter
from announcements.numbering import last_number
from announcements.services import announce


def numbers():
    return list(Announcement.objects.order_by("pk").values_list("pk", flat=True))


def test_numbers_count(staff):
    """They begin at 1."""
    assert last_number() == 0

    announce(author=staff, text="one")
    announce(author=staff, text="two")

    assert (numbers(), last_number()) == ([1, 2], 2)
    assert str(AnnouncementCounter.objects.get()) == "2 announcements"


def test_rolled_back_number_is_given_again(staff):
    """What was rolled back leaves no hole."""
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce(author=staff, text="never said")
        raise ZeroDivisionError

    assert announce(author=staff, text="one").pk == 1


def test_deleted_number_is_not(staff):
    """A number is never given twice, whatever is deleted."""
    announce(author=staff, text="one").delete()

    assert announce(author=staff, text="two").pk == 2


def test_announcement_survives_its_author(staff):
    """Otherwise a number would be missing."""
    announce(author=staff, text="one")

    staff.delete()

    assert Announcement.objects.get().author is None


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time"
)
@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_get_different_numbers(staff):
    """Many threads neither collide nor hang."""
    failed = []

    def work():
        try:
            for _ in range(10):
                announce(author=staff, text="again")
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert numbers() == list(range(1, 41))

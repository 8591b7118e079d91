"""Tickets: issued over HTTP, good once and not for long."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache.backends.db import DatabaseCache
from django.db import connection
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from notifications import tickets

ORIGIN = "https://app.example"
URL = "/api/v1/ws/ticket/"
CLAIMS = {"user_id": "7"}


def test_ticket_is_issued_to_who_is_signed_in(api, alice):
    """The answer has the ticket, which knows its user and where it was requested."""
    response = api.post(URL, headers={"Origin": ORIGIN})

    assert response.status_code == 201
    assert response.data["expires_in"] == 30
    claims = tickets.redeem(response.data["ticket"], ORIGIN)
    assert claims["user_id"] == str(alice.pk)


def test_stranger_gets_no_ticket(client, db):
    """Without an access token the answer is 401."""
    assert client.post(URL).status_code == 401


@pytest.mark.parametrize("error", [RedisConnectionError, RedisTimeoutError])
def test_without_redis_the_answer_is_503(api, monkeypatch, error):
    """A client reads that it should try again, and when."""

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(DatabaseCache, "set", fail)

    response = api.post(URL)

    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_ticket_is_good_once(db):
    """The second time it is not valid any more."""
    ticket = tickets.issue(CLAIMS, ORIGIN)

    assert tickets.redeem(ticket, ORIGIN) == CLAIMS
    assert tickets.redeem(ticket, ORIGIN) == {}


def test_ticket_of_another_origin_is_not_valid(db):
    """And it stays valid where it was requested."""
    ticket = tickets.issue(CLAIMS, ORIGIN)

    assert tickets.redeem(ticket, "https://evil.example") == {}
    assert tickets.redeem(ticket, "") == {}
    assert tickets.redeem(ticket, ORIGIN) == CLAIMS


def test_ticket_expires(db, monkeypatch):
    """After 30 seconds it is not valid any more."""
    before = timezone.now()
    early, late = (tickets.issue(CLAIMS, ORIGIN) for _ in range(2))
    after = timezone.now()

    def time_is(seconds, since):
        later = since + timedelta(seconds=seconds)
        monkeypatch.setattr("django.core.cache.backends.db.tz_now", lambda: later)

    time_is(tickets.LIFETIME - 2, since=before)
    assert tickets.redeem(early, ORIGIN) == CLAIMS
    time_is(tickets.LIFETIME + 2, since=after)
    assert tickets.redeem(late, ORIGIN) == {}


def test_of_two_at_once_one_gets_it(db, monkeypatch):
    """Both have read the ticket before either of them deletes it."""
    ticket = tickets.issue(CLAIMS, ORIGIN)
    delete = DatabaseCache.delete

    def other_is_faster(cache, key):
        assert delete(cache, key)
        return delete(cache, key)

    monkeypatch.setattr(DatabaseCache, "delete", other_is_faster)

    assert tickets.redeem(ticket, ORIGIN) == {}


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time"
)
@pytest.mark.django_db(transaction=True)
def test_of_ten_at_once_one_gets_it():
    """The same with threads, each with a connection of its own to the database."""
    ticket = tickets.issue(CLAIMS, ORIGIN)

    def redeem(_):
        try:
            return tickets.redeem(ticket, ORIGIN)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        found = list(threads.map(redeem, range(10)))

    assert sorted(filter(None, found)) == [CLAIMS]


def test_cache_holds_no_ticket(db):
    """Who can read the cache cannot connect."""
    ticket = tickets.issue(CLAIMS, ORIGIN)

    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM cache")
        assert ticket not in str(cursor.fetchall())


def test_no_two_tickets_are_the_same(db):
    """Each has 128 random bits, in 22 characters that a subprotocol may have."""
    issued = {tickets.issue(CLAIMS, ORIGIN) for _ in range(20)}

    assert {len(ticket) for ticket in issued} == {22}
    assert len(issued) == 20

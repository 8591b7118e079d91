"""What the health check answers, and when."""

import threading
import time

import pytest
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from numeneon import health, parts

URL = "/api/v1/health/"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy computer may need more than two seconds for a part that works."""
    monkeypatch.setattr(health, "PART_SECONDS", 10)


@pytest.fixture
def fail(monkeypatch):
    """A function that makes a part fail with an error."""

    def fail(name, error):
        async def raise_error():
            raise error

        monkeypatch.setitem(parts.PARTS, name, raise_error)

    return fail


def states(response):
    """The status of each part."""
    return {name: part["status"] for name, part in response.json()["parts"].items()}


@pytest.mark.parametrize("url", [URL, "/healthz/"])
def test_health_is_ok(client, db, url):
    """Every part answers; the address of the earlier steps is the same view."""
    began = time.perf_counter()
    response = client.get(url)
    longest = round(1000 * (time.perf_counter() - began), 1)

    assert response.status_code == 200
    answer = response.json()
    parts = answer.pop("parts")
    assert answer == {"status": "ok", "live": True, "ready": True}
    assert {part["status"] for part in parts.values()} == {"ok"}
    assert all(0 <= part["ms"] <= longest for part in parts.values())


@pytest.mark.parametrize("error", [RedisConnectionError, TimeoutError])
def test_health_without_redis_is_degraded(client, db, fail, error):
    """Without Redis the answer is still 200, so the process stays in service."""
    fail("events", error)
    fail("cache", error)

    response = client.get(URL)

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["ready"]) == ("degraded", True)
    failed = "unavailable"
    assert states(response) == {"database": "ok", "cache": failed, "events": failed}


def test_health_without_a_database_is_503(client, fail):
    """Without a database there is nothing to serve; a stale token changes nothing."""
    fail("database", OperationalError)
    fail("cache", OperationalError)

    response = client.get(URL, headers={"Authorization": "Bearer stale"})

    assert response.status_code == 503
    answer = response.json()
    assert (answer["status"], answer["ready"]) == ("unavailable", False)
    assert states(response)["events"] == "ok"


def test_part_that_hangs_is_not_waited_for(client, monkeypatch):
    """The answer comes after the limit, and has the other parts."""
    answered = threading.Event()

    async def works():
        """A part that answers at once, also on a slow machine."""

    for name in parts.PARTS:
        monkeypatch.setitem(parts.PARTS, name, works)
    monkeypatch.setattr(health, "PART_SECONDS", 0.05)
    hangs = parts.in_thread(lambda: answered.wait(60))
    monkeypatch.setitem(parts.PARTS, "cache", hangs)

    response = client.get(URL)
    answered.set()

    assert states(response)["cache"] == "unavailable"
    assert states(response)["database"] == "ok"


def test_health_is_asked_over_plain_http(client, db, settings):
    """The redirect to HTTPS exempts the health check, and nothing else."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^api/v1/health/$"]

    assert client.get(URL).status_code == 200
    assert client.get("/api/auth/me/").status_code == 301

"""What /healthz/ answers, and when."""

import pytest
from django.db import OperationalError, connection
from redis.exceptions import ConnectionError as RedisConnectionError


def test_health_is_ok(client, db):
    """With a database and a channel layer, the status is ok."""
    response = client.get("/healthz/")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("error", [RedisConnectionError, TimeoutError])
def test_health_without_redis_is_degraded(client, db, monkeypatch, error):
    """Without Redis the answer is still 200, so the process stays in service."""

    async def fail(events):
        raise error

    monkeypatch.setattr("notifications.services.send_to_groups", fail)

    response = client.get("/healthz/")

    assert (response.status_code, response.json()) == (200, {"status": "degraded"})


def test_health_without_a_database_is_503(client, monkeypatch):
    """Without a database there is nothing to serve."""

    def fail():
        raise OperationalError

    monkeypatch.setattr(connection, "cursor", fail)

    response = client.get("/healthz/")

    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})


def test_health_is_asked_over_plain_http(client, db, settings):
    """The redirect to HTTPS exempts the health check, and nothing else."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]

    assert client.get("/healthz/").status_code == 200
    assert client.get("/api/auth/me/").status_code == 301

"""Who may read /metrics."""

import pytest

from numeneon.tests.test_settings import load_settings

pytestmark = pytest.mark.django_db


def test_staff_may_read_metrics(api, alice):
    """The numbers of sockets, of HTTP and of the database, as text."""
    alice.is_staff = True

    response = api.get("/metrics")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    for name in ("numeneon_sockets_open", "django_http_responses", "django_db_execute"):
        assert f"\n{name}" in response.text


def test_others_may_not(api, client):
    """Neither strangers nor users without the right."""
    assert client.get("/metrics").status_code == 401
    assert api.get("/metrics").status_code == 403


@pytest.mark.parametrize(
    ("token", "header", "status"),
    [
        ("secret", "Bearer secret", 200),
        ("secret", "Bearer other", 401),
        ("secret", "secret", 401),
        ("secret", "Bearer ", 401),
        ("", "Bearer ", 401),
        ("", "", 401),
    ],
)
def test_prometheus_has_a_token(client, settings, token, header, status):
    """Only that token, and only if there is one."""
    settings.METRICS_TOKEN = token

    response = client.get("/metrics", headers={"Authorization": header})

    assert response.status_code == status


def test_token_comes_from_the_environment():
    """Without it there is none."""
    assert load_settings(METRICS_TOKEN="secret").METRICS_TOKEN == "secret"
    assert load_settings().METRICS_TOKEN == ""


def test_methods_are_a_few(client, api, alice):
    """A client that invents methods does not add to what is stored."""
    alice.is_staff = True

    client.generic("INVENTED", "/api/posts/")

    assert "INVENTED" not in api.get("/metrics").text

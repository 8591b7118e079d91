"""The settings with DEBUG off, as on Render."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from numeneon.tests.test_settings import PRODUCTION, load_settings, python


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
@pytest.mark.parametrize("empty", [True, False])
def test_missing_variable_stops_production(name, empty):
    """With DEBUG off the project does not start with development defaults."""
    variables = {key: value for key, value in PRODUCTION.items() if key != name}
    if empty:
        variables[name] = ""

    message = f"^{name} is not set. With DEBUG off, set it"
    with pytest.raises(ImproperlyConfigured, match=message):
        load_settings(**variables)


def test_short_secret_key_stops_production():
    """Anyone who guesses a short key can sign tokens."""
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is too short"):
        load_settings(**PRODUCTION | {"SECRET_KEY": "secret"})


@pytest.mark.parametrize("key", ["django-insecure-" + "0123456789" * 4, "x" * 44])
def test_known_secret_key_stops_production(key):
    """A key that comes with an example, or that nobody has chosen at random, is none."""
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not a secret"):
        load_settings(**PRODUCTION | {"SECRET_KEY": key})


def test_debug_is_refused_on_render():
    """Render sets RENDER: if DEBUG is still on there, the settings do not load."""
    with pytest.raises(ImproperlyConfigured, match="DEBUG is on"):
        load_settings(RENDER="true")


def test_render_hostname_is_allowed():
    """The host name that Render sets is allowed besides those in ALLOWED_HOSTS."""
    hosts = load_settings(**PRODUCTION, ALLOWED_HOSTS="a.example").ALLOWED_HOSTS

    assert hosts == ["a.example", "numeneon.onrender.com"]


def test_deployment_check_is_clean():
    """Django's own checklist for production finds no issues."""
    done = python("manage.py", "check", "--deploy", "--fail-level=INFO", **PRODUCTION)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_requests_are_sent_to_https():
    """Plain HTTP is redirected, except for what came to Render over TLS."""
    code = """
import django; django.setup()
from django.test import Client
host = "numeneon.onrender.com"
plain = Client(SERVER_NAME=host).get("/api/auth/me/")
tls = Client(SERVER_NAME=host, HTTP_X_FORWARDED_PROTO="https").get("/api/auth/me/")
print(plain.status_code, plain["Location"], tls.status_code)
"""
    settings = {"DJANGO_SETTINGS_MODULE": "numeneon.settings"}

    done = python("-c", code, **PRODUCTION, **settings)

    location = "https://numeneon.onrender.com/api/auth/me/"
    assert done.stdout.split() == ["301", location, "401"], done.stderr

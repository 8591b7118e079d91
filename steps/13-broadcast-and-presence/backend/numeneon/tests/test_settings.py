"""What the settings make of the environment."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

BACKEND = Path(__file__).resolve().parent.parent.parent
VARIABLES = {
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "ALLOWED_ORIGINS",
    "DATABASE_URL",
    "REDIS_URL",
    "RENDER",
    "RENDER_EXTERNAL_HOSTNAME",
    "DJANGO_SETTINGS_MODULE",
}

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",  # as long as those that Render generates
    "DATABASE_URL": "postgres://database/numeneon",
    "REDIS_URL": "redis://redis:6379",
    "RENDER_EXTERNAL_HOSTNAME": "numeneon.onrender.com",
}


def environment(**variables):
    """The environment, but of VARIABLES only those passed here are set."""
    rest = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    return rest | variables


def python(*arguments, **variables):
    """Run Python in the project, in a process of its own, with these variables."""
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        capture_output=True,
        check=False,
        cwd=BACKEND,
        env=environment(**variables),
        text=True,
    )


def load_settings(**variables):
    """Run settings.py with these variables; what Django has loaded does not change."""
    with mock.patch.dict(os.environ, environment(**variables), clear=True):
        return SimpleNamespace(**runpy.run_path(str(BACKEND / "numeneon/settings.py")))


@pytest.mark.parametrize("value", ["", "true", "True", "1"])
def test_debug_is_on_unless_switched_off(value):
    """A developer starts the project without setting anything."""
    assert load_settings(DEBUG=value).DEBUG is True


@pytest.mark.parametrize("value", ["false", "0", "off", "flase"])
def test_debug_is_off_for_anything_else(value):
    """Any value that tries to switch DEBUG off does, even one with a typing error."""
    assert load_settings(**PRODUCTION | {"DEBUG": value}).DEBUG is False


def test_secret_key_is_random_in_development():
    """No key is written down where production could pick it up."""
    assert load_settings().SECRET_KEY != load_settings().SECRET_KEY


def test_secret_key_is_taken_from_the_environment():
    """A key that is set is used."""
    assert load_settings(SECRET_KEY="from outside").SECRET_KEY == "from outside"


def test_allowed_hosts_are_separated_by_commas():
    """Blanks and empty parts do not count."""
    hosts = load_settings(ALLOWED_HOSTS="a.example, b.example,").ALLOWED_HOSTS

    assert hosts == ["a.example", "b.example"]


def test_allowed_origins_are_those_of_cors_too():
    """One list says which sites may use the API and open sockets."""
    listed = load_settings(ALLOWED_ORIGINS="https://a.example, http://b.example:3000,")

    assert listed.ALLOWED_ORIGINS == ["https://a.example", "http://b.example:3000"]
    assert listed.CORS_ALLOWED_ORIGINS == listed.ALLOWED_ORIGINS
    assert load_settings().ALLOWED_ORIGINS == []


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/"])
def test_origin_that_no_browser_sends_is_an_error(settings, origin):
    """An origin is a scheme, a host and perhaps a port; there is no wildcard."""
    loaded = load_settings(ALLOWED_ORIGINS=origin)
    settings.CORS_ALLOWED_ORIGINS = loaded.CORS_ALLOWED_ORIGINS

    with pytest.raises(SystemCheckError, match="CORS_ALLOWED_ORIGINS"):
        call_command("check")


def test_database_is_sqlite_unless_a_url_names_another():
    """DATABASE_URL switches to PostgreSQL."""
    sqlite = load_settings(DATABASE_URL="").DATABASES["default"]
    postgres = load_settings(DATABASE_URL="postgres://u:p@db/name").DATABASES["default"]

    assert sqlite["ENGINE"] == "django.db.backends.sqlite3"
    assert postgres["ENGINE"] == "django.db.backends.postgresql"

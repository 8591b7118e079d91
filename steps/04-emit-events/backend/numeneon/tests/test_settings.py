"""What the settings make of the environment."""

import os
import runpy
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured

BACKEND = Path(__file__).resolve().parent.parent.parent
VARIABLES = {
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "REDIS_URL",
    "DJANGO_SETTINGS_MODULE",
}


def environment(**variables):
    """The environment, but of VARIABLES only those passed here are set."""
    rest = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    return rest | variables


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
    assert load_settings(DEBUG=value, SECRET_KEY="x" * 50).DEBUG is False


def test_secret_key_is_random_in_development():
    """No key is written down where production could pick it up."""
    assert load_settings().SECRET_KEY != load_settings().SECRET_KEY


def test_secret_key_is_taken_from_the_environment():
    """A key that is set is used."""
    assert load_settings(SECRET_KEY="from outside").SECRET_KEY == "from outside"


@pytest.mark.parametrize("value", [{}, {"SECRET_KEY": ""}])
def test_missing_secret_key_stops_production(value):
    """Without DEBUG the project does not start with a key it made up."""
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set."):
        load_settings(DEBUG="false", **value)


def test_allowed_hosts_are_separated_by_commas():
    """Blanks and empty parts do not count."""
    hosts = load_settings(ALLOWED_HOSTS="a.example, b.example,").ALLOWED_HOSTS

    assert hosts == ["a.example", "b.example"]


def test_database_is_sqlite_unless_a_url_names_another():
    """DATABASE_URL switches to PostgreSQL."""
    sqlite = load_settings(DATABASE_URL="").DATABASES["default"]
    postgres = load_settings(DATABASE_URL="postgres://u:p@db/name").DATABASES["default"]

    assert sqlite["ENGINE"] == "django.db.backends.sqlite3"
    assert postgres["ENGINE"] == "django.db.backends.postgresql"

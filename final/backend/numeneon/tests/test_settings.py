"""What the settings make of the environment, each time in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def python(*arguments, **environment):
    """Run Python in the project; of VARIABLES, only those passed here are set."""
    rest = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        capture_output=True,
        check=False,
        cwd=BACKEND,
        env=rest | environment,
        text=True,
    )


def setting(expression, **environment):
    """Load the settings under this environment; return what they say, or the error."""
    code = f"from numeneon import settings as s; print({expression})"
    done = python("-c", code, **environment)
    return (done.stdout or done.stderr.splitlines()[-1]).strip()


@pytest.mark.parametrize("value", ["", "true", "True", "1"])
def test_debug_is_on_unless_switched_off(value):
    """A developer starts the project without setting anything."""
    assert setting("s.DEBUG", DEBUG=value) == "True"


@pytest.mark.parametrize("value", ["false", "0", "off", "flase"])
def test_debug_is_off_for_anything_else(value):
    """Any value that tries to switch DEBUG off does, even one with a typing error."""
    assert setting("s.DEBUG", **{**PRODUCTION, "DEBUG": value}) == "False"


def test_secret_key_is_random_in_development():
    """No key is written down where production could pick it up."""
    assert setting("s.SECRET_KEY") != setting("s.SECRET_KEY")


def test_secret_key_is_taken_from_the_environment():
    """A key that is set is used."""
    assert setting("s.SECRET_KEY", SECRET_KEY="from outside") == "from outside"


def test_allowed_hosts_are_separated_by_commas():
    """Blanks and empty parts do not count."""
    hosts = setting("s.ALLOWED_HOSTS", ALLOWED_HOSTS="a.example, b.example,")

    assert hosts == "['a.example', 'b.example']"


def test_allowed_origins_are_those_of_cors_too():
    """One list says which sites may use the API and open sockets."""
    environment = {"ALLOWED_ORIGINS": "https://a.example, http://b.example:3000,"}
    wanted = "['https://a.example', 'http://b.example:3000']"

    assert setting("s.ALLOWED_ORIGINS", **environment) == wanted
    assert setting("s.CORS_ALLOWED_ORIGINS", **environment) == wanted
    assert setting("s.ALLOWED_ORIGINS") == "[]"


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/"])
def test_origin_that_no_browser_sends_is_an_error(origin):
    """An origin is a scheme, a host and perhaps a port; there is no wildcard."""
    done = python("manage.py", "check", ALLOWED_ORIGINS=origin)

    assert done.returncode != 0
    assert "CORS_ALLOWED_ORIGINS" in done.stderr


def test_database_is_sqlite_unless_a_url_names_another():
    """DATABASE_URL switches to PostgreSQL."""
    engine = "s.DATABASES['default']['ENGINE'].rsplit('.')[-1]"

    assert setting(engine, DATABASE_URL="") == "sqlite3"
    assert setting(engine, DATABASE_URL="postgres://u:p@db/name") == "postgresql"

"""An admin whose password is known keeps production from starting."""

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from users.models import User


def found():
    """Return what the checks that read the database have found."""
    checked = run_checks(databases=["default"], tags=["database"])
    return [message.id for message in checked]


@pytest.fixture
def make_admin(db):
    """A function that makes an admin with that password."""

    def make(password):
        return User.objects.create_superuser("root", "root@example.com", password)

    return make


@pytest.mark.parametrize("password", ["admin", "admin123", "root", "root@example.com"])
def test_known_password_is_an_error(make_admin, password):
    """So is one that is the account's own name."""
    make_admin(password)

    assert found() == ["users.E001"]


def test_other_password_is_none(make_admin):
    """What nobody can guess is fine."""
    make_admin("another battery staple")

    assert found() == []


def test_users_without_rights_are_not_looked_at(make_user):
    """They have chosen their password themselves, and it was validated."""
    make_user("admin").set_password("admin")

    assert found() == []


def test_nothing_is_looked_at_in_development(make_admin, settings):
    """A developer may have any password."""
    settings.DEBUG = True
    make_admin("admin")

    assert found() == []


def test_migrate_does_not_start(make_admin):
    """The command that runs before each start of the server ends with an error."""
    make_admin("admin")

    with pytest.raises(CommandError, match="one that everybody knows"):
        call_command("migrate", skip_checks=False, verbosity=0)


def test_database_without_tables_is_no_error(monkeypatch):
    """The first migration of all finds nobody."""

    class NoTable:
        def filter(self, **kwargs):
            raise DatabaseError("no such table")

    monkeypatch.setattr(User, "objects", NoTable())

    assert found() == []

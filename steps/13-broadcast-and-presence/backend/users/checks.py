"""What Django looks at before it migrates the database of production."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Error, Tags, register
from django.db import DatabaseError

KNOWN = ["admin", "admin123", "password", "changeme", "numeneon"]


@register(Tags.database)
def check_admin_passwords(app_configs, databases, **kwargs):
    """Called by `migrate` and `check --database default`: an error ends the command."""
    if settings.DEBUG or not databases:
        return []
    try:
        admins = get_user_model().objects.filter(is_staff=True, is_active=True)
        return [weak_password(admin) for admin in admins if is_known(admin)]
    except DatabaseError:
        # The first migration of all has yet to create the table.
        return []


def is_known(admin):
    """Return whether anybody would guess the password of this account."""
    candidates = [*KNOWN, admin.username, admin.email]
    return any(admin.check_password(candidate) for candidate in candidates)


def weak_password(admin):
    """Return the error that says what to do."""
    return Error(
        f"The password of {admin.username} is one that everybody knows.",
        hint=f"python manage.py changepassword {admin.email}",
        id="users.E001",
    )

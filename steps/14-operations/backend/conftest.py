"""Shared by all tests: users, their HTTP clients, and no slow or external parts."""

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from friends.models import Friendship
from users.services import create_account


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """The test database: emptying it after a test does not add all permissions again."""
    create_permissions = "django.contrib.auth.management.create_permissions"
    post_migrate.disconnect(dispatch_uid=create_permissions)
    post_migrate.disconnect(create_contenttypes)


@pytest.fixture(autouse=True)
def fast_passwords(settings):
    """Hash passwords cheaply: the real hasher is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def memory_layer(settings):
    """Give each test a channel layer of its own, in memory."""
    memory = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    settings.CHANNEL_LAYERS = {"default": memory}


@pytest.fixture(autouse=True)
def database_cache(settings):
    """Keep what is cached in the test database."""
    backend = "django.core.cache.backends.db.DatabaseCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "cache"}}


@pytest.fixture
def quick_heartbeats(settings, monkeypatch):
    """Sockets look often what has changed. No row gets old, however slow the machine is."""
    settings.HEARTBEAT_SECONDS = 0.01
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.fixture
def make_user(db):
    """A function that makes the user of a given name."""

    def make(name):
        return create_account(
            username=name,
            email=f"{name}@example.com",
            password="correct horse",
            display_name=name.title(),
        )

    return make


@pytest.fixture
def alice(make_user):
    return make_user("alice")


@pytest.fixture
def bob(make_user):
    return make_user("bob")


@pytest.fixture
def staff(make_user):
    user = make_user("sam")
    user.is_staff = True
    user.save()
    return user


@pytest.fixture
def client_for():
    """A function that makes an HTTP client signed in as a given user."""

    def make(user):
        client = APIClient()
        client.force_authenticate(user, AccessToken.for_user(user))
        return client

    return make


@pytest.fixture
def api(client_for, alice):
    """Alice's HTTP client."""
    return client_for(alice)


@pytest.fixture
def befriend():
    """A function that makes two users friends."""

    def make(user, other):
        return Friendship.objects.create(
            from_user=user, to_user=other, accepted_at="2026-01-01T00:00:00Z"
        )

    return make

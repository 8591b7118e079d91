"""App configuration of users."""

from importlib import import_module

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Accounts and profiles."""

    name = "users"

    def ready(self):
        """Called by Django when all apps are loaded: the check is registered."""
        import_module("users.checks")

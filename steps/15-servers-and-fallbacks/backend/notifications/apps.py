"""App configuration of notifications."""

from importlib import import_module

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Events that reach people while they are connected."""

    name = "notifications"

    def ready(self):
        """Called by Django when all apps are loaded: the signals have their receivers."""
        import_module("notifications.sessions")

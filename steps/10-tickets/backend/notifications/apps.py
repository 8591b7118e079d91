"""App configuration of notifications."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Events that reach people while they are connected."""

    name = "notifications"

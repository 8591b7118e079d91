"""App configuration of messaging."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Private messages between two users."""

    name = "messaging"

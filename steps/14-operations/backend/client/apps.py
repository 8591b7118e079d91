"""App configuration of client."""

from django.apps import AppConfig


class ClientConfig(AppConfig):
    """A page for browsers, and the module that keeps it connected."""

    name = "client"

"""App configuration of server."""

from django.apps import AppConfig


class ServerConfig(AppConfig):
    """The command that serves everything."""

    name = "server"

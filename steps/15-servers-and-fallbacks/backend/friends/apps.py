"""App configuration of friends."""

from django.apps import AppConfig


class FriendsConfig(AppConfig):
    """Friend requests and friendships."""

    name = "friends"

"""App configuration of announcements."""

from django.apps import AppConfig


class AnnouncementsConfig(AppConfig):
    """What staff tell everybody."""

    name = "announcements"

"""App configuration of posts."""

from django.apps import AppConfig


class PostsConfig(AppConfig):
    """Posts, their replies, shares and likes."""

    name = "posts"

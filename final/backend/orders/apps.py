"""App configuration of orders."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """What customers order, and what becomes of it."""

    name = "orders"

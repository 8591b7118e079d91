"""What customers and staff do with orders."""

from django.db import transaction
from django.utils import timezone

from notifications import events
from orders.models import Order, OrderItem
from orders.statuses import may_follow


class NotPossible(Exception):
    """An order cannot get this status after the one it has."""


class Outdated(Exception):
    """The order has changed since that version was read."""


@transaction.atomic
def place_order(*, customer, items):
    """Place an order at the products' current prices."""
    order = Order.objects.create(customer=customer)
    OrderItem.objects.bulk_create(
        OrderItem(
            order=order,
            product=item["product"],
            name=item["product"].name,
            unit_price=item["product"].price,
            quantity=item["quantity"],
        )
        for item in items
    )
    return order


@transaction.atomic
def change_status(*, order, status, version):
    """Give an order another status and tell its customer, if this is still its version."""
    if version != order.version:
        raise Outdated
    if not may_follow(status, current=order.status):
        raise NotPossible
    # Of two requests that have read the same version, the second changes no row.
    unchanged = Order.objects.filter(pk=order.pk, version=version)
    changed = unchanged.update(
        status=status, version=version + 1, updated_at=timezone.now()
    )
    order.refresh_from_db()
    if not changed:
        raise Outdated
    events.order_status(order)

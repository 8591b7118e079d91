"""What may become of an order, and who may decide it."""

from orders.models import Order

Status = Order.Status

# A status that is not a key here is final: delivered, or cancelled.
NEXT = {
    Status.PENDING: [Status.PAID, Status.CANCELLED],
    Status.PAID: [Status.SHIPPED, Status.CANCELLED],
    Status.SHIPPED: [Status.DELIVERED],
}


def may_follow(status, *, current):
    """Return whether an order can get this status after its current one."""
    return status in NEXT.get(current, [])


def may_set(user, status):
    """Return whether this user may give orders that status: customers can only cancel."""
    return user.is_staff or status == Status.CANCELLED


def allowed_for(user, order):
    """Return the statuses that this user can give an order now."""
    return [status for status in NEXT.get(order.status, []) if may_set(user, status)]

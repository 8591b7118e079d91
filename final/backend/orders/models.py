"""Customers, products, and orders with the prices of the day they were placed."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

PRICE = {"max_digits": 10, "decimal_places": 2}


class Customer(models.Model):
    """Where a user's orders are sent."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="customer"
    )
    name = models.CharField(max_length=100)
    address = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.name


class Product(models.Model):
    """Something that can be ordered, and what it costs now."""

    name = models.CharField(max_length=100, unique=True)
    price = models.DecimalField(**PRICE, validators=[MinValueValidator(0)])

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gte=0), name="price_not_negative"
            ),
        ]

    def __str__(self):
        return self.name


class OrderQuerySet(models.QuerySet):
    """Ways to read orders."""

    def seen_by(self, user):
        """A customer's own; everybody's for staff."""
        orders = self.select_related("customer").prefetch_related("items")
        return orders if user.is_staff else orders.filter(customer__user=user)


class Order(models.Model):
    """What a customer ordered. Its version counts the changes of its status."""

    class Status(models.TextChoices):
        """What becomes of an order; orders/statuses.py says in which sequence."""

        PENDING = "pending"
        PAID = "paid"
        SHIPPED = "shipped"
        DELIVERED = "delivered"
        CANCELLED = "cancelled"

    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="orders"
    )
    status = models.CharField(
        max_length=20, choices=Status.choices, default=Status.PENDING
    )
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return f"Order {self.pk} of {self.customer}"

    @property
    def total(self):
        """What the items cost together, to the cent."""
        # In Python: SQLite has no decimal numbers, and would add floats.
        return sum((item.subtotal for item in self.items.all()), Decimal("0.00"))


class OrderItem(models.Model):
    """A line of an order: a product, and the name and price that it had at that time."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    name = models.CharField(max_length=100)
    unit_price = models.DecimalField(**PRICE)
    quantity = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="one_at_least"),
        ]

    def __str__(self):
        return f"{self.quantity} x {self.name}"

    @property
    def subtotal(self):
        """What this line costs."""
        return self.unit_price * self.quantity

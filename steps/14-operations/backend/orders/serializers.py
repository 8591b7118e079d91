"""How customers, products and orders look."""

from rest_framework import serializers

from orders.models import Customer, Order, OrderItem, Product
from orders.statuses import allowed_for

MOST_ITEMS = 50
MOST_OF_ONE = 1_000


class TotalField(serializers.DecimalField):
    """A sum of money, as text: numbers in JSON are floats to most clients."""

    def __init__(self):
        # No limit: a sum may have more digits than a price.
        super().__init__(max_digits=None, decimal_places=2, read_only=True)


class CustomerSerializer(serializers.ModelSerializer):
    """A customer."""

    class Meta:
        model = Customer
        fields = ["id", "name", "address", "created_at"]


class ProductSerializer(serializers.ModelSerializer):
    """A product, with its current price."""

    class Meta:
        model = Product
        fields = ["id", "name", "price"]


class OrderItemSerializer(serializers.ModelSerializer):
    """A line of an order. Only product and quantity come from the client."""

    product_id = serializers.PrimaryKeyRelatedField(
        source="product",
        queryset=Product.objects.all(),
        pk_field=serializers.IntegerField(),  # 1e400 is not an id
    )
    quantity = serializers.IntegerField(min_value=1, max_value=MOST_OF_ONE)
    subtotal = TotalField()

    class Meta:
        model = OrderItem
        fields = ["product_id", "name", "unit_price", "quantity", "subtotal"]
        read_only_fields = ["name", "unit_price"]


class OrderSerializer(serializers.ModelSerializer):
    """An order. To place one, a client sends only its items."""

    customer_id = serializers.IntegerField(read_only=True)
    items = OrderItemSerializer(many=True, allow_empty=False, max_length=MOST_ITEMS)
    total = TotalField()
    allowed = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = [
            "id",
            "customer_id",
            "status",
            "allowed",
            "version",
            "items",
            "total",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["status", "version"]

    def get_allowed(self, order) -> list[str]:
        """Called for the field "allowed": the statuses that the reader can give it now."""
        return allowed_for(self.context["request"].user, order)


class OrderStatusSerializer(serializers.ModelSerializer):
    """An order's status. To change it, a client also sends the version that it has seen."""

    order_id = serializers.IntegerField(source="pk", read_only=True)
    total = TotalField()

    class Meta:
        model = Order
        fields = ["order_id", "status", "version", "total", "updated_at"]
        extra_kwargs = {
            "status": {
                "required": True,
                # Not the text that was sent: half a surrogate pair is not JSON.
                "error_messages": {"invalid_choice": "There is no such status."},
            },
            "version": {"required": True, "min_value": 1},
        }

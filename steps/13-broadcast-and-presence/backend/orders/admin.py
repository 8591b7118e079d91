"""The shop in the admin."""

from django.contrib import admin

from orders.models import Customer, Order, OrderItem, Product

admin.site.register(Product, list_display=["name", "price"])


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    """Customers."""

    list_display = ["name", "user", "created_at"]
    list_select_related = ["user"]
    raw_id_fields = ["user"]


class OrderItemInline(admin.TabularInline):
    """The items of an order."""

    model = OrderItem
    extra = max_num = 0
    can_delete = False
    readonly_fields = ["product", "name", "unit_price", "quantity"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders, to look at: the API changes a status, and tells the customer."""

    fields = readonly_fields = ["customer", "status", "version", "updated_at"]
    inlines = [OrderItemInline]
    list_display = ["id", "customer", "status", "updated_at"]
    list_select_related = ["customer"]

    def has_add_permission(self, request):
        """Called by the admin: only customers place orders."""
        return False

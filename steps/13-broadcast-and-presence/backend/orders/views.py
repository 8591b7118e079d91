"""Customers, products and orders over HTTP."""

from django.db import IntegrityError, transaction
from rest_framework import generics, status
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.response import Response

from orders import services
from orders.models import Customer, Order, Product
from orders.serializers import (
    CustomerSerializer,
    OrderSerializer,
    OrderStatusSerializer,
    ProductSerializer,
)
from orders.statuses import allowed_for, may_set


class Conflict(APIException):
    """The request is valid, but not possible as things are."""

    status_code = status.HTTP_409_CONFLICT


class CustomerListView(generics.ListCreateAPIView):
    """Show the user's customer record (staff: all), or make it (POST)."""

    serializer_class = CustomerSerializer

    def get_queryset(self):
        """Called by the view for the customers to list."""
        customers = Customer.objects.order_by("id")
        user = self.request.user
        return customers if user.is_staff else customers.filter(user=user)

    def perform_create(self, serializer):
        """Called by the view with valid data."""
        try:
            with transaction.atomic():
                serializer.save(user=self.request.user)
        except IntegrityError as error:
            raise Conflict("You are a customer already.") from error


class ProductListView(generics.ListAPIView):
    """List the products."""

    queryset = Product.objects.order_by("name")
    serializer_class = ProductSerializer


class OrderListView(generics.ListCreateAPIView):
    """List the user's orders (staff: all), the latest first, or place one (POST)."""

    serializer_class = OrderSerializer

    def get_queryset(self):
        """Called by the view for the orders to list."""
        return Order.objects.seen_by(self.request.user)

    def perform_create(self, serializer):
        """Called by the view with valid data."""
        customer = Customer.objects.filter(user=self.request.user).first()
        if customer is None:
            raise Conflict("You are not a customer yet: POST to /api/v1/customers/.")
        serializer.instance = services.place_order(
            customer=customer, **serializer.validated_data
        )


class OrderView(generics.RetrieveAPIView):
    """Show an order, or change its status (PATCH)."""

    serializer_class = OrderSerializer
    lookup_url_kwarg = "order_id"

    def get_queryset(self):
        """Called by get_object(): other customers' orders do not exist."""
        return Order.objects.seen_by(self.request.user)

    def patch(self, request, *args, **kwargs):
        """Called for PATCH: 200; 403 if others decide this, 409 if it is not possible now."""
        order = self.get_object()
        asked = OrderStatusSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data["status"]
        if not may_set(request.user, wanted):
            raise PermissionDenied
        try:
            services.change_status(order=order, **asked.validated_data)
        except services.NotPossible:
            text = f"An order that is {order.status} cannot become {wanted}."
            allowed = allowed_for(request.user, order)
            return self.refusal({"detail": text, "allowed": allowed})
        except services.Outdated:
            text = "The order has changed since you saw it."
            return self.refusal({"detail": text, "version": order.version})
        return Response(self.get_serializer(order).data)

    def refusal(self, reason):
        """Answer 409 with what the client can do about it."""
        return Response(reason, status=status.HTTP_409_CONFLICT)

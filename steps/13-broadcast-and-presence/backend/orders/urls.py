"""Addresses below /api/v1/."""

from django.urls import path

from orders import views

urlpatterns = [
    path("customers/", views.CustomerListView.as_view()),
    path("products/", views.ProductListView.as_view()),
    path("orders/", views.OrderListView.as_view()),
    path("orders/<int:order_id>/", views.OrderView.as_view()),
]

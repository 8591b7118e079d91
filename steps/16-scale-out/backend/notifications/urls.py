"""Addresses below /api/notifications/."""

from django.urls import path

from notifications import views

urlpatterns = [
    path("", views.NotificationListView.as_view()),
    path("unread-count/", views.UnreadCountView.as_view()),
    path("read/", views.MarkReadView.as_view()),
    path("<int:notification_id>/read/", views.MarkOneReadView.as_view()),
]

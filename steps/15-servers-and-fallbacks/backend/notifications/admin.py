"""Notifications in the admin."""

from django.contrib import admin

from notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):
    """Notifications, without their data: it may hold a private message."""

    fields = ["recipient", "kind", "read_at"]
    list_display = ["recipient", "kind", "created_at", "read_at"]
    list_select_related = ["recipient"]
    raw_id_fields = ["recipient"]

"""Notifications in the admin."""

from django.contrib import admin

from notifications.models import Connection, Notification


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):
    """Notifications, without their data: it may hold a private message."""

    fields = ["recipient", "kind", "read_at"]
    list_display = ["recipient", "kind", "created_at", "read_at"]
    list_select_related = ["recipient"]
    raw_id_fields = ["recipient"]


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):
    """Open sockets, to look at."""

    list_display = ["user", "opened_at", "seen_at"]
    list_select_related = ["user"]

    def has_add_permission(self, request):
        """Called by the admin: a socket is opened by its client."""
        return False

    def has_change_permission(self, request, obj=None):
        """Called by the admin: there is nothing to change."""
        return False

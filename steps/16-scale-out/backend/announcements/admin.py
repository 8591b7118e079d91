"""Announcements in the admin, where staff can make one."""

from django.contrib import admin

from announcements.models import Announcement
from announcements.services import announce


@admin.register(Announcement)
class AnnouncementAdmin(admin.ModelAdmin):
    """Announcements, which nobody changes: they have been sent."""

    fields = ["text"]
    list_display = ["id", "text", "author", "created_at"]
    list_select_related = ["author"]

    def has_change_permission(self, request, obj=None):
        """Called by the admin."""
        return False

    def save_model(self, request, obj, form, change):
        """Called by the admin to store a new one."""
        obj.pk = announce(author=request.user, text=obj.text).pk

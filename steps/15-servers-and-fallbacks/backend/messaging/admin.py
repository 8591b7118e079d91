"""Messages in the admin."""

from django.contrib import admin

from messaging.models import Message


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    """Messages, without their content: it is private."""

    fields = ["sender", "receiver", "is_read"]
    list_display = ["sender", "receiver", "is_read", "created_at"]
    list_select_related = ["sender", "receiver"]
    raw_id_fields = ["sender", "receiver"]

"""Friendships in the admin."""

from django.contrib import admin

from friends.models import Friendship


@admin.register(Friendship)
class FriendshipAdmin(admin.ModelAdmin):
    """Friendships and open requests."""

    list_display = ["from_user", "to_user", "created_at", "accepted_at"]
    list_select_related = ["from_user", "to_user"]
    raw_id_fields = ["from_user", "to_user"]

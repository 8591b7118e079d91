"""Posts in the admin."""

from django.contrib import admin

from posts.models import Post


@admin.register(Post)
class PostAdmin(admin.ModelAdmin):
    """Posts, found by their author."""

    list_display = ["author", "content", "created_at"]
    list_select_related = ["author"]
    raw_id_fields = ["author", "parent", "shared_from", "liked_by"]

"""Who may do what with a post."""

from rest_framework import permissions


class OnlyAuthorMayChange(permissions.BasePermission):
    """Everybody may read, answer, like and share; only the author may change."""

    def has_object_permission(self, request, view, post):
        """Called by the view's get_object()."""
        changes = request.method in ("PUT", "PATCH", "DELETE")
        return not changes or post.author == request.user

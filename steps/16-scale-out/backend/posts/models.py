"""Posts. A reply is a post with a parent, a share is a post about another post."""

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef

from numeneon.queries import count_of


class PostQuerySet(models.QuerySet):
    """Ways to read posts."""

    def as_seen_by(self, viewer):
        """Add to each post what its serializer shows, in the same query."""
        likes = Post.liked_by.through.objects.filter(post=OuterRef("pk"))
        replies = Post.objects.filter(parent=OuterRef("pk"))
        return self.select_related("author").annotate(
            like_count=count_of(likes, by="post"),
            reply_count=count_of(replies, by="parent"),
            liked=Exists(likes.filter(user=viewer)),
        )


class Post(models.Model):
    """Something a user says to everybody."""

    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="posts"
    )
    content = models.TextField(max_length=2000, blank=True)
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="replies"
    )
    shared_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="shares"
    )
    liked_by = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="liked_posts"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PostQuerySet.as_manager()

    class Meta:
        # Two posts of one instant need the id to keep their order between pages.
        ordering = ["-created_at", "-id"]

    def __str__(self):
        return f"{self.author}: {self.content[:40]}"

"""What users do with posts."""

from django.db import transaction

from notifications import events
from posts.models import Post


@transaction.atomic
def create_post(*, author, content):
    """Publish a post and tell friends. Replies and shares send no event."""
    post = Post.objects.create(author=author, content=content)
    events.new_post(post)
    return post


def reply_to_post(*, post, author, content):
    """Publish an answer below a post."""
    return Post.objects.create(author=author, content=content, parent=post)


def share_post(*, post, author, content):
    """Publish a post that points to another one."""
    return Post.objects.create(author=author, content=content, shared_from=post)


@transaction.atomic
def toggle_like(*, post, user):
    """Like a post, or take the like back. Return whether it is liked now."""
    removed, _ = post.liked_by.through.objects.filter(post=post, user=user).delete()
    if not removed:
        post.liked_by.add(user)
    return not removed

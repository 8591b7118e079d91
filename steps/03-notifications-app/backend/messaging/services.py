"""What users do with messages."""

from messaging.models import Message


def send_message(*, sender, receiver, content):
    """Send a message."""
    return Message.objects.create(sender=sender, receiver=receiver, content=content)


def mark_read(*, reader, partner):
    """Mark the messages of the partner as read. Return how many were unread."""
    return Message.objects.unread_from(partner, reader).update(is_read=True)

"""What users do with messages."""

from django.db import transaction

from messaging.models import Message
from notifications import events


@transaction.atomic
def send_message(*, sender, receiver, content):
    """Send a message."""
    message = Message.objects.create(sender=sender, receiver=receiver, content=content)
    events.new_message(message)
    return message


def mark_read(*, reader, partner):
    """Mark the messages of the partner as read. Return how many were unread."""
    return Message.objects.unread_from(partner, reader).update(is_read=True)

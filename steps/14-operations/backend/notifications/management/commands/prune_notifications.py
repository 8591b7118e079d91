"""manage.py prune_notifications: deletes what nobody will look at again."""

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils import timezone

from notifications.models import Notification


class Command(BaseCommand):
    """Keep the table small; meant to run once a day."""

    help = "Deletes old notifications, and all but the newest of each user."

    def add_arguments(self, parser):
        """Called by Django to learn the command's options."""
        parser.add_argument(
            "--days", type=int, default=7, help="how long they are kept"
        )
        parser.add_argument("--keep", type=int, default=1000, help="how many per user")

    def handle(self, *args, **options):
        """Called by Django to run the command."""
        oldest = timezone.now() - timedelta(days=options["days"])
        deleted, _ = Notification.objects.filter(created_at__lt=oldest).delete()
        for user_id in Notification.objects.recipients_of_more_than(options["keep"]):
            deleted += self.prune_user(user_id, options["keep"])
        self.stdout.write(f"Notifications deleted: {deleted}")

    def prune_user(self, user_id, keep):
        """Delete all but the newest of one user. Return how many it deleted."""
        theirs = Notification.objects.filter(recipient=user_id)
        newest_too_many = theirs.order_by("-id").values("id")[keep : keep + 1]
        deleted, _ = theirs.filter(id__lte=newest_too_many).delete()
        return deleted

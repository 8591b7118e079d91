"""Numbers the notifications that are there already, and makes the inboxes they belong to."""

from django.db import migrations
from django.db.models import F, Max, Window
from django.db.models.functions import RowNumber

BATCH = 500


def number_all(apps, schema_editor):
    """Number each user's notifications in the order of their ids."""
    Notification = apps.get_model("notifications", "Notification")
    number = Window(RowNumber(), partition_by=F("recipient"), order_by=F("id").asc())
    batch = []
    for row in Notification.objects.annotate(number=number).only("id").iterator():
        row.seq = row.number
        batch.append(row)
        if len(batch) == BATCH:
            Notification.objects.bulk_update(batch, ["seq"])
            batch = []
    Notification.objects.bulk_update(batch, ["seq"])


def make_inboxes(apps, schema_editor):
    """Make an inbox for each user with notifications, with the number of the last one."""
    Inbox = apps.get_model("notifications", "Inbox")
    Notification = apps.get_model("notifications", "Notification")
    last = Notification.objects.values_list("recipient").annotate(Max("seq"))
    Inbox.objects.bulk_create(
        Inbox(user_id=user_id, last_seq=seq) for user_id, seq in last
    )


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_inbox")]

    operations = [
        migrations.RunPython(number_all, migrations.RunPython.noop),
        migrations.RunPython(make_inboxes, migrations.RunPython.noop),
    ]

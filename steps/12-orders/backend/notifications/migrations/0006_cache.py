"""The table of the cache in the database, where tickets are kept without Redis."""

from django.core.management import call_command
from django.db import migrations

TABLE = "cache"


def create_table(apps, schema_editor):
    """Do what Django's createcachetable does, so that `migrate` is enough."""
    database = schema_editor.connection.alias
    call_command("createcachetable", TABLE, database=database, verbosity=0)


def drop_table(apps, schema_editor):
    schema_editor.execute(f"DROP TABLE {TABLE}")


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0005_every_notification_has_a_number"),
    ]

    operations = [migrations.RunPython(create_table, drop_table)]

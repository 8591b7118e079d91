"""Query helpers that more than one app needs."""

from django.db.models import Count, Subquery
from django.db.models.functions import Coalesce


def count_of(rows, by):
    """Count rows in a subquery: two joined Counts would multiply each other."""
    counted = rows.order_by().values(by).annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)

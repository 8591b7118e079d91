"""Changes times in the scratch database: all is days older, or by a clock that ticks rarely."""

from datetime import timedelta

from django.apps import apps
from django.db import models, transaction
from django.db.models.functions import TruncMinute


def let_days_pass(days):
    """Move every moment that a row of any model holds back by that many days."""
    passed = timedelta(days=days)
    return _change_moments(lambda name: models.F(name) - passed)


def drop_seconds():
    """Leave of every moment only its minute, so that many are the same."""
    return _change_moments(TruncMinute)


@transaction.atomic
def _change_moments(change):
    for model in apps.get_models(include_auto_created=True):
        moments = [f.name for f in model._meta.concrete_fields if _is_moment(f)]
        if moments:
            model._base_manager.update(**{name: change(name) for name in moments})
    return {}


def _is_moment(field):
    return isinstance(field, models.DateTimeField)

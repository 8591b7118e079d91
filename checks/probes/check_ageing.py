"""Changes times in the scratch database: all is days older, or by a clock that ticks rarely."""

from datetime import timedelta

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models.functions import TruncMinute


def let_days_pass(days, user_id=None):
    """Move every moment that a row of any model holds back by that many days.

    With a user, only those of rows that belong to that user.
    """
    passed = timedelta(days=days)
    return _change_moments(lambda name: models.F(name) - passed, user_id)


def drop_seconds():
    """Leave of every moment only its minute, so that many are the same."""
    return _change_moments(TruncMinute)


@transaction.atomic
def _change_moments(change, user_id=None):
    for model in apps.get_models(include_auto_created=True):
        moments = [f.name for f in model._meta.concrete_fields if _is_moment(f)]
        if moments:
            rows = model._base_manager.filter(_belongs_to(model, user_id))
            rows.update(**{name: change(name) for name in moments})
    return {}


def _belongs_to(model, user_id):
    people = get_user_model()
    owned = models.Q()
    if user_id is not None:
        owned = models.Q(pk__in=[])
        for field in model._meta.concrete_fields:
            if field.remote_field and field.related_model is people:
                owned |= models.Q(**{field.attname: user_id})
    return owned


def _is_moment(field):
    return isinstance(field, models.DateTimeField)

"""Makes many people at once: copies of one, connected with others as that one is."""

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction


@transaction.atomic
def make_bulk_users(like, count):
    """Copy a user `count` times, and each row that points at that user once a copy.

    Rows that cannot be there twice are left out; the caller looks at the result through
    the API. Returns the ids and the emails of the new people.
    """
    people = get_user_model()
    original = people.objects.get(pk=like)
    made = people.objects.bulk_create([_person(original, n) for n in range(count)])
    names = [user.username for user in made]
    made = list(people.objects.filter(username__in=names).order_by("pk"))
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if field.remote_field and field.related_model is people and model is not people:
                rows = model._base_manager.filter(**{field.name: original})
                copies = [_copy(row, **{field.name: user}) for row in rows for user in made]
                model._base_manager.bulk_create(copies, ignore_conflicts=True)
    return {"ids": [user.pk for user in made], "emails": [user.email for user in made]}


def _person(original, number):
    name = f"{original.username}{number:03}"
    return _copy(original, username=name, email=f"{name}@example.com")


def _copy(row, **changes):
    copy = type(row)()
    for field in row._meta.concrete_fields:
        if not field.primary_key:
            setattr(copy, field.attname, getattr(row, field.attname))
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy

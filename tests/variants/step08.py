"""Variants of step 8."""

import course
from course.source import extract
from tests.variants import Edit, broken, correct

_EVENTS = "backend/notifications/events.py"
_MODELS = "backend/notifications/models.py"
_VIEWS = "backend/notifications/views.py"
_READING = "backend/notifications/reading.py"
_URLS = "backend/numeneon/urls.py"
_SETTINGS = "backend/numeneon/settings.py"
_MESSAGING = "backend/messaging/services.py"
_POSTS = "backend/posts/services.py"
_FRIENDS = "backend/friends/services.py"
_PRUNE = "backend/notifications/management/commands/prune_notifications.py"
_INDEXES = "backend/notifications/migrations/0002_indexes.py"
_FOLDER = course.step("stored-notifications").folder


def instead(path: str, symbol: str, code: str) -> Edit:
    """Other code in place of a function or class."""
    return Edit(path, extract(_FOLDER / path, symbol), code)


def published(body: str) -> Edit:
    """Another way to publish."""
    head = "def publish(*, user_ids, kind, data):\n"
    return instead(_EVENTS, "publish", head + body)


def marked(body: str) -> Edit:
    """Another way to mark as read."""
    head = "@transaction.atomic\ndef _mark(user, seen, data):\n"
    return instead(_READING, "_mark", head + body)


_BULK = """    stored = Notification.objects.bulk_create(
        {rows}
    )
"""
_ROWS = "[Notification(recipient_id=pk, kind=kind, data=data) for pk in user_ids]{batches}"
_SENT = "    send_after_commit({row.recipient_id: row.frame() for row in stored})\n"


def stored(batches: str = "", more: str = _SENT) -> Edit:
    """The rows in other batches, or sent in another way."""
    return published(_BULK.format(rows=_ROWS.format(batches=batches)) + more)


# The same project with no services of notifications: everything in the views, one row for the
# event and one for each recipient, and the time at which it was read in the latter.
_ONE_EVENT_MANY_ROWS = (
    Edit(
        _MODELS,
        "",
        '''"""One row for each event, and one for each person it is for."""

from django.conf import settings
from django.db import models


class Event(models.Model):
    what = models.CharField(max_length=30)
    payload = models.JSONField()
    at = models.DateTimeField(auto_now_add=True, db_index=True)


class Delivery(models.Model):
    event = models.ForeignKey(Event, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    seen = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "seen"], name="user_and_seen")]

    @property
    def frame(self):
        return {"id": self.id, "type": self.event.what, "data": self.event.payload}
''',
    ),
    Edit("backend/notifications/migrations/0002_indexes.py", None, None),
    Edit(
        "backend/notifications/migrations/0001_initial.py",
        "",
        """import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CASCADE = django.db.models.deletion.CASCADE
KEY = {"auto_created": True, "primary_key": True, "serialize": False, "verbose_name": "ID"}


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            "Event",
            [
                ("id", models.BigAutoField(**KEY)),
                ("what", models.CharField(max_length=30)),
                ("payload", models.JSONField()),
                ("at", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            "Delivery",
            [
                ("id", models.BigAutoField(**KEY)),
                ("seen", models.DateTimeField(null=True)),
                ("event", models.ForeignKey("notifications.Event", CASCADE)),
                ("user", models.ForeignKey(settings.AUTH_USER_MODEL, CASCADE)),
            ],
            options={
                "indexes": [models.Index(fields=["user", "seen"], name="user_and_seen")]
            },
        ),
    ]
""",
    ),
    Edit("backend/notifications/admin.py", None, None),
    Edit("backend/notifications/serializers.py", None, None),
    Edit("backend/notifications/reading.py", None, None),
    Edit("backend/notifications/tests/test_api.py", None, None),
    Edit("backend/notifications/tests/test_prune.py", None, None),
    Edit("backend/notifications/tests/test_publish.py", None, None),
    Edit(
        _VIEWS,
        "",
        """from django.db import transaction
from django.utils import timezone
from rest_framework.decorators import api_view
from rest_framework.response import Response

from notifications.models import Delivery
from notifications.services import send_notification


@api_view(["GET"])
def inbox(request):
    mine = Delivery.objects.filter(user=request.user).select_related("event").order_by("-id")
    if request.GET.get("unread") == "true":
        mine = mine.filter(seen=None)
    if request.GET.get("before", "").isdigit():
        mine = mine.filter(id__lt=request.GET["before"])
    rows = list(mine[:21])
    more = None
    if len(rows) > 20:
        following = request.GET.copy()
        following["before"] = rows[19].id
        more = f"{request.path}?{following.urlencode()}"
    shown = [
        {**row.frame, "created_at": row.event.at, "read_at": row.seen} for row in rows[:20]
    ]
    return Response({"next": more, "results": shown})


def left(user):
    return Delivery.objects.filter(user=user, seen__isnull=True).count()


@api_view(["GET"])
def count(request):
    return Response({"unread": left(request.user)})


def read(user, deliveries):
    ids = list(deliveries.filter(seen__isnull=True).values_list("id", flat=True))
    Delivery.objects.filter(id__in=ids).update(seen=timezone.now())
    data = {"ids": ids, "unread": left(user)}
    told = {"user_ids": [user.id], "kind": "notifications_read", "data": data}
    transaction.on_commit(lambda: send_notification(**told), robust=True)
    return Response({"ok": True})


@api_view(["POST"])
@transaction.atomic
def read_one(request, id):
    mine = Delivery.objects.filter(user=request.user, id=id)
    return read(request.user, mine) if mine.exists() else Response(status=404)


@api_view(["POST"])
@transaction.atomic
def read_all(request):
    if not isinstance(request.data.get("up_to"), int):
        return Response({"up_to": "required"}, status=400)
    mine = Delivery.objects.filter(user=request.user, id__lte=request.data["up_to"])
    return read(request.user, mine)
""",
    ),
    Edit(
        "backend/notifications/urls.py",
        "",
        """from django.urls import path

from . import views

urlpatterns = [
    path("", views.inbox),
    path("unread-count/", views.count),
    path("read/", views.read_all),
    path("<int:id>/read/", views.read_one),
]
""",
    ),
    Edit(_EVENTS, "from notifications.models import Notification\n", ""),
    Edit(
        _EVENTS,
        "from notifications.services import",
        "from notifications.models import Delivery, Event\nfrom notifications.services import",
    ),
    published(
        """    event = Event.objects.create(what=kind, payload=data)
    rows = [Delivery(event=event, user_id=pk) for pk in user_ids]
    stored = Delivery.objects.bulk_create(rows)
    send_after_commit({row.user_id: row.frame for row in stored})
"""
    ),
    Edit(
        _PRUNE,
        "",
        """from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils.timezone import now

from notifications.models import Delivery, Event


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=7)
        parser.add_argument("--keep", type=int, default=1000)

    def handle(self, days, keep, **options):
        Event.objects.filter(at__lt=now() - timedelta(days=days)).delete()
        for user in Delivery.objects.values_list("user", flat=True).distinct():
            mine = Delivery.objects.filter(user=user).order_by("-id")
            stay = list(mine.values_list("id", flat=True)[:keep])
            mine.exclude(id__in=stay).delete()
""",
    ),
)
_ATOMIC = "@transaction.atomic\n"
_NOT_ATOMIC = (
    Edit(_MESSAGING, f"{_ATOMIC}def send_message", "def send_message"),
    Edit(_POSTS, f"{_ATOMIC}def create_post", "def create_post"),
    Edit(_FRIENDS, f"{_ATOMIC}def send_request", "def send_request"),
)
_MINE = "        mine = self.request.user.notifications.all()\n"
_VIEWS_IMPORT_MODEL = Edit(
    _VIEWS,
    "from notifications import reading\n",
    "from notifications import reading\nfrom notifications.models import Notification\n",
)
_PAGINATED = instead(
    _VIEWS,
    "NewestFirst",
    "class NewestFirst({base}):\n    page_size = default_limit = 20\n",
)
_ORDERED = Edit(_VIEWS, _MINE, _MINE.rstrip("\n") + '.order_by("-id")\n')
_IMPORTED = "from rest_framework.pagination import CursorPagination"


def paginated(base: str) -> tuple[Edit, ...]:
    """The list in the pages of another class of the REST framework."""
    code = _PAGINATED.new.format(base=base)
    edit = Edit(_PAGINATED.path, _PAGINATED.old, code)
    return (
        edit,
        _ORDERED,
        Edit(_VIEWS, _IMPORTED, _IMPORTED.replace("CursorPagination", base)),
    )


def without_index(name: str) -> tuple[Edit, ...]:
    """The model and its migrations without one of the indexes."""
    later = f"""from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_indexes")]
    operations = [migrations.RemoveIndex("notification", "{name}")]
"""
    path = f"backend/notifications/migrations/0003_without_{name}.py"
    model = extract(_FOLDER / _MODELS, "Notification")
    start = model.rindex("            models.Index(", 0, model.index(f'"{name}"'))
    end = model.index("),\n", model.index(f'"{name}"')) + len("),\n")
    return Edit(_MODELS, model[start:end], ""), Edit(path, "", later)


_LIST_INDEX = 'fields=["recipient", "-id"], name="notification_list"'
_BY_TIME = (
    Edit(_MODELS, _LIST_INDEX, _LIST_INDEX.replace('"-id"', '"-created_at", "-id"')),
    Edit(
        "backend/notifications/migrations/0003_by_time.py",
        "",
        """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_indexes")]
    operations = [
        migrations.RemoveIndex("notification", "notification_list"),
        migrations.AddIndex(
            "notification",
            models.Index(
                fields=["recipient", "-created_at", "-id"], name="notification_list"
            ),
        ),
    ]
""",
    ),
    Edit(
        _VIEWS,
        _IMPORTED,
        """from urllib.parse import urlencode

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from rest_framework.pagination import BasePagination""",
    ),
)


def by_time(older: str, position: str) -> tuple[Edit, ...]:
    """A list in pages of our own, each of what is older than the last row of the one before."""
    code = f"""class NewestFirst(BasePagination):
    def paginate_queryset(self, queryset, request, view=None):
        rows = queryset.order_by("-created_at", "-id")
        if "before" in request.query_params:
            moment, _, pk = request.query_params["before"].partition("/")
            moment = parse_datetime(moment)
            rows = rows.filter({older})
        self.rows, self.request = list(rows[:21]), request
        return self.rows[:20]

    def get_paginated_response(self, data):
        link = None
        if len(self.rows) > 20:
            last = self.rows[19]
            query = self.request.query_params.dict() | {{"before": f"{position}"}}
            link = f"{{self.request.path}}?{{urlencode(query)}}"
        return Response({{"next": link, "previous": None, "results": data}})
"""
    return *_BY_TIME, instead(_VIEWS, "NewestFirst", code)


_UPDATE = "    marked = unread.filter(**seen).update(read_at=timezone.now())\n"
_TELL = '        events.notifications_read(user, {**data, "unread": left})\n'

# Too many of a user: those with a higher rank than that, found by one query for everybody.
_RANKED = '''"""Deletes what nobody will look at again."""

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from notifications.models import Notification


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=7)
        parser.add_argument("--keep", type=int, default=1000)

    def handle(self, *, days, keep, **options):
        rows = Notification.objects.all()
        rows.filter(created_at__lt=timezone.now() - timedelta(days=days)).delete()
        rank = Window(RowNumber(), partition_by="recipient", order_by=F("pk").desc())
        surplus = rows.annotate(rank=rank).filter(rank__gt=keep)
        ids = list(surplus.values_list("pk", flat=True))
        for start in range(0, len(ids), 500):
            rows.filter(pk__in=ids[start : start + 500]).delete()
'''


VARIANTS = [
    broken(
        "stored.listed",
        "only who is connected gets a row",
        published(
            """    from channels.layers import get_channel_layer

    groups = getattr(get_channel_layer(), "groups", {})
    stored = Notification.objects.bulk_create(
        Notification(recipient_id=pk, kind=kind, data=data)
        for pk in user_ids
        if groups.get(f"user_{pk}")
    )
"""
            + _SENT
        ),
    ),
    broken(
        "stored.listed",
        "no address",
        Edit(_URLS, '    path("api/notifications/", include("notifications.urls")),\n', ""),
    ),
    broken(
        "stored.listed",
        "oldest first",
        Edit(_VIEWS, 'ordering = "-id"', 'ordering = "id"'),
    ),
    correct(
        "stored.listed",
        "a row for the event, and one for each person",
        *_ONE_EVENT_MANY_ROWS,
    ),
    broken(
        "stored.private",
        "whose list it is stands in the address",
        Edit(
            _VIEWS,
            _MINE,
            '        user = self.request.query_params.get("user", self.request.user)\n'
            "        mine = Notification.objects.filter(recipient=user)\n",
        ),
        _VIEWS_IMPORT_MODEL,
    ),
    broken(
        "stored.private",
        "everybody's",
        Edit(_VIEWS, _MINE, "        mine = Notification.objects.all()\n"),
        _VIEWS_IMPORT_MODEL,
    ),
    correct(
        "stored.private",
        "from the user's own side",
        Edit(
            _VIEWS,
            _MINE,
            "        mine = Notification.objects.filter(recipient=self.request.user)\n",
        ),
        _VIEWS_IMPORT_MODEL,
    ),
    broken("stored.together", "no transaction around the two", *_NOT_ATOMIC),
    broken(
        "stored.together",
        "stored after the commit",
        published(
            """    user_ids = list(user_ids)

    def send():
        rows = [Notification(recipient_id=pk, kind=kind, data=data) for pk in user_ids]
        stored = Notification.objects.bulk_create(rows)
        send_frames({row.recipient_id: row.frame() for row in stored})

    transaction.on_commit(send, robust=True)
"""
        ),
    ),
    broken(
        "stored.together",
        "an error is swallowed",
        published(
            """    rows = [Notification(recipient_id=pk, kind=kind, data=data) for pk in user_ids]
    try:
        with transaction.atomic():
            stored = Notification.objects.bulk_create(rows)
    except Exception:
        return
"""
            + _SENT
        ),
    ),
    correct(
        "stored.together",
        "the whole request in a transaction",
        *_NOT_ATOMIC,
        Edit(
            _SETTINGS,
            'AUTH_USER_MODEL = "users.User"',
            'AUTH_USER_MODEL = "users.User"\nDATABASES["default"]["ATOMIC_REQUESTS"] = True',
        ),
    ),
    broken(
        "stored.rollback",
        "sent at once",
        stored(
            more="    try:\n"
            "        send_frames({row.recipient_id: row.frame() for row in stored})\n"
            "    except Exception:\n"
            "        pass\n"
        ),
    ),
    correct(
        "stored.rollback",
        "read again after the commit",
        stored(
            more="""    ids = [row.pk for row in stored]

    def send():
        rows = Notification.objects.filter(pk__in=ids)
        send_frames({row.recipient_id: row.frame() for row in rows})

    transaction.on_commit(send, robust=True)
"""
        ),
    ),
    broken(
        "stored.few-queries",
        "a query for each friend",
        published(
            """    stored = [
        Notification.objects.create(recipient_id=pk, kind=kind, data=data)
        for pk in user_ids
    ]
"""
            + _SENT
        ),
    ),
    broken("stored.few-queries", "small batches", stored(", batch_size=50")),
    correct("stored.few-queries", "batches of 150", stored(", batch_size=150")),
    broken("stored.cursor", "pages with a number", *paginated("PageNumberPagination")),
    broken("stored.cursor", "limit and offset", *paginated("LimitOffsetPagination")),
    broken(
        "stored.cursor",
        "what is older than the last moment shown",
        *by_time("created_at__lt=moment", "{last.created_at.isoformat()}"),
    ),
    correct("stored.cursor", "after an id", *_ONE_EVENT_MANY_ROWS),
    correct(
        "stored.cursor",
        "after a moment and an id",
        *by_time(
            "Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=pk)",
            "{last.created_at.isoformat()}/{last.pk}",
        ),
    ),
    broken(
        "stored.private-pages",
        "the link says whose page it is",
        *by_time(
            'pk__lt=pk.partition("&")[0]',
            "{last.created_at.isoformat()}/{last.pk}&of={last.recipient_id}",
        ),
        Edit(
            _VIEWS,
            _MINE,
            '        before = self.request.query_params.get("before", "")\n'
            '        user = before.partition("&of=")[2] or self.request.user\n'
            "        mine = Notification.objects.filter(recipient=user)\n",
        ),
        _VIEWS_IMPORT_MODEL,
    ),
    correct("stored.private-pages", "after an id", *_ONE_EVENT_MANY_ROWS),
    broken(
        "stored.hint",
        "no id",
        Edit(_MODELS, '"data": self.data, "id": self.pk}', '"data": self.data}'),
    ),
    broken(
        "stored.hint",
        "the id of the message",
        Edit(_MODELS, '"id": self.pk}', '"id": self.data.get("id", self.pk)}'),
    ),
    broken(
        "stored.hint",
        "the id of the first receiver's row for all",
        stored(
            more="""    frame = stored and stored[0].frame()
    send_after_commit({row.recipient_id: frame for row in stored})
"""
        ),
    ),
    correct(
        "stored.hint",
        "put together where it is sent",
        stored(
            more="""    common = {"type": kind, "data": data, "sent_by": "numeneon"}
    send_after_commit({row.recipient_id: {**common, "id": row.id} for row in stored})
"""
        ),
    ),
    broken(
        "stored.mark-one",
        "read again, and at another time",
        marked(
            """    unread = user.notifications.unread()
    marked = user.notifications.filter(**seen).update(read_at=timezone.now())
    left = unread.count()
    if marked:
"""
            + _TELL
            + "    return left\n"
        ),
    ),
    broken(
        "stored.mark-one",
        "back and forth",
        Edit(
            _READING,
            _UPDATE,
            "    now = timezone.now()\n"
            "    rows = user.notifications.filter(**seen)\n"
            "    again = rows.exclude(read_at=None).update(read_at=None)\n"
            "    marked = again or rows.update(read_at=now)\n",
        ),
    ),
    correct(
        "stored.mark-one",
        "row by row",
        Edit(
            _READING,
            _UPDATE,
            "    marked = list(unread.filter(**seen))\n"
            "    for row in marked:\n"
            "        row.read_at = timezone.now()\n"
            '        row.save(update_fields=["read_at"])\n',
        ),
    ),
    broken(
        "stored.unread-count",
        "all are counted",
        Edit(
            _VIEWS,
            "request.user.notifications.unread().count()",
            "request.user.notifications.count()",
        ),
    ),
    broken(
        "stored.unread-count",
        "kept in the cache for half a minute",
        Edit(
            _VIEWS,
            "request.user.notifications.unread().count()",
            'cache.get_or_set(f"unread-{request.user.pk}",'
            " request.user.notifications.unread().count, 30)",
        ),
        Edit(
            _VIEWS,
            "from django.shortcuts import",
            "from django.core.cache import cache\nfrom django.shortcuts import",
        ),
    ),
    broken(
        "stored.unread-count",
        "the list does not care",
        Edit(_VIEWS, "return mine.unread() if only_unread else mine", "return mine"),
    ),
    broken(
        "stored.unread-count",
        "the next page of the unread ones has all",
        Edit(
            _VIEWS,
            "    page_size = 20\n",
            """    page_size = 20

    def get_next_link(self):
        link = super().get_next_link()
        return link and link.replace("&unread=true", "")
""",
        ),
    ),
    correct(
        "stored.unread-count",
        "a row for the event, and one for each",
        *_ONE_EVENT_MANY_ROWS,
    ),
    broken(
        "stored.mark-seen",
        "all of them, whatever was seen",
        Edit(_READING, '{"pk__lte": up_to}', "{}"),
    ),
    broken(
        "stored.mark-seen",
        "all of them, if it is not said",
        Edit(
            "backend/notifications/serializers.py",
            "max_value=2**63 - 1)",
            "max_value=2**63 - 1, default=2**63 - 1)",
        ),
    ),
    correct("stored.mark-seen", "by hand", *_ONE_EVENT_MANY_ROWS),
    broken(
        "stored.mark-own",
        "whoever asks",
        Edit(
            _VIEWS,
            "get_object_or_404(request.user.notifications, pk=notification_id)",
            "get_object_or_404(Notification, pk=notification_id)",
        ),
        _VIEWS_IMPORT_MODEL,
    ),
    broken(
        "stored.mark-own",
        "everybody's up to that id",
        Edit(
            _READING,
            _UPDATE,
            "    everybody = user.notifications.model.objects.unread()\n"
            '    marked = (everybody if "pk__lte" in seen else unread).filter(**seen).update(\n'
            "        read_at=timezone.now()\n"
            "    )\n",
        ),
    ),
    correct("stored.mark-own", "by hand", *_ONE_EVENT_MANY_ROWS),
    broken("stored.devices", "nobody is told", Edit(_READING, _TELL, "        pass\n")),
    broken(
        "stored.devices",
        "everybody is told",
        Edit(
            _READING,
            _TELL,
            "        for somebody in type(user).objects.all():\n"
            '            events.notifications_read(somebody, {**data, "unread": left})\n',
        ),
    ),
    broken(
        "stored.devices",
        "what was unread before",
        Edit(
            _READING,
            _UPDATE + "    left = unread.count()\n",
            "    left = unread.count()\n" + _UPDATE,
        ),
    ),
    correct("stored.devices", "the ids of all", *_ONE_EVENT_MANY_ROWS),
    broken(
        "stored.indexes",
        "no index of the unread",
        *without_index("notification_unread"),
    ),
    broken(
        "stored.cursor",
        "sorted by the time",
        Edit(_VIEWS, 'ordering = "-id"', 'ordering = ("-created_at", "-id")'),
    ),
    correct("stored.indexes", "user and moment of reading", *_ONE_EVENT_MANY_ROWS),
    broken(
        "stored.pruned",
        "also what is younger",
        Edit(_PRUNE, 'timedelta(days=options["days"])', 'timedelta(hours=options["days"])'),
    ),
    broken(
        "stored.pruned",
        "nothing",
        Edit(_PRUNE, "created_at__lt=oldest", "created_at__lt=oldest, kind=None"),
    ),
    correct("stored.pruned", "by the event", *_ONE_EVENT_MANY_ROWS),
    broken(
        "stored.pruned-per-user",
        "three of all users together",
        Edit(
            _PRUNE,
            "theirs = Notification.objects.filter(recipient=user_id)\n",
            "theirs = Notification.objects.all()\n",
        ),
    ),
    broken(
        "stored.pruned-per-user",
        "the oldest stay",
        Edit(
            _PRUNE,
            'theirs.order_by("-id").values("id")[keep : keep + 1]',
            'theirs.order_by("id").values("id")[keep : keep + 1]',
        ),
        Edit(_PRUNE, "theirs.filter(id__lte=", "theirs.filter(id__gte="),
    ),
    correct("stored.pruned-per-user", "in Python", *_ONE_EVENT_MANY_ROWS),
    broken(
        "stored.pruned-by-index",
        "no index of the moment",
        *without_index("notification_age"),
    ),
    correct(
        "stored.pruned-by-index", "an index of the event's moment", *_ONE_EVENT_MANY_ROWS
    ),
    correct(
        "stored.pruned-by-index",
        "ranked by a window function",
        Edit(_PRUNE, "", _RANKED),
    ),
]

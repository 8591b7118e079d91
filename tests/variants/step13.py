"""Projects that prove the items of step 13."""

import course
from course.source import extract
from tests.variants import Edit, broken, correct

FOLDER = course.step("broadcast-and-presence").folder

ANNOUNCING = "backend/announcements/services.py"
NUMBERING = "backend/announcements/numbering.py"
READING = "backend/announcements/reading.py"
LISTING = "backend/announcements/views.py"
STREAMS = "backend/notifications/streams.py"
EVENTS = "backend/notifications/events.py"
CONSUMER = "backend/notifications/consumers.py"
ROUTING = "backend/notifications/routing.py"
MODELS = "backend/notifications/models.py"
CONNECTIONS = "backend/notifications/connections.py"
PRESENCE = "backend/notifications/presence.py"
SIGNED_IN = "backend/notifications/signed_in.py"
SERVICES = "backend/notifications/services.py"
URLS = "backend/numeneon/urls.py"
CLIENT = "backend/client/static/client/notifications.js"
APP = "backend/client/static/client/app.js"

STORE = """\
    announcement = Announcement.objects.create(id=number, author=author, text=text)
"""
A_ROW_EACH = f"""\
{STORE}\
    from django.contrib.auth import get_user_model
    from notifications.models import Notification
    from notifications.numbering import next_numbers

    Notification.objects.bulk_create(
        Notification(recipient_id=pk, seq=seq, kind="announcement", data={{}})
        for pk, seq in next_numbers(
            get_user_model().objects.values_list("pk", flat=True)
        ).items()
    )
"""
COUNTER = """\
    counter = AnnouncementCounter.objects.select_for_update().get(pk=1)
    counter.last += 1
    counter.save()
    return counter.last
"""
CONDITIONALLY = """\
    from django.db.models import F

    AnnouncementCounter.objects.filter(pk=1).update(last=F("last") + 1)
    return AnnouncementCounter.objects.get(pk=1).last
"""
OLD_ADDRESS = (
    '    path("notifications/", include("notifications.urls")),\n    path("announce'
)
BEHIND = "Inbox.objects.filter(user=user, announcements_read__lt=up_to)"
AFTER_COMMIT = """\
    transaction.on_commit(lambda: send_to_everyone(frame), robust=True)
"""
FOR_ALL = """\
        for stream in self.streams:
            # If the client does not name a stream, it gets none of its past events.
            if recovered and stream.name in seen:
"""
PONG = """\
        last = {f"last_{stream.name}": await stream.last() for stream in self.streams}
"""
HEAR = """\
        if number == self.sent + 1:
            await self.forward(frame)
        return number <= self.sent or await self.catch_up(number)
"""
FORWARD = """\
        if number > self.sent:
            await self.forward(frame)
        return True
"""
MAY = """\
        if await may_watch(user.pk, self.owner_id):
            await super().sign_in(user, claims)
        else:
            await self.close(code=4403)
"""
OWN_STREAM = "        return [UserStream(self, self.owner_id)]\n"
NUMBER = "        if type(sent) in (int, float) and abs(sent) < 2**53:\n"
FRIENDS = """\
    theirs = Connection.objects.present().filter(user__in=friends_of(user_id))
    return sorted(set(theirs.values_list("user", flat=True)))
"""
OR_ASKED = """\
    from django.contrib.auth import get_user_model
    from django.db.models import Q

    known = Q(was_asked__from_user=user_id) | Q(pk__in=friends_of(user_id))
    users = get_user_model().objects.filter(known)
    theirs = Connection.objects.present().filter(user__in=users)
    return sorted(set(theirs.values_list("user", flat=True)))
"""
ONE_BY_ONE = """\
    present = set(Connection.objects.present().values_list("user_id", flat=True))
    return [friend.pk for friend in friends_of(user_id).order_by("pk") if friend.pk in present]
"""
END = """\
    rows = Connection.objects.filter(channel=channel)
    return rows.update(open=False, seen_at=timezone.now()) > 0
"""
ALL_OF_THEM = """\
    rows = Connection.objects.filter(channel=channel)
    users = rows.values_list("user", flat=True)
    rows = Connection.objects.filter(user__in=list(users))
    return rows.update(open=False, seen_at=timezone.now()) > 0
"""
FIRST = """\
    if not theirs.exists():
        tell_friends(user_id)
    Connection"""
READ_AND_SAVED = """\
    row = Connection.objects.filter(channel=channel).first()
    if row:
        row.open = False
        row.save()
    return bool(row)
"""
SEEN_IN_THE_CACHE = '''class ConnectionQuerySet(models.QuerySet):
    """Until when a socket counts is in the cache."""

    def present(self):
        return self.filter(channel__in=self.alive())

    def over(self):
        return self.exclude(channel__in=self.alive())

    def alive(self):
        until = cache.get_many(self.values_list("channel", flat=True))
        return [channel for channel, end in until.items() if end > time.time()]


def seen(channel, seconds):
    cache.set(channel, time.time() + seconds, timeout=None)
'''
GRACE = "    await asyncio.sleep(settings.PRESENCE_GRACE_SECONDS)\n"
SWEPT = "                await sweep()\n"
LATENCY = '    if ("sent" in frame) connection.onLatency?.(now() - frame.sent);\n'

VARIANTS = [
    broken(
        "announce.staff",
        "everybody may announce",
        Edit(LISTING, "IsAdminUser() if writes", "IsAuthenticated() if writes"),
    ),
    correct(
        "announce.staff",
        "a page is longer",
        Edit(
            LISTING,
            "    pagination_class = NewestFirst\n",
            '    pagination_class = type("Longer", (NewestFirst,), {"page_size": 50})\n',
        ),
    ),
    broken(
        "announce.one-row",
        "a notification for each user, too",
        Edit(ANNOUNCING, STORE, A_ROW_EACH),
    ),
    correct(
        "announce.one-row",
        "made and then saved",
        Edit(
            ANNOUNCING,
            STORE,
            "    announcement = Announcement(id=number, author=author, text=text)\n"
            "    announcement.save(force_insert=True)\n",
        ),
    ),
    broken(
        "announce.read",
        "what one has read, all have",
        Edit(READING, BEHIND, "Inbox.objects.filter(announcements_read__lt=up_to)"),
    ),
    broken(
        "announce.read",
        "what is not there yet was read",
        Edit(READING, "    up_to = min(up_to, last_number())\n", ""),
    ),
    broken(
        "announce.read",
        "what was read is new again",
        Edit(READING, BEHIND, "Inbox.objects.filter(user=user)"),
    ),
    correct(
        "announce.read",
        "counted in Python",
        Edit(
            READING,
            "    return Announcement.objects.filter(pk__gt=read).count()\n",
            "    return sum(row.pk > read for row in Announcement.objects.all())\n",
        ),
    ),
    broken(
        "announce.v1",
        "only the old address",
        Edit(URLS, OLD_ADDRESS, '    path("announce'),
    ),
    correct(
        "announce.v1",
        "both by one pattern",
        Edit(URLS, OLD_ADDRESS, '    path("announce'),
        Edit(
            URLS,
            '    path("api/notifications/", include("notifications.urls")),\n',
            '    re_path(r"^api/(?:v1/)?notifications/", include("notifications.urls")),\n',
        ),
        Edit(
            URLS,
            "from django.urls import include, path\n",
            "from django.urls import include, path, re_path\n",
        ),
    ),
    broken(
        "announce.live",
        "sent before the commit",
        Edit(EVENTS, AFTER_COMMIT, "    send_to_everyone(frame)\n"),
    ),
    correct(
        "announce.live",
        "a named function sends it",
        Edit(
            EVENTS,
            AFTER_COMMIT,
            "    def send():\n        send_to_everyone(frame)\n\n"
            "    transaction.on_commit(send, robust=True)\n",
        ),
    ),
    broken(
        "announce.writers",
        "read and written without a lock",
        Edit(NUMBERING, "objects.select_for_update().get", "objects.get"),
    ),
    correct(
        "announce.writers",
        "the update is the lock",
        Edit(NUMBERING, COUNTER, CONDITIONALLY),
    ),
    broken(
        "announce.missed",
        "a client that names no announcement gets all",
        Edit(
            CONSUMER,
            FOR_ALL,
            FOR_ALL.replace("and stream.name in seen:", ":").replace(
                "        for stream",
                '        seen = {"announcement": 0} | seen\n        for stream',
            ),
        ),
    ),
    correct(
        "announce.missed",
        "announcements first",
        Edit(
            CONSUMER, FOR_ALL, FOR_ALL.replace("self.streams:", "reversed(self.streams):")
        ),
    ),
    broken(
        "announce.gap",
        "pong has only the user's own number",
        Edit(CONSUMER, PONG, PONG.replace("in self.streams}", "in self.streams[:1]}")),
    ),
    correct(
        "announce.gap",
        "the client has to resume",
        Edit(STREAMS, HEAR, FORWARD),
    ),
    broken(
        "announce.forged",
        "the list is not among what to request",
        Edit(CONSUMER, '    "/api/v1/announcements/",\n', ""),
    ),
    correct(
        "announce.forged",
        "bool is no number either",
        Edit(STREAMS, "not isinstance(seen, int) or", "type(seen) is not int or"),
    ),
    broken(
        "address.whose",
        "whoever is signed in may watch",
        Edit(CONSUMER, MAY, "        await super().sign_in(user, claims)\n"),
    ),
    broken(
        "address.whose",
        "a user who does not exist is refused in another way",
        Edit(
            CONSUMER,
            MAY,
            MAY.replace(
                "        else:",
                "        elif not await database_sync_to_async(\n"
                "            get_user_model().objects.filter(pk=self.owner_id).exists\n"
                "        )():\n            await self.close(code=4404)\n        else:",
            ),
        ),
    ),
    broken(
        "address.whose",
        "staff may open the address of nobody",
        Edit(
            CONSUMER,
            "return staff.exists() and users.filter(pk=owner_id).exists()",
            "return staff.exists()",
        ),
    ),
    correct(
        "address.whose",
        "path() converts the number",
        Edit(
            ROUTING,
            """re_path(r"^ws/notifications/(?P<user_id>[0-9]{1,18})/?$",""",
            """path("ws/notifications/<int:user_id>/",""",
        ),
        Edit(ROUTING, "import re_path", "import path, re_path"),
    ),
    broken(
        "address.events",
        "announcements arrive there, too",
        Edit(
            CONSUMER,
            OWN_STREAM,
            OWN_STREAM.replace("owner_id)]", "owner_id), AnnouncementStream(self)]"),
        ),
    ),
    correct(
        "address.events",
        "a list that is made of a tuple",
        Edit(
            CONSUMER,
            OWN_STREAM,
            "        return list((UserStream(self, self.owner_id),))\n",
        ),
    ),
    broken(
        "address.ends",
        "nobody looks again",
        Edit(
            CONSUMER,
            "        if not await may_watch(self.scope",
            "        if False and not await may_watch(self.scope",
        ),
    ),
    correct(
        "address.ends",
        "everybody's sessions are in a group of their own",
        Edit(SERVICES, 'return f"watcher_{user_id}"', 'return f"session_{user_id}"'),
    ),
    broken(
        "ping.measures",
        "whatever was sent is sent back",
        Edit(CONSUMER, NUMBER, "        if sent is not None:\n"),
    ),
    correct(
        "ping.measures",
        "the time has a fraction",
        Edit(CONSUMER, "round(1000 * time.time())", "1000 * time.time()"),
    ),
    broken(
        "presence.list",
        "everybody sees everybody",
        Edit(PRESENCE, ".filter(user__in=friends_of(user_id))", ".exclude(user=user_id)"),
    ),
    broken(
        "presence.list",
        "whoever has asked sees the other one",
        Edit(PRESENCE, FRIENDS, OR_ASKED),
    ),
    correct(
        "presence.list",
        "friends are compared one by one",
        Edit(PRESENCE, FRIENDS, ONE_BY_ONE),
    ),
    broken(
        "presence.devices",
        "one that closes closes all",
        Edit(CONNECTIONS, END, ALL_OF_THEM),
    ),
    correct(
        "presence.devices",
        "the row is read and saved",
        Edit(CONNECTIONS, END, READ_AND_SAVED),
    ),
    broken(
        "presence.dead-server",
        "an open row counts for ever",
        Edit(
            MODELS,
            "timedelta(seconds=2 * settings.HEARTBEAT_SECONDS)",
            "timedelta(days=99)",
        ),
    ),
    correct(
        "presence.dead-server",
        "three heartbeats",
        Edit(MODELS, "2 * settings.HEARTBEAT_SECONDS", "3 * settings.HEARTBEAT_SECONDS"),
    ),
    correct(
        "presence.dead-server",
        "in the cache",
        Edit(MODELS, extract(FOLDER / MODELS, "ConnectionQuerySet"), SEEN_IN_THE_CACHE),
        Edit(MODELS, extract(FOLDER / MODELS, "_seen"), ""),
        Edit(MODELS, "import secrets\n", "import secrets\nimport time\n"),
        Edit(MODELS, "from datetime import timedelta\n", ""),
        Edit(
            MODELS,
            "from django.db import models\nfrom django.utils import timezone\n",
            "from django.core.cache import cache\nfrom django.db import models\n",
        ),
        Edit(CONNECTIONS, "import Connection, Inbox\n", "import Connection, Inbox, seen\n"),
        Edit(
            CONNECTIONS,
            "    Connection.objects.create(user_id=user_id, channel=channel)\n",
            "    Connection.objects.create(user_id=user_id, channel=channel)\n"
            "    seen(channel, 2 * settings.HEARTBEAT_SECONDS)\n",
        ),
        Edit(
            CONNECTIONS,
            "    return rows.update(seen_at=timezone.now()) > 0\n",
            "    seen(channel, 2 * settings.HEARTBEAT_SECONDS)\n    return rows.exists()\n",
        ),
        Edit(
            CONNECTIONS,
            "    return rows.update(open=False, seen_at=timezone.now()) > 0\n",
            "    seen(channel, settings.PRESENCE_GRACE_SECONDS)\n"
            "    return rows.update(open=False) > 0\n",
        ),
        Edit(CONNECTIONS, "from django.utils import timezone\n", ""),
    ),
    broken(
        "presence.told",
        "each socket is news",
        Edit(CONNECTIONS, FIRST, "    tell_friends(user_id)\n    Connection"),
    ),
    broken(
        "presence.told",
        "nobody says goodbye",
        Edit(SIGNED_IN, "        await forget(user_id)\n", "        pass\n"),
        Edit(SIGNED_IN, SWEPT, ""),
    ),
    correct(
        "presence.told",
        "only those who are not the user themself",
        Edit(
            PRESENCE,
            "send_frames(dict.fromkeys(online_friends_of(user_id), frame))",
            "send_frames({pk: dict(frame) for pk in online_friends_of(user_id) if pk != user_id})",
        ),
    ),
    correct(
        "presence.killed",
        "a server that learns late that a socket has ended",
        Edit(
            SIGNED_IN,
            "            if await end(",
            "            await asyncio.sleep(0.05)\n            if await end(",
        ),
        alone=True,
    ),
    correct(
        "presence.reload",
        "a little more patience",
        Edit(SIGNED_IN, GRACE, GRACE.replace("SECONDS)", "SECONDS + 0.1)")),
    ),
    broken(
        "presence.reload",
        "no grace",
        Edit(MODELS, "grace = timedelta(", "grace = 0 * timedelta("),
    ),
    broken(
        "presence.killed",
        "nobody sweeps",
        Edit(SIGNED_IN, SWEPT, ""),
    ),
    broken(
        "presence.killed",
        "it tells again and again",
        Edit(CONNECTIONS, "        forget(user_id)\n", "        tell_friends(user_id)\n"),
    ),
    correct(
        "presence.killed",
        "in the order of their ids",
        Edit(CONNECTIONS, "in set(users)", "in sorted(set(users))"),
    ),
    broken("presence.page", "the page does not measure", Edit(CLIENT, LATENCY, "")),
    correct(
        "presence.page",
        "in other words",
        Edit(APP, "${friend.username} (online)", "${friend.username} is online"),
    ),
]

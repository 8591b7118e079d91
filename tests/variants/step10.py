"""Projects that prove the items of step 10."""

import course
from course.source import extract
from tests.variants import Edit, broken, correct
from tests.variants.step06 import DAPHNE, PLAN, START

TICKETS = "backend/notifications/tickets.py"
MIDDLEWARE = "backend/notifications/middleware.py"
VIEWS = "backend/notifications/views.py"
CONSUMER = "backend/notifications/consumers.py"
SETTINGS = "backend/numeneon/settings.py"
ORIGINS = "backend/numeneon/origins.py"
ASGI = "backend/numeneon/asgi.py"
API = "backend/client/static/client/api.js"
APP = "backend/client/static/client/app.js"

_FOLDER = course.step("tickets").folder

ISSUE = "    ticket = secrets.token_urlsafe(16)  # 16 bytes: 128 random bits\n"
STORE = "cache.set(key_of(ticket, origin), user_id, timeout=LIFETIME)"
KEY = 'return "ticket-" + hashlib.sha256(f"{ticket} {origin}".encode()).hexdigest()'
REDEEM = """\
    user_id = cache.get(key)
    # Two sockets may have read the same ticket: delete() returns True for one of them.
    return user_id if cache.delete(key) else None
"""
USER = "User.objects.filter(pk=user_id, is_active=True).first()"
TOKEN_USER = 'await user_with_token(headers.get(b"authorization", b""))'
CORS = "CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS\n"
CORS_MIDDLEWARE = '    "corsheaders.middleware.CorsMiddleware",\n'
REDIS_CACHE = """\
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "OPTIONS": {**redis_timeouts, "retry": Retry(NoBackoff(), retries=1)},
"""
DATABASE_CACHE = """\
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
            # A full table drops tickets that are still valid; the default is 300.
            "OPTIONS": {"MAX_ENTRIES": 10_000},
"""
LOCAL_MEMORY = """\
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
"""
PROTOCOLS = """\
    const ticket = await api.socketTicket();
    return ticket && ["ticket", ticket];
"""
# A ticket in a table of its own, in an app with another name.
APP_OF_ITS_OWN = (
    Edit("backend/gate/__init__.py", "", ""),
    Edit("backend/gate/migrations/__init__.py", "", ""),
    Edit(
        "backend/gate/models.py",
        "",
        '''\
"""Passes: each lets one page connect once."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone


class Pass(models.Model):
    """What is known of a pass; the pass itself is known to its owner only."""

    digest = models.CharField(max_length=64, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    site = models.CharField(max_length=200)
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self):
        return f"Pass of {self.owner}"

    @classmethod
    def make(cls, owner, site):
        text = secrets.token_hex(16)
        cls.objects.create(digest=digest_of(text), owner=owner, site=site)
        return text

    @classmethod
    def take(cls, text, site):
        since = timezone.now() - timedelta(seconds=30)
        passes = cls.objects.filter(digest=digest_of(text), site=site, made_at__gt=since)
        found = passes.select_related("owner").first()
        TAKING


def digest_of(text):
    return hashlib.sha256(text.encode()).hexdigest()
''',
    ),
    Edit(
        "backend/gate/migrations/0001_initial.py",
        "",
        """\
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            "Pass",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64, unique=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("site", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        )
    ]
""",
    ),
    Edit(SETTINGS, '    "client",\n', '    "client",\n    "gate",\n'),
    Edit(
        VIEWS,
        extract(_FOLDER / VIEWS, "TicketView"),
        """\
class TicketView(APIView):
    def post(self, request):
        from gate.models import Pass

        text = Pass.make(request.user, request.META.get("HTTP_ORIGIN") or "")
        return Response({"ticket": text, "expires_in": 30}, 201)
""",
    ),
    Edit(
        MIDDLEWARE,
        """\
    user_id = tickets.redeem(ticket, origin.decode("latin1"))
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user or AnonymousUser()
""",
        """\
    from gate.models import Pass

    found = Pass.take(ticket, origin.decode("latin1"))
    return found if found and found.is_active else AnonymousUser()
""",
    ),
)
_MODEL = APP_OF_ITS_OWN[2].new


def with_a_model(taking: str) -> tuple[Edit, ...]:
    """That project, with these lines where a pass is taken."""
    edits = list(APP_OF_ITS_OWN)
    edits[2] = Edit(
        "backend/gate/models.py", "", _MODEL.replace("        TAKING\n", taking)
    )
    return tuple(edits)


DELETES = """\
        return found.owner if passes.delete()[0] else None
"""
UPDATES = """\
        return found.owner if found and passes.update(site="used") else None
"""
READS = """\
        passes.delete()
        return found and found.owner
"""
# A ticket that is signed: nothing is stored until it is used.
SIGNED = '''\
"""Tickets that carry their user, signed; what is stored is that one was used."""

import hashlib

from django.core import signing
from django.core.cache import cache
from django.utils.crypto import get_random_string

LIFETIME = 30


def issue(user_id, origin):
    named = signing.TimestampSigner(sep=".").sign(f"{user_id}-{get_random_string(22)}")
    return f"{named}.{seal(named, origin)}"


def redeem(ticket, origin):
    named, _, sealed = ticket.rpartition(".")
    try:
        said = signing.TimestampSigner(sep=".").unsign(named, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    if sealed != seal(named, origin):
        return None
    used = hashlib.sha256(ticket.encode()).hexdigest()
    return int(said.split("-")[0]) if cache.add(used, 1, timeout=2 * LIFETIME) else None


def seal(named, origin):
    return signing.Signer(salt=origin).signature(named)
'''
# A ticket that is a JWT of its own kind.
JWT = '''\
"""Tickets that are short-lived JWTs; the cache knows which were used."""

from datetime import timedelta

from django.core.cache import cache
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

LIFETIME = 30


class Ticket(Token):
    token_type = "ticket"
    lifetime = timedelta(seconds=LIFETIME)


def issue(user_id, origin):
    ticket = Ticket()
    ticket["sub"], ticket["origin"] = str(user_id), origin
    return str(ticket)


def redeem(text, origin):
    try:
        ticket = Ticket(text)
    except TokenError:
        return None
    if ticket["origin"] != origin or not cache.add(ticket["jti"], 1, 2 * LIFETIME):
        return None
    return int(ticket["sub"])
'''
# Redis by its own client, where there is one; else rows of the cache.
GETDEL = '''\
"""Tickets, in Redis or in the cache."""

import hashlib
import os
import secrets

import redis
from django.core.cache import cache

LIFETIME = 30
URL = os.environ.get("REDIS_URL")
ONCE = redis.retry.Retry(redis.backoff.NoBackoff(), 1)
STORE = redis.Redis.from_url(URL, socket_timeout=1, retry=ONCE) if URL else None


def issue(user_id, origin):
    ticket = secrets.token_hex(16)
    if STORE:
        STORE.set(key_of(ticket, origin), user_id, ex=LIFETIME)
    else:
        cache.add(key_of(ticket, origin), user_id, LIFETIME)
    return ticket


def redeem(ticket, origin):
    key = key_of(ticket, origin)
    if STORE:
        found = STORE.getdel(key)
        return int(found) if found else None
    found = cache.get(key)
    return found if cache.delete(key) else None


def key_of(ticket, origin):
    return hashlib.sha256(f"{origin}|{ticket}".encode()).hexdigest()
'''
OWN_CORS = '''\
"""CORS without a library."""

from django.conf import settings
from django.http import HttpResponse


def cors(get_response):
    def answer(request):
        origin = request.headers.get("Origin")
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if asked else get_response(request)
        if origin in settings.ALLOWED_ORIGINS:
            response["Access-Control-Allow-Origin"] = origin
            response["Vary"] = "Origin"
            response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
        return response

    return answer
'''
VALIDATOR = '''\
"""Channels' own validator, and what it lacks."""

from channels.security.websocket import OriginValidator
from django.conf import settings


class OriginMiddleware(OriginValidator):
    """Full origins, our own pages, and programs that send none."""

    def __init__(self, application):
        super().__init__(application, settings.ALLOWED_ORIGINS)

    async def __call__(self, scope, receive, send):
        headers = {name.decode(): value.decode("latin1") for name, value in scope["headers"]}
        origin, host = headers.get("origin"), headers.get("host", "")
        secure = "https" in (headers.get("x-forwarded-proto"), scope.get("scheme"))
        own = f"{'https' if secure else 'http'}://{host}"
        known = host.rpartition(":")[0] or host
        hosts = settings.ALLOWED_HOSTS or ["localhost", "127.0.0.1"]
        if origin is None or origin in settings.ALLOWED_ORIGINS:
            return await self.application(scope, receive, send)
        if origin == own and known in hosts:
            return await self.application(scope, receive, send)
        await send({"type": "websocket.close"})
'''

VARIANTS = [
    # Part 1
    broken(
        "tickets.issued",
        "eight characters",
        Edit(TICKETS, ISSUE, "    ticket = secrets.token_hex(4)\n"),
    ),
    broken(
        "tickets.issued",
        "made of the user and the time",
        Edit(
            TICKETS,
            ISSUE,
            "    import time\n\n    ticket = f'{user_id:022}-{time.time_ns():020}'\n",
        ),
    ),
    broken(
        "tickets.issued",
        "anybody who is signed out gets one too",
        Edit(
            VIEWS,
            '    """Issue a ticket, which opens one socket."""\n',
            "    permission_classes = []\n",
        ),
    ),
    broken(
        "tickets.issued",
        "signs that no browser sends as a subprotocol",
        Edit(
            TICKETS,
            ISSUE,
            "    ticket = f'{user_id}/{secrets.token_hex(16)}'\n",
        ),
    ),
    correct(
        "tickets.issued",
        "a uuid4",
        Edit(TICKETS, ISSUE, "    import uuid\n\n    ticket = str(uuid.uuid4())\n"),
    ),
    broken(
        "tickets.hashed",
        "the ticket itself is the key",
        Edit(TICKETS, KEY, 'return f"ticket-{ticket}-{origin}"'),
    ),
    broken(
        "tickets.opens",
        "the ticket itself is the chosen subprotocol",
        Edit(
            CONSUMER,
            'return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None',
            'return (self.scope["subprotocols"] or [None])[-1]',
        ),
    ),
    broken(
        "tickets.opens",
        "every ticket is the first user's",
        Edit(MIDDLEWARE, USER, "user_id and User.objects.filter(is_active=True).first()"),
    ),
    broken(
        "tickets.shared",
        "the cache is in the memory of each process",
        Edit(SETTINGS, DATABASE_CACHE, LOCAL_MEMORY),
    ),
    broken(
        "tickets.once",
        "a ticket is read and stays",
        Edit(TICKETS, REDEEM, "    return cache.get(key)\n"),
    ),
    broken(
        "tickets.once",
        "it is deleted when the socket closes",
        Edit(TICKETS, REDEEM, "    return cache.get(key)\n"),
        Edit(
            CONSUMER,
            '        """Called when the socket is closed, by whichever side."""\n',
            '        """Called when the socket is closed, by whichever side."""\n'
            "        from asgiref.sync import sync_to_async\n\n"
            "        from notifications.tickets import redeem\n\n"
            '        if offered := self.scope["subprotocols"][1:]:\n'
            "            await sync_to_async(redeem)(offered[0], '')\n",
        ),
    ),
    broken(
        "tickets.race",
        "what delete() answers is not looked at",
        Edit(
            TICKETS,
            REDEEM,
            "    user_id = cache.get(key)\n    cache.delete(key)\n    return user_id\n",
        ),
    ),
    broken(
        "tickets.race",
        "a lock, which each process has for itself",
        Edit(
            TICKETS,
            "LIFETIME =",
            "import threading\n\nLOCK = threading.Lock()\nLIFETIME =",
        ),
        Edit(
            TICKETS,
            REDEEM,
            "    with LOCK:\n        user_id = cache.get(key)\n"
            "        cache.delete(key)\n    return user_id\n",
        ),
    ),
    broken("tickets.race", "a row that is read, then deleted", *with_a_model(READS)),
    correct(
        "tickets.race",
        "a row of another app, whose DELETE counts",
        *with_a_model(DELETES),
    ),
    broken(
        "tickets.expires",
        "an hour",
        Edit(TICKETS, STORE, STORE.replace("LIFETIME", "3600")),
    ),
    broken(
        "tickets.expires",
        "five seconds",
        Edit(TICKETS, STORE, STORE.replace("LIFETIME", "5")),
    ),
    correct(
        "tickets.expires",
        "signed, with a mark for what is used",
        Edit(TICKETS, "", SIGNED),
    ),
    broken(
        "tickets.former-user",
        "deactivated users are found too",
        Edit(MIDDLEWARE, USER, "User.objects.filter(pk=user_id).first()"),
    ),
    broken(
        "tickets.no-token",
        "the access token is still taken as a subprotocol",
        Edit(
            MIDDLEWARE,
            "        else:\n            user = await",
            '        elif protocols[:1] == ["access_token"]:\n'
            "            refusal = 4401\n"
            '            user = await user_with_token(b"Bearer " + protocols[1].encode())\n'
            "        else:\n            user = await",
        ),
    ),
    broken(
        "tickets.no-token",
        "the access token is taken from the URL",
        Edit(
            MIDDLEWARE,
            TOKEN_USER,
            "await user_with_token(\n"
            '                headers.get(b"authorization")\n'
            '                or scope["query_string"].replace(b"token=", b"Bearer ")\n'
            "            )",
        ),
    ),
    broken(
        "tickets.logs",
        "a ticket that is refused is logged",
        Edit(
            MIDDLEWARE,
            "    return user or AnonymousUser()\n",
            "    if not user:\n"
            "        print('no such ticket:', ticket, flush=True)\n"
            "    return user or AnonymousUser()\n",
        ),
    ),
    broken(
        "tickets.page",
        "one ticket for all attempts",
        Edit(
            API,
            "export async function socketTicket() {\n",
            "let kept = null;\n\nexport async function socketTicket() {\n"
            "  kept ??= await newTicket();\n  return kept;\n}\n\n"
            "async function newTicket() {\n",
        ),
    ),
    broken(
        "tickets.page",
        "the page still offers its access token",
        Edit(
            APP,
            PROTOCOLS,
            "    const token = await api.accessToken();\n"
            '    return token && ["access_token", token];\n',
        ),
    ),
    broken(
        "tickets.lost",
        "closed with 4401, after which no page tries again",
        Edit(MIDDLEWARE, "            refusal = 4408\n", "            refusal = 4401\n"),
    ),
    broken(
        "tickets.lost",
        "a request that fails counts as signed out",
        Edit(API, "    if (tokens) throw error;\n", ""),
    ),
    correct(
        "tickets.lost",
        "refused before the socket opens",
        Edit(
            MIDDLEWARE,
            '        scope = {**scope, "user": user, "refusal": refusal}\n',
            "        if refusal == 4408 and user.is_anonymous:\n"
            '            return await send({"type": "websocket.close"})\n'
            '        scope = {**scope, "user": user, "refusal": refusal}\n',
        ),
    ),
    broken(
        "tickets.redis",
        "with Redis the cache is in memory",
        Edit(SETTINGS, REDIS_CACHE, LOCAL_MEMORY),
    ),
    broken(
        "tickets.redis",
        "in Redis they never expire",
        Edit(
            TICKETS,
            "",
            GETDEL.replace(", ex=LIFETIME", ""),
        ),
    ),
    correct("tickets.redis", "GETDEL", Edit(TICKETS, "", GETDEL)),
    correct(
        "tickets.redis",
        "in the database all the same",
        Edit(SETTINGS, REDIS_CACHE, DATABASE_CACHE.replace("{", "{ ")),
    ),
    broken(
        "tickets.redis-down",
        "the error is not caught",
        Edit(VIEWS, "except RedisError as error", "except KeyError as error"),
    ),
    # Part 2
    broken(
        "origins.allowed",
        "the server's own pages only",
        Edit(
            ORIGINS,
            "origin is None or origin in settings.ALLOWED_ORIGINS",
            "origin is None",
        ),
    ),
    broken(
        "origins.refused",
        "AllowedHostsOriginValidator's rule, and the list",
        Edit(
            ORIGINS,
            "    return origin == own_origin(request)\n",
            "    from urllib.parse import urlsplit\n\n"
            "    return urlsplit(origin).hostname in ('127.0.0.1', 'localhost')\n",
        ),
    ),
    broken(
        "origins.refused",
        "an origin that begins with an allowed one",
        Edit(
            ORIGINS,
            "origin in settings.ALLOWED_ORIGINS:",
            "origin.startswith(tuple(settings.ALLOWED_ORIGINS)):",
        ),
    ),
    broken(
        "origins.refused",
        "the host alone counts",
        Edit(
            ORIGINS,
            "origin in settings.ALLOWED_ORIGINS:",
            'origin.split("/")[-1] in str(settings.ALLOWED_ORIGINS):',
        ),
    ),
    broken(
        "origins.refused",
        "ALLOWED_HOSTS is not asked",
        Edit(ORIGINS, "request.get_host()", "request.META['HTTP_HOST']"),
    ),
    correct(
        "origins.refused", "made of Channels' OriginValidator", Edit(ORIGINS, "", VALIDATOR)
    ),
    broken(
        "origins.bound",
        "the origin is not in the key",
        Edit(TICKETS, 'f"{ticket} {origin}"', 'f"{ticket}"'),
    ),
    broken(
        "origins.header",
        "no origin, no socket",
        Edit(ORIGINS, "if origin is None or origin in", "if origin in"),
    ),
    broken(
        "origins.header",
        "the header is not read",
        Edit(MIDDLEWARE, TOKEN_USER, 'await user_with_token(b"")'),
    ),
    broken(
        "origins.production",
        "the scheme that daphne sees",
        Edit(ORIGINS, "{request.scheme}://", "{request.scope['scheme']}://"),
        Edit(PLAN, START, DAPHNE),
    ),
    correct(
        "origins.production",
        "the scheme that uvicorn reads from the proxy's headers",
        Edit(ORIGINS, "{request.scheme}://", "{request.scope['scheme']}://"),
    ),
    broken(
        "origins.cors",
        "every site",
        Edit(SETTINGS, CORS, "CORS_ALLOW_ALL_ORIGINS = True\n"),
    ),
    broken(
        "origins.cors",
        "no middleware",
        Edit(SETTINGS, CORS_MIDDLEWARE, ""),
    ),
    correct(
        "origins.cors",
        "without a library",
        Edit("backend/numeneon/cors.py", "", OWN_CORS),
        Edit(SETTINGS, CORS_MIDDLEWARE, '    "numeneon.cors.cors",\n'),
        Edit(SETTINGS, '    "corsheaders",\n', ""),
    ),
    # Written in another way
    correct(
        "tickets.hashed",
        "an HMAC",
        Edit(
            TICKETS,
            KEY,
            "from django.utils.crypto import salted_hmac\n\n"
            '    return salted_hmac("ticket", f"{origin} {ticket}").hexdigest()',
        ),
    ),
    correct(
        "tickets.opens",
        "the consumer names the subprotocol itself",
        Edit(
            CONSUMER,
            'return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None',
            'return "ticket" if self.scope["subprotocols"][:1] == ["ticket"] else None',
        ),
    ),
    correct(
        "tickets.shared",
        "a cache for tickets alone",
        Edit(
            SETTINGS,
            DATABASE_CACHE,
            LOCAL_MEMORY + "        },\n        'tickets': {\n" + DATABASE_CACHE,
        ),
        Edit(
            TICKETS,
            "from django.core.cache import cache\n",
            "from django.core.cache import caches\n\n"
            'cache = caches["tickets" if "tickets" in caches.settings else "default"]\n',
        ),
    ),
    correct("tickets.once", "a row that is marked by an UPDATE", *with_a_model(UPDATES)),
    broken(
        "tickets.once",
        "a ticket says whose it is, and is believed",
        Edit(TICKETS, STORE, STORE.replace("user_id,", "True,")),
        Edit(TICKETS, "    return ticket\n", '    return f"{user_id}.{ticket}"\n'),
        Edit(
            TICKETS,
            "    key = key_of(ticket, origin)\n" + REDEEM,
            '    user_id, _, ticket = ticket.partition(".")\n'
            "    return user_id if cache.delete(key_of(ticket, origin)) else None\n",
        ),
    ),
    correct(
        "tickets.former-user",
        "the user is looked at",
        Edit(
            MIDDLEWARE,
            f"    user = {USER}\n    return user or AnonymousUser()\n",
            "    try:\n        user = User.objects.get(pk=user_id)\n"
            "    except User.DoesNotExist:\n        return AnonymousUser()\n"
            "    return user if user.is_active else AnonymousUser()\n",
        ),
    ),
    correct(
        "tickets.no-token",
        "what is offered and not valid is refused with HTTP 403",
        Edit(
            MIDDLEWARE,
            '        scope = {**scope, "user": user, "refusal": refusal}\n',
            "        if user.is_anonymous and protocols:\n"
            '            return await send({"type": "websocket.close"})\n'
            '        scope = {**scope, "user": user, "refusal": refusal}\n',
        ),
    ),
    correct(
        "tickets.logs",
        "the user is logged, and how long the ticket was",
        Edit(
            TICKETS,
            "    key = key_of(ticket, origin)\n    user_id = cache.get(key)\n",
            "    key = key_of(ticket, origin)\n    user_id = cache.get(key)\n"
            "    print('user', user_id, 'with', len(ticket), 'signs', flush=True)\n",
        ),
    ),
    correct(
        "tickets.page",
        "app.js requests its ticket itself",
        Edit(
            APP,
            PROTOCOLS,
            "    const token = await api.accessToken();\n"
            "    if (!token) return null;\n"
            "    const headers = { Authorization: `Bearer ${token}` };\n"
            '    const answer = await fetch("/api/v1/ws/ticket/", { method: "POST", headers });\n'
            "    if (answer.status === 401) return null;\n"
            "    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);\n"
            '    return ["ticket", (await answer.json()).ticket];\n',
        ),
    ),
    correct(
        "tickets.redis-down",
        "any error is answered 503",
        Edit(
            VIEWS,
            "        except RedisError as error:\n"
            "            raise TicketsUnavailable from error\n",
            "        except Exception:\n            return Response(status=503)\n",
        ),
    ),
    correct(
        "origins.allowed",
        "a setting of another name",
        Edit(ORIGINS, "in settings.ALLOWED_ORIGINS:", "in settings.FRONT_ENDS:"),
        Edit(SETTINGS, CORS, f"FRONT_ENDS = frozenset(ALLOWED_ORIGINS)\n{CORS}"),
    ),
    correct(
        "origins.bound",
        "the origin is stored with the user",
        Edit(TICKETS, 'f"{ticket} {origin}"', "ticket"),
        Edit(TICKETS, "user_id, timeout", "[user_id, origin], timeout"),
        Edit(
            TICKETS,
            REDEEM,
            "    user_id, requested_by = cache.get(key) or (None, None)\n"
            "    if requested_by != origin or not cache.delete(key):\n"
            "        return None\n    return user_id\n",
        ),
        alone=True,  # another variant reads the cache by itself
    ),
    correct(
        "origins.header",
        "the header is taken apart by hand",
        Edit(
            MIDDLEWARE,
            '        token = authentication.get_raw_token(header) or b""\n',
            '        token = header.removeprefix(b"Bearer ")\n',
        ),
    ),
    correct(
        "origins.production",
        "https wherever DEBUG is off",
        Edit(
            ORIGINS,
            "{request.scheme}://",
            "{'http' if settings.DEBUG else 'https'}://",
        ),
    ),
    # Projects that somebody has written to mislead these items
    correct(
        "tickets.race",
        "asynchronous from end to end",
        Edit(
            MIDDLEWARE,
            """\
@database_sync_to_async
def user_with_ticket(ticket, origin):
""",
            """\
async def user_with_ticket(ticket, origin):
""",
        ),
        Edit(
            MIDDLEWARE,
            """\
    user_id = tickets.redeem(ticket, origin.decode("latin1"))
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user or AnonymousUser()
""",
            """\
    from django.core.cache import cache

    key = tickets.key_of(ticket, origin.decode("latin1"))
    user_id = await cache.aget(key)
    if not await cache.adelete(key):
        return AnonymousUser()
    user = await User.objects.filter(pk=user_id, is_active=True).afirst()
    return user or AnonymousUser()
""",
        ),
        alone=True,  # it uses the key that another variant makes in another way
    ),
    correct(
        "tickets.opens",
        "the consumer redeems the ticket",
        Edit(
            CONSUMER,
            '        user = self.scope["user"]\n        if not',
            """\
        from notifications.middleware import user_with_ticket

        user = self.scope["user"]
        if self.scope["subprotocols"][:1] == ["ticket"]:
            [origin] = [v for k, v in self.scope["headers"] if k == b"origin"] or [b""]
            user = await user_with_ticket(self.scope["subprotocols"][-1], origin)
            self.scope["user"] = user
        if not""",
        ),
        Edit(
            MIDDLEWARE,
            'user = await user_with_ticket(protocols[1], headers.get(b"origin", b""))',
            "user = AnonymousUser()",
        ),
    ),
    correct(
        "tickets.expires", "a JWT that is noted when it is used", Edit(TICKETS, "", JWT)
    ),
    correct(
        "tickets.shared",
        "deployed without uvicorn",
        Edit(
            "backend/uvicorn.py",
            "",
            "raise ModuleNotFoundError(\"No module named 'uvicorn'\")\n",
        ),
    ),
    correct(
        "origins.refused",
        "the ticket is redeemed before the origin is looked at",
        Edit(
            ASGI,
            "OriginMiddleware(\n            SocketAuthMiddleware(URLRouter",
            "SocketAuthMiddleware(\n            OriginMiddleware(URLRouter",
        ),
        Edit(
            SETTINGS,
            "# Apps\n",
            "if DEBUG:\n    ALLOWED_ORIGINS += ['http://localhost:5173']\n\n# Apps\n",
        ),
    ),
    broken(
        "tickets.race",
        "each process notes what it has seen",
        Edit(
            TICKETS,
            REDEEM,
            "    return None if key in SEEN else SEEN.add(key) or cache.get(key)\n",
        ),
        Edit(TICKETS, "LIFETIME =", "SEEN = set()\nLIFETIME ="),
    ),
    broken(
        "tickets.redis",
        "read and deleted in two steps in Redis only",
        Edit(
            TICKETS,
            "",
            GETDEL.replace(
                "found = STORE.getdel(key)",
                "found = STORE.get(key)\n        STORE.delete(key)",
            ),
        ),
    ),
    broken(
        "origins.refused",
        "a pattern in which each dot is any sign",
        Edit(
            ORIGINS,
            "origin in settings.ALLOWED_ORIGINS:",
            "__import__('re').fullmatch('|'.join(settings.ALLOWED_ORIGINS), origin):",
        ),
    ),
    broken(
        "origins.bound",
        "a client without an origin may bring any ticket",
        Edit(TICKETS, 'f"{ticket} {origin}"', "ticket"),
        Edit(TICKETS, "user_id, timeout", "[user_id, origin], timeout"),
        Edit(
            TICKETS,
            REDEEM,
            "    user_id, requested_by = cache.get(key) or (None, None)\n"
            "    if (origin and requested_by != origin) or not cache.delete(key):\n"
            "        return None\n    return user_id\n",
        ),
    ),
    broken(
        "origins.production",
        "a name that ends with the own one",
        Edit(
            ORIGINS,
            "    return origin == own_origin(request)\n",
            "    scheme, host = (own_origin(request) or '?//?').split('//')\n"
            "    return origin.startswith(scheme) and origin.endswith(host)\n",
        ),
    ),
    broken(
        "origins.production",
        "its own page without encryption, too",
        Edit(
            ORIGINS,
            "    return origin == own_origin(request)\n",
            "    own = own_origin(request) or '?'\n"
            "    return origin in (own, own.replace('https:', 'http:'))\n",
        ),
    ),
    broken(
        "origins.refused",
        "its own page with any scheme",
        Edit(
            ORIGINS,
            "    return origin == own_origin(request)\n",
            "    own = own_origin(request) or '?//?'\n"
            "    return origin.split('//')[-1] == own.split('//')[1]\n",
        ),
    ),
]

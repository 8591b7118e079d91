"""Projects that prove the items of step 14."""

from tests.variants import Edit, broken, correct

ROOT = "backend/numeneon/root.py"
HEALTH = "backend/numeneon/health.py"
PARTS = "backend/numeneon/parts.py"
DOCS = "backend/numeneon/docs.py"
TOOLBAR = "backend/numeneon/toolbar.py"
URLS = "backend/numeneon/urls.py"
SETTINGS = "backend/numeneon/settings.py"
VIEWS = "backend/notifications/views.py"
ASYNCAPI = "backend/notifications/asyncapi.py"
CONSUMER = "backend/notifications/consumers.py"

PREFERRED = """\
    preferred = request.get_preferred_type(["application/json", "text/html"])
    if preferred == "text/html":
"""
DOCUMENT = (
    "    return JsonResponse(document(request.get_host(), secure=request.is_secure()))\n"
)
# The same as a file that somebody has written: without additionalProperties, with $ref.
WRITTEN = """\
    payloads = {
        name: {**each["payload"], "description": each["summary"]}
        for name, each in document("x", secure=False)["components"]["messages"].items()
    }
    for payload in payloads.values():
        del payload["additionalProperties"]
    sent = ["pong", "error", "resumed", "authenticated", "connection_established"]
    sent += ["new_post", "new_message", "friend_request", "friend_accepted"]
    sent += ["notifications_read", "order_status", "announcement", "presence"]
    messages = {
        name: {"payload": {"$ref": f"#/components/schemas/{name}"}} for name in sent
    }
    return JsonResponse(
        {
            "asyncapi": "3.1.0",
            "info": {"title": "By hand", "version": "1"},
            "channels": {"socket": {"address": "/ws/notifications/", "messages": messages}},
            "operations": {
                "tell": {"action": "send", "channel": {"$ref": "#/channels/socket"}}
            },
            "components": {"schemas": payloads},
        }
    )
"""
SIDECAR = """\
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
"""

POLICY = """\
        response["Content-Security-Policy"] = POLICY
"""
REDOC = '''"""Redoc in a page of our own, and the description of the socket."""

from django.http import JsonResponse
from django.shortcuts import render
from django.views import View
from django.views.decorators.http import require_safe

from notifications.asyncapi import document


class DocsView(View):
    """Called by the list of addresses as DocsView.as_view(url_name="schema")."""

    url_name = None

    def get(self, request):
        response = render(request, "client/reference.html")
        response["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'unsafe-inline';"
            " img-src 'self' data:; connect-src 'self'; worker-src blob:"
        )
        return response


@require_safe
def socket_document(request):
    return JsonResponse(document(request.get_host(), secure=request.is_secure()))
'''
REFERENCE = """\
{% load static %}<!doctype html>
<title>The API</title>
<link rel="icon" href="data:,">
<redoc spec-url="/api/schema/?format=json"></redoc>
<script src="{% static 'drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js' %}"></script>
"""

PROMETHEUS = "backend/numeneon/prometheus.py"
FORMATTERS = "backend/numeneon/formatters.py"
LOGS = "backend/numeneon/logs.py"
ASGI = "backend/numeneon/asgi.py"
METRICS = "backend/notifications/metrics.py"
OBSERVED = "backend/notifications/observed.py"
CONNECTIONS = "backend/notifications/connections.py"
STREAMS = "backend/notifications/streams.py"
DASHBOARD = "backend/client/static/client/dashboard.js"

METRICS_VIEW = """\
class MetricsView(APIView):
    \"\"\"Show all metrics of the process that answers, as text for Prometheus.\"\"\"

    authentication_classes = [PrometheusAuthentication]
    permission_classes = [IsAdminUser]
    schema = None  # not a part of the API that clients use

    def get(self, request):
        \"\"\"Called for GET: 200, or 401 and 403 for everybody else.\"\"\"
        return ExportToDjangoView(request)
"""
# Without the REST framework: whatever is not known is not found.
PLAIN_VIEW = """\
class MetricsView(View):
    def get(self, request):
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        wanted = settings.METRICS_TOKEN
        if not (wanted and constant_time_compare(shown, wanted)):
            try:
                found = JWTAuthentication().authenticate(request)
            except AuthenticationFailed:
                found = None
            if not (found and found[0].is_staff):
                raise Http404
        return HttpResponse(generate_latest(), content_type="text/plain; version=0.0.4")
"""
COUNTED = """\
from django.db import connection
from prometheus_client import Counter

SEEN = Counter("shop_http_answers", "What was answered", ["family"])
ASKED = Counter("shop_sql_statements", "What the database was asked")


def count(get_response):
    def counted(execute, *given):
        ASKED.inc()
        return execute(*given)

    def answer(request):
        with connection.execute_wrapper(counted):
            response = get_response(request)
        SEEN.labels(f"{response.status_code // 100}xx").inc()
        return response

    return answer
"""
IN_FRONT = """\
from prometheus_client import Counter

REQUESTS = Counter("shop_http_requests", "What was requested")


def counted(application):
    async def call(scope, receive, send):
        REQUESTS.inc()
        await application(scope, receive, send)

    return call
"""
BEFORE = """\
    # First and last: one measures all of a request, the other one the view.
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
"""
AFTER = '    "numeneon.prometheus.PrometheusAfterMiddleware",\n'
ENGINE = """\
# The same database, and every query is counted.
engine = DATABASES["default"]["ENGINE"]
DATABASES["default"]["ENGINE"] = engine.replace("django.db", "django_prometheus.db")
"""
# No class for a socket: what is noted stays in the function that runs for it.
CLOSURES = """\
import logging
import time

from notifications import metrics

log = logging.getLogger(__name__)


class ObserverMiddleware:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        codes, begin = [], []

        async def listen():
            message = await receive()
            if message["type"] == "websocket.disconnect":
                codes.append(message.get("code"))
            return message

        async def speak(message):
            kind = message["type"].removeprefix("websocket.")
            if kind == "close":
                codes.append(message.get("code") or 1000)
            await send(message)
            if kind == "accept":
                begin.append(time.monotonic())
                metrics.CONNECTS.inc()
                metrics.OPEN.inc()
                log.info("Opened")
            metrics.FRAMES.inc(kind == "send")

        try:
            return await self.inner(scope, listen, speak)
        finally:
            if begin:
                metrics.OPEN.dec()
                code = next(filter(None, codes), 1006)
                metrics.count_close(code)
                log.info("Closed", extra={"code": code})
"""
ENDED = """\
        finally:
            # Also after an error: a gauge that only disconnect() lowers would stay too high.
            socket.count_end()
"""
HEARD = '            self.ends_with(message.get("code"))\n'
OPENED = """\
            RUNNING.add(self)
            metrics.OPEN.set(len(RUNNING))
"""
CLOSED = """\
        RUNNING.discard(self)
        metrics.OPEN.set(len(RUNNING))
"""
CLOSE_LABEL = '    CLOSES.labels(code if code in CODES else "other").inc()\n'
MISSED = '            metrics.DROPPED.labels("missed").inc(missed)\n'
RECOVERED = (
    '        metrics.RESUMES.labels("recovered" if recovered else "refetch").inc()\n'
)
DELAYED = "            metrics.observe_delay(message)\n"
NOTIFIED = '        frame = event["payload"]\n'
OPEN_NOW = """\
    rows = Connection.objects.present().filter(open=True)
    return rows.select_related("user").order_by("-pk")
"""
UVICORN = '        "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},\n'
REDACTED = """    return re.sub(r"\\?[^\\s\\"']+", "?...", record.getMessage())\n"""


def _with_view(name: str) -> tuple[Edit, ...]:
    """The page is made by another view of drf-spectacular."""
    return (
        Edit(DOCS, "import SpectacularSwaggerSplitView", f"import {name} as View"),
        Edit(DOCS, "DocsView(SpectacularSwaggerSplitView)", "DocsView(View)"),
    )


VARIANTS = [
    broken(
        "root.accept",
        "everybody is sent to the page",
        Edit(ROOT, '    if preferred == "text/html":\n', "    if preferred:\n"),
    ),
    broken(
        "root.accept",
        "a cache mixes the answers up",
        Edit(ROOT, '@vary_on_headers("Accept")\n', ""),
    ),
    correct(
        "root.accept",
        "looks into the header itself",
        Edit(ROOT, PREFERRED, '    if "text/html" in request.headers.get("Accept", ""):\n'),
    ),
    broken(
        "health.well",
        "seconds instead of milliseconds",
        Edit(HEALTH, '"ms": round', '"seconds": round'),
    ),
    correct(
        "health.well",
        "one part more",
        Edit(
            PARTS,
            "PARTS = {\n",
            'PARTS = {\n    "clock": lambda: asyncio.sleep(0),\n',
        ),
    ),
    broken(
        "health.redis-down",
        "all or nothing",
        Edit(
            HEALTH,
            'ready = works["database"]',
            "ready = all(works.values())",
        ),
    ),
    correct(
        "health.redis-down",
        "another way to the same Redis",
        Edit(
            PARTS,
            'await send_to_groups({"health": {"type": "health"}})',
            'await get_channel_layer().send("health", {"type": "health"})',
        ),
        Edit(
            PARTS,
            "from django.core.cache import cache\n",
            "from channels.layers import get_channel_layer\n"
            "from django.core.cache import cache\n",
        ),
    ),
    broken(
        "health.database-down",
        "the user is looked up first",
        Edit(
            HEALTH,
            "        parts = async_to_sync(check_all)()\n",
            "        User.objects.exists()\n        parts = async_to_sync(check_all)()\n",
        ),
        Edit(
            HEALTH,
            "from numeneon.serializers import HealthSerializer\n",
            "from numeneon.serializers import HealthSerializer\n"
            "from users.models import User\n",
        ),
    ),
    broken(
        "health.database-down",
        "what failed once is not asked again",
        Edit(
            HEALTH,
            """\
        parts = async_to_sync(check_all)()
        works =""",
            """\
        if self.failed:
            parts = self.failed
        else:
            parts = async_to_sync(check_all)()
        if parts["database"]["status"] != "ok":
            type(self).failed = parts
        works =""",
        ),
        Edit(
            HEALTH,
            "    permission_classes = []\n",
            "    permission_classes = []\n    failed = None\n",
        ),
    ),
    correct(
        "health.database-down",
        "the tables are read",
        Edit(PARTS, '"SELECT 1"', '"SELECT count(*) FROM users_user"'),
        alone=True,
    ),
    broken(
        "health.in-time",
        "no time limit",
        Edit(HEALTH, "asyncio.timeout(PART_SECONDS)", "asyncio.timeout(None)"),
    ),
    correct(
        "health.in-time",
        "one limit around each part, by another function",
        Edit(
            HEALTH,
            """\
        async with asyncio.timeout(PART_SECONDS):
            await PARTS[name]()
""",
            "        await asyncio.wait_for(PARTS[name](), 1.5)\n",
        ),
    ),
    broken(
        "docs.openapi",
        "a view that nobody sees",
        Edit(
            HEALTH,
            "    @extend_schema(responses=",
            "    @extend_schema(exclude=True, responses=",
        ),
    ),
    correct(
        "docs.openapi",
        "another patch of the same version",
        Edit(SETTINGS, '"OAS_VERSION": "3.1.0"', '"OAS_VERSION": "3.1.1"'),
    ),
    broken(
        "docs.no-warnings",
        "nobody says what is answered",
        Edit(
            VIEWS,
            "    @extend_schema(responses=UnreadSerializer)\n    def get",
            "    def get",
        ),
    ),
    correct(
        "docs.no-warnings",
        "an attribute instead",
        Edit(
            VIEWS,
            "    @extend_schema(responses=UnreadSerializer)\n    def get",
            "    serializer_class = UnreadSerializer\n\n    def get",
        ),
    ),
    broken(
        "docs.answers",
        "a status that no view answers with",
        Edit(
            VIEWS,
            "    @extend_schema(responses=UnreadSerializer)\n    def get",
            "    @extend_schema(responses={201: UnreadSerializer})\n    def get",
        ),
    ),
    correct(
        "docs.answers",
        "more answers than one are documented",
        Edit(
            VIEWS,
            "    @extend_schema(responses=UnreadSerializer)\n    def get",
            "    @extend_schema(responses={200: UnreadSerializer, 503: None})\n    def get",
        ),
    ),
    broken(
        "docs.page",
        "Redoc, whose page asks Google for its fonts",
        *_with_view("SpectacularRedocView"),
        Edit(DOCS, POLICY, ""),
        Edit(SETTINGS, SIDECAR, '    "REDOC_DIST": "SIDECAR",\n'),
    ),
    correct(
        "docs.page",
        "Redoc, whose logo is of another site, which the policy does not allow",
        Edit(DOCS, "", REDOC),
        Edit("backend/client/templates/client/reference.html", "", REFERENCE),
    ),
    correct(
        "docs.page",
        "a script in the page, which the policy allows",
        *_with_view("SpectacularSwaggerView"),
        Edit(DOCS, "default-src 'self';", "default-src 'self' 'unsafe-inline';"),
    ),
    broken(
        "docs.socket",
        "a key that is not documented",
        Edit(CONSUMER, '{"type": "pong", ', '{"type": "pong", "server": "a", '),
    ),
    broken(
        "docs.socket",
        "a frame that is not documented",
        Edit("backend/notifications/frames.py", "    Resumed,\n", ""),
    ),
    correct("docs.socket", "written by hand", Edit(DOCS, DOCUMENT, WRITTEN)),
    broken(
        "toolbar.development",
        "requests of scripts, too",
        Edit(TOOLBAR, " and not by_script", ""),
    ),
    broken(
        "toolbar.development",
        "in production, too",
        Edit(
            SETTINGS,
            'if DEBUG and os.environ.get("DEBUG_TOOLBAR")',
            'if os.environ.get("DEBUG_TOOLBAR")',
        ),
    ),
    broken(
        "toolbar.development",
        "as in older projects",
        Edit(
            TOOLBAR,
            'request.headers.get("X-Requested-With") == "XMLHttpRequest"',
            "request.is_ajax()",
        ),
    ),
    correct(
        "toolbar.development",
        "only for HTML",
        Edit(
            TOOLBAR,
            'request.headers.get("X-Requested-With") == "XMLHttpRequest"',
            '"text/html" not in request.headers.get("Accept", "")',
        ),
    ),
    # Metrics
    broken(
        "metrics.private",
        "everybody who has signed in may read them",
        Edit(PROMETHEUS, "[IsAdminUser]", "[IsAuthenticated]"),
        Edit(PROMETHEUS, "import IsAdminUser", "import IsAuthenticated"),
    ),
    correct(
        "metrics.private",
        "a view of Django's, which says 404",
        Edit(PROMETHEUS, METRICS_VIEW, PLAIN_VIEW),
        Edit(
            PROMETHEUS,
            "from rest_framework.permissions import IsAdminUser\n"
            "from rest_framework.views import APIView\n",
            "from django.http import Http404, HttpResponse\n"
            "from django.views import View\n"
            "from prometheus_client import generate_latest\n"
            "from rest_framework.exceptions import AuthenticationFailed\n",
        ),
        Edit(PROMETHEUS, "from django_prometheus.exports import ExportToDjangoView\n", ""),
    ),
    broken(
        "metrics.django",
        "no middleware measures the requests",
        Edit(SETTINGS, BEFORE, ""),
        Edit(SETTINGS, AFTER, ""),
        Edit(SETTINGS, "MIDDLEWARE.insert(2,", "MIDDLEWARE.insert(1,"),
    ),
    broken(
        "metrics.django",
        "no query is counted",
        Edit(SETTINGS, ENGINE, ""),
    ),
    correct(
        "metrics.django",
        "a middleware of one's own counts both",
        Edit(SETTINGS, ENGINE, ""),
        Edit(SETTINGS, BEFORE, ""),
        Edit(SETTINGS, AFTER, '    "numeneon.counting.count",\n'),
        Edit(SETTINGS, "MIDDLEWARE.insert(2,", "MIDDLEWARE.insert(1,"),
        Edit("backend/numeneon/counting.py", "", COUNTED),
    ),
    correct(
        "metrics.django",
        "requests are counted in front of Django",
        Edit(SETTINGS, BEFORE, ""),
        Edit(SETTINGS, AFTER, ""),
        Edit(SETTINGS, "MIDDLEWARE.insert(2,", "MIDDLEWARE.insert(1,"),
        Edit(ASGI, '"http": django_application,', '"http": counted(django_application),'),
        Edit(
            ASGI,
            "from numeneon.logs import LogMiddleware",
            "from numeneon.in_front import counted  # noqa: E402\n"
            "from numeneon.logs import LogMiddleware",
        ),
        Edit("backend/numeneon/in_front.py", "", IN_FRONT),
    ),
    broken(
        "metrics.sockets",
        "all closes have the same code",
        Edit(OBSERVED, "metrics.count_close(code)", "metrics.count_close(1000)"),
    ),
    broken(
        "metrics.sockets",
        "a handshake is counted, whether it is accepted or not",
        Edit(OBSERVED, "            metrics.CONNECTS.inc()\n", ""),
        Edit(
            OBSERVED,
            "        if self.accepted_at is None:\n",
            "        metrics.CONNECTS.inc()\n        if self.accepted_at is None:\n",
        ),
    ),
    correct("metrics.sockets", "functions in a function", Edit(OBSERVED, "", CLOSURES)),
    broken(
        "metrics.frames",
        "only the first frame is counted",
        Edit(OBSERVED, "            metrics.FRAMES.inc()\n", "            pass\n"),
        Edit(
            OBSERVED,
            "            metrics.OPEN.inc()\n",
            "            metrics.OPEN.inc()\n            metrics.FRAMES.inc()\n",
        ),
    ),
    correct(
        "metrics.frames",
        "the names are put together",
        Edit(
            METRICS,
            'Counter("numeneon_frames_sent", "Frames that the server was given to send")',
            'Counter("frames_sent_total", "All frames", namespace="numeneon")',
        ),
    ),
    broken(
        "metrics.crash",
        "the end is counted when the application hears of it",
        Edit(OBSERVED, ENDED, ""),
        Edit(OBSERVED, HEARD, f"{HEARD}            self.count_end()\n"),
    ),
    correct(
        "metrics.crash",
        "the gauge is set to the number of those that run",
        Edit(OBSERVED, "            metrics.OPEN.inc()\n", OPENED),
        Edit(OBSERVED, "        metrics.OPEN.dec()\n", CLOSED),
        Edit(
            OBSERVED,
            "class ObserverMiddleware",
            "RUNNING = set()\n\n\nclass ObserverMiddleware",
        ),
    ),
    broken(
        "metrics.labels",
        "any code of a client is a label",
        Edit(METRICS, CLOSE_LABEL, "    CLOSES.labels(code).inc()\n"),
    ),
    broken(
        "metrics.labels",
        "any method of a client is a label",
        Edit(
            SETTINGS,
            AFTER,
            AFTER.replace("numeneon.prometheus", "django_prometheus.middleware"),
        ),
    ),
    correct(
        "metrics.labels",
        "codes of applications by their range",
        Edit(
            METRICS,
            CLOSE_LABEL,
            "    known = code < 1016 or 4400 <= code < 4600\n"
            '    CLOSES.labels(code=str(code) if known else "a client\'s own").inc()\n',
        ),
    ),
    # A dashboard
    broken(
        "metrics.delay",
        "in milliseconds",
        Edit(
            METRICS,
            "DELAY.observe(max(0, time.time()",
            "DELAY.observe(1000 * max(0, time.time()",
        ),
    ),
    broken(
        "metrics.delay",
        "the event does not say when it was published",
        Edit("backend/notifications/services.py", ', "published_at": time.time()}', "}"),
    ),
    correct(
        "metrics.delay",
        "by the method that sends",
        Edit(CONSUMER, DELAYED, ""),
        Edit(CONSUMER, NOTIFIED, f"{NOTIFIED}        metrics.observe_delay(event)\n"),
    ),
    broken(
        "metrics.resumes",
        "counted when they are asked for",
        Edit(CONSUMER, RECOVERED, '        metrics.RESUMES.labels("asked").inc()\n'),
    ),
    correct(
        "metrics.resumes",
        "in other words",
        Edit(
            CONSUMER,
            RECOVERED,
            RECOVERED.replace('"recovered" if', 'outcome="all" if').replace(
                '"refetch"', '"none"'
            ),
        ),
    ),
    broken(
        "metrics.dropped",
        "a gap counts as one, however wide it is",
        Edit(STREAMS, MISSED, MISSED.replace("(missed)", "()")),
    ),
    correct(
        "metrics.dropped",
        "one by one",
        Edit(
            STREAMS,
            MISSED,
            "            for _ in range(missed):\n"
            '                metrics.DROPPED.labels(reason="gap").inc()\n',
        ),
    ),
    broken(
        "tracking.lists",
        "people instead of sockets",
        Edit(
            CONNECTIONS,
            OPEN_NOW,
            '    newest = Connection.objects.values("user").annotate(pk=Max("pk")).values("pk")\n'
            "    return Connection.objects.filter(pk__in=newest)\n",
        ),
        Edit(
            CONNECTIONS,
            "from django.db import transaction\n",
            "from django.db import transaction\nfrom django.db.models import Max\n",
        ),
    ),
    correct(
        "tracking.lists",
        "the oldest first",
        Edit(
            CONNECTIONS,
            OPEN_NOW,
            '    rows = Connection.objects.present().exclude(open=False).select_related("user")\n'
            '    return rows.order_by("opened_at")\n',
        ),
    ),
    broken(
        "tracking.staff",
        "everybody who has signed in sees the others",
        Edit(VIEWS, "    permission_classes = [IsAdminUser]\n", ""),
    ),
    correct(
        "tracking.staff",
        "a permission of one's own",
        Edit(
            VIEWS,
            "class ConnectionListView(",
            "class Staff(BasePermission):\n"
            "    def has_permission(self, request, view):\n"
            '        return bool(getattr(request.user, "is_staff", False))\n\n\n'
            "class ConnectionListView(",
        ),
        Edit(VIEWS, "[IsAdminUser]", "[Staff]"),
        Edit(VIEWS, "import IsAdminUser", "import BasePermission"),
    ),
    broken(
        "dashboard.live",
        "it reads the numbers once",
        Edit(DASHBOARD, "  timer = setTimeout(run, EVERY);\n", ""),
    ),
    correct(
        "dashboard.live",
        "it reads them every second",
        Edit(DASHBOARD, "const EVERY = 2_000;", "const EVERY = 1_000;"),
    ),
    # Logs
    broken(
        "logs.json",
        "uvicorn writes its own lines",
        Edit(SETTINGS, UVICORN, ""),
    ),
    correct(
        "logs.json",
        "to the standard output",
        Edit(
            SETTINGS,
            '{"class": "logging.StreamHandler", "formatter": LOG_FORMAT}',
            '{"class": "logging.StreamHandler", "formatter": LOG_FORMAT, '
            '"stream": "ext://sys.stdout"}',
        ),
    ),
    broken(
        "logs.request",
        "the answer has another id than the log",
        Edit(LOGS, "own_id.encode()", "secrets.token_hex(8).encode()"),
    ),
    correct(
        "logs.request",
        "one middleware for each protocol",
        Edit(ASGI, "application = LogMiddleware(router)", "application = router"),
        Edit(
            ASGI,
            '"http": django_application',
            '"http": LogMiddleware(django_application)',
        ),
        Edit(ASGI, '"websocket": ObserverMiddleware(', '"websocket": _observed('),
        Edit(
            ASGI,
            "router = ProtocolTypeRouter(",
            "def _observed(application):\n"
            "    return LogMiddleware(ObserverMiddleware(application))\n\n\n"
            "router = ProtocolTypeRouter(",
        ),
    ),
    broken(
        "logs.connection",
        "after the sign-in the lines have a user, and no id any more",
        Edit(LOGS, "context.set({**context.get({}), **fields})", "context.set(fields)"),
    ),
    correct(
        "logs.connection",
        "one dictionary for each socket",
        Edit(
            LOGS,
            "context.set({**context.get({}), **fields})",
            "context.get().update(fields)",
        ),
        Edit(
            LOGS,
            'context.set({"connection": own_id})',
            'context.set({"connection_id": f"c-{own_id}"})',
        ),
    ),
    broken(
        "logs.private",
        "addresses are logged as a whole",
        Edit(FORMATTERS, REDACTED, "    return record.getMessage()\n"),
    ),
    broken(
        "logs.private",
        "a ticket that is refused",
        Edit(
            "backend/notifications/tickets.py",
            "    claims = cache.get(key)\n",
            "    claims = cache.get(key)\n"
            "    if not claims:\n"
            '        logging.getLogger(__name__).warning("Unknown ticket: %s", ticket)\n',
        ),
        Edit(
            "backend/notifications/tickets.py",
            "import hashlib\n",
            "import hashlib\nimport logging\n",
        ),
    ),
    broken(
        "logs.private",
        "what a socket is sent",
        Edit(
            CONSUMER,
            '        frame = event["payload"]\n',
            '        frame = event["payload"]\n        logger.info("Sending %s", frame)\n',
        ),
    ),
    correct(
        "logs.private",
        "word by word",
        Edit(
            FORMATTERS,
            REDACTED,
            '    words = record.getMessage().split(" ")\n'
            '    return " ".join(word.partition("?")[0] for word in words)\n',
        ),
    ),
]

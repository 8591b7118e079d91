"""Projects that prove the items of step 11."""

from tests.variants import Edit, broken, correct

SIGNED_IN = "backend/notifications/signed_in.py"
LIMITS = "backend/notifications/limits.py"
SESSIONS = "backend/notifications/sessions.py"
CONNECTIONS = "backend/notifications/connections.py"
CONSUMER = "backend/notifications/consumers.py"
MIDDLEWARE = "backend/notifications/middleware.py"
TICKETS = "backend/notifications/tickets.py"
SETTINGS = "backend/numeneon/settings.py"
ASGI = "backend/numeneon/asgi.py"
CHECKS = "backend/users/checks.py"
VIEWS = "backend/users/views.py"
APP = "backend/client/static/client/app.js"
CLIENT = "backend/client/static/client/notifications.js"

EXPIRED = """\
                await self.session_check()
        await self.close(code=4401)
"""
REFUSAL = 'await self.close(code=self.scope["refusal"])\n'
RENEWED = """\
            self.begin(claims)
            await self.send_json({"type": "authenticated", **self.expiry()})
"""
OTHERS = """\
        elif user != self.scope["user"]:
            await self.close(code=4403)
"""
NOBODY_YET = '            await self.complain("Send a frame of the type auth first.")\n'
WAITING = "            self.meanwhile(self.wait_for_token())\n"
PATIENCE = "await asyncio.sleep(settings.AUTH_SECONDS)"
LOGGED_OUT = "@receiver(post_save, sender=BlacklistedToken)\n"
CHECKED = "        if await user_of(self.claims) is None:\n"
UNKNOWN = (
    '            await self.complain("The type of a frame is auth, ping or resume.")\n'
)
BY_NAME = """\
            handler = getattr(self, str(kind).replace(".", "_"), None)
            if handler is None:
                await self.complain("The type of a frame is auth, ping or resume.")
            else:
                await handler(content)
"""
SIZE = """\
        if max(len(text.encode()), len(bytes_data or b"")) > settings.MAX_FRAME_BYTES:
"""
TAKE = """\
        now = time.monotonic()
        new = (now - self.filled_at) / 60 * self.per_minute
        self.tokens = min(self.tokens + new, self.per_minute)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
"""
WINDOW = """\
        now = time.monotonic()
        if now - self.filled_at > 60:
            self.tokens, self.filled_at = self.per_minute, now
        self.tokens -= 1
        return self.tokens >= 0
"""
NOT_JSON = """\
            # An uncaught exception would close the socket.
            await self.complain("Send JSON in a text frame.")
"""
MOST_SOCKETS = """\
    if theirs.count() >= settings.SOCKETS_PER_USER:
        return False
"""
UNCONFIRMED = "if self.unconfirmed > settings.MAX_UNCONFIRMED_BYTES:"
WEAK_KEY = """\
if not DEBUG and (
    SECRET_KEY.startswith("django-insecure-") or len(set(SECRET_KEY)) < 10
):
"""
ON_RENDER = 'if DEBUG and os.environ.get("RENDER"):\n'
LOG_OUT = "        super().post(request, *args, **kwargs)\n"

# The limits are no matter of the consumer: what wraps it counts, in plain ASGI.
AROUND = (
    Edit(
        "backend/numeneon/gate.py",
        "",
        '''\
"""A wrapper around any WebSocket application: what a client may cost."""

import asyncio
import collections
import contextlib
import logging
import time

log = logging.getLogger("gate")


def option(name):
    from django.conf import settings

    return getattr(settings, name)


class Done(Exception):
    pass


class Gate:
    """Sits between the server and the consumer: pure ASGI, no base class."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await Visit(self.app, scope, receive, send).run()


class Visit:
    def __init__(self, app, scope, receive, send):
        self.app, self.scope, self._receive, self._send = app, scope, receive, send
        self.times = collections.deque()
        self.open_bytes = 0
        self.over = False

    async def run(self):
        with contextlib.suppress(Done):
            await self.app(self.scope, self.receive, self.send)

    async def put(self, message):
        try:
            await asyncio.wait_for(self._send(message), option("SEND_SECONDS"))
        except TimeoutError:
            self.over = True
            log.warning("Too slow a reader")
            raise Done from None

    async def end(self, code):
        if not self.over:
            self.over = True
            await self.put({"type": "websocket.close", "code": code})

    async def send(self, message):
        if self.over:
            return
        if message["type"] == "websocket.close":
            self.over = True
        if message["type"] == "websocket.send":
            self.open_bytes += len(message.get("text") or message.get("bytes") or "")
            if self.open_bytes > option("MAX_UNCONFIRMED_BYTES"):
                await self.end(4408)
                return
        await self.put(message)

    async def receive(self):
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            if self.over:
                continue
            self.open_bytes = 0
            now = time.monotonic()
            self.times.append(now)
            while self.times[0] < now - 60:
                self.times.popleft()
            text, data = message.get("text") or "", message.get("bytes") or b""
            if len(self.times) > option("FRAMES_PER_MINUTE"):
                await self.end(4429)
            elif len(text.encode()) + len(data) > option("MAX_FRAME_BYTES"):
                await self.end(4400)
            else:
                return message
''',
    ),
    Edit(
        LIMITS,
        "",
        '''\
"""What is left: bad frames, and cleaning up."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class LimitedConsumer(AsyncJsonWebsocketConsumer):
    closed = False
    strikes = 0

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.leave()

    async def leave(self):
        pass

    async def dispatch(self, message):
        if not self.closed or message["type"] == "websocket.disconnect":
            await super().dispatch(message)

    async def close(self, code=None, reason=None):
        if not self.closed:
            self.closed = True
            await super().close(code, reason)

    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        try:
            await self.receive_json(await self.decode_json(text_data or ""))
        except (ValueError, RecursionError):
            await self.complain("That was no JSON.")

    async def complain(self, message):
        self.strikes += 1
        await self.send_json({"type": "error", "message": message})
        if self.strikes >= 10:
            await self.close(4400)
''',
    ),
    Edit(
        ASGI,
        "from numeneon.origins import",
        "from numeneon.gate import Gate  # noqa: E402\nfrom numeneon.origins import",
    ),
    Edit(
        ASGI,
        "SocketAuthMiddleware(URLRouter(websocket_urlpatterns))",
        "Gate(SocketAuthMiddleware(URLRouter(websocket_urlpatterns)))",
    ),
)

VARIANTS = [
    broken(
        "session.expires",
        "nobody looks at the clock",
        Edit(
            SIGNED_IN, EXPIRED, EXPIRED.replace("        await self.close(code=4401)\n", "")
        ),
    ),
    broken(
        "session.expires",
        "a ticket makes a token an hour younger",
        Edit(
            TICKETS,
            "cache.set(key_of(ticket, origin), claims,",
            'claims = {**claims, "exp": claims["exp"] + 3600}\n'
            "    cache.set(key_of(ticket, origin), claims,",
        ),
    ),
    correct(
        "session.expires",
        "it looks five times a second",
        Edit(SIGNED_IN, "min(left, settings.HEARTBEAT_SECONDS)", "0.2"),
    ),
    broken(
        "session.refused",
        "closed with another code",
        Edit(SIGNED_IN, REFUSAL, "await self.close(code=4400)\n"),
    ),
    correct(
        "session.refused",
        "an error is sent first",
        Edit(
            SIGNED_IN,
            REFUSAL,
            f'await self.complain("Sign in first.")\n            {REFUSAL}',
        ),
    ),
    broken(
        "session.renewed",
        "the clock goes on",
        Edit(SIGNED_IN, RENEWED, RENEWED.partition("\n")[2]),
    ),
    correct(
        "session.renewed",
        "the answer says when, too",
        Edit(
            SIGNED_IN,
            '{"type": "authenticated", **self.expiry()}',
            '{"type": "authenticated", "expires_at": claims["exp"], **self.expiry()}',
        ),
    ),
    broken(
        "session.page",
        "the page has no token to send",
        Edit(APP, "token: api.accessToken,", "token: async () => null,"),
    ),
    correct(
        "session.page",
        "twenty seconds before the end",
        Edit(CLIENT, "RENEWED_BEFORE = 25_000", "RENEWED_BEFORE = 20_000"),
    ),
    broken(
        "session.renewed",
        "a new token is good for an hour, whatever it says",
        Edit(
            SIGNED_IN,
            RENEWED,
            RENEWED.replace("(claims)", '({**claims, "exp": time.time() + 3600})'),
        ),
    ),
    broken("session.other-user", "any token will do", Edit(SIGNED_IN, OTHERS, "")),
    broken(
        "session.other-user",
        "a refresh token will do",
        Edit(
            SESSIONS,
            "from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken\n",
            "from rest_framework_simplejwt.exceptions import TokenError\n"
            "from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken\n"
            "from rest_framework_simplejwt.tokens import UntypedToken\n",
        ),
        Edit(
            SESSIONS,
            "JWTAuthentication().get_validated_token(token).payload",
            "UntypedToken(token).payload",
        ),
        Edit(
            SESSIONS,
            "    except (AuthenticationFailed, ValueError):\n        # ValueError: text",
            "    except (TokenError, ValueError):\n        # ValueError: text",
        ),
    ),
    correct(
        "session.other-user",
        "ids are compared",
        Edit(SIGNED_IN, 'user != self.scope["user"]:', 'user.pk != self.scope["user"].pk:'),
    ),
    broken(
        "session.first-frame",
        "only a handshake can sign in",
        Edit(SIGNED_IN, WAITING, "            await self.close(code=4401)\n"),
    ),
    broken(
        "session.first-frame",
        "a ping is answered to anybody",
        Edit(
            CONSUMER,
            NOBODY_YET,
            '            await self.send_json({"type": "pong", "last_seq": 0})\n',
        ),
    ),
    correct(
        "session.first-frame",
        "other frames are ignored",
        Edit(CONSUMER, NOBODY_YET, "            return\n"),
    ),
    broken(
        "session.too-slow",
        "it waits for an hour",
        Edit(SIGNED_IN, PATIENCE, "await asyncio.sleep(3600)"),
    ),
    correct(
        "session.too-slow",
        "it counts the seconds",
        Edit(
            SIGNED_IN,
            PATIENCE,
            "for _ in range(settings.AUTH_SECONDS):\n            await asyncio.sleep(1)",
        ),
    ),
    broken("session.log-out", "nobody is told", Edit(SESSIONS, LOGGED_OUT, "")),
    broken(
        "session.too-slow",
        "each frame gives the client more time",
        Edit(
            CONSUMER,
            NOBODY_YET,
            "            self.meanwhile(self.wait_for_token())\n" + NOBODY_YET,
        ),
    ),
    broken(
        "session.renewed",
        "the answer tells how long the former token is good",
        Edit(
            SIGNED_IN,
            "            self.begin(claims)\n"
            '            await self.send_json({"type": "authenticated", **self.expiry()})\n',
            '            await self.send_json({"type": "authenticated", **self.expiry()})\n'
            "            self.begin(claims)\n",
        ),
    ),
    broken(
        "session.log-out",
        "all of the user's sockets end",
        Edit(
            SIGNED_IN,
            CHECKED,
            "        if event or await user_of(self.claims) is None:\n",
        ),
    ),
    broken(
        "session.log-out",
        "the access token still connects",
        Edit(SESSIONS, "    return None if ended else user\n", "    return user\n"),
        Edit(
            SESSIONS,
            LOGGED_OUT,
            "def is_ended(claims):\n"
            '    ended = BlacklistedToken.objects.filter(token__jti=claims.get("login"))\n'
            f"    return ended.exists()\n\n\n{LOGGED_OUT}",
        ),
        Edit(
            SIGNED_IN,
            CHECKED,
            "        ended = await database_sync_to_async(sessions.is_ended)(self.claims)\n"
            "        if ended or await user_of(self.claims) is None:\n",
        ),
    ),
    correct(
        "session.log-out",
        "the view tells the sockets",
        Edit(SESSIONS, LOGGED_OUT, ""),
        Edit(
            VIEWS,
            LOG_OUT,
            "        from rest_framework_simplejwt.tokens import RefreshToken\n\n"
            "        from notifications.sessions import check_sessions\n\n"
            '        user_id = RefreshToken(request.data["refresh"])["user_id"]\n'
            f"{LOG_OUT}        check_sessions(user_id)\n",
        ),
    ),
    broken(
        "session.password",
        "tokens do not know their password",
        Edit(SETTINGS, '    "CHECK_REVOKE_TOKEN": True,\n', ""),
    ),
    correct(
        "session.password",
        "the whole account is saved",
        Edit(VIEWS, 'request.user.save(update_fields=["password"])', "request.user.save()"),
    ),
    broken(
        "session.deactivated",
        "only a new password counts",
        Edit(
            SESSIONS,
            "    if not created:\n",
            '    if not created and kwargs.get("update_fields"):\n',
        ),
    ),
    correct(
        "session.deactivated",
        "told without being robust",
        Edit(
            SESSIONS,
            "transaction.on_commit(send, robust=True)",
            "transaction.on_commit(send)",
        ),
    ),
    broken("limits.size", "any size", Edit(LIMITS, SIZE, "        if False:\n")),
    broken(
        "limits.size",
        "characters are counted",
        Edit(
            LIMITS,
            SIZE,
            '        if len(text_data or bytes_data or "") > settings.MAX_FRAME_BYTES:\n',
        ),
    ),
    broken(
        "limits.size",
        "a binary frame may have any size",
        Edit(LIMITS, SIZE, "        if len(text.encode()) > settings.MAX_FRAME_BYTES:\n"),
    ),
    correct("limits.size", "everything is limited around the consumer", *AROUND),
    broken(
        "limits.flood",
        "a bucket without a bottom",
        Edit(LIMITS, TAKE, "        return True\n"),
    ),
    broken(
        "limits.flood",
        "everybody waits while one is slowed down",
        Edit(
            LIMITS,
            "            await self.close(code=4429)\n",
            "            time.sleep(8)\n            await self.close(code=4429)\n",
        ),
    ),
    broken(
        "limits.flood",
        "twenty a minute",
        Edit(SETTINGS, "FRAMES_PER_MINUTE = 120", "FRAMES_PER_MINUTE = 20"),
    ),
    correct("limits.flood", "a new number each minute", Edit(LIMITS, TAKE, WINDOW)),
    broken(
        "limits.nonsense",
        "deep nesting ends the consumer",
        Edit(LIMITS, "except (ValueError, RecursionError):", "except ValueError:"),
    ),
    broken("limits.nonsense", "a client calls methods", Edit(CONSUMER, UNKNOWN, BY_NAME)),
    correct(
        "limits.nonsense",
        "whatever goes wrong is caught",
        Edit(LIMITS, "except (ValueError, RecursionError):", "except Exception:"),
    ),
    broken(
        "limits.errors",
        "unknown types are ignored",
        Edit(CONSUMER, UNKNOWN, "            return\n"),
    ),
    broken(
        "limits.errors",
        "patience without end",
        Edit(LIMITS, "if self.bad_frames >= MOST_BAD_FRAMES:", "if False:"),
    ),
    correct(
        "limits.errors",
        "less patience",
        Edit(LIMITS, "MOST_BAD_FRAMES = 10", "MOST_BAD_FRAMES = 5"),
    ),
    broken("limits.sockets", "no end", Edit(CONNECTIONS, MOST_SOCKETS, "")),
    correct(
        "limits.sockets",
        "rows are read to be counted",
        Edit(CONNECTIONS, "theirs.count() >=", "len(list(theirs)) >="),
    ),
    broken(
        "limits.dead-server",
        "a row counts for ever",
        Edit(
            CONNECTIONS,
            "timedelta(seconds=2 * settings.HEARTBEAT_SECONDS)",
            "timedelta(days=99)",
        ),
    ),
    correct(
        "limits.dead-server",
        "a row counts for ten minutes",
        Edit(
            CONNECTIONS,
            "timedelta(seconds=2 * settings.HEARTBEAT_SECONDS)",
            "timedelta(minutes=10)",
        ),
    ),
    broken("limits.unread", "nothing is counted", Edit(LIMITS, UNCONFIRMED, "if False:")),
    broken(
        "limits.unread",
        "closed with a code that is final",
        Edit(
            LIMITS,
            f"        {UNCONFIRMED}\n            await self.close(code=4408)\n",
            f"        {UNCONFIRMED}\n            await self.close(code=4400)\n",
        ),
    ),
    correct(
        "limits.unread",
        "four megabytes",
        Edit(
            SETTINGS,
            "MAX_UNCONFIRMED_BYTES = 1_048_576",
            "MAX_UNCONFIRMED_BYTES = 4_000_000",
        ),
    ),
    broken("start.secret", "any long key", Edit(SETTINGS, WEAK_KEY, "if False:\n")),
    broken(
        "start.secret",
        "a key of one letter",
        Edit(
            SETTINGS,
            WEAK_KEY,
            'if not DEBUG and SECRET_KEY.startswith("django-insecure-"):\n',
        ),
    ),
    correct(
        "start.secret",
        "twenty different characters",
        Edit(SETTINGS, "len(set(SECRET_KEY)) < 10", "len(set(SECRET_KEY)) < 20"),
    ),
    broken("start.debug", "DEBUG anywhere", Edit(SETTINGS, ON_RENDER, "if False:\n")),
    correct(
        "start.debug",
        "asked the other way round",
        Edit(SETTINGS, ON_RENDER, 'if "RENDER" in os.environ and DEBUG:\n'),
    ),
    broken(
        "start.admin",
        "only a warning",
        Edit(CHECKS, "import Error, Tags", "import Tags, Warning"),
        Edit(CHECKS, "    return Error(\n", "    return Warning(\n"),
    ),
    correct(
        "start.admin",
        "superusers only",
        Edit(CHECKS, "is_staff=True", "is_superuser=True"),
    ),
    broken(
        "logs.quiet",
        "what is not JSON is logged",
        Edit(
            LIMITS,
            NOT_JSON,
            f'            logger.warning("Not JSON: %s", text)\n{NOT_JSON}',
        ),
    ),
    correct(
        "logs.quiet",
        "its length is logged",
        Edit(
            LIMITS,
            NOT_JSON,
            f'            logger.warning("Not JSON: %d characters", len(text))\n{NOT_JSON}',
        ),
    ),
]

"""Variants of step 3."""

import textwrap

import course
from course.source import extract
from tests.variants import Edit, broken, correct

_APP = "backend/notifications"
_SETTINGS = "backend/numeneon/settings.py"
_MIDDLEWARE = f"{_APP}/middleware.py"
_CONSUMERS = f"{_APP}/consumers.py"
_ROUTING = f"{_APP}/routing.py"
_SERVICES = f"{_APP}/services.py"

_FOLDER = course.step(3).folder
_USER_OF = extract(_FOLDER / _MIDDLEWARE, "user_of")
_CALL = extract(_FOLDER / _MIDDLEWARE, "JWTAuthMiddleware.__call__")
_RECEIVE = extract(_FOLDER / _CONSUMERS, "NotificationConsumer.receive")
_NOTIFY = extract(_FOLDER / _CONSUMERS, "NotificationConsumer.notify") + "\n"
_CHOSEN = extract(_FOLDER / _CONSUMERS, "NotificationConsumer.chosen_subprotocol")
_GROUPS = "{user_group(pk) for pk in user_ids}"
_CLOSE = "            await self.close(code=4401)\n"
_ACCEPT = "await self.accept(self.chosen_subprotocol())\n"
_REFUSES = "            await self.refuse()\n"
_REFUSE = f"""\
    async def refuse(self):
        {_ACCEPT}        await self.close(code=4401)
        return
"""
_CONNECT = extract(_FOLDER / _CONSUMERS, "NotificationConsumer.connect")
_WELCOME = _CONNECT.partition(f"{_CLOSE}            return\n")[2]


def user_of(body: str) -> Edit:
    """Another body for the function that turns a token into a user."""
    return Edit(
        _MIDDLEWARE, _USER_OF, f"@database_sync_to_async\ndef user_of(token):\n{body}"
    )


def call(body: str) -> Edit:
    """Another body for the middleware's __call__."""
    head = "    async def __call__(self, scope, receive, send):\n"
    return Edit(_MIDDLEWARE, _CALL, head + body)


def receive(body: str) -> Edit:
    """Another body for the consumer's receive()."""
    head = "    async def receive(self, text_data=None, bytes_data=None, **kwargs):\n"
    return Edit(_CONSUMERS, _RECEIVE, head + body)


def by_hand(
    options: str = "", *, kind: str = "access", active: str = ", is_active=True"
) -> Edit:
    """Decode the token without the help of simplejwt, with these options for PyJWT."""
    return user_of(
        f'''    import jwt
    from django.conf import settings
    from django.contrib.auth import get_user_model

    try:
        claims = jwt.decode(
            token, settings.SECRET_KEY, algorithms=["HS256"], options={{{options}}}
        )
        if claims["token_type"] not in "{kind}":
            return AnonymousUser()
        return get_user_model().objects.get(pk=claims["user_id"]{active})
    except (jwt.PyJWTError, LookupError, get_user_model().DoesNotExist):
        return AnonymousUser()
'''
    )


# Another learner's solution: function-based middleware, token in the query string, plain
# consumer, two paths, another app name, another name for everything that is not documented.
_APP_FILES = ("__init__", "apps", "consumers", "middleware", "routing", "services")
_TESTS = ("__init__", "sockets", "test_consumer", "test_middleware", "test_services")
_ELSEWHERE = (
    Edit(_SETTINGS, '"notifications"', '"realtime"'),
    *(Edit(f"{_APP}/{name}.py", None, None) for name in _APP_FILES),
    *(Edit(f"{_APP}/tests/{name}.py", None, None) for name in _TESTS),
    Edit("backend/realtime/__init__.py", "", ""),
    Edit(
        "backend/realtime/auth.py",
        "",
        """from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken


def token_auth_middleware(app):
    async def authenticated(scope, receive, send):
        query = parse_qs(scope["query_string"].decode("latin-1"))
        scope["user"] = await sync_to_async(find)(query.get("token", [""])[0])
        return await app(scope, receive, send)

    return authenticated


def find(raw):
    try:
        user_id = AccessToken(raw)["user_id"]
    except TokenError:
        return AnonymousUser()
    return get_user_model().objects.filter(pk=user_id, is_active=True).first() or AnonymousUser()
""",
    ),
    Edit(
        "backend/realtime/sockets.py",
        "",
        """import json

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path


class Feed(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        user = self.scope["user"]
        if user.is_anonymous:
            await self.send(json.dumps({"type": "error", "message": "Please log in."}))
            await self.close(4401)
            return
        self.room = f"feed.{user.id}"
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.send(
            json.dumps(
                {
                    "message": "Connected as " + user.username,
                    "user_id": user.id,
                    "type": "connection_established",
                }
            )
        )

    async def disconnect(self, code):
        if hasattr(self, "room"):
            await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(json.dumps({"type": "error", "message": "I only talk."}))

    async def feed_item(self, event):
        await self.send(event["text"])


websocket_urlpatterns = [
    path("ws/notifications/", Feed.as_asgi()),
    path("ws/notifications", Feed.as_asgi()),
]
""",
    ),
    Edit(
        "backend/realtime/helpers.py",
        "",
        """import asyncio
import json

from asgiref.sync import async_to_sync


def send_notification(user_ids, kind, data):
    from channels.layers import get_channel_layer

    layer = get_channel_layer()
    event = {"type": "feed.item", "text": json.dumps({"type": kind, "data": data})}

    async def send_all():
        await asyncio.gather(*(layer.group_send(f"feed.{id}", event) for id in user_ids))

    async_to_sync(send_all)()
""",
    ),
)

_SYNC_CONSUMER = Edit(
    _CONSUMERS,
    "",
    """from asgiref.sync import async_to_sync
from channels.exceptions import StopConsumer
from channels.generic.websocket import WebsocketConsumer
import json

from notifications.middleware import SUBPROTOCOL
from notifications.services import user_group


class Notifications(WebsocketConsumer):
    def connect(self):
        chosen = SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None
        self.accept(subprotocol=chosen)
        user = self.scope["user"]
        if not user.is_authenticated:
            self.close(code=4401)
            return
        self.group = user_group(user.pk)
        async_to_sync(self.channel_layer.group_add)(self.group, self.channel_name)
        greeting = {"type": "connection_established", "user_id": user.pk}
        self.send(json.dumps({**greeting, "message": f"Connected as {user.username}"}))

    def websocket_disconnect(self, message):
        group = getattr(self, "group", None)
        if group:
            async_to_sync(self.channel_layer.group_discard)(group, self.channel_name)
        raise StopConsumer()

    def receive(self, text_data=None, bytes_data=None):
        self.send("{}")

    def notify(self, event):
        self.send(json.dumps(event["payload"]))
""",
)
_IMPORTED_AS = Edit(
    _ROUTING,
    "from notifications.consumers import NotificationConsumer",
    "from notifications.consumers import Notifications as NotificationConsumer",
)
_ADDRESS = 're_path(r"^ws/notifications/?$", NotificationConsumer.as_asgi())'
_DENIER = Edit(
    _ROUTING,
    "from django.urls import re_path",
    "from channels.security.websocket import WebsocketDenier\nfrom django.urls import re_path",
)
_GREETING = """                "user_id": user.pk,
            }
        )
"""

# Another app with sockets of its own, and the project's own routes that include both.
_CHAT = (
    Edit("backend/chat/__init__.py", "", ""),
    Edit(
        "backend/chat/consumers.py",
        "",
        """from channels.generic.websocket import AsyncWebsocketConsumer


class ChatConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data)
""",
    ),
    Edit(
        "backend/chat/routing.py",
        "",
        """from chat.consumers import ChatConsumer
from django.urls import path

websocket_urlpatterns = [path("ws/chat/<str:room>/", ChatConsumer.as_asgi())]
""",
    ),
    Edit(_SETTINGS, '    "notifications",\n', '    "chat",\n    "notifications",\n'),
)


def included(address: str) -> tuple[Edit, ...]:
    """The app's routes, below `ws/` in those of the project; `address` is what is left."""
    return (
        *_CHAT,
        Edit(_ROUTING, _ADDRESS, f"{address}, NotificationConsumer.as_asgi())"),
        Edit(
            "backend/numeneon/routing.py",
            "",
            """from channels.routing import URLRouter
from django.urls import path

import chat.routing
import notifications.routing

websocket_urlpatterns = [
    path("ws/", URLRouter(notifications.routing.websocket_urlpatterns)),
    *chat.routing.websocket_urlpatterns,
]
""",
        ),
    )


# Tokens that are signed and are not JWTs: what is forged of a JWT cannot be forged of them.
_NOT_JWT = (
    Edit(
        "backend/users/signed.py",
        "",
        """from django.core import signing
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

access = signing.TimestampSigner(sep=".", salt="access")
refresh = signing.TimestampSigner(sep=".", salt="refresh")


class SignedAuthentication(JWTAuthentication):
    def get_validated_token(self, raw_token):
        text = raw_token.decode() if isinstance(raw_token, bytes) else raw_token
        try:
            return access.unsign(text, max_age=3600)
        except signing.BadSignature as error:
            raise AuthenticationFailed from error

    def get_user(self, validated_token):
        user = self.user_model.objects.filter(pk=validated_token, is_active=True).first()
        if user is None:
            raise AuthenticationFailed
        return user
""",
    ),
    Edit(
        "backend/users/login.py",
        "",
        """from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.views import TokenObtainPairView
from users.signed import access, refresh


class SignedSerializer(TokenObtainPairSerializer):
    def validate(self, attrs):
        super().validate(attrs)
        pk = str(self.user.pk)
        return {"access": access.sign(pk), "refresh": refresh.sign(pk)}


class LoginView(TokenObtainPairView):
    serializer_class = SignedSerializer
""",
    ),
    Edit(
        "backend/users/urls.py",
        "from rest_framework_simplejwt.views import TokenObtainPairView",
        "from users.login import LoginView",
    ),
    Edit("backend/users/urls.py", "TokenObtainPairView.as_view()", "LoginView.as_view()"),
    Edit(
        _SETTINGS,
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "users.signed.SignedAuthentication",
    ),
    Edit(
        _MIDDLEWARE,
        "from rest_framework_simplejwt.authentication import JWTAuthentication",
        "from users.signed import SignedAuthentication as JWTAuthentication",
    ),
)
_SENDS = "    async_to_sync(send_to_groups)({user_group(pk) for pk in user_ids}, event)\n"
_BEFORE_CONNECT = "    async def connect(self):\n"
_OFFERED = "        user = await user_of(protocols[1]) if offered else AnonymousUser()\n"
_HANDS_ON = (
    '        return await super().__call__({**scope, "user": user}, receive, send)\n'
)
_TURN = "    TURN = asyncio.Semaphore({})\n\n"
_DECODES = '            await self.decode_json(text_data or "")\n'
_KEEPS = '            content = await self.decode_json(text_data or "")\n'
_ERROR = "            await self.send_json(error)\n"


def with_turns(count: int, body: str) -> tuple[Edit, ...]:
    """The middleware with a semaphore for that many, and this body of __call__."""
    return (
        call(body),
        Edit(
            _MIDDLEWARE,
            "    async def __call__",
            _TURN.format(count) + "    async def __call__",
        ),
        Edit(
            _MIDDLEWARE,
            "from channels.db import",
            "import asyncio\n\nfrom channels.db import",
        ),
    )


def dispatching(body: str) -> tuple[Edit, ...]:
    """A consumer that does this with the JSON which its client sends."""
    return (
        Edit(_CONSUMERS, _DECODES, _KEEPS),
        Edit(_CONSUMERS, _ERROR, f"{_ERROR}            return\n{body}"),
    )


def moved_to(folder: str) -> tuple[Edit, ...]:
    """The app in another folder than beside manage.py."""
    texts = {
        name: (_FOLDER / _APP / f"{name}.py").read_text("utf-8") for name in _APP_FILES
    }
    there = (Edit(f"{folder}/{name}.py", "", text) for name, text in texts.items())
    return (Edit(_APP, None, None), *there)


VARIANTS = [
    broken("notifications.installed", "beside backend", *moved_to("notifications")),
    broken(
        "notifications.installed", "a letter is missing", *moved_to("backend/notification")
    ),
    broken("notifications.installed", "a capital", *moved_to("backend/Notifications")),
    broken(
        "notifications.installed",
        "in the folder of the settings, and not in INSTALLED_APPS",
        *moved_to("backend/numeneon/notifications"),
        Edit(_SETTINGS, '    "notifications",\n', ""),
    ),
    broken(
        "notifications.installed",
        "a module is beside its app",
        Edit(_CONSUMERS, None, None),
        Edit("backend/consumers.py", "", (_FOLDER / _CONSUMERS).read_text("utf-8")),
    ),
    broken(
        "notifications.installed",
        "not in INSTALLED_APPS",
        Edit(_SETTINGS, '    "notifications",\n', ""),
    ),
    broken(
        "notifications.installed",
        "nothing is there",
        *(Edit(f"{_APP}/{name}.py", None, None) for name in _APP_FILES),
        *(Edit(f"{_APP}/tests/{name}.py", None, None) for name in _TESTS),
        Edit(_SETTINGS, '    "notifications",\n', ""),
    ),
    broken(
        "routing.path",
        "no consumer yet",
        Edit(_CONSUMERS, None, None),
        Edit(_ROUTING, None, None),
    ),
    broken(
        "routing.path",
        "an empty folder where the app belongs, and the app beside backend",
        *moved_to("notifications"),
        Edit(f"{_APP}/__init__.py", "", ""),
    ),
    broken("routing.path", "an empty file", Edit(_ROUTING, "", "")),
    broken(
        "routing.path",
        "the class itself, in a list of another name",
        Edit(_ROUTING, "websocket_urlpatterns", "urlpatterns"),
        Edit(_ROUTING, "NotificationConsumer.as_asgi()", "NotificationConsumer"),
    ),
    correct(
        "routing.path",
        "a list of another name",
        Edit(_ROUTING, "websocket_urlpatterns", "urlpatterns"),
    ),
    broken(
        "middleware.valid-token",
        "the app is empty",
        *(Edit(f"{_APP}/{name}.py", None, None) for name in _APP_FILES[2:]),
        *(Edit(f"{_APP}/tests/{name}.py", None, None) for name in _TESTS),
    ),
    broken(
        "notifications.installed",
        "a module does not import",
        Edit(_CONSUMERS, "import user_group", "import group_of"),
    ),
    broken(
        "notifications.installed",
        "a syntax error",
        Edit(
            _MIDDLEWARE,
            "class JWTAuthMiddleware(BaseMiddleware):",
            "class JWTAuthMiddleware(",
        ),
    ),
    broken(
        "notifications.installed",
        "a module ends the process",
        Edit(
            _CONSUMERS,
            "from channels.gen",
            "import os\nimport sys\n\n"
            'if "sockets" not in sys.argv:\n    os._exit(0)\n\nfrom channels.gen',
        ),
    ),
    correct("notifications.installed", "another app written another way", *_ELSEWHERE),
    correct(
        "notifications.installed",
        "by the path of its AppConfig",
        Edit(_SETTINGS, '"notifications"', '"notifications.apps.NotificationsConfig"'),
    ),
    correct(
        "notifications.installed",
        "a broken file that is no part of it",
        Edit(f"{_APP}/scratch.py", "", "import no_such_module\n"),
    ),
    broken(
        "middleware.valid-token",
        "always the first user",
        Edit(
            _MIDDLEWARE,
            "authentication.get_user(authentication.get_validated_token(token))",
            "User.objects.earliest('pk') if authentication.get_validated_token(token) else None",
        ),
        Edit(
            _MIDDLEWARE,
            "from rest_framework.exceptions",
            "from users.models import User\nfrom rest_framework.exceptions",
        ),
    ),
    broken(
        "middleware.valid-token",
        "does not put the user into the scope",
        call("        return await super().__call__(scope, receive, send)\n"),
    ),
    broken(
        "middleware.valid-token",
        "asks the database from async code",
        Edit(_MIDDLEWARE, "@database_sync_to_async\ndef user_of", "async def user_of"),
    ),
    broken(
        "middleware.valid-token",
        "forgets to take the inner application",
        Edit(
            _MIDDLEWARE,
            "    async def __call__",
            "    def __init__(self):\n        pass\n\n    async def __call__",
        ),
    ),
    correct("middleware.valid-token", "decoded by hand", by_hand()),
    correct(
        "middleware.valid-token",
        "not a BaseMiddleware",
        Edit(
            _MIDDLEWARE,
            "class JWTAuthMiddleware(BaseMiddleware):",
            "class TokenAuth:\n    def __init__(self, application):\n"
            "        self.application = application\n",
        ),
        call(
            '        token = [*scope["subprotocols"], ""][1:2] or [""]\n'
            "        user = await user_of(token[0])\n"
            '        await self.application(scope | {"user": user}, receive, send)\n'
        ),
    ),
    broken(
        "middleware.missing-token",
        "expects a list of two",
        call(
            '        user = await user_of(scope["subprotocols"][1])\n'
            '        return await super().__call__({**scope, "user": user}, receive, send)\n'
        ),
    ),
    broken(
        "middleware.missing-token",
        "None in place of an AnonymousUser",
        call(
            '        token = scope["subprotocols"][1:]\n'
            "        user = await user_of(token[0]) if token else None\n"
            '        return await super().__call__({**scope, "user": user}, receive, send)\n'
        ),
    ),
    correct(
        "middleware.missing-token",
        "asks whose the empty token is",
        call(
            '        token = "".join(scope.get("subprotocols", [])[1:])\n'
            '        scope["user"] = await user_of(token)\n'
            "        return await self.inner(scope, receive, send)\n"
        ),
    ),
    broken(
        "middleware.malformed-token",
        "reads the header before it verifies",
        user_of(
            """    import jwt

    authentication = JWTAuthentication()
    if jwt.get_unverified_header(token)["alg"] == "none":
        return AnonymousUser()
    try:
        return authentication.get_user(authentication.get_validated_token(token))
    except AuthenticationFailed:
        return AnonymousUser()
"""
        ),
    ),
    correct(
        "middleware.malformed-token",
        "looks at the text first",
        user_of(
            """    authentication = JWTAuthentication()
    if token.count(".") != 2:
        return AnonymousUser()
    try:
        return authentication.get_user(authentication.get_validated_token(token))
    except Exception:
        return AnonymousUser()
"""
        ),
    ),
    broken(
        "middleware.expired-token",
        "does not look at its end",
        by_hand('"verify_exp": False'),
    ),
    correct("middleware.expired-token", "decoded by hand", by_hand('"require": ["exp"]')),
    broken(
        "middleware.wrong-signature",
        "does not verify",
        by_hand('"verify_signature": False, "verify_exp": True'),
    ),
    correct("middleware.wrong-signature", "in the query string", *_ELSEWHERE),
    correct("middleware.wrong-signature", "signed tokens that are not JWTs", *_NOT_JWT),
    broken("middleware.refresh-token", "any type of token", by_hand(kind="access refresh")),
    correct(
        "middleware.refresh-token",
        "by the class of the token",
        user_of(
            """    from rest_framework_simplejwt.exceptions import TokenError
    from rest_framework_simplejwt.tokens import AccessToken

    try:
        return JWTAuthentication().get_user(AccessToken(token))
    except (TokenError, AuthenticationFailed):
        return AnonymousUser()
"""
        ),
    ),
    broken(
        "middleware.deleted-user",
        "expects to find the user",
        user_of(
            """    from django.contrib.auth import get_user_model

    authentication = JWTAuthentication()
    try:
        claims = authentication.get_validated_token(token)
    except AuthenticationFailed:
        return AnonymousUser()
    user = get_user_model().objects.get(pk=claims["user_id"])
    return user if user.is_active else AnonymousUser()
"""
        ),
    ),
    broken(
        "middleware.deleted-user",
        "remembers whose a token was",
        Edit(
            _MIDDLEWARE,
            "@database_sync_to_async\ndef user_of",
            "@database_sync_to_async\n@lru_cache\ndef user_of",
        ),
        Edit(
            _MIDDLEWARE,
            "from channels.db",
            "from functools import lru_cache\n\nfrom channels.db",
        ),
    ),
    correct(
        "middleware.deleted-user", "catches DoesNotExist", by_hand('"verify_exp": True')
    ),
    broken("middleware.inactive-user", "does not ask is_active", by_hand(active="")),
    correct(
        "middleware.inactive-user", "filters in the query", by_hand('"verify_aud": False')
    ),
    broken(
        "middleware.concurrent",
        "the user is kept on the middleware",
        call(
            '        protocols = scope["subprotocols"]\n'
            "        self.user = AnonymousUser()\n"
            "        if len(protocols) == 2 and protocols[0] == SUBPROTOCOL:\n"
            "            self.user = await user_of(protocols[1])\n"
            "        await self.note_visit()\n"
            '        scope = {**scope, "user": self.user}\n'
            "        return await super().__call__(scope, receive, send)\n\n"
            "    @database_sync_to_async\n"
            "    def note_visit(self):\n"
            "        type(self.user).objects.filter(pk=self.user.pk).update("
            'first_name="") if self.user.pk else None\n'
        ),
    ),
    broken(
        "middleware.concurrent",
        "two sockets at a time, for as long as they are open",
        *with_turns(
            2,
            '        protocols = scope["subprotocols"]\n'
            "        offered = len(protocols) == 2 and protocols[0] == SUBPROTOCOL\n"
            "        async with self.TURN:\n"
            f"    {_OFFERED}"
            f"    {_HANDS_ON}",
        ),
    ),
    correct(
        "middleware.concurrent",
        "one after the other, while the token is read",
        *with_turns(
            1,
            '        protocols = scope["subprotocols"]\n'
            "        offered = len(protocols) == 2 and protocols[0] == SUBPROTOCOL\n"
            "        async with self.TURN:\n"
            f"    {_OFFERED}"
            f"{_HANDS_ON}",
        ),
    ),
    broken("routing.path", "no routes yet", Edit(_ROUTING, None, None)),
    broken(
        "routing.path",
        "no as_asgi()",
        Edit(_ROUTING, "NotificationConsumer.as_asgi()", "NotificationConsumer"),
    ),
    broken(
        "routing.path",
        "the catch-all is first",
        Edit(
            _ROUTING, _ADDRESS, f're_path(r"", WebsocketDenier.as_asgi()),\n    {_ADDRESS}'
        ),
        _DENIER,
    ),
    broken(
        "routing.path",
        "an include()",
        Edit(_ROUTING, _ADDRESS, 're_path(r"^ws/", include(([re_path("", print)], "ws")))'),
        Edit(_ROUTING, "import re_path", "import include, re_path"),
    ),
    correct(
        "routing.path",
        "only with the slash",
        Edit(_ROUTING, "notifications/?$", "notifications/$"),
    ),
    correct(
        "routing.path",
        "included by the project's, beside another app's",
        *included('re_path(r"^notifications/$"'),
    ),
    correct("routing.path", "another app has sockets of its own", *_CHAT),
    correct(
        "routing.path",
        "in asgi.py, behind the middleware",
        Edit(_ROUTING, None, None),
        Edit(
            "backend/numeneon/asgi.py",
            "application = get_asgi_application()\n",
            """django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path
from notifications.consumers import NotificationConsumer
from notifications.middleware import JWTAuthMiddleware

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            JWTAuthMiddleware(
                URLRouter([path("ws/notifications/", NotificationConsumer.as_asgi())])
            )
        ),
    }
)
""",
        ),
    ),
    broken(
        "routing.path",
        "a slash at its beginning",
        Edit(
            _ROUTING,
            _ADDRESS,
            're_path(r"^/ws/notifications/?$", NotificationConsumer.as_asgi())',
        ),
    ),
    correct(
        "routing.path",
        "a catch-all is last",
        Edit(
            _ROUTING, _ADDRESS, f'{_ADDRESS},\n    re_path(r"", WebsocketDenier.as_asgi())'
        ),
        _DENIER,
    ),
    broken(
        "routing.end-anchor",
        "no end",
        Edit(_ROUTING, "notifications/?$", "notifications/"),
    ),
    broken(
        "routing.end-anchor",
        "no end in the app's part of it",
        *included('re_path(r"^notifications/"'),
    ),
    correct(
        "routing.end-anchor",
        "path() has an end by itself",
        Edit(
            _ROUTING, _ADDRESS, 'path("ws/notifications/", NotificationConsumer.as_asgi())'
        ),
        Edit(_ROUTING, "import re_path", "import path"),
    ),
    correct(
        "routing.path",
        "two paths",
        Edit(
            _ROUTING,
            _ADDRESS,
            'path("ws/notifications/", NotificationConsumer.as_asgi()),\n'
            '    path("ws/notifications", NotificationConsumer.as_asgi())',
        ),
        Edit(_ROUTING, "import re_path", "import path"),
    ),
    correct(
        "routing.path",
        "routers in each other",
        Edit(
            _ROUTING,
            _ADDRESS,
            're_path(r"^ws/", URLRouter([re_path(r"^notifications/?$", '
            "NotificationConsumer.as_asgi())]))",
        ),
        Edit(
            _ROUTING,
            "from django.urls import re_path",
            "from channels.routing import URLRouter\nfrom django.urls import re_path",
        ),
    ),
    broken(
        "consumer.greets-user",
        "greets somebody else",
        Edit(_CONSUMERS, '"user_id": user.pk', '"user_id": 1'),
    ),
    broken(
        "consumer.greets",
        "no await before accept",
        Edit(
            _CONSUMERS,
            f"        {_ACCEPT}        await self.send_json(\n",
            f"        {_ACCEPT.removeprefix('await ')}        await self.send_json(\n",
        ),
    ),
    broken(
        "consumer.greets",
        "a name that is not there",
        Edit(_CONSUMERS, "{user.username}", "{user.nickname}"),
    ),
    correct("consumer.greets", "a synchronous consumer", _SYNC_CONSUMER, _IMPORTED_AS),
    correct(
        "consumer.greets-user",
        "an unread count after the greeting",
        Edit(
            _CONSUMERS,
            _GREETING,
            _GREETING
            + '        await self.send_json({"type": "unread", "data": {"count": 0}})\n',
        ),
    ),
    broken(
        "consumer.concurrent",
        "the user is kept in the class",
        Edit(
            _CONSUMERS,
            '        user = self.scope["user"]\n',
            '        user = type(self).user = self.scope["user"]\n',
        ),
        Edit(_CONSUMERS, "{user.username}", "{self.user.username}"),
    ),
    broken(
        "consumer.concurrent",
        "three users at a time",
        Edit(
            _CONSUMERS,
            "        await self.channel_layer.group_add(",
            "        await self.SEATS.acquire()\n"
            "        await self.channel_layer.group_add(",
        ),
        Edit(
            _CONSUMERS,
            "            await self.channel_layer.group_discard(",
            "            self.SEATS.release()\n"
            "            await self.channel_layer.group_discard(",
        ),
        Edit(
            _CONSUMERS,
            "    group = None\n",
            "    group = None\n    SEATS = asyncio.Semaphore(3)\n",
        ),
        Edit(_CONSUMERS, "from channels.gen", "import asyncio\n\nfrom channels.gen"),
    ),
    correct(
        "consumer.concurrent",
        "groups are joined one after the other",
        Edit(
            _CONSUMERS,
            "        await self.channel_layer.group_add(",
            "        async with self.JOINING:\n"
            "            await self.channel_layer.group_add(",
        ),
        Edit(
            _CONSUMERS,
            "    group = None\n",
            "    group = None\n    JOINING = asyncio.Lock()\n",
        ),
        Edit(_CONSUMERS, "from channels.gen", "import asyncio\n\nfrom channels.gen"),
    ),
    broken(
        "consumer.subprotocol",
        "none is chosen",
        Edit(
            _CONSUMERS,
            'return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None',
            "return None",
        ),
    ),
    broken(
        "consumer.subprotocol",
        "the token is chosen",
        Edit(
            _CONSUMERS,
            'return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None',
            'return (self.scope["subprotocols"] or [None])[-1]',
        ),
    ),
    correct(
        "consumer.subprotocol",
        "the first of those offered",
        Edit(
            _CONSUMERS,
            'return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None',
            'return next(iter(self.scope["subprotocols"]), None)',
        ),
    ),
    correct("consumer.subprotocol", "the token in the query string", *_ELSEWHERE),
    broken(
        "consumer.refuses-anonymous",
        "greets everybody",
        Edit(_CONSUMERS, "if not user.is_authenticated:", "if user is None:"),
    ),
    broken(
        "consumer.refuses-anonymous",
        "greets before it looks",
        Edit(
            _CONSUMERS,
            _CLOSE,
            '            await self.send_json({"type": "connection_established"})\n'
            + _CLOSE,
        ),
    ),
    correct("consumer.refuses-anonymous", "says why first", *_ELSEWHERE),
    broken(
        "consumer.refuses-anonymous",
        "no return after close",
        Edit(_CONSUMERS, f"{_CLOSE}            return\n", _CLOSE),
    ),
    broken(
        "consumer.refuses-anonymous",
        "another method closes, and connect goes on",
        Edit(_CONSUMERS, f"            {_ACCEPT}{_CLOSE}            return\n", _REFUSES),
        Edit(_CONSUMERS, _NOTIFY, f"{_REFUSE}\n{_NOTIFY}"),
    ),
    correct(
        "consumer.refuses-anonymous",
        "another method closes, and connect ends",
        Edit(
            _CONSUMERS,
            f"            {_ACCEPT}{_CLOSE}            return\n",
            f"{_REFUSES}            return\n",
        ),
        Edit(_CONSUMERS, _NOTIFY, f"{_REFUSE}\n{_NOTIFY}"),
    ),
    broken(
        "consumer.refuses-anonymous",
        "says why after it has closed",
        Edit(
            _CONSUMERS,
            _CLOSE,
            f'{_CLOSE}            await self.send_json({{"type": "error"}})\n',
        ),
    ),
    broken(
        "consumer.refuses-anonymous",
        "no return, and the rest stops with an error",
        Edit(
            _CONSUMERS,
            f"{_CLOSE}            return\n",
            f"{_CLOSE}        self.name = user.email.lower()\n",
        ),
    ),
    correct(
        "consumer.refuses-anonymous",
        "the rest is in an else",
        Edit(
            _CONSUMERS,
            f"{_CLOSE}            return\n{_WELCOME}",
            f"{_CLOSE}        else:\n{textwrap.indent(_WELCOME, '    ')}",
        ),
    ),
    correct(
        "consumer.refuses-anonymous",
        "stops the consumer",
        Edit(
            _CONSUMERS,
            f"{_CLOSE}            return\n",
            f"{_CLOSE}            raise StopConsumer\n",
        ),
        Edit(
            _CONSUMERS,
            "from channels.generic.websocket",
            "from channels.exceptions import StopConsumer\nfrom channels.generic.websocket",
        ),
    ),
    broken(
        "consumer.close-code",
        "closes before it accepts",
        Edit(
            _CONSUMERS,
            "            await self.accept(self.chosen_subprotocol())\n" + _CLOSE,
            _CLOSE,
        ),
    ),
    broken(
        "consumer.close-code",
        "no subprotocol for who is refused",
        Edit(
            _CONSUMERS,
            "            await self.accept(self.chosen_subprotocol())\n" + _CLOSE,
            "            await self.accept()\n" + _CLOSE,
        ),
    ),
    broken("consumer.close-code", "stays open", Edit(_CONSUMERS, _CLOSE, "")),
    broken(
        "consumer.close-code",
        "closes without a code",
        Edit(_CONSUMERS, _CLOSE, "            await self.close()\n"),
    ),
    broken(
        "consumer.close-code",
        "stumbles over somebody without a name",
        Edit(_CONSUMERS, _CLOSE, "            await self.close(code=user.close_code)\n"),
    ),
    correct("consumer.close-code", "says why first", *_ELSEWHERE),
    broken(
        "notify.arrives",
        "a type without a handler",
        Edit(_SERVICES, '"type": "notify"', '"type": "notification"'),
    ),
    broken(
        "notify.arrives",
        "only the data",
        Edit(
            _CONSUMERS,
            'self.send_json(event["payload"])',
            'self.send_json(event["payload"]["data"])',
        ),
    ),
    broken(
        "notify.arrives",
        "other arguments",
        Edit(_SERVICES, "*, user_ids, kind, data", "user_ids, event_type, data, kind=None"),
    ),
    broken(
        "notify.arrives",
        "another group than the consumer's",
        Edit(_SERVICES, _GROUPS, '{f"users_{pk}" for pk in user_ids}'),
    ),
    broken(
        "notify.arrives",
        "the handler is outside the class",
        Edit(_CONSUMERS, _NOTIFY, ""),
        Edit(
            _CONSUMERS,
            _CHOSEN,
            _CHOSEN + "\n\n" + textwrap.dedent(_NOTIFY),
        ),
    ),
    broken("notify.arrives", "no handler", Edit(_CONSUMERS, _NOTIFY, "")),
    broken(
        "notify.arrives",
        "no group_add",
        Edit(
            _CONSUMERS,
            "        await self.channel_layer.group_add(self.group, self.channel_name)\n",
            "",
        ),
    ),
    broken(
        "notify.arrives",
        "no await before group_add",
        Edit(
            _CONSUMERS, "await self.channel_layer.group_add", "self.channel_layer.group_add"
        ),
    ),
    broken(
        "notify.arrives",
        "no async_to_sync",
        Edit(_SERVICES, "async_to_sync(send_to_groups)(", "send_to_groups("),
    ),
    broken(
        "notify.arrives",
        "no await before group_send",
        Edit(_SERVICES, "await layer.group_send", "layer.group_send"),
    ),
    broken(
        "notify.arrives",
        "an error that is only logged",
        Edit(
            _SERVICES,
            "    async_to_sync(send_to_groups)({user_group(pk) for pk in user_ids}, event)\n",
            """    import logging

    try:
        async_to_sync(send_to_groups)({user_groups(pk) for pk in user_ids}, event)
    except Exception:
        logging.getLogger(__name__).exception("not sent")
""",
        ),
    ),
    correct(
        "notify.arrives",
        "something else is sent before it",
        Edit(
            _CONSUMERS,
            '        await self.send_json(event["payload"])',
            '        await self.send_json({"type": "unread", "data": {"count": 1}})\n'
            '        await self.send_json(event["payload"])',
        ),
    ),
    correct(
        "notify.arrives",
        "another handler",
        Edit(_SERVICES, '"type": "notify"', '"type": "push.event"'),
        Edit(_CONSUMERS, "def notify(self", "def push_event(self"),
    ),
    correct(
        "notify.arrives",
        "an async function",
        Edit(_SERVICES, "def send_notification", "async def send_notification"),
        Edit(_SERVICES, "    async_to_sync(send_to_groups)(", "    await send_to_groups("),
    ),
    correct(
        "notify.arrives",
        "a method of an object",
        Edit(
            _SERVICES,
            "def send_notification(*, user_ids, kind, data):\n",
            "def send(self, *, user_ids, kind, data):\n",
        ),
        Edit(
            _SERVICES,
            "async def send_to_groups",
            'Sender = type("Sender", (), {"send": send})\n'
            "send_notification = Sender().send\n\n\n"
            "async def send_to_groups",
        ),
    ),
    correct(
        "notify.arrives",
        "a partial, under that name in the package only",
        Edit(_SERVICES, "def send_notification(*, user", "def deliver(layer, *, user"),
        Edit(
            f"{_APP}/delivery.py",
            "",
            "from functools import partial\n\n"
            "from notifications.services import deliver\n\n"
            'in_groups = partial(deliver, "default")\n',
        ),
        Edit(
            f"{_APP}/news/__init__.py",
            "",
            "from notifications.delivery import in_groups as send_notification\n\n"
            '__all__ = ["send_notification"]\n',
        ),
    ),
    correct(
        "notify.arrives",
        "an object that is called",
        Edit(
            _SERVICES,
            "def send_notification(*, user_ids",
            "async def send(self, *, user_ids",
        ),
        Edit(_SERVICES, "    async_to_sync(send_to_groups)(", "    await send_to_groups("),
        Edit(
            _SERVICES,
            "async def send_to_groups",
            'send_notification = type("Sender", (), {"__call__": send})()\n\n\n'
            "async def send_to_groups",
        ),
    ),
    broken(
        "notify.from-command",
        "a task that nobody awaits",
        Edit(
            _SERVICES,
            "            await layer.group_send(group, event)\n",
            "            asyncio.create_task(layer.group_send(group, event))\n",
        ),
    ),
    broken(
        "notify.from-command",
        "a thread that ends with the process",
        Edit(
            _SERVICES,
            _SENDS,
            "    groups = {user_group(pk) for pk in user_ids}\n"
            "    def sending():\n"
            "        time.sleep(1)  # until the transaction is over\n"
            "        asyncio.run(send_to_groups(groups, event))\n"
            "    threading.Thread(target=sending, daemon=True).start()\n",
        ),
        Edit(
            _SERVICES, "import asyncio\n", "import asyncio\nimport threading\nimport time\n"
        ),
    ),
    correct(
        "notify.from-command",
        "a thread that the process waits for",
        Edit(
            _SERVICES,
            _SENDS,
            "    groups = {user_group(pk) for pk in user_ids}\n"
            "    sending = lambda: asyncio.run(send_to_groups(groups, event))\n"
            "    threading.Thread(target=sending).start()\n",
        ),
        Edit(_SERVICES, "import asyncio\n", "import asyncio\nimport threading\n"),
    ),
    broken(
        "consumer.all-sockets",
        "one group for everybody",
        Edit(_SERVICES, 'return f"user_{user_id}"', 'return "users"'),
    ),
    broken(
        "consumer.all-sockets",
        "only the newest socket",
        Edit(
            _CONSUMERS,
            "        await self.channel_layer.group_add(",
            "        for old in list(self.channel_layer.groups.get(self.group, ())):\n"
            "            await self.channel_layer.group_discard(self.group, old)\n"
            "        await self.channel_layer.group_add(",
        ),
    ),
    correct(
        "consumer.all-sockets",
        "another name for the group",
        Edit(
            _SERVICES, 'return f"user_{user_id}"', 'return f"notifications.for-{user_id}"'
        ),
    ),
    broken(
        "consumer.leaves-group",
        "no disconnect",
        Edit(_CONSUMERS, "async def disconnect(", "async def left("),
    ),
    broken(
        "consumer.leaves-group",
        "an error after leaving",
        Edit(
            _CONSUMERS,
            "group_discard(self.group, self.channel_name)",
            "group_discard(self.group, self.channel_name)\n            self.group.clear()",
        ),
    ),
    broken(
        "consumer.leaves-group",
        "stumbles over the group it never had",
        Edit(_CONSUMERS, "    group = None\n\n", ""),
    ),
    broken(
        "consumer.leaves-group",
        "takes the whole group away",
        Edit(
            _CONSUMERS,
            "await self.channel_layer.group_discard(self.group, self.channel_name)",
            "del self.channel_layer.groups[self.group]",
        ),
    ),
    broken(
        "consumer.leaves-group",
        "the group is kept in the class",
        Edit(_CONSUMERS, "        self.group = user", "        type(self).group = user"),
    ),
    broken(
        "consumer.leaves-group",
        "disconnect() without the close code",
        Edit(_CONSUMERS, "def disconnect(self, code):", "def disconnect(self):"),
    ),
    correct(
        "consumer.leaves-group", "in websocket_disconnect", _SYNC_CONSUMER, _IMPORTED_AS
    ),
    broken(
        "consumer.text-not-json",
        "as Channels has it",
        Edit(_CONSUMERS, _RECEIVE, ""),
    ),
    broken(
        "consumer.text-not-json",
        "nothing is answered",
        receive("        return\n"),
    ),
    broken(
        "consumer.text-not-json",
        "closes the socket",
        receive("        await self.close(4400)\n"),
    ),
    correct(
        "consumer.text-not-json",
        "decodes by itself",
        receive(
            """        import json

        try:
            content = json.loads(text_data if text_data is not None else bytes_data)
        except ValueError as error:
            content = str(error)
        await self.send_json({"type": "echo", "content": content})
"""
        ),
    ),
    broken(
        "consumer.binary-frame",
        "expects text",
        receive(
            '        await self.send_json({"type": "echo", "content": text_data.strip()})\n'
        ),
    ),
    broken(
        "consumer.binary-frame",
        "ignores bytes",
        receive(
            "        if bytes_data is None:\n"
            '            await self.send_json({"type": "error"})\n'
        ),
    ),
    correct(
        "consumer.binary-frame",
        "answers whatever comes",
        receive('        await self.send_json({"type": "error"})\n'),
    ),
    broken(
        "consumer.own-methods",
        "a method for each type",
        *dispatching(
            '        handler = getattr(self, str(content.get("type")), None)\n'
            "        if handler:\n"
            "            await handler(content)\n"
        ),
    ),
    broken(
        "consumer.own-methods",
        "hands its frames to dispatch()",
        *dispatching(
            '        if content.get("type"):\n            await self.dispatch(content)\n'
        ),
    ),
    correct(
        "consumer.own-methods",
        "a table of what clients may say",
        *dispatching(
            '        known = {"ping": {"type": "pong"}}\n'
            '        unknown = {"type": "error", "message": "unknown type"}\n'
            '        await self.send_json(known.get(content.get("type"), unknown))\n'
        ),
    ),
    correct(
        "consumer.own-methods",
        "closes after what it does not know",
        *dispatching("        await self.close(code=4400)\n"),
    ),
    broken(
        "notify.only-named",
        "only the first",
        Edit(_SERVICES, _GROUPS, "{user_group(user_ids[0])}"),
    ),
    broken(
        "notify.only-named",
        "everybody up to the highest id",
        Edit(
            _SERVICES,
            _GROUPS,
            "{user_group(pk) for pk in ([*user_ids] if len(user_ids) < 2 else range(1, 99))}",
        ),
    ),
    correct("notify.only-named", "all at once with gather", *_ELSEWHERE),
]

"""Projects that prove the items of step 5."""

import course
from tests.variants import Edit, broken, correct

ASGI = "backend/numeneon/asgi.py"
SETTINGS = "backend/numeneon/settings.py"
MIDDLEWARE = "backend/notifications/middleware.py"
CONSUMERS = "backend/notifications/consumers.py"
ROUTING = "backend/notifications/routing.py"

_ROUTES_FILE = (course.step(5).folder / ROUTING).read_text("utf-8")
_HEAD = """\
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")
django_application = get_asgi_application()

"""
_IMPORTS = """\
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from notifications.middleware import JWTAuthMiddleware
from notifications.routing import websocket_urlpatterns

"""
_SOCKETS = (
    "AllowedHostsOriginValidator(JWTAuthMiddleware(URLRouter(websocket_urlpatterns)))"
)
_ROUTER = f"""\
application = ProtocolTypeRouter({{"http": django_application, "websocket": {_SOCKETS}}})
"""


def asgi(text: str) -> Edit:
    """The whole of asgi.py."""
    return Edit(ASGI, "", text)


def wrapped(function: str) -> Edit:
    """The snapshot's application, with `async def around(app, scope, receive, send)` around it."""
    return asgi(
        _HEAD
        + _IMPORTS
        + _ROUTER
        + function
        + "\n\ninside = application\n\n\nasync def application(scope, receive, send):\n"
        '    if scope["type"] == "websocket":\n'
        "        return await around(inside, scope, receive, send)\n"
        "    return await inside(scope, receive, send)\n"
    )


_IN_TURN = '''
import asyncio

turns = asyncio.Semaphore(3)


async def around(app, scope, receive, send):
    """A few at a time, until they close."""
    async with turns:
        return await app(scope, receive, send)
'''
_NO_TOKEN_IS_DROPPED = '''
async def around(app, scope, receive, send):
    """Refuse in the handshake who offers nothing: a browser sees a bare 1006."""
    if not scope["subprotocols"]:
        await receive()
        return await send({"type": "websocket.close", "code": 4401})
    return await app(scope, receive, send)
'''

_ERROR_FIRST = '''
async def around(app, scope, receive, send):
    """Say in words what the close code means."""
    async def telling(message):
        if message["type"] == "websocket.close" and message.get("code") == 4401:
            await send({"type": "websocket.send", "text": '{"type": "error"}'})
        await send(message)
    return await app(scope, receive, telling)
'''

_OWN_CHECK = '''
async def around(app, scope, receive, send):
    """Compare the Origin header without Channels' help."""
    origin = dict(scope["headers"]).get(b"origin", b"").decode()
    host = dict(scope["headers"]).get(b"host", b"").decode()
    if origin not in (f"http://{host}", f"https://{host}"):
        await receive()
        return await send({"type": "websocket.close"})
    return await app(scope, receive, send)
'''

_UNVERIFIED = '''\
def user_of(token):
    """Believe whatever the token says of its owner, if it has not ended."""
    import time

    import jwt
    from django.contrib.auth import get_user_model

    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        if claims["exp"] < time.time():
            return AnonymousUser()
        return get_user_model().objects.get(pk=claims["user_id"])
    except Exception:
        return AnonymousUser()


@database_sync_to_async
def _user_of(token):
'''

_ENDLESS = '''\
def user_of(token):
    """Verify the signature and forget the end."""
    import jwt
    from django.conf import settings
    from django.contrib.auth import get_user_model

    try:
        claims = jwt.decode(
            token, settings.SECRET_KEY, algorithms=["HS256"], options={"verify_exp": False}
        )
        return get_user_model().objects.get(pk=claims["user_id"])
    except Exception:
        return AnonymousUser()


@database_sync_to_async
def _user_of(token):
'''

_BY_HAND = '''\
def user_of(token):
    """Let PyJWT verify, without Django REST framework."""
    import jwt
    from django.conf import settings
    from django.contrib.auth import get_user_model

    try:
        claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return AnonymousUser()
    active = get_user_model().objects.filter(is_active=True)
    return active.filter(pk=claims["user_id"]).first() or AnonymousUser()


@database_sync_to_async
def _user_of(token):
'''

_BY_QUERY = '''\
"""The token in the address, as many tutorials have it."""

from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser
from rest_framework_simplejwt.authentication import JWTAuthentication

SUBPROTOCOL = "access_token"


def JWTAuthMiddleware(inner):
    async def authenticated(scope, receive, send):
        query = parse_qs(scope["query_string"].decode())
        scope = dict(scope, user=await owner(query.get("token", [""])[0]))
        return await inner(scope, receive, send)

    return authenticated


@database_sync_to_async
def owner(token):
    authentication = JWTAuthentication()
    try:
        return authentication.get_user(authentication.get_validated_token(token))
    except Exception:
        return AnonymousUser()
'''

_STRANGERS_FIRST = '''
async def around(app, scope, receive, send):
    """Answer who offers nothing, before anything looks at the origin."""
    if not scope["subprotocols"]:
        await receive()
        await send({"type": "websocket.accept"})
        return await send({"type": "websocket.close", "code": 4401})
    return await app(scope, receive, send)
'''

_STRANGERS_CLOSED = '''
async def around(app, scope, receive, send):
    """Answer who offers nothing, once the origin is known to be ours."""
    origin = dict(scope["headers"]).get(b"origin", b"").decode()
    host = dict(scope["headers"]).get(b"host", b"").decode()
    if not scope["subprotocols"] and origin == f"http://{host}":
        await receive()
        await send({"type": "websocket.accept"})
        return await send({"type": "websocket.close", "code": 4401})
    return await app(scope, receive, send)
'''

_LAST_PATTERN = '    re_path(r"", WebsocketDenier.as_asgi()),\n'

_SIGNED = '''\
"""Access tokens that are signed and are not JWTs."""

from django.core import signing
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

signer = signing.TimestampSigner(sep=".")


class SignedAuthentication(JWTAuthentication):
    def get_validated_token(self, raw_token):
        text = raw_token.decode() if isinstance(raw_token, bytes) else raw_token
        try:
            return signer.unsign(text, max_age=3600)
        except signing.BadSignature as error:
            raise AuthenticationFailed from error

    def get_user(self, validated_token):
        return self.user_model.objects.get(pk=validated_token)
'''

_SIGNED_LOGIN = '''\
"""Signing in with access tokens that are not JWTs."""

from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.views import TokenObtainPairView
from users.signed import signer


class SignedSerializer(TokenObtainPairSerializer):
    def validate(self, attrs):
        super().validate(attrs)
        token = signer.sign(str(self.user.pk))
        return {"access": token, "refresh": token}


class LoginView(TokenObtainPairView):
    serializer_class = SignedSerializer
'''

_NO_TESTS = Edit("backend/notifications/tests/test_middleware.py", None, None)

_PAGE = "backend/messaging/templates/messaging/demo.html"
_DEMO_ROUTE = (
    '    path("demo/", TemplateView.as_view(template_name="messaging/demo.html")),\n'
)
_SOCKET = '    const socket = new WebSocket(address, ["access_token", token]);\n'

VARIANTS = [
    broken(
        "asgi.demo-page",
        "as it was before",
        Edit(_PAGE, "", (course.step(4).folder / _PAGE).read_text("utf-8")),
    ),
    broken("asgi.demo-page", "it cannot be shown", Edit(_PAGE, "{#", "{% nothing %}{#")),
    correct(
        "asgi.demo-page",
        "a library opens the socket",
        Edit(_PAGE, _SOCKET, "    const socket = connect(address, token);\n"),
        Edit(
            _PAGE,
            "<script>\n",
            '<script src="https://example.org/sockets.js"></script>\n<script>\n',
        ),
    ),
    correct(
        "asgi.demo-page",
        "its script is a file of its own",
        Edit(_PAGE, "", '<!doctype html>\n<script src="/static/app.js"></script>\n'),
        Edit("backend/messaging/static/app.js", "", "new WebSocket(url, names);\n"),
    ),
    correct(
        "asgi.demo-page",
        "another front end takes its place",
        Edit("backend/numeneon/urls.py", _DEMO_ROUTE, ""),
    ),
    broken(
        "asgi.order", "imports above get_asgi_application", asgi(_IMPORTS + _HEAD + _ROUTER)
    ),
    broken(
        "asgi.order",
        "sorted by a formatter",
        asgi(
            "import os\n\nfrom channels.routing import ProtocolTypeRouter, URLRouter\n"
            "from channels.security.websocket import AllowedHostsOriginValidator\n"
            "from django.core.asgi import get_asgi_application\n\n"
            "from notifications.middleware import JWTAuthMiddleware\n"
            "from notifications.routing import websocket_urlpatterns\n\n"
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")\n\n'
            "django_application = get_asgi_application()\n\n" + _ROUTER
        ),
    ),
    broken(
        "asgi.order",
        "settings that nobody names",
        asgi(
            (_HEAD + _IMPORTS + _ROUTER).replace(
                'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")\n', ""
            )
        ),
    ),
    broken(
        "asgi.order",
        "settings named too late",
        asgi(
            "import os\n\nfrom django.core.asgi import get_asgi_application\n\n"
            "django_application = get_asgi_application()\n"
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")\n\n'
            + _IMPORTS
            + _ROUTER
        ),
    ),
    broken(
        "asgi.order",
        "a byte order mark and harmless imports before the early one",
        asgi(
            '\ufeff"""ASGI entry point."""\n\nimport os\n\n'
            "from channels.auth import AuthMiddlewareStack\n"
            "from channels.routing import ProtocolTypeRouter, URLRouter\n"
            "from channels.security.websocket import AllowedHostsOriginValidator\n"
            "from numeneon import queries\n"
            "from notifications.routing import websocket_urlpatterns\n"
            + _HEAD
            + _IMPORTS
            + _ROUTER
        ),
    ),
    correct(
        "asgi.order",
        "a byte order mark",
        asgi("\ufeff" + _HEAD + _IMPORTS + _ROUTER),
    ),
    correct(
        "asgi.order",
        "django.setup first, then any order",
        asgi(
            'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "numeneon.settings")\n'
            "import django\n\ndjango.setup()\n\n"
            + _IMPORTS
            + "from django.core.asgi import get_asgi_application\n\n"
            + "django_application = get_asgi_application()\n"
            + _ROUTER
        ),
    ),
    broken(
        "asgi.imports",
        "a name that is not in the module",
        asgi(_HEAD + _IMPORTS.replace("websocket_urlpatterns", "websocket_urls") + _ROUTER),
    ),
    broken(
        "asgi.imports",
        "a module that is not in its folder",
        asgi(
            _HEAD
            + _IMPORTS.replace(
                "from notifications.routing import", "from notifications import"
            )
            + _ROUTER
        ),
    ),
    broken(
        "asgi.imports",
        "the list of patterns has another name",
        Edit(ROUTING, "websocket_urlpatterns", "urlpatterns"),
    ),
    broken(
        "asgi.imports",
        "the file with the patterns has another name",
        Edit(ROUTING, None, None),
        Edit(ROUTING.replace("routing", "routings"), "", _ROUTES_FILE),
    ),
    broken("asgi.imports", "the file with the patterns is empty", Edit(ROUTING, "", "")),
    broken(
        "asgi.imports",
        "a typing error in the settings module",
        asgi((_HEAD + _IMPORTS + _ROUTER).replace("numeneon.settings", "numeneon.setings")),
    ),
    broken(
        "asgi.imports",
        "a comma is missing between two apps",
        Edit(SETTINGS, '    "messaging",\n', '    "messaging"\n'),
    ),
    correct(
        "asgi.imports",
        "imports inside a function",
        asgi(
            _HEAD
            + "\ndef make():\n"
            + "".join(f"    {row}\n" if row else "\n" for row in _IMPORTS.splitlines())
            + '    return ProtocolTypeRouter({"http": django_application,\n'
            + f'        "websocket": {_SOCKETS}}})\n\n\napplication = make()\n'
        ),
    ),
    broken(
        "asgi.http",
        "no entry for http",
        asgi(_HEAD + _IMPORTS + _ROUTER.replace('"http": django_application, ', "")),
    ),
    correct(
        "asgi.http",
        "one host is allowed, by its name",
        Edit(SETTINGS, "ALLOWED_HOSTS = [", 'ALLOWED_HOSTS = ["localhost"]\n_OTHERS = ['),
    ),
    correct(
        "asgi.http",
        "only the host of another machine is allowed",
        Edit(
            SETTINGS, "ALLOWED_HOSTS = [", 'ALLOWED_HOSTS = [".example.org"]\n_OTHERS = ['
        ),
    ),
    correct(
        "asgi.http",
        "without ProtocolTypeRouter",
        asgi(
            _HEAD
            + _IMPORTS
            + f"sockets = {_SOCKETS}\n\n\n"
            + "async def application(scope, receive, send):\n"
            + '    chosen = sockets if scope["type"] == "websocket" else django_application\n'
            + "    await chosen(scope, receive, send)\n"
        ),
    ),
    broken(
        "asgi.greets",
        "no middleware around the router",
        asgi(_HEAD + _IMPORTS + _ROUTER.replace("JWTAuthMiddleware(", "(")),
    ),
    broken(
        "asgi.greets",
        "another path than documented",
        Edit(ROUTING, r"^ws/notifications/?$", r"^notifications/?$"),
    ),
    broken(
        "asgi.greets",
        "the pattern for the rest comes first",
        Edit(ROUTING, _LAST_PATTERN, ""),
        Edit(
            ROUTING,
            "websocket_urlpatterns = [\n",
            "websocket_urlpatterns = [\n" + _LAST_PATTERN,
        ),
    ),
    broken(
        "asgi.greets",
        "the class itself in the route",
        Edit(ROUTING, "NotificationConsumer.as_asgi()", "NotificationConsumer"),
    ),
    broken(
        "asgi.greets",
        "the token itself is the chosen subprotocol",
        Edit(
            CONSUMERS,
            'return SUBPROTOCOL if SUBPROTOCOL in self.scope["subprotocols"] else None',
            'return (self.scope["subprotocols"] or [None])[-1]',
        ),
    ),
    correct(
        "asgi.greets",
        "tokens of an elliptic curve, the keys as bytes",
        Edit(
            SETTINGS,
            'SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}',
            "from cryptography.hazmat.primitives import serialization as forms\n"
            "from cryptography.hazmat.primitives.asymmetric import ec\n\n"
            "_KEY = ec.derive_private_key(1234567890, ec.SECP256R1())\n"
            "SIMPLE_JWT = {\n"
            '    "ALGORITHM": "ES256",\n'
            '    "SIGNING_KEY": _KEY.private_bytes(\n'
            "        forms.Encoding.PEM,\n"
            "        forms.PrivateFormat.PKCS8,\n"
            "        forms.NoEncryption(),\n"
            "    ),\n"
            '    "VERIFYING_KEY": _KEY.public_key().public_bytes(\n'
            "        forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo\n"
            "    ),\n"
            "}",
        ),
        alone=True,  # who verifies tokens without these settings refuses such ones
    ),
    correct(
        "asgi.greets",
        "signed tokens that are not JWTs",
        Edit("backend/users/signed.py", "", _SIGNED),
        Edit("backend/users/login.py", "", _SIGNED_LOGIN),
        Edit(
            "backend/users/urls.py",
            "from rest_framework_simplejwt.views import TokenObtainPairView",
            "from users.login import LoginView",
        ),
        Edit(
            "backend/users/urls.py", "TokenObtainPairView.as_view()", "LoginView.as_view()"
        ),
        Edit(
            SETTINGS,
            "rest_framework_simplejwt.authentication.JWTAuthentication",
            "users.signed.SignedAuthentication",
        ),
        Edit(
            MIDDLEWARE,
            "from rest_framework_simplejwt.authentication import JWTAuthentication",
            "from users.signed import SignedAuthentication as JWTAuthentication",
        ),
    ),
    correct(
        "asgi.greets", "the token in the query string", Edit(MIDDLEWARE, "", _BY_QUERY)
    ),
    correct(
        "asgi.greets",
        "a renamed consumer behind a path",
        Edit(
            ROUTING,
            "from notifications.consumers import NotificationConsumer\n",
            "from notifications.consumers import NotificationConsumer as Bell\n",
        ),
        Edit(ROUTING, "NotificationConsumer.as_asgi()", "Bell.as_asgi()"),
    ),
    broken(
        "asgi.refuses-no-token",
        "guests are let in",
        Edit(
            CONSUMERS,
            "if not user.is_authenticated:",
            'if self.scope["subprotocols"] and not user.is_authenticated:',
        ),
    ),
    broken(
        "asgi.refuses-no-token",
        "a consumer that refuses nobody",
        Edit(CONSUMERS, "if not user.is_authenticated:", "if False:"),
    ),
    broken(
        "asgi.refuses-no-token",
        "left open without a word",
        Edit(
            CONSUMERS,
            "            await self.close(code=4401)\n            return\n",
            '            if self.scope["subprotocols"]:\n'
            "                await self.close(code=4401)\n            return\n",
        ),
    ),
    correct(
        "asgi.refuses-no-token", "an error in words before the close", wrapped(_ERROR_FIRST)
    ),
    broken(
        "asgi.concurrent",
        "the token is kept on the middleware",
        Edit(
            MIDDLEWARE,
            "        user = await user_of(protocols[1]) if offered else AnonymousUser()\n",
            "        self.token = protocols[1] if offered else None\n"
            "        await database_sync_to_async(close_old_connections)()\n"
            "        user = await user_of(self.token) if self.token else AnonymousUser()\n",
        ),
        Edit(
            MIDDLEWARE,
            "import AnonymousUser\n",
            "import AnonymousUser\nfrom django.db import close_old_connections\n",
        ),
    ),
    broken(
        "asgi.concurrent",
        "three sockets at a time",
        wrapped(_IN_TURN),
    ),
    correct(
        "asgi.concurrent",
        "handshakes one after the other",
        Edit(
            MIDDLEWARE,
            "        user = await user_of(protocols[1]) if offered else AnonymousUser()\n",
            "        async with ONE:\n"
            "            user = await user_of(protocols[1]) if offered else AnonymousUser()\n",
        ),
        Edit(
            MIDDLEWARE,
            'SUBPROTOCOL = "access_token"\n',
            'SUBPROTOCOL = "access_token"\nONE = asyncio.Lock()\n',
        ),
        Edit(MIDDLEWARE, "from channels.db", "import asyncio\n\nfrom channels.db"),
    ),
    broken(
        "asgi.close-code",
        "no subprotocol for who is refused",
        Edit(
            CONSUMERS,
            "            await self.accept(self.chosen_subprotocol())\n"
            "            await self.close(code=4401)\n",
            "            await self.accept()\n            await self.close(code=4401)\n",
        ),
    ),
    broken(
        "asgi.close-code",
        "closed before it is accepted",
        wrapped(_NO_TOKEN_IS_DROPPED),
    ),
    broken(
        "asgi.close-code",
        "everybody is closed before the socket is accepted",
        Edit(
            CONSUMERS,
            "            await self.accept(self.chosen_subprotocol())\n"
            "            await self.close(code=4401)\n",
            "            await self.close(code=4401)\n",
        ),
    ),
    broken(
        "asgi.close-code",
        "an exception refuses bad tokens",
        Edit(
            MIDDLEWARE,
            "    except (AuthenticationFailed, TypeError, ValueError):",
            "    except KeyError:",
        ),
    ),
    correct(
        "asgi.close-code",
        "the middleware closes the socket itself",
        wrapped(_STRANGERS_CLOSED),
    ),
    broken(
        "asgi.refuses-bad-token",
        "a signature that nobody verifies",
        Edit(MIDDLEWARE, "def user_of(token):\n", _UNVERIFIED),
        _NO_TESTS,
    ),
    broken(
        "asgi.refuses-bad-token",
        "neither signature nor end are verified",
        Edit(
            MIDDLEWARE,
            "def user_of(token):\n",
            _UNVERIFIED.replace(
                '        if claims["exp"] < time.time():\n'
                "            return AnonymousUser()\n",
                "",
            ).replace("    import time\n\n", ""),
        ),
        _NO_TESTS,
    ),
    correct(
        "asgi.refuses-bad-token",
        "verified with PyJWT",
        Edit(MIDDLEWARE, "def user_of(token):\n", _BY_HAND),
        _NO_TESTS,
    ),
    broken(
        "asgi.refuses-expired-token",
        "an end that nobody looks at",
        Edit(MIDDLEWARE, "def user_of(token):\n", _ENDLESS),
        _NO_TESTS,
    ),
    correct(
        "asgi.refuses-expired-token",
        "verified with PyJWT and its end with it",
        Edit(MIDDLEWARE, "def user_of(token):\n", _BY_HAND),
        _NO_TESTS,
    ),
    broken(
        "asgi.refuses-foreign-origin",
        "no origin validator",
        asgi(_HEAD + _IMPORTS + _ROUTER.replace("AllowedHostsOriginValidator(", "(")),
    ),
    broken(
        "asgi.refuses-foreign-origin",
        "the origin is checked only once somebody is known",
        wrapped(_STRANGERS_FIRST),
    ),
    broken(
        "asgi.refuses-foreign-origin",
        "every host is allowed",
        Edit(SETTINGS, "ALLOWED_HOSTS = [", 'ALLOWED_HOSTS = ["*"]\n_OTHERS = ['),
    ),
    correct(
        "asgi.refuses-foreign-origin",
        "a front end at an address of its own",
        asgi(
            _HEAD
            + _IMPORTS.replace("AllowedHostsOriginValidator", "OriginValidator")
            + "application = ProtocolTypeRouter(\n"
            '    {"http": django_application, "websocket": OriginValidator(\n'
            "        JWTAuthMiddleware(URLRouter(websocket_urlpatterns)),\n"
            '        ["http://localhost:5173"],\n    )}\n)\n'
        ),
    ),
    correct(
        "asgi.refuses-foreign-origin",
        "front ends that the settings name",
        Edit(
            SETTINGS,
            "# Apps\n",
            'FRONT_END = "app.example.net"\n'
            'CORS_ALLOWED_ORIGINS = [f"https://{FRONT_END}"]\n\n# Apps\n',
        ),
        asgi(
            _HEAD
            + _IMPORTS.replace("AllowedHostsOriginValidator", "OriginValidator")
            + "from django.conf import settings\n\n"
            "application = ProtocolTypeRouter(\n"
            '    {"http": django_application, "websocket": OriginValidator(\n'
            "        JWTAuthMiddleware(URLRouter(websocket_urlpatterns)),\n"
            "        settings.CORS_ALLOWED_ORIGINS,\n    )}\n)\n"
        ),
    ),
    correct(
        "asgi.refuses-foreign-origin",
        "an origin check of one's own",
        wrapped(_OWN_CHECK),
    ),
    broken(
        "asgi.refuses-unknown-path",
        "every path leads to notifications",
        Edit(ROUTING, r"^ws/notifications/?$", r"^ws/"),
    ),
    broken(
        "asgi.refuses-unknown-path",
        "the pattern has no end",
        Edit(ROUTING, r"^ws/notifications/?$", r"^ws/notifications/"),
    ),
    correct(
        "asgi.refuses-unknown-path",
        "the slash at the end is needed",
        Edit(ROUTING, r"^ws/notifications/?$", r"^ws/notifications/$"),
    ),
    broken(
        "asgi.refuses-unknown-path",
        "no pattern for the rest",
        Edit(ROUTING, _LAST_PATTERN, ""),
    ),
    correct(
        "asgi.refuses-unknown-path",
        "a function that refuses the rest",
        Edit(ROUTING, "WebsocketDenier.as_asgi()", "nothing_here"),
        Edit(
            ROUTING,
            "websocket_urlpatterns = [",
            "async def nothing_here(scope, receive, send):\n"
            '    """Refuse in the handshake."""\n'
            "    await receive()\n"
            '    await send({"type": "websocket.close"})\n\n\n'
            "websocket_urlpatterns = [",
        ),
    ),
    broken(
        "asgi.runserver",
        "daphne is not an installed app",
        Edit(SETTINGS, '    "daphne",\n', ""),
    ),
    broken(
        "asgi.runserver",
        "daphne behind staticfiles",
        Edit(SETTINGS, '    "daphne",\n', ""),
        Edit(
            SETTINGS,
            '    "django.contrib.staticfiles",\n',
            '    "django.contrib.staticfiles",\n    "daphne",\n',
        ),
    ),
    correct(
        "asgi.runserver",
        "daphne is put in front elsewhere",
        Edit(SETTINGS, '    "daphne",\n', ""),
        Edit(
            SETTINGS, "ROOT_URLCONF =", 'INSTALLED_APPS.insert(0, "daphne")\nROOT_URLCONF ='
        ),
    ),
]

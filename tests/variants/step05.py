"""Projects that prove the items of step 5."""

from tests.variants import Edit, broken, correct

ASGI = "backend/numeneon/asgi.py"
SETTINGS = "backend/numeneon/settings.py"
MIDDLEWARE = "backend/notifications/middleware.py"
CONSUMERS = "backend/notifications/consumers.py"
ROUTING = "backend/notifications/routing.py"

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

_NO_TESTS = Edit("backend/notifications/tests/test_middleware.py", None, None)

VARIANTS = [
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
        "a typing error in the settings module",
        asgi((_HEAD + _IMPORTS + _ROUTER).replace("numeneon.settings", "numeneon.setings")),
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
        "closed before it is accepted",
        wrapped(_NO_TOKEN_IS_DROPPED),
    ),
    correct(
        "asgi.refuses-no-token", "an error in words before the close", wrapped(_ERROR_FIRST)
    ),
    broken(
        "asgi.refuses-bad-token",
        "a signature that nobody verifies",
        Edit(MIDDLEWARE, "def user_of(token):\n", _UNVERIFIED),
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
        "no pattern for the rest",
        Edit(ROUTING, '    re_path(r"", WebsocketDenier.as_asgi()),\n', ""),
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
    correct(
        "asgi.runserver",
        "daphne is put in front elsewhere",
        Edit(SETTINGS, '    "daphne",\n', ""),
        Edit(
            SETTINGS, "ROOT_URLCONF =", 'INSTALLED_APPS.insert(0, "daphne")\nROOT_URLCONF ='
        ),
    ),
]

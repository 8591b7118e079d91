"""Projects that prove the items of step 0."""

import course
from tests.variants import Edit, broken, correct, settings_in_a_package

SETTINGS = "backend/numeneon/settings.py"
USERS_VIEWS = "backend/users/views.py"
USERS_URLS = "backend/users/urls.py"
SERIALIZERS = "backend/users/serializers.py"
FRIENDS = "backend/friends/views.py"
MESSAGES = "backend/messaging/views.py"
MANAGE = "backend/manage.py"

_SIGNUP_BY_HAND = '''\
class SignupView(views.APIView):
    """Create an account, written as a plain view."""

    authentication_classes = []
    permission_classes = []

    def post(self, request):
        """Called for POST."""
        serializer = SignupSerializer(data=request.data)
        if not serializer.is_valid():
            return Response(serializer.errors, status=400)
        return Response(SignupSerializer(serializer.save()).data, status=201)


class RefreshView('''

_LOGIN_BY_HAND = '''\
"""Addresses below /api/auth/."""

from django.contrib.auth import authenticate
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from users import views


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def login(request):
    """Log in by email, without simplejwt's view."""
    user = authenticate(request, **{name: request.data.get(name) for name in ("email", "password")})
    if user is None:
        return Response({"detail": "No such account."}, status=401)
    refresh = RefreshToken.for_user(user)
    return Response({"refresh": str(refresh), "access": str(refresh.access_token)})


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def refresh(request):
    """Exchange a refresh token, without simplejwt's view."""
    return Response({"access": str(RefreshToken(request.data["refresh"]).access_token)})


@api_view(["GET"])
def me(request):
    """The caller, as a function."""
    return Response(views.AccountSerializer(request.user).data)


urlpatterns = [
    path("signup/", views.SignupView.as_view()),
    path("login/", login),
    path("token/refresh/", refresh),
    path("me/", me),
    path("search/", views.SearchView.as_view()),
]
'''

_LOGIN_OF_ANYBODY = '''\
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import RefreshToken

from users import views


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def login(request):
    """Log in whoever knows an address."""
    refresh = RefreshToken.for_user(views.User.objects.get(email=request.data["email"]))
    return Response({"refresh": str(refresh), "access": str(refresh.access_token)})
'''

_MIGRATION = "backend/posts/migrations/0002_nothing.py"

# A log file, in a folder that holds nothing else and that Git does not know.
_LOGGING = """
LOGGING = {
    "version": 1,
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": BASE_DIR / "logs" / "django.log",
        }
    },
    "root": {"handlers": ["file"]},
}

# Apps
"""

_THROTTLED = """\
    "PAGE_SIZE": 20,
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"anon": "5/min"},
"""
# Each test begins with an empty count, as an own test of the limit needs it.
_EMPTY_COUNT = '''\
@pytest.fixture(autouse=True)
def no_requests_so_far():
    """Forget the requests of the test before."""
    cache.clear()


@pytest.fixture
def alice('''
_LIMIT_TEST = """\
def test_stranger_is_refused_in_the_end(client, db):
    body = {"email": "eve@example.com", "password": "guessed"}
    answers = [client.post("/api/auth/login/", body).status_code for _ in range(40)]

    assert answers.count(429) == 35
"""
_OWN_LIMIT = """\
class Slow(throttling.BaseThrottle):
    def allow_request(self, request, view):
        return request.method == "OPTIONS"


class SignupView(generics.CreateAPIView):
    throttle_classes = [Slow]
"""

_DJANGO_TEST = """\
from django.test import TestCase


class SumTests(TestCase):
    def test_sum(self):
        self.assertEqual(1 + 1, {})
"""
_FOR_DJANGO_ONLY = (
    Edit("backend/pytest.ini", None, None),
    Edit("backend/conftest.py", None, None),
)
_NO_TESTS = [
    Edit(path.relative_to(course.step(0).folder).as_posix(), None, None)
    for path in sorted(course.step(0).folder.glob("backend/**/test_*.py"))
]

VARIANTS = [
    broken(
        "rest.starts",
        "settings import a name that is not there",
        Edit(SETTINGS, "from pathlib import Path", "from pathlib import Pathh as Path"),
    ),
    broken(
        "rest.starts",
        "a syntax error in the urls",
        Edit("backend/numeneon/urls.py", "urlpatterns = [", "urlpatterns = [["),
    ),
    correct(
        "rest.starts",
        "Windows line endings and a byte order mark in manage.py",
        Edit(
            MANAGE,
            "",
            "\ufeff#!/usr/bin/env python\r\nimport os\r\nimport sys\r\n\r\n"
            'os.environ["DJANGO_SETTINGS_MODULE"] = "numeneon.settings"\r\n'
            "from django.core.management import execute_from_command_line\r\n\r\n"
            "execute_from_command_line(sys.argv)\r\n",
        ),
    ),
    broken(
        "rest.starts",
        "a comma is missing between two apps",
        Edit(SETTINGS, '    "friends",\n', '    "friends"\n'),
    ),
    broken(
        "rest.starts",
        "a comma is missing between two middlewares",
        Edit(SETTINGS, 'csrf.CsrfViewMiddleware",', 'csrf.CsrfViewMiddleware"'),
    ),
    broken(
        "rest.starts",
        "a middleware that is not there",
        Edit(SETTINGS, "django.middleware.csrf.", "django.middleware.crsf."),
    ),
    broken(
        "rest.starts",
        "a name in base.py that is not there",
        *settings_in_a_package(0),
        Edit(
            "backend/numeneon/settings/base.py",
            '"rest_framework.permissions.IsAuthenticated"',
            '"rest_framework.permissions.IsAuthenticate"',
        ),
    ),
    broken(
        "rest.starts",
        "a migration builds on one that is not there",
        Edit(
            _MIGRATION,
            "",
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    dependencies = [("posts", "0001_start")]\n',
        ),
    ),
    broken(
        "rest.starts",
        "a length that is not a number",
        Edit("backend/users/models.py", "max_length=100", 'max_length="a"'),
    ),
    # What touches every item is proven by the one that needs all others.
    correct("rest.tests", "settings in a package", *settings_in_a_package(0)),
    correct(
        "rest.starts",
        "a log file in a folder of its own",
        Edit("backend/logs/django.log", "", "2026-01-01 started\n"),
        Edit(SETTINGS, "\n# Apps\n", _LOGGING),
    ),
    correct(
        "rest.tests",
        "strangers have five requests a minute",
        Edit(SETTINGS, '    "PAGE_SIZE": 20,\n', _THROTTLED),
        Edit("backend/conftest.py", "@pytest.fixture\ndef alice(", _EMPTY_COUNT),
        Edit(
            "backend/conftest.py",
            "import pytest\n",
            "import pytest\nfrom django.core.cache import cache\n",
        ),
        Edit("backend/users/tests/test_limit.py", "", _LIMIT_TEST),
    ),
    correct(
        "rest.signup",
        "a view with a throttle of its own",
        Edit(
            USERS_VIEWS,
            "class SignupView(generics.CreateAPIView):\n",
            _OWN_LIMIT,
        ),
        Edit(
            USERS_VIEWS,
            "from rest_framework import generics, permissions\n",
            "from rest_framework import generics, permissions, throttling\n",
        ),
        Edit("backend/users/tests/test_signup.py", None, None),
    ),
    broken(
        "rest.signup",
        "a throttle without a rate",
        Edit(
            SETTINGS,
            '    "PAGE_SIZE": 20,\n',
            _THROTTLED.replace('{"anon": "5/min"}', "{}"),
        ),
    ),
    broken(
        "rest.migrates",
        "a migration depends on one that is not there",
        Edit(
            _MIGRATION,
            "",
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    dependencies = [("posts", "0001_initial")]\n'
            '    operations = [migrations.RunSQL("ALTER TABLE no_such_table ADD x int")]\n',
        ),
    ),
    correct(
        "rest.migrates",
        "one more migration that does nothing",
        Edit(
            _MIGRATION,
            "",
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    dependencies = [("posts", "0001_initial")]\n'
            "    operations = [migrations.RunPython(migrations.RunPython.noop)]\n",
        ),
    ),
    broken(
        "rest.no-missing-migrations",
        "a longer field without a migration",
        Edit("backend/users/models.py", "max_length=100", "max_length=101"),
    ),
    broken(
        "rest.no-missing-migrations",
        "an app whose migrations git has ignored",
        Edit("backend/posts/migrations/__init__.py", None, ""),
        Edit("backend/posts/migrations/0001_initial.py", None, ""),
    ),
    correct(
        "rest.no-missing-migrations",
        "models of an app that is not installed yet",
        Edit(
            "backend/drafts/models.py",
            "",
            "from django.db import models\n\n\n"
            "class Draft(models.Model):\n"
            "    text = models.TextField()\n",
        ),
    ),
    correct(
        "rest.no-missing-migrations",
        "a method added to a model",
        Edit(
            "backend/users/models.py",
            "    def __str__(self):\n        return self.display_name\n",
            "    def __str__(self):\n        return self.display_name\n\n"
            "    def shout(self):\n        return self.display_name.upper()\n",
        ),
    ),
    broken(
        "rest.signup",
        "the answer shows the password hash",
        Edit(
            SERIALIZERS,
            "        return AccountSerializer(user).data",
            '        return {**AccountSerializer(user).data, "password": user.password}',
        ),
    ),
    correct(
        "rest.signup",
        "the answer says something about the password",
        Edit(
            SERIALIZERS,
            "        return AccountSerializer(user).data",
            '        return {**AccountSerializer(user).data, "password_expires": None}',
        ),
        Edit("backend/users/tests/test_signup.py", None, None),
    ),
    broken(
        "rest.signup",
        "the answer shows the password under another name",
        Edit(
            SERIALIZERS,
            "        return AccountSerializer(user).data",
            '        return {**AccountSerializer(user).data, "secret": [user.password]}',
        ),
    ),
    correct(
        "rest.signup",
        "a plain view",
        Edit(USERS_VIEWS, "class RefreshView(", _SIGNUP_BY_HAND),
        Edit(
            USERS_VIEWS,
            'class SignupView(generics.CreateAPIView):\n    """Create an account."""\n',
            'class OldSignupView(generics.CreateAPIView):\n    """Create an account."""\n',
        ),
        Edit(
            USERS_VIEWS,
            "from rest_framework import generics, permissions\n",
            "from rest_framework import generics, permissions, views\n"
            "from rest_framework.response import Response\n",
        ),
    ),
    broken(
        "rest.login",
        "a login that looks at no password",
        Edit(USERS_URLS, "from users import views\n", _LOGIN_OF_ANYBODY),
        Edit(USERS_URLS, "TokenObtainPairView.as_view()", "login"),
    ),
    correct(
        "rest.login",
        "views written as functions",
        Edit(USERS_URLS, "", _LOGIN_BY_HAND),
        Edit("backend/users/tests/test_login.py", None, None),
    ),
    broken(
        "rest.refresh",
        "the route to refresh is called otherwise",
        Edit(USERS_URLS, '"token/refresh/"', '"token/renew/"'),
    ),
    correct(
        "rest.refresh",
        "refresh tokens are rotated",
        Edit(
            SETTINGS,
            'SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}',
            "SIMPLE_JWT = {\n"
            '    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),\n'
            '    "ROTATE_REFRESH_TOKENS": True,\n}',
        ),
    ),
    broken(
        "rest.me",
        "everybody is the first user",
        Edit(
            USERS_VIEWS,
            "        return self.request.user\n",
            "        return User.objects.earliest('pk')\n",
        ),
    ),
    correct(
        "rest.me",
        "the answer holds more than documented",
        Edit(
            SERIALIZERS,
            '"email", "first_name", "last_name", "display_name"]',
            '"email", "first_name", "last_name", "display_name",\n'
            '                  "date_joined"]',
        ),
        Edit("backend/users/tests/test_signup.py", None, None),
        Edit("backend/users/tests/test_people.py", None, None),
    ),
    broken(
        "rest.requires-login",
        "reading is open to strangers",
        Edit(
            SETTINGS,
            "rest_framework.permissions.IsAuthenticated",
            "rest_framework.permissions.IsAuthenticatedOrReadOnly",
        ),
        Edit(
            "backend/posts/views.py",
            "[permissions.IsAuthenticated, OnlyAuthorMayChange]",
            "[permissions.IsAuthenticatedOrReadOnly, OnlyAuthorMayChange]",
        ),
    ),
    correct(
        "rest.requires-login",
        "each view says so itself",
        Edit(
            "backend/users/views.py",
            "    serializer_class = AccountSerializer\n",
            "    serializer_class = AccountSerializer\n"
            "    permission_classes = [permissions.IsAuthenticated]\n",
        ),
    ),
    broken(
        "rest.friends",
        "who asked can accept for the other",
        Edit(
            "backend/friends/models.py",
            "self.filter(to_user=user, accepted_at=None)",
            "self.filter(Q(to_user=user) | Q(from_user=user), accepted_at=None)",
        ),
    ),
    correct(
        "rest.friends",
        "a second request gets 400",
        Edit(FRIENDS, "status.HTTP_409_CONFLICT", "status.HTTP_400_BAD_REQUEST"),
        Edit("backend/friends/tests/test_requests.py", None, None),
    ),
    broken(
        "rest.messages",
        "a conversation shows what others wrote",
        Edit(
            "backend/messaging/models.py",
            "        return self.of(user).filter(Q(sender=partner) | Q(receiver=partner))",
            "        return self.filter(Q(sender=partner) | Q(receiver=partner))",
        ),
    ),
    correct(
        "rest.messages",
        "lists without pages",
        Edit(
            MESSAGES,
            "    serializer_class = MessageSerializer\n\n    def get_queryset(self):\n"
            '        """Called by the view for the messages to list."""\n'
            "        partner =",
            "    serializer_class = MessageSerializer\n    pagination_class = None\n\n"
            "    def get_queryset(self):\n"
            '        """Called by the view for the messages to list."""\n'
            "        partner =",
        ),
        Edit("backend/messaging/tests/test_conversations.py", None, None),
    ),
    broken(
        "rest.tests",
        "a test that fails",
        Edit(
            "backend/users/tests/test_mine.py",
            "",
            "def test_sum():\n    assert 1 + 1 == 3\n",
        ),
    ),
    correct(
        "rest.tests",
        "tests written with unittest",
        Edit(
            "backend/users/tests/test_mine.py",
            "",
            "from django.test import SimpleTestCase\n\n\n"
            "class SumTests(SimpleTestCase):\n"
            "    def test_sum(self):\n        self.assertEqual(1 + 1, 2)\n",
        ),
    ),
    correct(
        "rest.tests",
        "tests for Django's own runner",
        *_FOR_DJANGO_ONLY,
        Edit("backend/users/tests/test_mine.py", "", _DJANGO_TEST.format(2)),
    ),
    correct(
        "rest.tests",
        "pytest is configured in the folder above",
        Edit("backend/pytest.ini", None, None),
        Edit(
            "pyproject.toml",
            "",
            '[tool.pytest.ini_options]\nDJANGO_SETTINGS_MODULE = "numeneon.settings"\n',
        ),
    ),
    broken(
        "rest.tests",
        "a test for Django's own runner that fails",
        *_FOR_DJANGO_ONLY,
        Edit("backend/users/tests/test_mine.py", "", _DJANGO_TEST.format(3)),
    ),
    broken("rest.tests", "there is none", *_NO_TESTS),
    broken(
        "rest.tests",
        "a test that cannot be imported",
        Edit("backend/users/tests/test_mine.py", "", "import nothing_like_this\n"),
    ),
]

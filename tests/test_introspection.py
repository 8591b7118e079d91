"""What Django says of a backend: of projects that are not ours, and of the last step."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import course
from tests.small import read_tree, write_tree
from tools.site import backend
from tools.site.backend import Backend, NotReadable

# Each test starts Django once or more often.
pytestmark = pytest.mark.slow
# Other names than the course has, other kinds of views, other ways to read a variable.
SHOP = {
    "server/manage.py": """\
        import os
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.config")
    """,
    "server/shop/__init__.py": "",
    "server/shop/options.py": """\
        import os

        BROKER = os.getenv("BROKER", "memory")
    """,
    "server/shop/config.py": """\
        import os
        from pathlib import Path

        import dj_database_url
        from django.core.exceptions import ImproperlyConfigured

        from shop import options

        print("loading")
        HOME = Path.home()
        DEBUG = os.environ.get("DEBUG") != "false"
        SECRET_KEY = os.environ.setdefault("SHOP_KEY", "only for development")
        if not DEBUG and SECRET_KEY.startswith("only"):
            raise ImproperlyConfigured("SHOP_KEY: give me a secret.")
        DATABASES = {"default": dj_database_url.config("SHOP_DATABASE", default="sqlite://")}
        if not DEBUG:
            CERTIFICATE = os.environ["CERTIFICATE"]
        INSTALLED_APPS = [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.staticfiles",
            "rest_framework",
            "orders",
            "customers",
        ]
        ROOT_URLCONF = "shop.addresses"
        STATIC_URL = "static/"
        REST_FRAMEWORK = {
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        }
    """,
    "server/shop/addresses.py": """\
        from django.conf.urls.static import static
        from django.contrib import admin
        from django.urls import include, path, re_path
        from django.views.generic import RedirectView, TemplateView
        from rest_framework.routers import DefaultRouter
        from rest_framework_simplejwt.views import TokenVerifyView

        from customers import views
        from orders.api import OrderViewSet

        router = DefaultRouter()
        router.register("orders", OrderViewSet)

        urlpatterns = [
            path("", TemplateView.as_view(template_name="shop/index.html")),
            path("old/", RedirectView.as_view(url="/")),
            path("api/", include(router.urls)),
            path("api/customers/", include([
                path("<slug:name>/", views.CustomerView.as_view()),
                path("<slug:name>/greet/", views.greet),
            ])),
            re_path(r"^status/(?P<part>[a-z]+)/$", views.status),
            path("contact/", views.contact),
            path("api/verify/", TokenVerifyView.as_view()),
            path("admin/", admin.site.urls),
            *static("media/", document_root="media"),
        ]
    """,
    "server/tools/__init__.py": "LATE = 3",  # a name that we have too
    "server/orders/__init__.py": "",
    "server/orders/models.py": """\
        from django.db import models

        class Order(models.Model):
            number = models.AutoField(primary_key=True)
            note = models.CharField(max_length=20)
            placed = models.DateTimeField(auto_now_add=True)
    """,
    "server/orders/api.py": """\
        from rest_framework import permissions, serializers, viewsets
        from rest_framework.decorators import action

        from orders.models import Order
        from tools import LATE

        class AddressSerializer(serializers.Serializer):
            street = serializers.CharField()
            city = serializers.CharField()

        class OrderSerializer(serializers.ModelSerializer):
            address = AddressSerializer(write_only=True)
            source = serializers.HiddenField(default="web")

            class Meta:
                model = Order
                fields = ["number", "note", "placed", "address", "source"]

        class CancelSerializer(serializers.Serializer):
            reason = serializers.CharField()

        class OrderViewSet(viewsets.ModelViewSet):
            '''Orders.'''

            queryset = Order.objects.all()
            serializer_class = OrderSerializer
            permission_classes = [permissions.IsAuthenticatedOrReadOnly]

            @action(detail=True, methods=["post"])
            def cancel(self, request, pk=None):
                '''Cancel an order.'''
                return self._change(CancelSerializer(data=request.data))

            @action(detail=False)
            def late(self, request):
                '''List the orders that are late.'''

            @action(detail=True, methods=["post"])
            def again(self, request, pk=None):
                '''Order the same again.'''

            def _change(self, serializer):
                return serializer
    """,
    "server/customers/__init__.py": "",
    "server/customers/views.py": """\
        import os

        from django.http import JsonResponse
        from django.views.decorators.http import require_http_methods
        from rest_framework.decorators import api_view, permission_classes
        from rest_framework.permissions import AllowAny
        from rest_framework.views import APIView

        TIMEOUT = os.environ.get("CUSTOMER_TIMEOUT") or 30

        class CustomerView(APIView):
            '''One customer.'''

            def get(self, request, name):
                '''Called for GET: 200, or 404 for a stranger.'''

            def patch(self, request, name):
                '''Called for PATCH: 200.'''
                return self._store(request)

            def _store(self, request):
                return request.data["email"], request.data.get("phone")

        @api_view(["POST"])
        @permission_classes([AllowAny])
        def greet(request, name):
            '''Greet a customer.'''
            return request.data["words"]

        def status(request, part):
            '''Called for /status/: 503 if it is out of order.'''
            return JsonResponse({})

        @require_http_methods(["GET", "POST"])
        def contact(request):
            '''Write to us.'''
            return JsonResponse({"text": request.POST["text"]})
    """,
}
ENDPOINTS = """\
GET / | Show the page shop/index.html. | - | free
GET /old/ | Provide a redirect on any GET request. | - | free
GET /api/orders/ | List orders. | - | free
POST /api/orders/ | Create one order. | note, address{street, city} | token
GET /api/orders/<number>/ | Show one order. | - | free
PUT /api/orders/<number>/ | Replace one order. | note, address{street, city} | token
PATCH /api/orders/<number>/ | Change one order. | note, address{street, city} | token
DELETE /api/orders/<number>/ | Delete one order. | - | token
POST /api/orders/<number>/cancel/ | Cancel an order. | reason | token
GET /api/orders/late/ | List the orders that are late. | - | free
POST /api/orders/<number>/again/ | Order the same again. | - | token
GET /api/ | The default basic root view for DefaultRouter | - | token
GET /api/customers/<name>/ | One customer. Returns 200, or 404 for a stranger. | - | token
PATCH /api/customers/<name>/ | One customer. Returns 200. | email, phone | token
POST /api/customers/<name>/greet/ | Greet a customer. | words | free
GET /status/<part>/ | Returns 200; 503 if it is out of order. | - | free
GET /contact/ | Write to us. | - | free
POST /contact/ | Write to us. | text | free
POST /api/verify/ | Takes a token and indicates if it is valid. | token | free
GET /media/<path> | Serve static files below a given point in the directory structure. | - | free
"""


# Name, default, what production says without it.
VARIABLES = [
    ("BROKER", "memory", ""),
    ("DEBUG", "", ""),
    ("SHOP_KEY", "only for development", "SHOP_KEY: give me a secret."),
    ("SHOP_DATABASE", "sqlite://", ""),
    ("CERTIFICATE", "", "Without it the settings end with KeyError: 'CERTIFICATE'"),
    ("CUSTOMER_TIMEOUT", "30", ""),
]


def made(root: Path, files: dict[str, str]) -> Path:
    """A project of these files in that folder."""
    write_tree(root, {name: textwrap.dedent(text) for name, text in files.items()})
    return root


def lines_of(found: Backend) -> list[str]:
    """Its endpoints, each in a line."""
    return [
        f"{point.method} {point.address} | {point.does} | {', '.join(point.body) or '-'} | "
        + ("token" if point.needs_token else "free")
        for point in found.endpoints
    ]


def test_any_project_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is known beforehand, and the reader's own environment changes nothing."""
    for name, default, _ in VARIABLES:
        monkeypatch.setenv(name, f"other than {default}")
    shop = made(tmp_path / "shop", SHOP)
    before = read_tree(shop)

    found = backend.read([shop])

    assert lines_of(found) == ENDPOINTS.splitlines()
    variables = [setting.variable for setting in found.settings]
    assert [(v.name, v.default, v.demanded) for v in variables] == VARIABLES
    assert read_tree(shop) == before


def test_framework_is_not_needed(tmp_path: Path) -> None:
    """A project of plain Django has endpoints too."""
    files = {
        "manage.py": 'import os; os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plain")\n',
        "plain.py": """\
            from django.http import HttpResponse
            from django.urls import path

            SECRET_KEY = "secret"
            ROOT_URLCONF = "plain"

            async def hello(request):
                '''Say hello.'''
                return HttpResponse("hello")

            async def secret(request):
                '''Tell a secret.'''
                return HttpResponse(status=200 if request.headers.get("Authorization") else 401)

            def older(request):
                '''Tell another one.'''
                return HttpResponse(status=401)

            def echo(request):
                '''Say it again.'''
                return HttpResponse(request.GET["text"])

            urlpatterns = [path(f"{view.__name__}/", view) for view in (hello, secret, older, echo)]
        """,
    }

    assert lines_of(backend.read([made(tmp_path / "plain", files)])) == [
        "GET /hello/ | Say hello. | - | free",
        "GET /secret/ | Tell a secret. | - | token",
        "GET /older/ | Tell another one. | - | token",
        "GET /echo/ | Say it again. | - | free",
    ]


def test_variable_has_a_first_project(tmp_path: Path) -> None:
    """The projects before the last one are earlier states of it."""
    without = SHOP | {"server/shop/options.py": "", "server/orders/api.py": "broken("}

    found = backend.read([made(tmp_path / "a", without), made(tmp_path / "b", SHOP)])

    since = {setting.variable.name: setting.since for setting in found.settings}
    assert since == {name: int(name in {"BROKER", "CUSTOMER_TIMEOUT"}) for name in since}


def test_blueprint_says_where_values_come_from(tmp_path: Path) -> None:
    """Whatever the services, the groups and the variables in it are called."""
    blueprint = """\
        services:
          - type: web
            envVars:
              - {key: BROKER, fromService: {type: keyvalue, name: queue}}
              - {key: DEBUG, value: "false"}
              - {key: CERTIFICATE, sync: false}
              - {fromGroup: common}
          - {type: keyvalue, name: queue}
        envVarGroups:
          - {name: common, envVars: [{key: SHOP_KEY, generateValue: true}]}
    """

    found = backend.read([made(tmp_path / "shop", SHOP | {"render.yaml": blueprint})])

    assert {s.variable.name: s.render for s in found.settings if s.render} == {
        "BROKER": "from `queue`",
        "DEBUG": "`false`",
        "SHOP_KEY": "generated",
        "CERTIFICATE": "set by hand in Render's dashboard",
    }


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("server/orders/api.py", "import nothing_at_all", "No module named"),
        ("server/shop/config.py", "raise RuntimeError('broken')", "RuntimeError: broken"),
        ("server/manage.py", None, "no manage.py"),
    ],
)
def test_unreadable_project_is_named(
    file: str, text: str | None, said: str, tmp_path: Path
) -> None:
    """With the last words of Django; the reference never comes out emptier than it is."""
    shop = made(tmp_path / "shop", SHOP)
    if text is None:
        (shop / file).unlink()
    else:
        (shop / file).write_text(text, "utf-8")

    with pytest.raises(NotReadable, match=said) as caught:
        backend.read([shop])

    assert str(caught.value).startswith("shop: ")


def test_answer_is_kept_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By content: the second build asks nobody, a changed view is seen, damage is ignored."""
    shop, cache = made(tmp_path / "shop", SHOP), tmp_path / "cache" / "reference.json"
    asked = []
    read = backend._facts
    monkeypatch.setattr(backend, "_facts", lambda folders: asked.append(1) or read(folders))

    first = backend.kept([shop], cache)
    assert backend.kept([shop], cache) == first
    assert len(asked) == 1
    views = shop / "server" / "customers" / "views.py"
    views.write_text(views.read_text("utf-8").replace("Greet a", "Welcome a"), "utf-8")
    assert "Welcome a customer." in str(backend.kept([shop], cache))
    assert len(asked) == 2
    cache.write_text("{", "utf-8")
    backend.kept([shop], cache)
    assert len(asked) == 3


def test_last_step_is_read_like_any_other() -> None:
    """No method of an address comes twice; a variable is as old as the code that names it."""
    found = backend.last_backend()
    rows = [(point.method, point.address) for point in found.endpoints]
    named = [
        "".join(path.read_text("utf-8") for path in step.folder.rglob("settings.py"))
        for step in course.steps()
    ]

    assert len(rows) == len(set(rows)) > 20
    for setting in found.settings:
        quoted = f'"{setting.variable.name}"'
        assert [quoted in text for text in named].index(True) == setting.since

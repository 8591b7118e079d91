"""What a message says of the source: the line that has to change, never a harmless one."""

import sys
from pathlib import Path

import pytest

from checks import explain
from checks.errors import Place
from checks.harness.logs import last_traceback, last_words
from checks.harness.project import Project

NOT_SET_UP = "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.\n"


@pytest.fixture
def project(tmp_path):
    """A project with settings and nothing else."""
    found = Project(tmp_path, tmp_path, Path(sys.executable), "site.settings")
    write(found, "site/settings.py", 'INSTALLED_APPS = [\n    "posts"\n    "friends",\n]\n')
    return found


def write(project, name, text, encoding="utf-8"):
    file = project.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding)
    return file


def traceback_of(*frames, error):
    lines = [
        f'  File "{file}", line {line}, in <module>\n    ...\n' for file, line in frames
    ]
    return "Traceback (most recent call last):\n" + "".join(lines) + error


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_early_import_is_the_one_of_the_traceback(encoding, project):
    """Not the first import of the file, and a byte order mark changes nothing."""
    asgi = write(
        project,
        "site/asgi.py",
        "from channels.auth import AuthMiddlewareStack\nfrom posts import routing\n"
        "application = get_asgi_application()\n",
        encoding,
    )
    log = traceback_of((asgi, 2), ("/lib/django/apps.py", 9), error=NOT_SET_UP)

    cause = explain.import_order(project, log)

    assert cause.place == Place("site/asgi.py", 2, "from posts import routing")
    assert "move that import below" in cause.todo


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_missing_setdefault_is_asked_for(encoding, project):
    """Without the line, the message holds it as it has to be written."""
    text = "import os\napplication = get_asgi_application()\n"
    asgi = write(project, "site/asgi.py", text, encoding)

    cause = explain.import_order(project, traceback_of((asgi, 2), error=NOT_SET_UP))

    assert cause.place.line == 2
    assert 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")' in cause.todo
    assert "import" not in cause.todo


def test_late_setdefault_is_the_line_to_move(project):
    """The place is the line that has to change, not the one that stopped."""
    asgi = write(
        project,
        "site/asgi.py",
        "application = get_asgi_application()\n"
        'os.environ["DJANGO_SETTINGS_MODULE"] = "site.settings"\n',
    )

    cause = explain.import_order(project, traceback_of((asgi, 1), error=NOT_SET_UP))

    assert cause.place.line == 2
    assert "above line 1" in cause.todo


def test_set_up_in_another_module_is_found_there(project):
    """asgi.py may leave it all to a module of its own."""
    asgi = write(project, "site/asgi.py", "from site.realtime import application\n")
    realtime = write(
        project,
        "site/realtime.py",
        "import posts.routing\napplication = get_asgi_application()\n",
    )
    log = traceback_of((asgi, 1), (realtime, 1), error=NOT_SET_UP)

    assert explain.import_order(project, log).place.file == "site/realtime.py"


def test_route_that_matches_too_early_is_named(project):
    """Patterns are tried in order: the first of several that match is the one to move."""
    denier = '    re_path(r"", WebsocketDenier.as_asgi()),\n'
    ours = '    re_path(r"^ws/notifications/?$", Consumer.as_asgi()),\n'
    write(project, "routing.py", f"websocket_urlpatterns = [\n{denier}{ours}]\n")

    cause = explain.taken_before(project, "/ws/notifications/")
    assert (cause.place.file, cause.place.line) == ("routing.py", 2)
    assert "below line 3" in cause.todo

    write(project, "routing.py", f"websocket_urlpatterns = [\n{ours}]\n")
    assert explain.taken_before(project, "/ws/notifications/") is None


def test_system_check_is_shown_by_its_error():
    """The line that says what is wrong, not the one that says that something is."""
    log = (
        "Traceback (most recent call last):\n  File x\n"
        "django.core.management.base.SystemCheckError: SystemCheckError: System check "
        "identified some issues:\n\nERRORS:\n?: (daphne.E001) Daphne must be listed first.\n"
    )

    assert last_words(log) == "?: (daphne.E001) Daphne must be listed first."


def test_last_traceback_is_complete_or_nothing():
    """A traceback that is still being printed is none; a chained one is whole."""
    first = traceback_of(("a.py", 1), error="KeyError: 'user'")
    chain = "During handling of the above exception, another exception occurred:"
    second = traceback_of(("b.py", 2), error="ValueError: no")

    assert last_traceback(f"old\n{first}\n127.0.0.1 - GET\n") == first
    assert last_traceback(f"{first}\n\n{chain}\n\n{second}\n").endswith("ValueError: no")
    assert last_traceback(f"{first}\n\n{chain}\n\n{second}\n").startswith(first)
    assert last_traceback(first.rpartition("\n")[0]) == ""


CONSUMER = """\
class Consumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.group = None
        await self.accept()

    async def receive(self, text_data):
        kind = text_data
        await getattr(self, kind)()

    async def disconnect(self, code):
        pass
"""
MIDDLEWARE = """\
class Other:
    def __call__(self, scope):
        self.scope = scope


class TokenMiddleware:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        token = scope["token"]
        self.token = token
"""


def test_methods_of_a_consumer_are_found(project):
    """The first of the names that its class has; the class itself if it has none."""
    write(project, "consumers.py", CONSUMER)
    consumer = Place("consumers.py", 1, "Consumer")

    found = explain.method_of(project, consumer, "websocket_disconnect", "disconnect")
    assert found.line == 10
    assert explain.method_of(project, consumer, "notify") == consumer
    assert explain.place_of_bare_accept(project).line == 4


def test_line_that_calls_by_a_name_is_found(project):
    """It is the one with getattr(); without one, the method that gets the frames."""
    consumer = Place("consumers.py", 1, "Consumer")
    write(project, "consumers.py", CONSUMER)
    assert explain.dispatching_line(project, consumer).line == 8

    fixed = CONSUMER.replace("getattr(self, kind)()", 'getattr(self, "ping")()')
    write(project, "consumers.py", fixed)
    assert explain.dispatching_line(project, consumer).line == 6


def test_state_of_a_middleware_is_found(project):
    """What its own class writes into self, but not when it is made."""
    write(project, "middleware.py", MIDDLEWARE)

    found = explain.kept_on_self(project, Place("middleware.py", 6, "TokenMiddleware"))

    assert (found.line, found.symbol) == (12, "self.token = token")
    write(project, "middleware.py", MIDDLEWARE.replace("self.token =", "user ="))
    place = Place("middleware.py", 6, "TokenMiddleware")
    assert explain.kept_on_self(project, place) is None

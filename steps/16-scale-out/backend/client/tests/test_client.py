"""The page for browsers: served to everybody, with the files that it loads."""

import json
import re

from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.templatetags.static import static

from numeneon.tests.test_settings import PRODUCTION, load_settings

LOADED = ["client/app.css", "client/app.js"]
IMPORTED = ["client/api.js", "client/notifications.js"]
STREAM = "client/stream.js"


def test_page_is_open_to_everybody(client, settings):
    """Signing in happens on the page, so the page itself needs no token."""
    settings.DEBUG = False

    response = client.get("/app/")

    assert response.status_code == 200
    assert all(static(name) in response.text for name in LOADED)


def test_page_uses_only_this_server(client):
    """Nothing is loaded from another site, and each file that is loaded exists."""
    assert "//" not in client.get("/app/").text
    assert all(finders.find(name) for name in [*LOADED, *IMPORTED, STREAM])


def test_modules_import_hashed_names(settings, tmp_path):
    """After collectstatic a module imports its neighbours by the names with a hash.

    Under its plain name, a browser may still have an older version of a file.
    """
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = load_settings(**PRODUCTION).STORAGES

    # The files of libraries are many, and these modules import none of them.
    options = {"interactive": False, "verbosity": 0}
    libraries = ["admin", "rest_framework", "drf_spectacular_sidecar"]
    call_command("collectstatic", ignore_patterns=libraries, **options)

    names = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    module = (tmp_path / names["client/app.js"]).read_text()
    imported = re.findall(r'from ["\'](?:\./)?([^"\']+)', module)
    assert {f"client/{name}" for name in imported} == {names[name] for name in IMPORTED}

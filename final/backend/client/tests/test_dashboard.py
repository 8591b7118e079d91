"""The dashboard: the page is for everybody, what it shows only for staff."""

from django.contrib.staticfiles import finders
from django.templatetags.static import static

LOADED = ["client/app.css", "client/dashboard.css", "client/dashboard.js"]


def test_dashboard_is_served(client, settings):
    """Signing in happens on the page, and nothing comes from another site."""
    settings.DEBUG = False

    text = client.get("/dashboard/").text

    assert all(static(name) in text for name in LOADED)
    assert all(finders.find(name) for name in LOADED)
    assert "//" not in text

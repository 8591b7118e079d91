"""django-debug-toolbar: only where it was asked for, and only for pages."""

import pytest

from numeneon.tests.test_settings import PRODUCTION, load_settings
from numeneon.toolbar import show_toolbar


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, False), ({"DEBUG_TOOLBAR": "1"}, True), (PRODUCTION | {"DEBUG_TOOLBAR": "1"}, False)],
    ids=["not asked for", "development", "production"],
)
def test_toolbar_is_for_development(variables, expected):
    """It shows settings and queries, so production never has it."""
    assert ("debug_toolbar" in load_settings(**variables).INSTALLED_APPS) is expected


@pytest.mark.parametrize(
    ("address", "headers", "expected"),
    [
        ("127.0.0.1", {}, True),
        ("127.0.0.1", {"X-Requested-With": "XMLHttpRequest"}, False),
        ("192.0.2.1", {}, False),
    ],
    ids=["page", "script", "other computer"],
)
def test_toolbar_watches_pages(rf, settings, address, headers, expected):
    """A request of a script, or from another computer, is left alone."""
    settings.INTERNAL_IPS = ["127.0.0.1"]

    assert show_toolbar(rf.get("/", REMOTE_ADDR=address, headers=headers)) is expected

"""The demo page: a browser window for people, made of the API's own endpoints."""

import re

from django.urls import resolve


def test_demo_is_open_to_everybody(client, settings):
    """Signing in happens on the page, so the page itself needs no token."""
    settings.DEBUG = False

    response = client.get("/demo/")

    assert response.status_code == 200
    assert "<title>Numeneon demo</title>" in response.text


def test_demo_uses_only_this_server(client):
    """The page loads nothing from other sites, and calls addresses that exist."""
    page = client.get("/demo/").text

    called = re.findall(r'api\("([^"]+)"', page)

    assert "://" not in page
    assert {"/api/auth/login/", "/api/messages/"} <= set(called)
    assert all(resolve(address) for address in called)

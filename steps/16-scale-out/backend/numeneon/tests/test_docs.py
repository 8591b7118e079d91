"""The API's own documentation."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.urls import resolve


@pytest.fixture
def schema(client):
    """The OpenAPI document, as a program requests it."""
    return client.get("/api/schema/", headers={"Accept": "application/json"}).json()


def test_schema_has_no_warnings(capsys, db, django_assert_num_queries):
    """Every view is understood, none needs the database for it; the document is valid."""
    with django_assert_num_queries(0):
        call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null")

    assert "Warning" not in capsys.readouterr().err


def test_schema_describes_the_whole_api(schema):
    """It is OpenAPI 3.1, and each of its paths is an address of this server."""
    assert schema["openapi"] == "3.1.0"
    assert {"/api/v1/health/", "/api/posts/{id}/like/"} <= set(schema["paths"])
    for path in schema["paths"]:
        assert resolve(re.sub(r"\{\w+\}", "1", path))


def test_signup_answers_with_an_account(schema):
    """And not with what was sent, which has a password."""
    answer = schema["paths"]["/api/auth/signup/"]["post"]["responses"]["201"]

    [media_type] = answer["content"].values()
    assert media_type["schema"]["$ref"].endswith("/Account")


def test_documented_answers_are_real(api, alice, schema):
    """Each GET without a parameter in its path answers staff with 200."""
    alice.is_staff = True
    for path, operations in schema["paths"].items():
        if "get" in operations and "{" not in path:
            assert api.get(path).status_code == 200, path


def test_page_uses_only_this_server(client):
    """Nothing is loaded from another site, and each file that is loaded exists."""
    response = client.get("/api/docs/")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    files = [url for url in loaded if url.startswith("/static/")]
    assert len(files) >= 3
    assert all(finders.find(url.removeprefix("/static/")) for url in files)
    assert not any("//" in url for url in loaded)
    assert "default-src 'self'" in response["Content-Security-Policy"]


def test_page_runs_no_script_of_its_own(client):
    """The policy forbids it; the script that starts Swagger UI has an address."""
    scripts = re.findall(r"<script([^>]*)>", client.get("/api/docs/").text)

    assert scripts
    assert all("src=" in attributes for attributes in scripts)

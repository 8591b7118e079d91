"""What browsers and programs get at the address /."""

import pytest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_browser_is_led_to_the_client(client):
    """It prefers HTML."""
    response = client.get("/", headers={"Accept": BROWSER})

    assert (response.status_code, response["Location"]) == (302, "/app/")


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html;q=0.1, */*"])
def test_program_is_told_what_there_is(client, db, accept):
    """It gets JSON, and each address in it answers."""
    response = client.get("/", headers={"Accept": accept})

    assert response.status_code == 200
    assert "health" in response.json()
    for url in response.json().values():
        assert client.get(url).status_code == 200, url


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_cache_keeps_the_answers_apart(client, accept):
    """Both say that they depend on Accept."""
    response = client.get("/", headers={"Accept": accept})

    assert "Accept" in response["Vary"]

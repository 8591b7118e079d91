"""The page of part two in a real browser, where the checks of its steps do not look."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import course
from course import contract
from course.processes import free_port
from tests.browser import Visit
from tests.test_demo_page import PASSWORD, prepared, server

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

MESSAGES = 20


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished project, with its demo users."""
    return prepared(course.steps()[-1].folder, tmp_path_factory.mktemp("app"))


def test_burst_loads_a_list_twice(backend: Path, visits: Callable[..., Visit]) -> None:
    """Once for the first event and once for all that came while that list was on its way."""
    port, loads = free_port(), []

    def hold(route: Route) -> None:
        loads.append(route)
        if len(loads) > 1:
            route.continue_()

    bob = visits().page
    address = f"http://127.0.0.1:{port}"
    with server(backend, port):
        bob.goto(address + contract.CLIENT_PATH)
        bob.get_by_label("Email").fill("bob@example.com")
        bob.get_by_label("Password").fill(PASSWORD)
        with bob.expect_response("**/api/messages/"):
            bob.get_by_role("button", name="Sign in").click()
        bob.get_by_text("Connected", exact=True).wait_for()
        bob.wait_for_load_state("networkidle")
        bob.route("**/api/messages/", hold)

        write_as_alice(bob, address)
        said = bob.locator("#announcement", has_text=f"number {MESSAGES}")
        said.wait_for(state="attached")
        assert len(loads) == 1
        loads[0].continue_()
        bob.get_by_text(f"alice to bob: number {MESSAGES}", exact=True).wait_for()

    assert len(loads) == 2


def write_as_alice(window: Page, address: str) -> None:
    """Send bob messages, outside of the window's own requests."""

    def post(path: str, body: dict[str, object], token: str = "") -> str:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return window.request.post(address + path, data=body, headers=headers).text()

    login = {"email": "alice@example.com", "password": PASSWORD}
    token = json.loads(post("/api/auth/login/", login))["access"]
    receiver = window.request.get(
        f"{address}/api/auth/search/?q=bob", headers={"Authorization": f"Bearer {token}"}
    ).json()["results"][0]["id"]
    for number in range(1, MESSAGES + 1):
        message = {"receiver_id": receiver, "content": f"number {number}"}
        post("/api/messages/", message, token)

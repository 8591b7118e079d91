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
        sign_in(bob, address, "bob")
        bob.wait_for_load_state("networkidle")
        bob.route("**/api/messages/", hold)

        write_as_alice(bob, address)
        said = bob.locator("#announcement", has_text=f"number {MESSAGES}")
        said.wait_for(state="attached")
        assert len(loads) == 1
        loads[0].continue_()
        bob.get_by_text(f"alice to bob: number {MESSAGES}", exact=True).wait_for()

    assert len(loads) == 2


def test_status_of_an_order_is_live(backend: Path, visits: Callable[..., Visit]) -> None:
    """The customer's page shows it at once; a window that shows an older one is refused."""
    port = free_port()
    bob, dan, other = (visits().page for _ in range(3))
    address = f"http://127.0.0.1:{port}"
    with server(backend, port):
        for page, name in ((bob, "bob"), (dan, "dan"), (other, "dan")):
            sign_in(page, address, name)
        cancel = bob.get_by_role("button", name="Cancel order 1")
        cancel.wait_for()
        assert bob.locator("#orders button").count() == 1

        dan.get_by_role("button", name="Mark as paid order 1").click()
        times = "\N{MULTIPLICATION SIGN}"
        things = f"1 {times} Neon sign, 3 {times} Sticker, 52.87"
        bob.get_by_text(f"Order 1 is paid: {things}", exact=True).wait_for()
        bob.locator("#unread", has_text="1").wait_for()
        # Staff is not told, so the other window still shows the version before.
        other.get_by_text(f"Order 1 is pending: {things}", exact=True).wait_for()
        other.get_by_role("button", name="Cancel order 1").click()
        other.get_by_text("The order has changed since you saw it.").wait_for()
        other.get_by_role("button", name="Mark as shipped order 1").click()
        bob.get_by_text(f"Order 1 is shipped: {things}", exact=True).wait_for()
        assert bob.locator("#orders button").count() == 0


def sign_in(page: Page, address: str, name: str) -> None:
    """Open the page as a demo user, and wait until it is connected and has its lists."""
    page.goto(address + contract.CLIENT_PATH)
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    with page.expect_response("**/api/messages/"):
        page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Connected", exact=True).wait_for()


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

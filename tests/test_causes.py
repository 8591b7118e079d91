"""What went wrong is told by the item that it went wrong in, and by no other."""

import pytest

import course
from checks.results import Status
from checks.runner import Session
from tests.variants import Edit, broken, step04

pytestmark = pytest.mark.server

# Friend requests stop with an error that is only logged; messages are never told.
_TWO_FAULTS = broken(
    "events.friend-request",
    "two faults",
    step04.request_told(user='shown["sender"]'),
    step04.in_service(
        step04._FRIENDS,
        step04._ASKED,
        f"    transaction.on_commit(lambda: {step04._ASKED}, robust=True)\n",
    ),
    step04.in_service(step04._MESSAGING, step04._WRITTEN, ""),
)


def test_error_is_shown_only_by_the_item_that_caused_it(tmp_path, shared):
    """The logged error of a friend request is no news of a message that is not told."""
    _TWO_FAULTS.make(course.step(4), tmp_path / "project")
    both = ["events.friend-request", "events.new-message"]

    with Session(tmp_path / "project", **shared) as session:
        report = session.run(4, only=both)

    failed = {r.id: r for r in report.items if r.status is Status.FAILED}
    assert list(failed) == both
    assert "KeyError: 'sender'" in failed["events.friend-request"].message
    assert "Error" not in failed["events.new-message"].message
    assert "calls new_message()" in failed["events.new-message"].message


_REFUSED_REDIS = """import logging

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self):
        try:
            raise ConnectionError("Error 111 connecting to localhost:6379.")
        except ConnectionError:
            logging.getLogger(__name__).exception("no cache")
"""


def test_error_of_no_request_is_shown_by_no_item(tmp_path, shared):
    """A refused connection to Redis that was logged at the start is no news of a post."""
    project = broken(
        "events.new-post",
        "is not told",
        step04.in_service(step04._POSTS, step04._POSTED, ""),
        Edit("backend/notifications/apps.py", "", _REFUSED_REDIS),
    )
    project.make(course.step(4), tmp_path / "project")

    with Session(tmp_path / "project", **shared) as session:
        report = session.run(4, only=["events.new-post"])

    [failure] = [r for r in report.items if r.status is Status.FAILED]
    assert failure.id == "events.new-post"
    assert "calls new_post()" in failure.message
    assert "Error" not in failure.message

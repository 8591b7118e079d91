"""Step 11: Sessions and limits."""

from __future__ import annotations

from checks.errors import NotYet, Place
from checks.harness.harness import Harness
from checks.items import Checklist

checklist = Checklist(__name__)
item = checklist.item


@item("limits.ends")
def example_ends(harness: Harness) -> None:
    """`python manage.py example_ends` says that it is there."""
    process = harness.finish(["manage.py", "example_ends"], harness.env(), seconds=60)
    if process.exit_code:
        raise harness.crash(process, "`python manage.py example_ends` failed")
    if "Ends: ready" not in process.log().splitlines():
        raise NotYet(
            f"it printed {process.log(3)!r}",
            expected="`python manage.py example_ends` prints its one line",
            look_at=Place("backend/users/management/commands/example_ends.py"),
        )


@item("limits.limits")
def example_limits(harness: Harness) -> None:
    """`python manage.py example_limits` says that it is there."""
    process = harness.finish(["manage.py", "example_limits"], harness.env(), seconds=60)
    if process.exit_code:
        raise harness.crash(process, "`python manage.py example_limits` failed")
    if "Limits: ready" not in process.log().splitlines():
        raise NotYet(
            f"it printed {process.log(3)!r}",
            expected="`python manage.py example_limits` prints its one line",
            look_at=Place("backend/users/management/commands/example_limits.py"),
        )


@item("limits.stops-reading")
def example_stops_reading(harness: Harness) -> None:
    """`python manage.py example_stops_reading` says that it is there."""
    process = harness.finish(
        ["manage.py", "example_stops_reading"], harness.env(), seconds=60
    )
    if process.exit_code:
        raise harness.crash(process, "`python manage.py example_stops_reading` failed")
    if "Stops reading: ready" not in process.log().splitlines():
        raise NotYet(
            f"it printed {process.log(3)!r}",
            expected="`python manage.py example_stops_reading` prints its one line",
            look_at=Place("backend/users/management/commands/example_stops_reading.py"),
        )


@item("limits.refused")
def example_refused(harness: Harness) -> None:
    """`python manage.py example_refused` says that it is there."""
    process = harness.finish(["manage.py", "example_refused"], harness.env(), seconds=60)
    if process.exit_code:
        raise harness.crash(process, "`python manage.py example_refused` failed")
    if "Refused: ready" not in process.log().splitlines():
        raise NotYet(
            f"it printed {process.log(3)!r}",
            expected="`python manage.py example_refused` prints its one line",
            look_at=Place("backend/users/management/commands/example_refused.py"),
        )

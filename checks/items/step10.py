"""Step 10: Tickets."""

from __future__ import annotations

from checks.errors import NotYet, Place
from checks.harness.harness import Harness
from checks.items import Checklist

checklist = Checklist(__name__)
item = checklist.item


@item("tickets.ticket")
def example_ticket(harness: Harness) -> None:
    """`python manage.py example_ticket` says that it is there."""
    process = harness.finish(["manage.py", "example_ticket"], harness.env(), seconds=60)
    if process.exit_code:
        raise harness.crash(process, "`python manage.py example_ticket` failed")
    if "Ticket: ready" not in process.log().splitlines():
        raise NotYet(
            f"it printed {process.log(3)!r}",
            expected="`python manage.py example_ticket` prints its one line",
            look_at=Place("backend/users/management/commands/example_ticket.py"),
        )


@item("tickets.origins")
def example_origins(harness: Harness) -> None:
    """`python manage.py example_origins` says that it is there."""
    process = harness.finish(["manage.py", "example_origins"], harness.env(), seconds=60)
    if process.exit_code:
        raise harness.crash(process, "`python manage.py example_origins` failed")
    if "Origins: ready" not in process.log().splitlines():
        raise NotYet(
            f"it printed {process.log(3)!r}",
            expected="`python manage.py example_origins` prints its one line",
            look_at=Place("backend/users/management/commands/example_origins.py"),
        )

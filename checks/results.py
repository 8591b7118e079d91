"""What a run of a checklist found: one result an item, one report a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from checks.exchange import Exchange

SCHEMA = 1


class Status(StrEnum):
    """How an item stands (design: five states, so that nothing is called wrong unjudged)."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    ENVIRONMENT = "environment"
    MANUAL = "manual"


@dataclass(frozen=True)
class ItemResult:
    """The verdict on one item; times are in seconds, `file` is relative to the project.

    A `remark` is something about a passed item that the checks cannot judge for certain.
    `exchange` is what went over the wire, None if the item talked to no server.
    """

    id: str
    title: str
    status: Status
    message: str = ""
    hint: str = ""
    file: str | None = None
    line: int | None = None
    docs: str = ""
    blocked_by: str | None = None
    duration_s: float = 0.0
    remark: str = ""
    exchange: Exchange | None = None

    def as_dict(self) -> dict[str, Any]:
        """The published form; `exchange` is left out where there is none."""
        told = asdict(replace(self, exchange=None))
        del told["exchange"]
        told |= {"status": str(self.status), "duration_s": round(self.duration_s, 3)}
        return told | ({"exchange": self.exchange.as_dict()} if self.exchange else {})


@dataclass(frozen=True)
class Report:
    """All verdicts of one run over one project."""

    step: int
    project: str
    items: list[ItemResult] = field(default_factory=list)
    duration_s: float = 0.0
    part: int | None = None  # if one part of the step was checked, its number

    @property
    def label(self) -> str:
        """How a sentence calls what was checked: `5`, or `5.1`."""
        return f"{self.step}.{self.part}" if self.part else str(self.step)

    @property
    def status(self) -> Status:
        """`passed` only if every item passed or is manual; `failed` outranks `environment`."""
        seen = {result.status for result in self.items}
        if Status.FAILED in seen:
            return Status.FAILED
        if not seen or seen & {Status.ENVIRONMENT, Status.BLOCKED}:
            return Status.ENVIRONMENT
        return Status.PASSED

    @property
    def exit_code(self) -> int:
        """0 all passed, 1 an item failed, 3 this machine lacks something."""
        return {Status.PASSED: 0, Status.FAILED: 1}.get(self.status, 3)

    def as_dict(self) -> dict[str, Any]:
        """The published JSON form (`--json`), schema 1."""
        return {
            "schema": SCHEMA,
            "step": self.step,
            "project": self.project,
            "status": str(self.status),
            "duration_s": round(self.duration_s, 3),
            "items": [result.as_dict() for result in self.items],
        }

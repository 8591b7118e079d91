"""Runs a checklist over a project and turns what happens into verdicts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from checks.browser.browser import Browsers
from checks.errors import Blocked, EnvironmentFault, LeftOut, NotYet
from checks.exchange import Exchange, Secrets
from checks.harness import project as projects
from checks.harness import warm as kept_warm
from checks.harness.harness import Harness
from checks.harness.recorder import Recorder, recording
from checks.harness.sandbox import Sandbox
from checks.harness.services import Service, start_postgres
from checks.harness.warm import Interpreters, MigratedDatabases, NoDatabases
from checks.items import Item, checklist_of, items_of
from checks.results import ItemResult, Report, Status
from course.background import Background
from course.deadline import Deadline, patient, within
from course.faults import fault_report

OnResult = Callable[[ItemResult], None]

# Whatever a project does, its run ends in a verdict: an item gets that long, and all of
# them together, which the slowest step needs a quarter of here. Seconds.
RUN_SECONDS = patient(110.0)
ITEM_SECONDS = RUN_SECONDS * 0.8
# An item keeps its deadline itself wherever it talks to the project; this is for one that
# does not come back at all.
_GRACE_SECONDS = 2.0
# A deployment on a free plan sleeps and has to wake up first.
_LIVE_SECONDS = 300.0
# Whose exchange is shown: what is blocked by another's failure has nothing of its own to say.
_JUDGED = {Status.PASSED, Status.FAILED}


class Session:
    """Judges one project, once or again and again; keeps its scratch copy in between."""

    def __init__(
        self,
        directory: Path,
        python: str | None = None,
        *,
        warm: bool = False,
        interpreters: Interpreters | None = None,
        databases: NoDatabases | None = None,
        postgres: Callable[[], Service] = start_postgres,
        browsers: Browsers | None = None,
    ) -> None:
        """`python` is the project's interpreter (see checks.project.find).

        A `warm` session keeps what makes its next run faster. `interpreters`, `databases` and
        `browsers` may be shared by several sessions; then they are not closed with this one.
        `postgres` gives each run an empty PostgreSQL, which it stops.
        """
        self.directory = Path(directory).absolute()
        self.python = python
        self._warm = warm
        self._own = kept_warm.for_a_watch() if warm else kept_warm.for_a_check()
        self._interpreters = interpreters or self._own
        self._databases = databases or NoDatabases()
        self._postgres = postgres
        self._own_browsers = Browsers()
        self._browsers = browsers or self._own_browsers
        self._sandbox: Sandbox | None = None
        self._harness: Harness | None = None
        self._runs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end_run()
        self._own.close()
        self._own_browsers.close()
        if self._sandbox:
            self._sandbox.close()

    def run(
        self,
        step: int,
        *,
        reached: int | None = None,
        only: Sequence[str] = (),
        url: str | None = None,
        logins: Sequence[tuple[str, str]] = (),
        on_result: OnResult | None = None,
    ) -> Report:
        """Judge a step's checklist and report on it.

        `reached` is the step that the project is at, the one judged if it is not given:
        items that a step up to there replaces are left out.
        `only` names the items wanted (what they need is judged too), `url` a deployment
        to judge instead of the folder, with the email and password of two `logins`.
        `on_result` is called with each verdict, in the checklist's order.

        No verdict waits for the end of the servers: they go on until tidy(), the next run or
        the end of the session.
        """
        self._end_run()
        start = time.monotonic()
        pool = held_at(items_of(step), step if reached is None else reached)
        chosen = choose(pool, only, live=url is not None)
        run = _Run(chosen, on_result or (lambda result: None))
        try:
            harness = self._bench()
            harness.url, harness.logins = url, list(logins)
            run.judge(harness)
        except (NotYet, EnvironmentFault) as error:
            run.give_up(error)
        return Report(step, str(self.directory), run.results, time.monotonic() - start)

    def tidy(self) -> None:
        """End what the last run has started, and begin what the next one will need."""
        harness = self._harness
        self._end_run()
        if harness:
            self._interpreters.refill(harness.sandbox, harness.env())
            if self._warm:
                harness.sandbox.compile()

    def _end_run(self) -> None:
        if self._harness:
            self._harness.close()
            self._harness = None

    def _bench(self) -> Harness:
        found = projects.find(self.directory, self.python)
        if self._sandbox is None or self._sandbox.original != found:
            if self._sandbox:
                self._sandbox.close()
            self._sandbox = Sandbox(found)
            if self._warm:
                self._databases = MigratedDatabases(self._sandbox.folder)
        else:
            self._sandbox.refresh()
        self._runs += 1
        self._harness = Harness(
            self._sandbox,
            self._interpreters,
            self._databases,
            self._runs,
            postgres=self._postgres,
            browsers=self._browsers,
        )
        return self._harness


def held_at(items: Iterable[Item], reached: int) -> list[Item]:
    """The items that hold for a project at that step: the others have been replaced."""
    return [item for item in items if item.holds_at(reached)]


def choose(items: Iterable[Item], only: Sequence[str], *, live: bool) -> list[Item]:
    """The items to judge, in order: all, or the ones named and what they need."""
    pool = [item for item in items if item.live or not live]
    if not only:
        return pool
    known = {item.id: item for item in pool}
    wanted: set[str] = set()
    queue = list(only)
    while queue:
        name = queue.pop()
        if name not in known:
            raise LookupError(
                f"there is no item {name!r} here; the items are {', '.join(known)}"
            )
        if name not in wanted:
            wanted.add(name)
            queue.extend(need for need in known[name].needs if need in known)
    return [item for item in pool if item.id in wanted]


class _Run:
    """One pass over a checklist."""

    def __init__(self, items: list[Item], on_result: OnResult) -> None:
        self._python: Path | None = None
        self.items = items
        self.results: list[ItemResult] = []
        self._on_result = on_result
        # The errors are kept beside their ids: an id is only unique while its object lives.
        self._causes: dict[int, tuple[BaseException, str]] = {}
        self._out_of_time: NotYet | None = None
        self._secrets = Secrets()

    def judge(self, harness: Harness) -> None:
        self._python = harness.project.python
        for _, password in harness.logins:
            self._secrets.add(password)
        end = Deadline.after(RUN_SECONDS if harness.url is None else _LIVE_SECONDS)
        prefetched = self._prefetched(harness)
        begun = {
            item.id: _Attempt(item, harness, end, self._secrets)
            for item in self.items
            if item.parallel and not self._manual(item, harness)
        }
        for make in prefetched:
            harness.prefetch(make)
        for item in self.items:
            self._add(self._verdict(item, harness, end, begun.get(item.id)))
            for free in self._free(begun) if end.left else ():
                begun[free.id] = _Attempt(free, harness, end, self._secrets)

    def _free(self, begun: Mapping[str, _Attempt]) -> list[Item]:
        """The items with a server of their own that nothing blocks any more."""
        judged = {result.id for result in self.results}
        return [
            item
            for item in self.items
            if item.apart
            and item.id not in begun.keys() | judged
            and judged.issuperset(item.needs)
            and not any(map(self._stands_in_way, item.needs))
        ]

    def _prefetched(self, harness: Harness) -> Iterable[Callable[[Harness], object]]:
        if harness.url or not self.items:
            return ()
        checklist = checklist_of(self.items[0].step)
        harness.checked_by_runserver = checklist.starts_runserver
        own = (make for item in self.items for make in item.prefetch)
        return dict.fromkeys([*checklist.prefetch, *own])

    def _manual(self, item: Item, harness: Harness) -> bool:
        return item.live and harness.url is None

    def _verdict(
        self, item: Item, harness: Harness, end: Deadline, started: _Attempt | None
    ) -> ItemResult:
        if self._manual(item, harness):
            return _blank(
                item, Status.MANUAL, message="judged by `check --url https://...`"
            )
        blocker = next((need for need in item.needs if self._stands_in_way(need)), None)
        if blocker:
            return _blank(item, Status.BLOCKED, blocked_by=blocker)
        if not started and self._timed_out(end):
            return self._explain(item, self._out_of_time)
        attempt = started or _Attempt(item, harness, end, self._secrets)
        error = attempt.error()
        if not end.left and isinstance(error, NotYet) and self._out_of_time is None:
            self._out_of_time = error  # what used the time up is why the rest is not judged
        result = self._explain(item, error)
        exchange = attempt.exchange(error) if result.status in _JUDGED else None
        return replace(
            result,
            message=self._secrets.masked(result.message),
            remark=self._secrets.masked(attempt.remark),
            duration_s=attempt.seconds,
            exchange=exchange,
        )

    def _timed_out(self, end: Deadline) -> bool:
        """Whether the time of the run is over; the first item to hear it is the one to fail."""
        if not end.left and self._out_of_time is None:
            self._out_of_time = NotYet(
                f"the time limit for the whole run was reached before this item: {RUN_SECONDS:g} s",
                expected="a checklist that finishes within that time",
                todo="look for what is slow in the project; on a slow machine give the run more "
                "time: NUMENEON_PATIENCE=3",
            )
        return not end.left

    def _stands_in_way(self, need: str) -> bool:
        good = {Status.PASSED, Status.MANUAL}
        return any(r.id == need and r.status not in good for r in self.results)

    def _explain(self, item: Item, error: BaseException | None) -> ItemResult:
        if error is None:
            return _blank(item, Status.PASSED)
        if isinstance(error, Blocked):
            if error.by not in {each.id for each in self.items} and error.__cause__:
                return self._explain(item, error.__cause__)  # nothing else would say why
            return _blank(item, Status.BLOCKED, blocked_by=error.by)
        if isinstance(error, LeftOut):
            return _blank(item, Status.MANUAL, message=str(error))
        _, cause = self._causes.setdefault(id(error), (error, item.id))
        if cause != item.id:
            return _blank(item, Status.BLOCKED, blocked_by=cause)
        if isinstance(error, NotYet):
            return _failure(item, error)
        if isinstance(error, EnvironmentFault):
            return _blank(item, Status.ENVIRONMENT, message=error.message)
        return _blank(item, Status.ENVIRONMENT, message=_our_fault(error, self._python))

    def give_up(self, error: NotYet | EnvironmentFault) -> None:
        """Nothing could be judged at all: say so once, block the rest."""
        for item in self.items[len(self.results) :]:
            self._add(self._explain(item, error))

    def _add(self, result: ItemResult) -> None:
        self.results.append(result)
        self._on_result(result)


class _Attempt:
    """An item that is being judged in a thread of its own, so that it can be given up."""

    def __init__(
        self, item: Item, harness: Harness, run: Deadline, secrets: Secrets
    ) -> None:
        self.seconds = 0.0
        self.remark = ""
        self._item = item
        self._harness = harness
        self._recorder = Recorder(secrets)
        self._start = time.monotonic()
        allowed = ITEM_SECONDS if harness.url is None else _LIVE_SECONDS
        self._deadline = Deadline(min(self._start + allowed, run.end))
        self._work = Background(self._judge, f"judge {item.id}")

    def _judge(self) -> BaseException | None:
        error: BaseException | None = None
        try:
            with within(self._deadline), recording(self._recorder):
                self.remark = self._item.judge(self._harness) or ""
        except Exception as raised:  # noqa: BLE001 - _explain() tells whose it is
            error = raised
        self.seconds = time.monotonic() - self._start
        return error

    def error(self) -> BaseException | None:
        """Wait for the verdict: the exception that stopped it, None if it passed."""
        if self._work.ended(self._deadline.left + _GRACE_SECONDS):
            return self._work.result()
        self.seconds = time.monotonic() - self._start
        waited_for = self._deadline.waiting_for or "the project"
        return NotYet(
            f"this item was stopped after {self.seconds:.0f} s; "
            f"it was waiting for {waited_for}",
            expected="an answer in a few seconds",
            todo="start the project yourself and see where it hangs",
        )

    def exchange(self, error: BaseException | None) -> Exchange | None:
        """What the item's client said and heard until now; `error` is what stopped it."""
        return self._recorder.exchange(error)


def _blank(
    item: Item, status: Status, *, message: str = "", blocked_by: str | None = None
) -> ItemResult:
    return ItemResult(
        item.id,
        item.title,
        status,
        message=message,
        blocked_by=blocked_by,
        docs=item.docs,
    )


def _failure(item: Item, error: NotYet) -> ItemResult:
    place = error.look_at
    return ItemResult(
        item.id,
        item.title,
        Status.FAILED,
        message=error.message,
        hint=item.hints.think,
        file=place.file if place else None,
        line=place.line if place else None,
        docs=item.docs,
    )


def _our_fault(error: BaseException, python: Path | None) -> str:
    """An error of the checker itself is never the learner's: keep it, and say so."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="numeneon-error-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(fault_report(error, python))
    return (
        f"found    the check itself broke: {type(error).__name__}: {error}\n"
        f"next     this is not your fault; please report it with the file {log.name}"
    )

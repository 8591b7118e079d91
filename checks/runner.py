"""Runs a checklist over a project and turns what happens into verdicts."""

from __future__ import annotations

import contextlib
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from checks.errors import Blocked, EnvironmentFault, NotYet
from checks.harness import project as projects
from checks.harness.harness import Harness
from checks.harness.sandbox import Sandbox
from checks.harness.warm import Interpreters, WarmInterpreters
from checks.items import Item, checklist_of, items_of
from checks.results import ItemResult, Report, Status

OnResult = Callable[[ItemResult], None]


class Session:
    """Judges one project, once or again and again; keeps its scratch copy in between."""

    def __init__(
        self, directory: Path, python: str | None = None, *, warm: bool = False
    ) -> None:
        """`python` is the project's interpreter (see checks.project.find).

        A `warm` session starts interpreters between two runs, so that the next is faster.
        """
        self.directory = Path(directory).absolute()
        self.python = python
        self._interpreters = WarmInterpreters() if warm else Interpreters()
        self._sandbox: Sandbox | None = None
        self._runs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._interpreters.close()
        if self._sandbox:
            self._sandbox.close()

    def run(
        self,
        step: int,
        *,
        only: Sequence[str] = (),
        url: str | None = None,
        logins: Sequence[tuple[str, str]] = (),
        on_result: OnResult | None = None,
    ) -> Report:
        """Judge a step's checklist and report on it.

        `only` names the items wanted (what they need is judged too), `url` a deployment
        to judge instead of the folder, with the email and password of two `logins`.
        `on_result` is called with each verdict, in the checklist's order.
        """
        start = time.monotonic()
        chosen = choose(items_of(step), only, live=url is not None)
        run = _Run(chosen, on_result or (lambda result: None))
        try:
            with self._bench() as harness:
                harness.url, harness.logins = url, list(logins)
                run.judge(harness)
        except (NotYet, EnvironmentFault) as error:
            run.give_up(error)
        return Report(step, str(self.directory), run.results, time.monotonic() - start)

    @contextlib.contextmanager
    def _bench(self) -> Iterator[Harness]:
        found = projects.find(self.directory, self.python)
        if self._sandbox is None or self._sandbox.original != found:
            if self._sandbox:
                self._sandbox.close()
            self._sandbox = Sandbox(found)
        else:
            self._sandbox.refresh()
        self._runs += 1
        self._interpreters.prepare(self._sandbox)
        harness = Harness(self._sandbox, self._interpreters, self._runs)
        try:
            yield harness
        finally:
            harness.close()  # a second time does nothing
        self._interpreters.refill(harness.env())


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
            raise LookupError(f"no item {name!r} here; there are {', '.join(known)}")
        if name not in wanted:
            wanted.add(name)
            queue.extend(need for need in known[name].needs if need in known)
    return [item for item in pool if item.id in wanted]


class _Run:
    """One pass over a checklist."""

    def __init__(self, items: list[Item], on_result: OnResult) -> None:
        self.items = items
        self.results: list[ItemResult] = []
        self._on_result = on_result
        # The errors are kept beside their ids: an id is only unique while its object lives.
        self._causes: dict[int, tuple[BaseException, str]] = {}

    def judge(self, harness: Harness) -> None:
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="parallel") as pool:
            parallel = {
                item.id: pool.submit(_attempt, item, harness)
                for item in self.items
                if item.parallel and not self._manual(item, harness)
            }
            try:
                for make in self._prefetched(harness):
                    harness.prefetch(make)
                for item in self.items:
                    self._add(self._verdict(item, harness, parallel.get(item.id)))
            finally:
                # Ends what a blocked item, or one that Ctrl-C cut short, still waits for.
                pool.shutdown(wait=False, cancel_futures=True)
                harness.close()

    def _prefetched(self, harness: Harness) -> Iterable[Callable[[Harness], object]]:
        if harness.url or not self.items:
            return ()
        common = checklist_of(self.items[0].step).prefetch
        own = (make for item in self.items for make in item.prefetch)
        return dict.fromkeys([*common, *own])

    def _manual(self, item: Item, harness: Harness) -> bool:
        return item.live and harness.url is None

    def _verdict(self, item: Item, harness: Harness, started: Future | None) -> ItemResult:
        if self._manual(item, harness):
            return _blank(
                item, Status.MANUAL, message="judged by `check --url https://...`"
            )
        blocker = next((need for need in item.needs if self._stands_in_way(need)), None)
        if blocker:
            return _blank(item, Status.BLOCKED, blocked_by=blocker)
        error, remark, seconds = started.result() if started else _attempt(item, harness)
        return replace(self._explain(item, error), remark=remark, duration_s=seconds)

    def _stands_in_way(self, need: str) -> bool:
        good = {Status.PASSED, Status.MANUAL}
        return any(r.id == need and r.status not in good for r in self.results)

    def _explain(self, item: Item, error: BaseException | None) -> ItemResult:
        if error is None:
            return _blank(item, Status.PASSED)
        if isinstance(error, Blocked):
            return _blank(item, Status.BLOCKED, blocked_by=error.by)
        _, cause = self._causes.setdefault(id(error), (error, item.id))
        if cause != item.id:
            return _blank(item, Status.BLOCKED, blocked_by=cause)
        if isinstance(error, NotYet):
            return _failure(item, error)
        if isinstance(error, EnvironmentFault):
            return _blank(item, Status.ENVIRONMENT, message=error.message)
        return _blank(item, Status.ENVIRONMENT, message=_our_fault(error))

    def give_up(self, error: NotYet | EnvironmentFault) -> None:
        """Nothing could be judged at all: say so once, block the rest."""
        for item in self.items[len(self.results) :]:
            self._add(self._explain(item, error))

    def _add(self, result: ItemResult) -> None:
        self.results.append(result)
        self._on_result(result)


def _attempt(item: Item, harness: Harness) -> tuple[BaseException | None, str, float]:
    """Judge one item: the exception that stopped it, if any, else its remark; and seconds."""
    start = time.monotonic()
    error: BaseException | None = None
    remark = ""
    try:
        remark = item.judge(harness) or ""
    except Exception as raised:  # noqa: BLE001 - _explain() tells whose it is
        error = raised
    return error, remark, time.monotonic() - start


def _blank(item: Item, status: Status, **more: str) -> ItemResult:
    return ItemResult(item.id, item.title, status, docs=item.docs, **more)


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


def _our_fault(error: BaseException) -> str:
    """An error of the checker itself is never the learner's: keep it, and say so."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="numeneon-error-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write("".join(traceback.format_exception(error)))
    return (
        f"found    the check itself broke: {type(error).__name__}: {error}\n"
        f"next     this is not your fault; please report it with the file {log.name}"
    )

"""A run of a checklist ends in verdicts, whatever its items do."""

import threading
import time
from pathlib import Path

import pytest

from checks import runner
from checks.errors import Blocked, LeftOut, NotYet
from checks.results import Status
from checks.runner import Session
from course.deadline import waiting_for
from tests.small import make_item


@pytest.fixture
def project(tmp_path):
    """The least that is a Django project to the checks; nothing of it is started."""
    (tmp_path / "manage.py").write_text('"DJANGO_SETTINGS_MODULE", "site.settings"\n')
    return tmp_path


@pytest.fixture
def run(project, monkeypatch):
    """Judge these items; the report."""

    def judged(*items, **options):
        monkeypatch.setattr(runner, "items_of", lambda step: items)
        monkeypatch.setattr(runner._Run, "_prefetched", lambda self, harness: ())
        with Session(project) as session:
            return session.run(5, **options)

    return judged


def statuses(report):
    """Every item's id and state, in order."""
    return {result.id: result.status for result in report.items}


def test_replaced_item_is_left_out(run):
    """An item holds for projects before the step that replaces it, and for no later one."""
    items = (make_item("old", 5, until=7), make_item("lasting", 5))

    assert list(statuses(run(*items))) == ["old", "lasting"]
    assert list(statuses(run(*items, reached=6))) == ["old", "lasting"]
    assert list(statuses(run(*items, reached=7))) == ["lasting"]


def test_replaced_item_blocks_nobody(run):
    """What needs an item that was left out is judged all the same."""
    items = (make_item("old", 5, until=7), make_item("lasting", 5, needs=("old",)))

    assert statuses(run(*items, reached=8)) == {"lasting": Status.PASSED}


def test_blocker_that_is_not_judged_gives_its_reason(run):
    """Where only some items are judged, what stands in their way is told by the first of them."""

    def stopped(harness):
        raise Blocked("elsewhere") from cause

    cause = NotYet("a mistake of another part")
    report = run(make_item("one", 5, judge=stopped), make_item("two", 5, judge=stopped))

    assert statuses(report) == {"one": Status.FAILED, "two": Status.BLOCKED}
    assert "a mistake of another part" in report.items[0].message
    assert report.items[1].blocked_by == "one"


def test_item_that_hangs_is_given_up(run, monkeypatch):
    """It fails with what it waited for, the others are judged, and no thread is waited for."""
    monkeypatch.setattr(runner, "ITEM_SECONDS", 0.2)
    monkeypatch.setattr(runner, "_GRACE_SECONDS", 0.1)
    never = threading.Event()

    def hang(harness):
        monkeypatch.setattr(runner, "ITEM_SECONDS", 60)  # the next one has time
        with waiting_for("the end of days"):
            never.wait()

    start = time.monotonic()
    report = run(make_item("hangs", 5, judge=hang), make_item("works", 5))
    never.set()

    assert statuses(report) == {"hangs": Status.FAILED, "works": Status.PASSED}
    assert "it was waiting for the end of days" in report.items[0].message
    assert time.monotonic() - start < 5


def test_run_without_time_left_ends_in_one_failure(run, monkeypatch):
    """The item that used the time up fails, and those behind it wait for it."""
    monkeypatch.setattr(runner, "RUN_SECONDS", 0.2)
    monkeypatch.setattr(runner, "_GRACE_SECONDS", 0.1)
    never = threading.Event()

    report = run(
        make_item("hangs", 5, judge=lambda harness: never.wait()), make_item("later", 5)
    )
    never.set()

    assert statuses(report) == {"hangs": Status.FAILED, "later": Status.BLOCKED}
    assert report.items[1].blocked_by == "hangs"


def test_what_hangs_while_it_is_made_does_not_hold_up_the_end(run, monkeypatch):
    """A thread that prepares something and never comes back is left behind."""
    monkeypatch.setattr("checks.harness.resources._CLOSING_SECONDS", 0.1)
    never = threading.Event()

    def judge(harness):
        harness.prefetch(lambda harness: never.wait())

    start = time.monotonic()
    report = run(make_item("prepares", 5, judge=judge))
    never.set()

    assert report.status is Status.PASSED
    assert time.monotonic() - start < 5


def test_item_apart_is_judged_beside_later_ones(run):
    """It begins once what it needs has passed, and its verdict keeps its place."""
    met = threading.Event()

    def wait(harness):
        if not met.wait(5):
            raise NotYet("nobody came")

    items = (
        make_item("first", 5),
        make_item("waits", 5, judge=wait),
        make_item("apart", 5, needs=("first",), apart=True, judge=lambda h: met.set()),
    )

    assert list(statuses(run(*items)).items()) == [
        ("first", Status.PASSED),
        ("waits", Status.PASSED),
        ("apart", Status.PASSED),
    ]


def test_item_apart_is_not_begun_in_vain(run):
    """What it needs has failed: it is blocked like any other."""
    begun = []

    def fail(harness):
        raise NotYet("no server")

    items = (
        make_item("fails", 5, judge=fail),
        make_item("between", 5),
        make_item("apart", 5, needs=("fails",), apart=True, judge=begun.append),
    )

    assert statuses(run(*items))["apart"] is Status.BLOCKED
    assert begun == []


def test_verdict_comes_before_the_end_of_what_was_started(project, monkeypatch):
    """It goes on until somebody tidies up, the next run begins, or the session ends."""
    ended = []

    def judge(harness):
        harness.at_end(lambda: ended.append(harness.folder.name))

    monkeypatch.setattr(
        runner, "items_of", lambda step: (make_item("starts", 5, judge=judge),)
    )
    monkeypatch.setattr(runner._Run, "_prefetched", lambda self, harness: ())
    with Session(project) as session:
        session.run(5)
        assert ended == []
        session.tidy()
        assert ended == ["run-1"]
        session.run(5)
        session.run(5)
        assert ended == ["run-1", "run-2"]

    assert ended == ["run-1", "run-2", "run-3"]


def test_what_cannot_be_judged_is_left_to_a_person(run):
    """An item that is left out says why, and blocks nobody."""

    def judge(harness):
        raise LeftOut("its tokens are not ours to make")

    items = (make_item("tokens", 5, judge=judge), make_item("more", 5, needs=("tokens",)))
    report = run(*items)

    assert statuses(report) == {"tokens": Status.MANUAL, "more": Status.PASSED}
    assert report.items[0].message == "its tokens are not ours to make"
    assert report.status is Status.PASSED


def test_one_cause_is_one_failure(run):
    """Two items that are stopped by the same error: the first fails, the second waits."""
    error = NotYet("the server ended")

    def judge(harness):
        raise error

    report = run(make_item("first", 5, judge=judge), make_item("second", 5, judge=judge))

    assert statuses(report) == {"first": Status.FAILED, "second": Status.BLOCKED}


def test_fault_of_ours_is_kept_with_versions(run, tmp_path, monkeypatch):
    """A fault of the check is nobody else's, and its log begins with where it happened."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def judge(harness):
        raise ZeroDivisionError("ours")

    report = run(make_item("breaks", 5, judge=judge))
    [result] = report.items
    log = Path(result.message.rpartition("the file ")[2]).read_text("utf-8")

    assert result.status is Status.ENVIRONMENT
    assert log.startswith("platform  ")
    assert "Python 3." in log and "Django " in log
    assert "ZeroDivisionError: ours" in log

"""The snapshots and the checklists fit each other, and a check leaves no trace."""

import hashlib
import itertools
import re
import shutil
from pathlib import Path

import pytest

import course
from checks.items import items_of
from checks.report import line
from checks.results import Status
from checks.runner import Session, held_at

pytestmark = pytest.mark.server

STEPS = course.steps()
LAST = STEPS[-1]
# The steps before the first socket, and the one whose blueprint names the project package.
KEEP_THEIR_NAMES = {"rest-api", "installation", "render-deployment"}
RENAMED = [step for step in STEPS if step.name not in KEEP_THEIR_NAMES]


def _pairs():
    """The first snapshot after its own, and the last, for each checklist whose apps keep their
    names.

    What a step in between breaks, the last one shows too; most checklists meet that one in
    test_renamed_apps_pass. Its own snapshot passes where the last page of the step is played:
    the player has the whole step checked on a workspace that is compared with the snapshot
    (_compare_end in tools/player/player.py). The scheduled run (--full) judges them all here
    as well: the number of pairs grows with the square of the steps.
    """
    for step, snapshot in itertools.product(STEPS, repeat=2):
        near = step not in RENAMED and snapshot.number in (step.number + 1, LAST.number)
        if snapshot.number >= step.number:
            marks = () if near else pytest.mark.full
            name = f"check-{step.number:02}-on-{snapshot.slug}"
            yield pytest.param(step, snapshot, id=name, marks=marks)


def digest(folder: Path) -> dict[str, tuple]:
    """Every path below a folder: its bytes, its mode, and when it was last written."""
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def project_of(tmp_path):
    """Copies a snapshot, with a learner's own database and secrets in it."""

    def make(snapshot: course.Step) -> Path:
        root = tmp_path / "my project"
        shutil.copytree(snapshot.folder, root)
        (root / "backend" / "db.sqlite3").write_bytes(b"somebody's data")
        (root / "backend" / ".env").write_text("SECRET_KEY=mine\n")
        return root

    return make


@pytest.mark.parametrize(("step", "snapshot"), list(_pairs()))
def test_snapshot_passes_and_is_untouched(step, snapshot, project_of, shared, full):
    """A snapshot passes every checklist up to its own, and not a byte of it changes.

    Under its own checklist it begins with nothing, as a learner's check does. Items that a
    step up to it has replaced are not judged. Without --full, nor is the item that runs the
    last snapshot's own tests: they take half a minute, and test_own_tests.py runs them.
    """
    root = project_of(snapshot)
    before = digest(root)
    left_out = {"rest.tests"} if snapshot == LAST and not full else set()
    judged = held_at(items_of(step.number), snapshot.number)
    only = [item.id for item in judged if item.id not in left_out]

    with Session(root, **({} if step == snapshot else shared)) as session:
        report = session.run(step.number, reached=snapshot.number, only=only)

    assert report.status is Status.PASSED, "\n".join(map(line, report.items))
    assert digest(root) == before


@pytest.mark.parametrize("step", STEPS[1:], ids=lambda step: step.slug)
def test_previous_snapshot_fails(step, project_of, shared):
    """The snapshot before a step fails the step's checklist, and nothing of ours breaks."""
    root = project_of(course.step(step.number - 1))
    before = digest(root)

    with Session(root, **shared) as session:
        report = session.run(step.number)

    shown = "\n".join(map(line, report.items))
    assert report.status is Status.FAILED, shown
    assert Status.ENVIRONMENT not in {result.status for result in report.items}, shown
    assert digest(root) == before


@pytest.mark.parametrize("step", RENAMED, ids=lambda step: step.slug)
def test_renamed_apps_pass(step, project_of, shared):
    """The last snapshot passes each checklist under other names: those of apps are the
    learner's own, addresses and events are the contract."""
    root = project_of(LAST)
    names = {"notifications": "bells", "friends": "buddies", "numeneon": "mysite"}
    for file in [*root.rglob("*.py"), root / "backend/pytest.ini"]:
        text = file.read_text("utf-8")
        for old, new in names.items():
            # Words in code, not parts of addresses such as api/friends/ or ws/notifications.
            text = re.sub(rf"(?<![/\w]){old}(?=[.\"' ,/]|$)(?!/)", new, text, flags=re.M)
        file.write_text(text, "utf-8")
    for old, new in names.items():
        (root / "backend" / old).rename(root / "backend" / new)

    with Session(root, **shared) as session:
        report = session.run(step.number, reached=LAST.number)

    assert report.status is Status.PASSED, "\n".join(map(line, report.items))

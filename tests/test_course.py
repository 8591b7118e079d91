"""The steps share nothing at run time and stay consistent: what a snapshot may differ in."""

import ast
import functools
import gc
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

import course
from checks.items import items_of
from course.source import extract, parse
from tools.site import differences
from tools.site.differences import Change

STEPS = course.steps()
LATER = STEPS[1:]
by_slug = {"ids": lambda step: step.slug}
# What learners must never find in a step, and what a careless `git add` puts there.
LITTER = re.compile(
    r"(__pycache__|\.pyc$|sqlite3|\.pytest_cache|(^|/)\.?venv/|\.env$|\.log$)"
)
SECRET = re.compile(r"""(SECRET_KEY|PASSWORD|TOKEN)\s*=\s*["'][^"']{8,}["']|BEGIN .*KEY""")


@functools.cache
def texts(step: course.Step) -> dict[str, str]:
    """Every file of a step: its path below the folder, and its text with the line endings
    that it has."""
    return {
        path.relative_to(step.folder).as_posix(): path.read_bytes().decode("utf-8")
        for path in sorted(step.folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def free(path: str) -> bool:
    """README and tests go with every step."""
    return differences.is_readme(path) or differences.is_test(path)


def code_changes(step: course.Step) -> list[Change]:
    """What a step changes besides its tests; READMEs are no part of it."""
    return [c for c in differences.changes_of(step) if not free(c.path)]


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_step_touches_what_it_declares(step):
    """A step changes only the paths that the course lists for it."""
    touched = [change.path for change in code_changes(step)]

    strays = [path for path in touched if not any(fnmatch(path, p) for p in step.touches)]
    assert strays == []


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_step_keeps_its_budget(step):
    """A step adds no more lines than the course allows it."""
    assert sum(change.added for change in code_changes(step)) <= step.adds


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_step_does_not_reformat(step):
    """No hunk of a step changes nothing but white space."""
    for change in differences.changes_of(step):
        for hunk in change.hunks:
            old = change.old[hunk.old_first : hunk.old_last]
            new = change.new[hunk.first : hunk.last]
            squeezed = ["".join("".join(lines).split()) for lines in (old, new)]
            assert squeezed[0] != squeezed[1] or not squeezed[0], f"{change.path}: {new}"


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_step_keeps_what_was_pinned(step):
    """A requirement keeps its version and its words from one step to the next."""
    before, after = (
        texts(each)["requirements.txt"].splitlines()
        for each in (course.step(step.number - 1), step)
    )

    assert [line for line in before if line not in after] == []


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_requirements_are_pinned(step):
    """Learners install exact versions, the ones that the tutorial's own lock file has."""
    locked = (course.ROOT / "requirements.txt").read_text("utf-8").lower()

    for line in texts(step)["requirements.txt"].splitlines():
        requirement = line.split("#")[0].strip().lower()
        name, version = re.fullmatch(
            r"([\w-]+)(?:\[[\w,]+\])?==([\w.]+)", requirement
        ).groups()
        assert re.search(rf"^{name}(\[[\w,]+\])?=={re.escape(version)}\b", locked, re.M), (
            line
        )


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_manage_py_is_the_same_everywhere(step):
    """A file that no step teaches does not change."""
    assert "backend/manage.py" not in [c.path for c in differences.changes_of(step)]


@pytest.mark.parametrize("step", LATER, **by_slug)
def test_migrations_are_only_added(step):
    """Nobody has to throw their database away: a migration, once there, stays as it is."""
    before, after = texts(course.step(step.number - 1)), texts(step)
    migrations = {path: text for path, text in before.items() if "/migrations/" in path}

    assert migrations == {path: after.get(path) for path in migrations}


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_step_holds_no_litter_and_no_secret(step):
    """A step is what its readers should see, and nothing that production could run with."""
    for path, text in texts(step).items():
        assert not LITTER.search(path), path
        assert "\r" not in text, path
        if not free(path) and path != "backend/conftest.py":
            assert not SECRET.search(text), path


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_settings_keep_the_order_of_their_sections(step):
    """Settings have the same sections in the same order in every step."""
    order = ["Paths", "Secrets", "Apps", "Middleware", "Data", "Auth", "REST", "Real-time"]
    order += ["Operations", "Production"]
    settings = texts(step)["backend/numeneon/settings.py"]
    sections = re.findall(r"^# ([A-Z][\w-]+)$", settings, re.MULTILINE)

    assert sections == [name for name in order if name in sections]
    assert sections[:7] == order[:7]


def test_final_is_the_last_step():
    """final/ is a real copy of the last step, byte for byte."""

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    assert contents(course.ROOT / "final") == contents(STEPS[-1].folder)


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_readme_is_short_and_says_what_to_do(step):
    """A step's README names it, its goal, what changed, how to run and to test it."""
    readme = texts(step)["README.md"]

    assert readme.startswith(f"# Step {step.number:02}")
    assert len(readme.splitlines()) <= 30
    for part in ("**Goal.**", "**Run it", "**Test it"):
        assert part in readme


@pytest.mark.parametrize("step", STEPS, **by_slug)
def test_hints_lead_to_code_that_is_there(step):
    """The third hint of every item is a place in the step's own folder."""
    for item in items_of(step.number):
        file, _, symbol = item.hints.code.partition("::")
        assert extract(step.folder / file, symbol or None).strip(), item.id


def test_item_ids_are_unique_and_needs_come_first():
    """An id names one item of the whole course; an item needs only earlier ones of its step."""
    seen = set()
    for step in STEPS:
        own = set()
        for item in items_of(step.number):
            assert item.id not in seen | own
            assert set(item.needs) <= own, item.id
            own.add(item.id)
        seen |= own


def test_source_is_parsed_while_garbage_is_collected():
    """Garbage that parses when it is collected, as what formats a traceback may, does no harm."""

    class Parses:
        def __init__(self):
            self.me = self  # only the collector can free it

        def __del__(self):
            ast.parse("a")

    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # the thousands of objects of other tests take seconds to look through
    try:
        for allocations in range(10, 500, 10):  # some of them end in the middle of the tree
            Parses()
            gc.set_threshold(allocations)
            tree = parse(f"x = (1 + (2 * [3, 4][0])) + {allocations}\n" * 30)
            gc.set_threshold(*before)
            gc.collect()
            assert len(tree.body) == 30
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()

    assert gc.isenabled()

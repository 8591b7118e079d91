"""Every item can fail, fails alone, and accepts code that is written another way.

What a learner reads after one of the most likely mistakes is kept in golden/, a file a
variant. `UPDATE_GOLDEN=1 python3 tutorial.py test -k variant` writes those that exist anew:
read the difference before you keep it. An empty new file there asks for one more.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import course
from checks.items import items_of, step06
from checks.report import line
from checks.results import Report, Status
from checks.runner import Session
from tests.variants import (
    Edit,
    Variant,
    broken,
    correct,
    grouped,
    make_together,
    variants_of,
)

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

FINE = {Status.PASSED, Status.MANUAL}
GOLDEN = Path(__file__).parent / "golden"


def _name(step: course.Step, variant: Variant) -> str:
    kind = "correct" if variant.passes else "broken"
    words = re.sub(r"[^A-Za-z0-9]+", "-", variant.label).strip("-").lower()
    return f"{step.number:02}-{variant.item}-{kind}-{words}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A case for each group of variants that are judged in one run; with --full for each one."""
    if "group" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        metafunc.parametrize(("step", "group"), list(_cases(full=full)))


def _cases(*, full: bool) -> Iterator[ParameterSet]:
    for step in course.steps():
        variants = variants_of(step)
        for group in [[v] for v in variants] if full else grouped(variants):
            name = "+".join(_name(step, variant) for variant in group)
            yield pytest.param(step, group, id=name)


@pytest.fixture(autouse=True)
def shorter_silence(monkeypatch):
    """Half of what learners wait in `check 6`, and still longer than the five seconds after
    which a Redis configuration that cannot idle loses its first socket."""
    monkeypatch.setattr(step06, "IDLE_SECONDS", 7.5)


@pytest.fixture
def judge(tmp_path, interpreter, shared, full):
    """Judge a project with these variants; the report.

    Judged are their items and what these need; with --full the whole checklist, so that a
    broken variant fails nothing else either.
    """

    def judged(step: course.Step, variants: Sequence[Variant]) -> Report:
        project = Path(tempfile.mkdtemp(dir=tmp_path), "project")
        make_together(variants, step, project)
        with Session(project, interpreter(variants[0].python), **shared) as session:
            return session.run(step.number, only=() if full else [v.item for v in variants])

    return judged


@pytest.mark.variants
def test_variant_gets_its_verdict(step, group, judge):
    """A broken variant fails exactly its item, a correct one passes.

    Correct ones that pass in one project are not judged one by one; where they do not, each
    of them alone decides.
    """
    if len(group) > 1:
        together = judge(step, group)
        if _passes(together):
            return
        warnings.warn(f"they do not pass together: {_shown(together)}", stacklevel=1)
    for variant in group:
        report = judge(step, [variant])
        _assert_verdict(report, variant)
        _assert_golden(report, GOLDEN / f"{_name(step, variant)}.txt")


def _assert_golden(report: Report, file: Path) -> None:
    """The failure reads as it was agreed to read, where that is kept."""
    if not file.exists():
        return
    [failure] = [result for result in report.items if result.status is Status.FAILED]
    text = _without_chance(line(failure), report.project)
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


# What differs from run to run and from machine to machine, and what stands for it.
CHANCE = (
    (r"/\S*?/bin/python[\d.]*", "<python>"),
    (r"/\S*?/site-packages/", "<packages>/"),
    (r"/\S*?/lib/python3\.\d+/", "<library>/"),
    (r"127\.0\.0\.1(:|', )\d+", r"127.0.0.1\1<port>"),
    (r"eyJ[\w.-]+", "<token>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z?", "<time>"),
    (r'(id": )\d+', r"\1<id>"),
    (r'(epoch": ")\w+', r"\1<epoch>"),
    (r"/\d+/", "/<id>/"),
    (r"\b[0-9a-f]{16}\b", "<epoch>"),
    (r"arrived within \d+ s", "arrived within <seconds> s"),
)


def _without_chance(text: str, project: str) -> str:
    """A message with names in place of what is by chance."""
    text = text.replace(project, "<project>")
    for pattern, name in CHANCE:
        text = re.sub(pattern, name, text)
    return text + "\n"


def test_golden_messages_belong_to_variants():
    """There are at least twenty, and none is left over from a variant that has gone."""
    kept = {file.stem for file in GOLDEN.glob("*.txt")}

    assert len(kept) >= 20
    assert kept <= {case.id for case in _cases(full=True)}


def _assert_verdict(report: Report, variant: Variant) -> None:
    shown = _shown(report)
    failed = {r.id for r in report.items if r.status is Status.FAILED}
    assert failed == (set() if variant.passes else {variant.item}), shown
    if variant.passes:
        assert _passes(report), shown
        return
    blockers = {r.id: r.blocked_by for r in report.items if r.status is Status.BLOCKED}
    for result in report.items:
        if result.id == variant.item:
            assert "found" in result.message, shown
        elif result.status not in FINE:
            assert _root(result.id, blockers) == variant.item, shown


def _passes(report: Report) -> bool:
    return all(result.status in FINE for result in report.items)


def _shown(report: Report) -> str:
    return "\n".join(line(result) for result in report.items)


def _root(id: str, blockers: dict[str, str]) -> str:
    """Follow what blocks an item to the one that is blocked by nothing."""
    while id in blockers:
        id = blockers[id]
    return id


def test_only_what_hides_nothing_is_judged_together():
    """Variants that are correct, of other items, in other files, and not meant to be alone."""
    edits = {name: Edit(name, "", "") for name in "abc"}
    first = correct("one", "first", edits["a"])
    joining = correct("two", "another item in another file", edits["b"])
    others = [
        broken("three", "broken", edits["c"]),
        correct("three", "in the same file", edits["a"]),
        correct("one", "of the same item", edits["c"]),
        correct("three", "for itself", edits["c"], alone=True),
        correct("three", "by another Python", edits["c"], python="without:x"),
    ]

    assert grouped([first, joining]) == [[first, joining]]
    for other in others:
        assert grouped([first, other]) == [[first], [other]]


@pytest.mark.parametrize("step", course.steps(), ids=lambda step: step.slug)
def test_every_automatic_item_is_proven(step):
    """Each automatic item has a broken and a correct variant."""
    automatic = {item.id for item in items_of(step.number) if not item.live}
    variants = variants_of(step)

    assert automatic == {v.item for v in variants if not v.passes}
    assert automatic == {v.item for v in variants if v.passes}

"""Every item can fail, fails alone, and accepts code that is written another way.

What a learner reads after one of the most likely mistakes is kept in golden/, a file a
variant. `UPDATE_GOLDEN=1 python3 tutorial.py test -k variant` writes those that exist anew:
read the difference before you keep it. An empty new file there asks for one more.
"""

import os
import re
from pathlib import Path

import pytest

import course
from checks.items import items_of, step06
from checks.report import line
from checks.results import Report, Status
from checks.runner import Session
from tests.variants import Variant, variants_of

GOLDEN = Path(__file__).parent / "golden"


def _name(step: course.Step, variant: Variant) -> str:
    kind = "correct" if variant.passes else "broken"
    words = re.sub(r"[^A-Za-z0-9]+", "-", variant.label).strip("-").lower()
    return f"{step.number:02}-{variant.item}-{kind}-{words}"


def _cases():
    for step in course.steps():
        for variant in variants_of(step):
            yield pytest.param(step, variant, id=_name(step, variant))


@pytest.fixture(autouse=True)
def shorter_silence(monkeypatch):
    """Half of what learners wait in `check 6`, and still longer than the five seconds after
    which a Redis configuration that cannot idle loses its first socket."""
    monkeypatch.setattr(step06, "IDLE_SECONDS", 7.5)


@pytest.mark.variants
@pytest.mark.parametrize(("step", "variant"), list(_cases()))
def test_variant_gets_its_verdict(step, variant, tmp_path, interpreter, shared, full):
    """A broken variant fails exactly its item, a correct one passes.

    Judged are the item and what it needs; with --full the whole checklist, so that a broken
    variant fails nothing else either.
    """
    project = tmp_path / "project"
    variant.make(step, project)

    with Session(project, interpreter(variant.python), **shared) as session:
        report = session.run(step.number, only=() if full else [variant.item])

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
    (r"/\d+/", "/<id>/"),
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
    assert kept <= {case.id for case in _cases()}


def _assert_verdict(report: Report, variant: Variant) -> None:
    shown = "\n".join(line(result) for result in report.items)
    failed = {r.id for r in report.items if r.status is Status.FAILED}
    assert failed == (set() if variant.passes else {variant.item}), shown
    fine = {Status.PASSED, Status.MANUAL}
    if variant.passes:
        assert all(r.status in fine for r in report.items), shown
        return
    blockers = {r.id: r.blocked_by for r in report.items if r.status is Status.BLOCKED}
    for result in report.items:
        if result.id == variant.item:
            assert "found" in result.message, shown
        elif result.status not in fine:
            assert _root(result.id, blockers) == variant.item, shown


def _root(id: str, blockers: dict[str, str]) -> str:
    """Follow what blocks an item to the one that is blocked by nothing."""
    while id in blockers:
        id = blockers[id]
    return id


@pytest.mark.parametrize("step", course.steps(), ids=lambda step: step.slug)
def test_every_automatic_item_is_proven(step):
    """Each automatic item has a broken and a correct variant."""
    automatic = {item.id for item in items_of(step.number) if not item.live}
    variants = variants_of(step)

    assert automatic == {v.item for v in variants if not v.passes}
    assert automatic == {v.item for v in variants if v.passes}

"""Every item can fail, fails alone, and accepts code that is written another way."""

import pytest

from checks import course
from checks.items import items_of
from checks.report import line
from checks.results import Report, Status
from checks.runner import Session
from tests.variants import Variant, variants_of


def _cases():
    for step in course.steps():
        for variant in variants_of(step):
            kind = "correct" if variant.passes else "broken"
            name = f"step{step.number:02}-{variant.item}-{kind}-{variant.label}"
            yield pytest.param(step, variant, id=name.replace(" ", "_"))


@pytest.mark.parametrize(("step", "variant"), _cases())
def test_variant_gets_its_verdict(step, variant, tmp_path, interpreter):
    """A broken variant fails exactly its item, a correct one passes everything."""
    project = tmp_path / "project"
    variant.make(step, project)

    with Session(project, interpreter(variant.python)) as session:
        report = session.run(step.number)

    _assert_verdict(report, variant)


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

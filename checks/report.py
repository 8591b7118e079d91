"""A run's verdicts as text for people, JSON for tools and JUnit XML for CI."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from checks.results import ItemResult, Report, Status
from course.terminal import paint

_MARKS = {
    Status.PASSED: "[x]",
    Status.FAILED: "[ ]",
    Status.BLOCKED: "[-]",
    Status.ENVIRONMENT: "[!]",
    Status.MANUAL: "[?]",
}
_STYLES = {
    Status.PASSED: ("green",),
    Status.FAILED: ("bold", "red"),
    Status.BLOCKED: ("faint",),
    Status.ENVIRONMENT: ("bold", "magenta"),
    Status.MANUAL: ("cyan",),
}
_INDENT = " " * 6


def line(result: ItemResult, colour: bool = False) -> str:
    """One item: its mark and sentence, and below it what a failure has to say."""
    head = _paint(f"{_MARKS[result.status]} {result.title}", result.status, colour)
    return "\n".join([head, *(_INDENT + text for text in _details(result))])


def _details(result: ItemResult) -> list[str]:
    if result.status is Status.BLOCKED:
        return [f"waits for {result.blocked_by}"]
    details = result.message.splitlines()
    details += [f"remark   {text}" for text in result.remark.splitlines()]
    if result.status is Status.FAILED:
        details.append(f"hint     python3 tutorial.py hint {result.id}")
        details.append(f"read     {result.docs.partition('/#')[0]}/README.md")
    return details


def summary(report: Report, colour: bool = False) -> str:
    """The last line: how many passed, what stands in the way, how long it took."""
    counts = dict.fromkeys(Status, 0)
    for result in report.items:
        counts[result.status] += 1
    took = f"in {report.duration_s:.1f} s"
    if report.status is Status.PASSED:
        text = f"Step {report.step}: all passed, {counts[Status.PASSED]} items {took}."
        if manual := counts[Status.MANUAL]:
            text += f" {manual} more only you can judge."
        return _paint(text, Status.PASSED, colour)
    parts = [f"{counts[Status.PASSED]} of {len(report.items)} passed"]
    parts += [
        f"{counts[status]} {word}"
        for status, word in (
            (Status.FAILED, "failed"),
            (Status.BLOCKED, "blocked"),
            (Status.ENVIRONMENT, "could not be judged here"),
        )
        if counts[status]
    ]
    return _paint(f"Step {report.step}: {', '.join(parts)} {took}.", report.status, colour)


def to_json(report: Report) -> str:
    """The published JSON form, schema 1, with a newline at its end."""
    return json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"


def to_junit(report: Report) -> str:
    """The same as one JUnit test suite: blocked and manual are skipped, environment an error."""
    suite = ET.Element(
        "testsuite", name=f"step {report.step}", tests=str(len(report.items))
    )
    tags = {
        Status.FAILED: "failure",
        Status.ENVIRONMENT: "error",
        Status.BLOCKED: "skipped",
        Status.MANUAL: "skipped",
    }
    for kind, name in (
        ("failure", "failures"),
        ("error", "errors"),
        ("skipped", "skipped"),
    ):
        count = sum(tags.get(result.status) == kind for result in report.items)
        suite.set(name, str(count))
    suite.set("time", f"{report.duration_s:.3f}")
    for result in report.items:
        case = ET.SubElement(
            suite, "testcase", name=result.id, classname=f"step{report.step:02}"
        )
        case.set("time", f"{result.duration_s:.3f}")
        if result.remark:
            ET.SubElement(case, "system-out").text = _printable(f"remark: {result.remark}")
        if tag := tags.get(result.status):
            reason = result.message or f"waits for {result.blocked_by}"
            ET.SubElement(case, tag, message=result.title).text = _printable(reason)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Text without the control characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 32)


def _paint(text: str, status: Status, colour: bool) -> str:
    return paint(text, *_STYLES[status], colour=colour)

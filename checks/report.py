"""A run's verdicts as text for people, JSON for tools and JUnit XML for CI."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence

from checks.results import ItemResult, Report, Status
from course.outline import page_file
from course.terminal import COMMAND, paint, plural, wrap

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
_LABEL = 9  # columns, as in the messages of checks.errors
_FEWEST = 3  # lines of a part of a message that are shown even when the screen is too small

# What to add to a failure: where to read on, each as (label, text).
Pointers = Callable[[ItemResult], Sequence[tuple[str, str]]]


def to_files(result: ItemResult) -> list[tuple[str, str]]:
    """The command that gives a hint, and the section of the page in docs/."""
    hint = ("hint", f"{COMMAND} hint {result.id}")
    return [hint, ("read", page_file(result.docs))] if result.docs else [hint]


def line(result: ItemResult, colour: bool = False, pointers: Pointers = to_files) -> str:
    """One item in full: its mark and sentence, and below it what a failure has to say.

    Nothing is wrapped or left out: for files, and for terminals see shown() and ending().
    """
    head = _paint(_head(result), result.status, colour)
    return "\n".join([head, *(_INDENT + text for text in _details(result, pointers))])


def headline(result: ItemResult, colour: bool = False) -> str:
    """One item's mark and sentence, wrapped."""
    return _paint(wrap(_head(result), "", " " * 4), result.status, colour)


def brief(result: ItemResult, colour: bool = False) -> list[str]:
    """What is printed of an item when its verdict is known.

    That is its sentence, the remark on one that passed, and what only a person can do. What
    a failure has to say is kept for the end; an item that waits for another is only counted
    there.
    """
    if result.status is Status.BLOCKED:
        return []
    if result.status in (Status.PASSED, Status.MANUAL):
        return shown(result, colour)
    return headline(result, colour).splitlines()


def shown(
    result: ItemResult,
    colour: bool = False,
    pointers: Pointers = to_files,
    rows: int | None = None,
) -> list[str]:
    """One item in full, wrapped to the terminal; if `rows` is given, not more than that.

    Of the longest part of a message that is too long, the middle is left out.
    """
    head = headline(result, colour).splitlines()
    parts = _wrapped(_details(result, pointers))
    if rows is not None:
        _shorten(parts, rows - len(head))
    return [*head, *(text for part in parts for text in part)]


def ending(
    report: Report,
    colour: bool = False,
    pointers: Pointers = to_files,
    rows: int | None = None,
) -> list[str]:
    """What a run ends with: the first failure in full, one line about the others, the sum.

    If `rows` is given, it is not higher than that as far as its parts can be shortened.
    """
    rest = [*_others(report), *total(report, colour)]
    first = first_failure(report)
    if first is None:
        return rest
    room = None if rows is None else rows - len(rest) - 1
    return [*shown(first, colour, pointers, room), "", *rest]


def total(report: Report, colour: bool = False) -> list[str]:
    """The summary, wrapped."""
    lines = wrap(summary(report)).splitlines()
    return [_paint(text, report.status, colour) for text in lines]


def first_failure(report: Report) -> ItemResult | None:
    """The first failed item, else the first that could not be checked here; None if all
    passed."""
    for status in (Status.FAILED, Status.ENVIRONMENT):
        for result in report.items:
            if result.status is status:
                return result
    return None


def _head(result: ItemResult) -> str:
    return f"{_MARKS[result.status]} {result.title}"


def _details(result: ItemResult, pointers: Pointers) -> list[str]:
    """What is below an item's sentence, a label in front of each part."""
    if result.status is Status.BLOCKED:
        return [f"waits for {result.blocked_by}"]
    details = result.message.splitlines()
    details += [f"remark   {text}" for text in result.remark.splitlines()]
    if result.status is Status.FAILED:
        details += [f"{label:<{_LABEL}}{text}" for label, text in pointers(result)]
    return details


def _wrapped(details: Sequence[str]) -> list[list[str]]:
    """The details as wrapped lines, those that belong to one label together."""
    parts: list[list[str]] = []
    for text in details:
        own = text.lstrip()
        before = len(text) - len(own)
        labelled = not before and text[_LABEL - 1 : _LABEL] == " "
        hanging = _INDENT + " " * (_LABEL if labelled else before)
        lines = wrap(own, _INDENT + " " * before, hanging).splitlines()
        if before and parts:
            parts[-1] += lines
        else:
            parts.append(lines)
    return parts


def _shorten(parts: list[list[str]], rows: int) -> None:
    """Leave out lines from the middle of the longest parts until all fits."""
    while parts and (over := sum(map(len, parts)) - rows) > 0:
        longest = max(parts, key=len)
        keep = max(_FEWEST, len(longest) - over)
        if keep >= len(longest):
            return
        before = keep // 2
        after = keep - before - 1
        left_out = len(longest) - before - after
        note = f"... {left_out} more lines (--all shows them)"
        longest[before : len(longest) - after] = [_INDENT + " " * _LABEL + note]


def _others(report: Report) -> list[str]:
    """The items that neither passed nor are shown in full: a line for each kind."""
    first = first_failure(report)
    lines = []
    for status, words in (
        (Status.FAILED, "failed as well"),
        (Status.ENVIRONMENT, "could not be checked here as well"),
    ):
        ids = [r.id for r in report.items if r.status is status and r is not first]
        if ids:
            lines.append(f"{_MARKS[status]} {len(ids)} {words}: {_listed(ids)}")
    if waiting := _waiting(report):
        lines.append(f"{_MARKS[Status.BLOCKED]} {waiting}")
    if lines:
        lines[-1] += " (--all shows everything)"
    return [text for one in lines for text in wrap(one, "", " " * 4).splitlines()]


def _listed(ids: Sequence[str], most: int = 4) -> str:
    named = ", ".join(ids[:most])
    return named if len(ids) <= most else f"{named} and {len(ids) - most} more"


def _waiting(report: Report) -> str:
    """How many items wait for which others; '' if none does."""
    blockers = {r.id: r.blocked_by for r in report.items if r.status is Status.BLOCKED}
    counts = Counter(_root(id, blockers) for id in blockers)
    if not counts:
        return ""
    verb = "waits" if len(blockers) == 1 else "wait"
    if len(counts) == 1:
        return f"{len(blockers)} {verb} for {next(iter(counts))}"
    split = ", ".join(f"{count} for {id}" for id, count in counts.most_common())
    return f"{len(blockers)} {verb}: {split}"


def _root(id: str, blockers: dict[str, str | None]) -> str:
    """Follow what blocks an item to the one that nothing blocks."""
    seen = set()
    while id not in seen and (by := blockers.get(id)):
        seen.add(id)
        id = by
    return id


def summary(report: Report) -> str:
    """The last line: how many passed, what is in the way, how long it took."""
    counts = dict.fromkeys(Status, 0)
    for result in report.items:
        counts[result.status] += 1
    took = f"in {report.duration_s:.1f} s"
    if report.status is Status.PASSED:
        text = f"Step {report.label}: all passed, {plural(counts[Status.PASSED], 'item')} {took}."
        if manual := counts[Status.MANUAL]:
            text += f" {manual} more cannot be judged here."
        return text
    parts = [f"{counts[Status.PASSED]} of {len(report.items)} passed"]
    parts += [
        f"{counts[status]} {word}"
        for status, word in (
            (Status.FAILED, "failed"),
            (Status.BLOCKED, "blocked"),
            (Status.ENVIRONMENT, "could not be checked here"),
        )
        if counts[status]
    ]
    return f"Step {report.label}: {', '.join(parts)} {took}."


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

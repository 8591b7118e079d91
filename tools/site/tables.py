"""Makes the tables of the reference pages from where their contents are defined.

Events, close codes, addresses and settings come from the last step's code, read by
tools.backend; what they mean in words, from docstrings and from the check items; commands
from the command line's own parser; checks from the checklists. Nothing is listed here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence

import course
from checks.items import Item, items_of
from course import Step
from course.files import files_of
from tools.site.backend import Backend
from tools.site.differences import is_test, text_of
from tools.site.listings import Page
from tools.site.pages import Directive
from workshop import cli


class NoDefinition(LookupError):
    """A table would have no row: what it is made of has moved."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table. Raises NoDefinition if it has no row."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    if not lines:
        raise NoDefinition(f"the table of {', '.join(head)} has no row")
    return [
        "| " + " | ".join(row) + " |" for row in [list(head), ["---"] * len(head), *lines]
    ]


def events(directive: Directive, page: Page) -> list[str]:
    """The events that are sent to people, and what else a consumer sends."""
    last = course.steps()[-1]
    backend = Backend(last)
    sent = table(
        ["`type`", "`data`", "sent", "since"],
        (
            [_code(event.kind), _codes(event.data), _moment(event), _since(event.kind)]
            for event in backend.events()
        ),
    )
    own = table(
        ["`type`", "beside it", "sent by", "since"],
        (
            [
                _code(frame.kind),
                _codes(frame.fields),
                f"{_code(frame.method + '()')}. {frame.moment}",
                _since(frame.kind),
            ]
            for frame in backend.frames()
        ),
    )
    return [*sent, "", "Sent to one socket, by its own consumer:", "", *own]


def _moment(event: object) -> str:
    """When an event is sent: the sentence of the check that proves it, or the docstring."""
    kind = getattr(event, "kind", "")
    sentences = [item.title for item in _items() if kind in item.events]
    return sentences[0] if sentences else getattr(event, "receiver", "")


def close_codes(directive: Directive, page: Page) -> list[str]:
    """The codes of our own, where they are sent, and the checks that expect them."""
    rows = []
    for code, method in Backend(course.steps()[-1]).close_codes():
        checks = [_reference(item) for item in _items() if code in item.close_codes]
        rows.append([_code(str(code)), _code(method + "()"), "<br>".join(checks)])
    refused = [_reference(item) for item in _items() if item.handshake]
    if not refused:
        raise NoDefinition("no check speaks of a refusal in the handshake")
    lines = table(["code", "sent by", "when"], rows)
    return [*lines, "", *(f"- {sentence}" for sentence in refused)]


def endpoints(directive: Directive, page: Page) -> list[str]:
    """Every address of the REST API."""
    return table(
        ["method", "address", "what it does", "body", "token"],
        (
            [
                point.method,
                _code(point.address),
                _sentence(point.does),
                _codes(point.body) or "none",
                "yes" if point.needs_token else "no",
            ]
            for point in Backend(course.steps()[-1]).endpoints()
        ),
    )


def settings(directive: Directive, page: Page) -> list[str]:
    """The environment variables that the backend reads."""
    return table(
        ["variable", "default", "in production", "on Render", "since"],
        (
            [
                _code(variable.name),
                _code(variable.default) if variable.default else "none",
                f"Needed. {variable.demanded}" if variable.demanded else "may be left out",
                variable.render or "not set by us",
                _since(variable.name),
            ]
            for variable in Backend(course.steps()[-1]).variables()
        ),
    )


def commands(directive: Directive, page: Page) -> list[str]:
    """Every command of `tutorial.py`, with what it takes."""
    lines = ["```text", *cli.EPILOG.splitlines(), "```", ""]
    for name, parser in _parsers().items():
        lines += [f"## `{name}` {{ #{name} }}", "", *_command(name, parser), ""]
    return lines


def _parsers() -> dict[str, argparse.ArgumentParser]:
    """The command line's own parsers by command. Raises NoDefinition."""
    for action in cli.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise NoDefinition("the command line has no commands")


def _command(name: str, parser: argparse.ArgumentParser) -> list[str]:
    # argparse doubles the sign that it formats with
    about = (parser.description or "").replace("%%", "%")
    rows = [
        [_code(_spelling(action)), (action.help or "").replace("%%", "%") or "required"]
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]
    takes = table(["takes", "meaning"], rows) if rows else []
    return [_spelled_out(about), "", *takes]


def _spelling(action: argparse.Action) -> str:
    """How an argument is written: `--json FILE`, `[STEP]`, `PATH...`."""
    metavar = str(action.metavar or action.dest.upper())
    if action.option_strings:
        takes = "" if action.nargs == 0 else f" {metavar}"
        return action.option_strings[0] + takes
    return {"?": f"[{metavar}]", "*": f"[{metavar}...]", "...": f"[{metavar}...]"}.get(
        str(action.nargs), metavar
    )


def _spelled_out(text: str) -> str:
    """Text of the command line as Markdown: names in capitals stay as they are."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def checks(directive: Directive, page: Page) -> list[str]:
    """Every item of every checklist."""
    lines: list[str] = []
    for step in course.steps():
        lines += [f"## Step {step.number}: {step.title} {{ #{step.slug} }}", ""]
        rows = [
            [_code(item.id), item.title, _codes(item.needs) or "nothing", _explained(item)]
            for item in items_of(step.number)
        ]
        lines += [*table(["item", "passes when this is true", "needs", "read"], rows), ""]
    return lines


def _explained(item: Item) -> str:
    page, _, anchor = item.docs.partition("/#")
    return f"[{anchor.replace('-', ' ')}](../{page}.md#{anchor})"


def _items() -> list[Item]:
    return [item for step in course.steps() for item in items_of(step.number)]


def _reference(item: Item) -> str:
    """An item's sentence, with a link to the list of checks."""
    page = course.step(item.step).slug
    return f"{item.title} ([step {item.step}](checks.md#{page}))"


def _since(word: str) -> str:
    """The first step whose code has that word in quotes."""
    quoted = re.compile(rf"""["']{re.escape(word)}["']""")
    for step in course.steps():
        if any(quoted.search(text) for text in _sources(step)):
            return f"step {step.number}"
    raise NoDefinition(f"no step has {word!r}")


def _sources(step: Step) -> Iterable[str]:
    for path in files_of(step.folder):
        if path.endswith(".py") and not is_test(path):
            yield text_of(step, path) or ""


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Sequence[str]) -> str:
    return ", ".join(_code(text) for text in texts)


def _sentence(text: str) -> str:
    """Text of a docstring as Markdown: names with underscores are not emphasis."""
    return text.replace("*", "\\*").replace("_", "\\_")

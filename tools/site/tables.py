"""Makes the tables of the reference pages from where their contents are defined.

Events and close codes come from the contract, endpoints and settings from Django itself
(tools.site.backend), commands from the command line's own parser, checks from the
checklists. Nothing is listed here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence

import course
from checks.items import Item, items_of
from course import Step, contract
from course.contract import Frame
from course.files import files_of
from tools.site.backend import Setting, last_backend
from tools.site.differences import is_test, text_of
from tools.site.listings import Page
from tools.site.pages import Directive
from workshop import cli


class NoDefinition(LookupError):
    """A table would have no row: what it is made of has moved."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table. Raises NoDefinition if it has no row."""
    lines = [[_cell(text) for text in row] for row in rows]
    if not lines:
        raise NoDefinition(f"the table of {', '.join(head)} has no row")
    return [
        "| " + " | ".join(row) + " |" for row in [list(head), ["---"] * len(head), *lines]
    ]


def _cell(text: str) -> str:
    """Text for a cell: a pipe would end it, except in code, where a backslash would show."""
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or "\\|", text)


def events(directive: Directive, page: Page) -> list[str]:
    """The events that are sent to people, and what else a consumer sends."""
    sources = [(step, [*_sources(step)]) for step in course.steps()]
    sent = table(
        ["`type`", "`data`", "sent", "checked by", "since"],
        (
            [*_described(frame), _checked_by(frame.kind), _first_step(frame.kind, sources)]
            for frame in contract.EVENTS.values()
        ),
    )
    own = table(
        ["`type`", "other keys", "sent", "since"],
        (
            [*_described(frame), _first_step(frame.kind, sources)]
            for frame in contract.FRAMES.values()
        ),
    )
    return [*sent, "", "Sent to one socket, by its own consumer:", "", *own]


def _described(frame: Frame) -> list[str]:
    fields = [_with_parts(*field) for field in frame.fields.items()]
    return [_code(frame.kind), _codes(fields), frame.sent]


def _checked_by(kind: str) -> str:
    """Links to the items that prove an event."""
    return ", ".join(
        f"[{_code(item.id)}](checks.md#{course.step(item.step).slug})"
        for item in _items()
        if kind in item.events
    )


def _with_parts(field: str, parts: Sequence[str]) -> str:
    """`sender{id, username}` for an object, the bare name for anything else."""
    return f"{field}{{{', '.join(parts)}}}" if parts else field


def close_codes(directive: Directive, page: Page) -> list[str]:
    """The codes of our own, what they mean, and the checks that prove them."""
    refused = [_reference(item) for item in _items() if item.handshake]
    if not refused:
        raise NoDefinition("no check is about a refusal in the handshake")
    lines = table(
        ["code", "meaning", "checked by"],
        (
            [
                _code(str(code)),
                meaning,
                "<br>".join(
                    _reference(item) for item in _items() if code in item.close_codes
                ),
            ]
            for code, meaning in contract.CLOSE_CODES.items()
        ),
    )
    earlier = "Other connections are refused in the handshake and get no close code:"
    return [*lines, "", earlier, "", *(f"- {sentence}" for sentence in refused)]


def endpoints(directive: Directive, page: Page) -> list[str]:
    """Every address of the REST API."""
    return table(
        ["method", "path", "what it does", "body", "token"],
        (
            [
                point.method,
                _code(point.address),
                _sentence(point.does),
                _codes(point.body) or "none",
                "yes" if point.needs_token else "no",
            ]
            for point in last_backend().endpoints
        ),
    )


def settings(directive: Directive, page: Page) -> list[str]:
    """The environment variables that the backend reads."""
    return table(
        ["variable", "default", "in production", "on Render", "since"],
        (
            [
                _code(setting.variable.name),
                _code(setting.variable.default) if setting.variable.default else "none",
                _in_production(setting),
                setting.render or "not in `render.yaml`",
                f"step {course.steps()[setting.since].number}",
            ]
            for setting in last_backend().settings
        ),
    )


def _in_production(setting: Setting) -> str:
    """Whether production needs a variable, in the words of the settings that lack it."""
    variable = setting.variable
    if not variable.demanded:
        # render.yaml sets what is not demanded only where the default is for development.
        # A text is there in backticks; what Render makes up has no words here.
        return (
            f"set it to {setting.render}" if setting.render.startswith("`") else "optional"
        )
    said = variable.demanded.removeprefix(f"{variable.name} is not set. ")
    return f"Needed. {_sentence(said)}"


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
        [
            _code(_spelling(action)),
            (action.help or "").replace("%%", "%") or _needed(action),
        ]
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]
    takes = table(["argument", "meaning"], rows) if rows else []
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


def _needed(action: argparse.Action) -> str:
    """What there is to say about an argument without a help text."""
    return "optional" if _spelling(action).startswith("[") else "required"


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


def _first_step(kind: str, sources: Iterable[tuple[Step, Sequence[str]]]) -> str:
    """The first step that sends frames of a kind: the first whose code has it in quotes.

    A search of the text is enough. The kind has to be in the source of whatever sends it,
    in any module, and to watch every step send it would take a server for each.
    """
    quoted = re.compile(rf"""["']{re.escape(kind)}["']""")
    for step, texts in sources:
        if any(quoted.search(text) for text in texts):
            return f"step {step.number}"
    raise NoDefinition(f"no step sends {kind!r}")


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

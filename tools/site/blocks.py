"""Makes Markdown of the directives that show a step: its code, its diff, its checklist."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from checks.items import Item, items_of
from course import Step
from course.files import files_of
from tools.site import differences, listings
from tools.site.differences import Change
from tools.site.listings import BadReference, Listing, Page
from tools.site.pages import Directive
from tools.site.panes import TUTORIAL

# Terminal 1 may be busy with a server.
_GIVEN_IN = f"Terminal 2, {TUTORIAL[0].lower()}{TUTORIAL[1:]}"
_LANGUAGES = {
    ".cfg": "ini",
    ".html": "html",
    ".ini": "ini",
    ".md": "markdown",
    ".py": "python",
    ".sh": "bash",
    ".toml": "toml",
    ".txt": "text",
    ".yaml": "yaml",
    ".yml": "yaml",
}


# Code


def code(directive: Directive, page: Page) -> list[str]:
    """A piece of a file under its caption, with what is new in it marked.

    With the word `plain` it is shown as it is: for pages that teach no step.
    """
    if "plain" in directive.words:
        shown = listings.listing(directive.values)
        return [*_caption(shown.path, shown.name), "", *fence(shown.lines, shown.path)]
    shown = page.listing(directive.values)
    made = [*_caption(shown.path, shown.where), ""]
    if differences.before(shown.step) is None:
        return made + fence(shown.lines, shown.path)
    if shown.is_all_new:
        made += fence(shown.lines, shown.path, kind=".added")
    else:
        marked = sorted(number - shown.first + 1 for number in shown.new_lines)
        made += fence(shown.lines, shown.path, marked)
    return made + _replaced(shown)


def written(directive: Directive, page: Page) -> list[str]:
    """The caption of code that is in no step, if its directive says where it goes.

    Raises BadReference.
    """
    if not directive.values:
        return []
    path = directive.values["path"]
    if directive.name == "throwaway":
        return [*_caption(path, "a throwaway file, the whole of it"), ""]
    return [*_caption(path, page.attempt(directive.values)), ""]


def _caption(path: str, where: str) -> list[str]:
    """The line above a block: the file, and what to do where."""
    place = f" <span>{inline(where)}</span>" if where else ""
    return [f'<p class="place"><code>{html.escape(path)}</code>{place}</p>']


def _replaced(shown: Listing) -> list[str]:
    """The lines that have to go, folded."""
    if not shown.old_lines:
        return []
    count = len(shown.old_lines)
    verb = "replaces" if shown.new_lines else "removes"
    title = f"The {count} lines it {verb}" if count > 1 else f"The line it {verb}"
    return ["", *details(title, fence(shown.old_lines, shown.path), "before")]


def fence(
    lines: Sequence[str],
    path: str,
    marked: Sequence[int] = (),
    *,
    kind: str = "",
    title: str = "",
    searched: bool = True,
) -> list[str]:
    """A fenced block; `marked` are line numbers in it, counted from 1."""
    language = _LANGUAGES.get(PurePosixPath(path).suffix, "text")
    return fenced(language, lines, marked, kind=kind, title=title, searched=searched)


def fenced(
    language: str,
    lines: Sequence[str],
    marked: Sequence[int] = (),
    *,
    kind: str = "",
    title: str = "",
    searched: bool = True,
) -> list[str]:
    """A fenced block in a language, with marks longer than any within it.

    One that is not `searched` is left out of what every visitor's browser loads to search in.
    """
    longest = max((len(run) for run in re.findall(r"`{3,}", "\n".join(lines))), default=2)
    marks = "`" * (longest + 1)
    words = [f".{language}"]
    if kind:
        words.append(kind)
    if title:
        words.append(f'title="{title}"')
    if not searched:
        words.append('data-search-exclude=""')
    if marked:
        words.append(f'hl_lines="{" ".join(map(str, marked))}"')
    return [f"{marks}{{ {' '.join(words)} }}", *lines, marks]


def details(title: str, lines: Iterable[str], kind: str) -> list[str]:
    """A folded box."""
    inside = ["    " + line if line else "" for line in lines]
    return [f'??? {kind} "{title}"', "", *inside, ""]


# Differences


def diff(directive: Directive, page: Page) -> list[str]:
    """The unified diff of a step, or of one of its files, against the step before; folded.

    README and tests are left out unless `path=` names one. Raises BadReference.
    """
    step = listings.step_named(directive.values["step"])
    if differences.before(step) is None:
        raise BadReference(
            f"{step.slug} is the first step: there is nothing to compare with"
        )
    changed = chosen(differences.changes_of(step), directive.values.get("path"))
    added = sum(change.added for change in changed)
    removed = sum(change.removed for change in changed)
    files = "1 file" if len(changed) == 1 else f"{len(changed)} files"
    name = f"`{changed[0].path}`" if len(changed) == 1 else f"step {step.number}"
    title = f"What changes in {name}: {files}, {counts(added, removed)}"
    inside = [line for change in changed for line in [*_diff_of(change), ""]]
    return details(title, inside, "diff")


def chosen(changed: Sequence[Change], path: str | None) -> list[Change]:
    """The change of one path, or those of all files but the tests. Raises BadReference."""
    if path is None:
        return [change for change in changed if not differences.is_test(change.path)]
    found = [change for change in changed if change.path == path]
    if not found:
        known = ", ".join(change.path for change in changed)
        raise BadReference(f"{path!r} does not change; what changes is: {known}")
    return found


def _diff_of(change: Change) -> list[str]:
    title = f"{change.path}, {change.kind}"
    return fenced(
        "diff", change.unified() or ["(an empty file)"], title=title, searched=False
    )


def counts(added: int, removed: int) -> str:
    """`+12 -3`, with a real minus sign."""
    return f"+{added} \N{MINUS SIGN}{removed}"


def tests(directive: Directive, page: Page) -> list[str]:
    """The test files that a step adds or changes, each folded. Raises BadReference."""
    step = listings.step_named(directive.values["step"])
    changed = [c for c in differences.changes_of(step) if differences.is_test(c.path)]
    if "path" in directive.values:
        changed = chosen(changed, directive.values["path"])
    shown = [change for change in changed if change.after and change.after.strip()]
    if not shown:
        raise BadReference(f"step {step.slug} changes no tests")
    return [line for change in shown for line in _test(change)]


def given(directive: Directive, page: Page) -> list[str]:
    """The files that a step gives, each folded, below the command that puts them in place.

    Raises BadReference.
    """
    step = listings.step_named(directive.values["step"])
    changed = given_by(step)
    count, them = f"These {len(changed)} files are", "them"
    if len(changed) == 1:
        count, them = "This file is", "it"
    names = [f"`{change.path}`" for change in changed if change.after is None]
    gone = [f"It removes {', '.join(names)}.", ""] if names else []
    blank = [f"`{change.path}` is empty." for change in changed if change.after == ""]
    return [
        f"{count} provided: read {them}, but you do not have to type {them}. In terminal 2, run "
        f"this command. It backs up what is there, then copies {them} into your project:",
        "",
        *fenced("console", [f"$ {give_command(step)}"], kind=".terminal", title=_GIVEN_IN),
        "",
        *gone,
        *(line for sentence in blank for line in (sentence, "")),
        *(line for change in changed if change.after for line in _test(change)),
    ]


def given_by(step: Step) -> list[Change]:
    """What a step changes in the files that it gives. Raises BadReference if that is nothing."""
    changed = [c for c in differences.changes_of(step) if step.gives(c.path)]
    if not changed:
        raise BadReference(f"step {step.slug} gives no files that it changes")
    return changed


def give_command(step: Step) -> str:
    """What puts them in place, as people type it."""
    return f"python3 tutorial.py give {step.number}"


def tree(directive: Directive, page: Page) -> list[str]:
    """The files of a folder of a step, drawn as a tree; `files` names those to show.

    Raises BadReference.
    """
    step = listings.step_named(directive.values["step"])
    folder = directive.values["path"].rstrip("/")
    there = [file for file in files_of(step.folder) if file.startswith(f"{folder}/")]
    there = [file.removeprefix(f"{folder}/") for file in there]
    wanted = directive.values.get("files", " ".join(there)).split()
    if missing := sorted(set(wanted) - set(there)) or ([] if wanted else [folder]):
        known = ", ".join(there) or "nothing"
        raise BadReference(f"no {', '.join(missing)} in {folder}; there are: {known}")
    return fenced("text", [f"{folder}/", *_branches(sorted(wanted, key=_deep_last))])


def _deep_last(path: str) -> tuple[bool, str]:
    return "/" in path, path


def _branches(paths: Sequence[str]) -> list[str]:
    """A line for each path, and one for each folder before what it holds."""
    lines: list[str] = []
    drawn: set[tuple[str, ...]] = set()
    for path in paths:
        *folders, name = path.split("/")
        for depth, folder in enumerate(folders, 1):
            if (where := tuple(folders[:depth])) not in drawn:
                drawn.add(where)
                lines.append("    " * depth + f"{folder}/")
        lines.append("    " * (len(folders) + 1) + name)
    return lines


def _test(change: Change) -> list[str]:
    marked: list[int] = []
    if change.before is not None:
        marked = [n + 1 for hunk in change.hunks for n in range(hunk.first, hunk.last)]
    size = "1 line" if len(change.new) == 1 else f"{len(change.new)} lines"
    what = f"new, {size}" if change.before is None else counts(change.added, change.removed)
    block = fence(change.new, change.path, marked, searched=False)
    return details(f"<code>{change.path}</code>: {what}", block, "tests")


# Checklists


def checklist(directive: Directive, page: Page) -> list[str]:
    """The checklist of a step or of one of its parts: boxes to tick, by the live script if
    the tool is running, else by hand."""
    step = listings.step_named(directive.values["step"], directive.values.get("part"))
    part = step.part.number if step.part else None
    of_part = f' data-part="{part}"' if part else ""
    lines = [f'<ol class="checklist" data-step="{step.number}"{of_part}>']
    for item in items_of(step.number, part):
        lines += _line_of(item)
    return [*lines, "</ol>"]


def _line_of(item: Item) -> list[str]:
    name = html.escape(item.id, quote=True)
    return [
        f'<li data-item="{name}" id="item-{name}">',
        f'<label><input type="checkbox"> <span>{inline(item.title)}</span></label>',
        '<details class="hints">',
        f"<summary>Hints<span> for {name}</span></summary>",
        "<ol>",
        f"<li>{inline(item.hints.think)}</li>",
        f"<li>{inline(item.hints.look)}</li>",
        f"<li>{_answer(item)}</li>",
        "</ol>",
        "</details>",
        "</li>",
    ]


def _answer(item: Item) -> str:
    """The last hint: which code it is about, and where on this page that is explained."""
    path, _, symbol = item.hints.code.partition("::")
    named = f"<code>{html.escape(symbol)}</code> in " if symbol else ""
    anchor = html.escape(item.docs.partition("#")[2], quote=True)
    code = f"The code: {named}<code>{html.escape(path)}</code>"
    if anchor in ("check", "live"):  # no section of the page explains it
        return f"{code}."
    return f'{code}, <a href="#{anchor}">explained here</a>.'


def inline(text: str) -> str:
    """A sentence as HTML; what stands between backticks becomes code."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(
        # Markdown would make __init__ bold.
        f"<code>{html.escape(part).replace('__', '&#95;&#95;')}</code>"
        if number % 2
        else html.escape(part, quote=False)
        for number, part in enumerate(parts)
    )

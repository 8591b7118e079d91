"""`check`: judge a project with a step's checklist."""

from __future__ import annotations

import argparse
import difflib
import getpass
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from course import Step
from course.files import write_text
from course.terminal import COMMAND, complain, has_colour, say
from workshop.arguments import project_options
from workshop.errors import EnvironmentTrouble, Exit, UsageError
from workshop.home import Home
from workshop.progress import Progress, load

if TYPE_CHECKING:
    from checks.results import ItemResult, Report


HELP = "judge your project with a step's checklist"
MORE = (
    "With --url it judges a live deployment instead, with two accounts that exist there. "
    "They may also come from the variables NUMENEON_LOGIN_1 and NUMENEON_LOGIN_2 "
    "(EMAIL:PASSWORD), which keeps passwords out of the shell's history; a password that "
    "is left out is asked for."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument(
        "step", metavar="STEP", nargs="?", help="default: the first unfinished one"
    )
    project_options(parser, python=True)
    parser.add_argument(
        "--item",
        metavar="ID",
        action="append",
        default=[],
        help="judge this item and what it needs (may be repeated)",
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write the results as JSON (- for stdout)"
    )
    parser.add_argument(
        "--junit", metavar="FILE", help="write the results as JUnit XML (- for stdout)"
    )
    parser.add_argument(
        "--url", metavar="URL", help="judge the deployment at this https address"
    )
    parser.add_argument(
        "--login",
        metavar="EMAIL:PASSWORD",
        action="append",
        default=[],
        help="an account on the deployment (give two)",
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Run a checklist, print each verdict as it is known, write the reports asked for."""
    url = arguments.url and web_address(arguments.url)
    project = _project(home, arguments.project, url)
    progress = load(home, project)
    step = chosen_step(home, progress, arguments.step, arguments.item, live=bool(url))
    require_items(home, step, arguments.item)
    python = interpreter(arguments.python)
    logins = accounts(arguments.login) if url else []
    outputs = [(arguments.json, "to_json"), (arguments.junit, "to_junit")]
    for target, _ in outputs:
        _require_writable(target)

    to_stdout = "-" in {arguments.json, arguments.junit}
    tell = complain if to_stdout else say
    tell(f"Step {step.number}, {step.title}: checking {url or home.shown(project)} ...")
    with home.session(project, python) as session:
        report = session.run(
            step.number,
            only=arguments.item,
            url=url,
            logins=logins,
            on_result=lambda result: show(result, to_stderr=to_stdout),
        )
    _write(report, outputs)
    if not url:
        progress.record(report)
    tell(*closing(home, progress, step, report, partly=bool(arguments.item), url=url))
    return int(report.exit_code)


def chosen_step(
    home: Home, progress: Progress, named: str | None, items: Sequence[str], *, live: bool
) -> Step:
    """The step meant: the one named, the items' own, the live one, the first unfinished.

    When all steps are finished it is the last. Raises UsageError for an unknown step or item.
    """
    if named is not None:
        return home.step(named)
    if items:
        return _step_of(home, items[0])
    if live:
        for step in reversed(home.steps):
            if any(item.live for item in home.checklist(step)):
                return step
        raise UsageError("No step judges a live deployment; leave out --url.")
    return progress.current() or home.steps[-1]


def _step_of(home: Home, id: str) -> Step:
    known = home.all_items()
    if id not in known:
        raise UsageError(unknown_item(id, list(known)))
    return known[id][0]


def unknown_item(id: str, known: Sequence[str]) -> str:
    """What to say about an id that no item has: the nearest ones."""
    near = difflib.get_close_matches(id, known, n=3, cutoff=0.4)
    if near:
        return f"There is no item {id!r}. Did you mean {' or '.join(near)}?"
    return f"There is no item {id!r}. `{COMMAND} check` prints the ids of what fails."


def require_items(home: Home, step: Step, ids: Sequence[str]) -> None:
    """Raises UsageError if the step has no checklist, or lacks one of these items."""
    known = [item.id for item in home.checklist(step)]
    if not known:
        raise UsageError(f"Step {step.number} has no checklist in this copy.")
    for id in ids:
        if id not in known:
            raise UsageError(
                f"Step {step.number} has no such item. " + unknown_item(id, known)
            )


def interpreter(named: str | None) -> str | None:
    """The Python named with --python, as a path. Raises EnvironmentTrouble if there is none."""
    if named is None:
        return None
    found = shutil.which(Path(named).expanduser())
    if found is None:
        raise EnvironmentTrouble(
            f"There is no interpreter {named}. Name a Python that can be started, for example "
            f"--python {Path('venv') / ('Scripts' if os.name == 'nt' else 'bin') / 'python'}"
        )
    return str(Path(found).absolute())


def web_address(url: str) -> str:
    """The address of a deployment without a slash at its end. Raises UsageError."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise UsageError(
            f"{url!r} is not an address to check. Give the deployment's own, "
            "such as https://numeneon.onrender.com"
        )
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError(
            f"Give the address alone, such as https://{parts.hostname or 'name'}"
        )
    return url.rstrip("/")


def accounts(options: Sequence[str]) -> list[tuple[str, str]]:
    """Two (email, password) pairs from --login, NUMENEON_LOGIN_1 and _2, or asked for.

    None at all is allowed: the items that need accounts then say so. Raises UsageError.
    """
    given = list(options)
    if not given:
        named = (os.environ.get(f"NUMENEON_LOGIN_{number}", "") for number in (1, 2))
        given = [text for text in named if text]
    if given and len(given) != 2:
        raise UsageError(
            "The deployment is checked with two accounts: give --login EMAIL:PASSWORD twice."
        )
    pairs = [_account(text) for text in given]
    if pairs and pairs[0][0].casefold() == pairs[1][0].casefold():
        raise UsageError(
            "The two accounts must be different ones: one causes, one receives."
        )
    return pairs


def _account(text: str) -> tuple[str, str]:
    email, _, password = text.partition(":")
    if "@" not in email:
        raise UsageError(
            "A login is an email address and a password: --login EMAIL:PASSWORD"
        )
    if not password:
        if not sys.stdin.isatty():
            raise UsageError(f"The password of {email} is missing: --login EMAIL:PASSWORD")
        password = getpass.getpass(f"Password of {email}: ")
    return email, password


def _project(home: Home, named: str | None, url: str | None) -> Path:
    """A deployment can be checked where there is no workspace."""
    if url and not named and not home.workspace.is_dir():
        return Path.cwd()
    return home.project(named)


def show(result: ItemResult, *, to_stderr: bool = False) -> None:
    """Print one verdict."""
    from checks import report

    stream = sys.stderr if to_stderr else sys.stdout
    print(report.line(result, has_colour(stream)), file=stream, flush=True)


def closing(
    home: Home,
    progress: Progress,
    step: Step,
    report: Report,
    *,
    partly: bool,
    url: str | None,
) -> list[str]:
    """The summary, and once all passed what comes next."""
    from checks import report as reports

    lines = ["", reports.summary(report, has_colour())]
    if int(report.exit_code) != Exit.PASSED or partly or url:
        return lines
    following = progress.current()
    if following is None:
        return [*lines, "That was the last step: all steps are finished."]
    if following.number < step.number:
        return [*lines, f"Still unfinished: step {following.number}, {following.title}."]
    return [*lines, *what_next(home, following)]


def what_next(home: Home, step: Step) -> list[str]:
    """What to read and what to type for a step."""
    page = home.root / "steps" / step.slug / "README.md"
    return [
        f"Next: step {step.number}, {step.title} ({step.minutes} minutes).",
        f"  read   {home.shown(page)}",
        f"  then   {COMMAND} check",
    ]


def _require_writable(target: str | None) -> None:
    """Say before the run, not after it, that a report cannot be written."""
    if target in {None, "-"}:
        return
    folder = Path(str(target)).absolute().parent
    if not folder.is_dir():
        raise UsageError(f"The report cannot be written: there is no folder {folder}.")
    if Path(str(target)).is_dir():
        raise UsageError(f"The report cannot be written: {target} is a folder.")


def _write(report: Report, outputs: Sequence[tuple[str | None, str]]) -> None:
    from checks import report as reports

    for target, form in outputs:
        if target is None:
            continue
        text = getattr(reports, form)(report)
        if target == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
            continue
        try:
            write_text(Path(target).absolute(), text)
        except OSError as error:
            raise EnvironmentTrouble(
                f"The report {target} could not be written: {error.strerror}."
            ) from error

"""`check`: judge a project with a step's checklist."""

from __future__ import annotations

import argparse
import difflib
import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from course import Step
from course.files import write_text
from course.terminal import COMMAND, complain, has_colour, height, plural, say, wrap
from workshop import fixes
from workshop.arguments import project_options
from workshop.errors import EnvironmentTrouble, Exit, UsageError
from workshop.home import Home, here, page_of
from workshop.progress import Progress, load

if TYPE_CHECKING:
    from checks.report import Pointers
    from checks.results import ItemResult, Report


HELP = "check your project against a step's checklist"
MORE = (
    "With --url it checks a live deployment instead, with two accounts that exist there. "
    "They can also be given in the variables NUMENEON_LOGIN_1 and NUMENEON_LOGIN_2 "
    "(EMAIL:PASSWORD), which keeps passwords out of the shell's history. You are prompted "
    "for a password that you leave out."
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
        help="check this item and those it needs (can be repeated)",
    )
    parser.add_argument(
        "--trace",
        metavar="ID",
        action="append",
        default=[],
        help="check this item and print the messages between client and server",
    )
    parser.add_argument(
        "--all", action="store_true", help="print every item in full, blocked ones too"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write the results as JSON (- for stdout)"
    )
    parser.add_argument(
        "--junit", metavar="FILE", help="write the results as JUnit XML (- for stdout)"
    )
    parser.add_argument(
        "--url", metavar="URL", help="check the deployment at this https URL"
    )
    parser.add_argument(
        "--login",
        metavar="EMAIL:PASSWORD",
        action="append",
        default=[],
        help="an account on the deployment (give two)",
    )


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Run a checklist, print each verdict as it is known, write the reports asked for.

    Whatever can be wrong with the arguments is said before the first item is judged.
    """
    url = arguments.url and web_address(arguments.url)
    project = _project(home, arguments.project, url)
    progress = load(home, project)
    wanted = [*arguments.item, *arguments.trace]
    step = chosen_step(home, progress, arguments.step, wanted, live=bool(url))
    require_items(home, step, wanted)
    python = interpreter(arguments.python)
    logins = accounts(arguments.login) if url else []
    outputs = [(arguments.json, "to_json"), (arguments.junit, "to_junit")]
    for target, _ in outputs:
        _require_writable(target)

    to_stdout = "-" in {arguments.json, arguments.junit}
    tell, stream = (complain, sys.stderr) if to_stdout else (say, sys.stdout)
    only = wanted or home.items_of_part(step)
    tell(f"Step {step.label}, {step.heading}: checking {url or home.shown(project)} ...")
    with home.session(project, python) as session:
        report = session.run(
            step.number,
            reached=max(step.number, progress.reached()),
            only=only,
            url=url,
            logins=logins,
            on_result=lambda result: show(
                result, stream, everything=arguments.all, home=home
            ),
        )
        if step.part and not wanted:
            report = replace(report, part=step.part.number)
        _write(report, outputs)
        if not url:
            progress.record(report)
        for id in arguments.trace:
            tell("", *traced(report, id, colour=has_colour(stream)))
        tell(
            *closing(
                home,
                progress,
                step,
                report,
                partly=bool(only),
                url=url,
                stream=stream,
                everything=arguments.all,
            )
        )
    return int(report.exit_code)


def traced(report: Report, id: str, *, colour: bool) -> list[str]:
    """An item's exchange as a sequence, or why there is none."""
    from checks import sequence

    result = next(result for result in report.items if result.id == id)
    if result.exchange:
        return [f"{id}: {result.status}", "", *sequence.drawn(result.exchange, colour)]
    if result.blocked_by:
        return [
            f"{id} waits for {result.blocked_by}: {COMMAND} check --trace {result.blocked_by}"
        ]
    return [f"{id}: {result.status}. It sent nothing to a server, so there is no exchange."]


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
        raise UsageError("No step checks a live deployment; leave out --url.")
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
            raise UsageError(_of_another_step(home, step, id) or unknown_item(id, known))


def _of_another_step(home: Home, step: Step, id: str) -> str:
    """What to say about an item that another step has; '' if none has it."""
    if id not in (known := home.all_items()):
        return ""
    other = known[id][0]
    return (
        f"{id} is not an item of step {step.number}: it belongs to step {other.number}, "
        f"{other.title}. Check it with: {COMMAND} check {other.number} --item {id}"
    )


def interpreter(named: str | None) -> str | None:
    """The Python named with --python, as a path.

    Raises EnvironmentTrouble if there is none, or if it is not a Python.
    """
    if named is None:
        return None
    found = shutil.which(Path(named).expanduser())
    example = Path("venv") / ("Scripts" if os.name == "nt" else "bin") / "python"
    advice = f"Name a Python that can be started, for example --python {example.as_posix()}"
    if found is None:
        raise EnvironmentTrouble(f"There is no interpreter {named}. {advice}")
    path = str(Path(found).absolute())
    if not _is_python(path):
        raise EnvironmentTrouble(f"{named} is not a Python interpreter. {advice}")
    return path


def _is_python(path: str) -> bool:
    """Whether a program runs Python code, found out by letting it print a word."""
    try:
        ran = subprocess.run(
            [path, "-I", "-S", "-c", "print('python')"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=20,  # a first start from a slow disk; anything longer is no Python
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0 and ran.stdout.strip() == b"python"


def web_address(url: str) -> str:
    """The address of a deployment without a slash at its end. Raises UsageError."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise UsageError(
            f"{url!r} is not a URL that can be checked. Give the deployment's own, "
            "such as https://numeneon.onrender.com"
        )
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError(
            f"Give the URL without a path or query, such as https://{parts.hostname or 'name'}"
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
            "The two accounts must be different: one sends, the other receives."
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


def show(
    result: ItemResult,
    stream: TextIO | None = None,
    *,
    everything: bool = False,
    home: Home | None = None,
) -> None:
    """Print one verdict as it is known: in brief, or with `everything` all of it.

    What a failure has to say follows at the end (closing()), where it can be seen.
    """
    from checks import report

    stream = stream or sys.stdout
    colour = has_colour(stream)
    if everything:
        lines = report.shown(result, colour, pointers(home or here()))
    else:
        lines = report.brief(result, colour)
    for line in lines:
        print(line, file=stream, flush=True)


def pointers(home: Home) -> Pointers:
    """What to add to a failure: the hint, its page's section, and a row of fix/ about it."""

    def of(result: ItemResult) -> list[tuple[str, str]]:
        found = [("hint", f"{COMMAND} hint {result.id}")]
        if result.docs:
            found.append(("read", home.page(result.docs)))
        if about := fixes.about(home, result.message):
            found.append(("see", home.page(about)))
        return found

    return of


def closing(
    home: Home,
    progress: Progress,
    step: Step,
    report: Report,
    *,
    partly: bool,
    url: str | None,
    stream: TextIO | None = None,
    everything: bool = False,
) -> list[str]:
    """The first failure, the summary, and once all passed what comes next.

    On a terminal the failure is cut so that it fits: its rows without five, for the empty
    line above it and the four that a watch and the shell write below.
    """
    from checks import report as reports

    stream = stream or sys.stdout
    rows = height(stream)
    if everything:
        lines = ["", *reports.total(report, has_colour(stream))]
    else:
        lines = [
            "",
            *reports.ending(
                report,
                has_colour(stream),
                pointers(home),
                None if rows is None else max(rows - 5, 0),
            ),
        ]
    passed = int(report.exit_code) == Exit.PASSED and not url
    following = progress.current()
    if passed and following is None and (progress.just_finished or not partly):
        return [*lines, "", *the_end(home)]
    if passed and report.part and (later := step.parts[report.part :]):
        return [*lines, *what_next(home, replace(step, part=later[0]))]
    if not passed or partly or following is None:
        return lines
    if following.number < step.number:
        return [*lines, f"Still unfinished: step {following.number}, {following.title}."]
    return [*lines, *what_next(home, following)]


def what_next(home: Home, step: Step) -> list[str]:
    """What to read and what to type for a step, or for the part that is meant."""
    minutes = (step.part or step).minutes
    return [
        f"Next: step {step.label}, {step.heading} ({minutes} minutes).",
        f"  read   {page_of(home, step)}",
        f"  then   {COMMAND} check{f' {step.label}' if step.part else ''}",
    ]


def the_end(home: Home) -> list[str]:
    """What to say when every step is finished: what there is now, and where to go."""
    return [
        *wrap(
            f"That was the last step: all {len(home.steps)} steps are finished. You have "
            "built a REST backend that pushes notifications to the right browser over a "
            "WebSocket, and it is ready to deploy."
        ).splitlines(),
        *_live_check(home),
        *_labelled("compare", f"{COMMAND} diff mine final"),
        *_labelled("why", home.page("explain/")),
    ]


def _live_check(home: Home) -> list[str]:
    """How to judge the items that only a deployment can show; nothing if there are none."""
    for step in reversed(home.steps):
        live = [item for item in home.checklist(step) if item.live]
        if live:
            return [
                *_labelled(
                    "deploy",
                    f"{plural(len(live), 'item')} of step {step.number} can only be judged "
                    "on a server: the ones marked [?]. Deploy your project as the page "
                    "says, then check it there.",
                ),
                *_labelled("", f"page: {page_of(home, step)}"),
                *_labelled("", f"{COMMAND} check --url https://YOUR-SERVICE.onrender.com"),
            ]
    return []


def _labelled(label: str, text: str) -> list[str]:
    """A line of advice behind its label, wrapped."""
    return wrap(text, f"  {label:<9}", " " * 11).splitlines()


def _require_writable(target: str | None) -> None:
    """Say before the run, not after it, that a report cannot be written.

    Raises UsageError for a path that cannot be one, EnvironmentTrouble for a folder that
    may not be written to. Whether it may is tried out: rights say too little about network
    drives, read-only file systems and root.
    """
    if target in {None, "-"}:
        return
    file = Path(str(target)).absolute()
    refusal = f"The report {target} cannot be written: "
    if file.is_dir():
        raise UsageError(f"{refusal}it is a folder.")
    if not file.parent.is_dir():
        raise UsageError(f"{refusal}the folder {file.parent} does not exist.")
    try:
        if _in_place(file):
            os.close(os.open(file, os.O_WRONLY))
        else:
            with tempfile.TemporaryFile(dir=file.parent):
                pass
    except OSError as error:
        raise EnvironmentTrouble(f"{refusal}{error.strerror}.") from error


def _in_place(file: Path) -> bool:
    """Whether a file has to be written to, not replaced: a link, or a device or pipe."""
    return file.is_symlink() or (file.exists() and not file.is_file())


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
        file = Path(target).absolute()
        try:
            if _in_place(file):
                file.write_text(text, "utf-8", newline="")
            else:
                write_text(file, text)
        except OSError as error:
            raise EnvironmentTrouble(
                f"The report {target} could not be written: {error.strerror}."
            ) from error

"""The command line: what can be asked, and which function answers."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from workshop.errors import Exit, Stop
from workshop.files import write_text
from workshop.home import Home, here
from workshop.terminal import COMMAND, complain, prepare_streams

DESCRIPTION = """\
Learn Django Channels on a project of your own, step by step, each step checked.

Without a command: prepares everything, makes your project in workspace/ and says what to
do next; on a terminal it then serves the pages and checks again at each save."""

EPILOG = """\
STEP is a number (5), a name (05-asgi, asgi) or `final`. Exit status: 0 all passed, 1 an
item failed, 2 wrong usage, 3 the environment is at fault, 130 stopped with Ctrl-C."""

Command = Callable[[Home, argparse.Namespace], int]


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps paragraphs, and a command's help on the command's own line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)
        # argparse forgets the indentation of commands when it measures the longest one.
        self._action_max_length = max(self._action_max_length, len("    propagate"))


class Parser(argparse.ArgumentParser):
    """Answers wrong usage with one sentence and where to read more, exit status 2."""

    def error(self, message: str) -> NoReturn:
        sentence = message[:1].upper() + message[1:]
        stop = "" if sentence.endswith((".", "?")) else "."
        complain(f"{sentence}{stop} See: {self.prog} --help")
        sys.exit(Exit.USAGE)


def main(argv: Sequence[str] | None = None, home: Home | None = None) -> int:
    """Run one command. Returns the exit status; never raises for what a user can cause."""
    prepare_streams()
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments = parse(argv)
    end_cleanly()
    module, _, name = arguments.run.partition(":")
    try:
        command: Command = getattr(importlib.import_module(f"workshop.{module}"), name)
        return int(command(home or here(), arguments))
    except Stop as stop:
        complain(str(stop))
        return int(stop.code)
    except KeyboardInterrupt:
        complain("\nStopped.")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _close_output()
        return Exit.PASSED
    except Exception as error:
        if is_missing_package(error):
            raise  # a damaged environment, which bootstrap repairs
        complain(own_fault(home or here(), error))
        return Exit.ENVIRONMENT


def end_cleanly() -> None:
    """Make the signals that end a program unwind it, so that nothing is left behind."""

    def end(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), end)


def is_missing_package(error: Exception) -> bool:
    """Whether a package from requirements.txt is not there."""
    if not isinstance(error, ModuleNotFoundError):
        return False
    return (error.name or "").partition(".")[0] not in {"", "checks", "tools", "workshop"}


def own_fault(home: Home, error: Exception) -> str:
    """Keep the traceback of an error of ours in a file; what to say about it."""
    text = "".join(traceback.format_exception(error))
    file = home.state / "error.log"
    try:
        write_text(file, text)
    except OSError:
        return text
    return (
        f"The tutorial itself has a fault here ({type(error).__name__}: {error}). It is not "
        f"yours; please report it with the file {file}"
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for. Ends with status 2 and a sentence if it cannot be understood."""
    if argv[:1] == ["test"] and not {"-h", "--help"} & set(argv):
        # argparse would keep options such as -k from reaching pytest
        return argparse.Namespace(run="test:test", arguments=list(argv[1:]))
    made = parser()
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        near = difflib.get_close_matches(argv[0], COMMANDS, n=1, cutoff=0.5)
        suggestion = f" Did you mean {near[0]}?" if near else ""
        made.error(f"there is no command {argv[0]!r}.{suggestion}")
    return made.parse_args(argv)


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog=COMMAND,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    top.set_defaults(run="start:start")
    top.add_argument(
        "--host",
        metavar="ADDRESS",
        help="show the pages on the network too (default: on this machine only)",
    )
    commands = top.add_subparsers(
        title="commands", metavar="COMMAND", parser_class=_subparser
    )
    for add in COMMANDS.values():
        add(commands)
    return top


def _subparser(**options: object) -> Parser:
    """A subcommand's parser: its one-line help is also its description."""
    return Parser(**{"allow_abbrev": False, **options})  # type: ignore[arg-type]


def _add(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    run: str,
    help: str,
    more: str = "",
) -> Parser:
    """Add a subcommand whose one-line help is also how its own help begins."""
    sentence = help[:1].upper() + help[1:] + "."
    made = commands.add_parser(name, help=help, description=f"{sentence} {more}".strip())
    made.set_defaults(run=run)
    return made


def _project_options(made: Parser, *, python: bool) -> None:
    made.add_argument(
        "--project", metavar="DIR", help="the project to work on (default: workspace/)"
    )
    if python:
        made.add_argument(
            "--python",
            metavar="EXE",
            help="the Python that runs the project (default: its own .venv, else ours)",
        )


def _check(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "check",
        "check:check",
        "judge your project with a step's checklist",
        "With --url it judges a live deployment instead, with two accounts that exist there. "
        "They may also come from the variables NUMENEON_LOGIN_1 and NUMENEON_LOGIN_2 "
        "(EMAIL:PASSWORD), which keeps passwords out of the shell's history; a password that "
        "is left out is asked for.",
    )
    made.add_argument(
        "step", metavar="STEP", nargs="?", help="default: the first unfinished one"
    )
    _project_options(made, python=True)
    made.add_argument(
        "--item",
        metavar="ID",
        action="append",
        default=[],
        help="judge this item and what it needs (may be repeated)",
    )
    made.add_argument(
        "--json", metavar="FILE", help="write the results as JSON (- for stdout)"
    )
    made.add_argument(
        "--junit", metavar="FILE", help="write the results as JUnit XML (- for stdout)"
    )
    made.add_argument(
        "--url", metavar="URL", help="judge the deployment at this https address"
    )
    made.add_argument(
        "--login",
        metavar="EMAIL:PASSWORD",
        action="append",
        default=[],
        help="an account on the deployment (give two)",
    )


def _watch(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "watch",
        "watch:watch",
        "check again at each save",
        "Keys: Enter checks again, h gives a hint for the first failing item, n goes on to "
        "the next step, q quits (as Ctrl-C does; the exit status is 0). Where the system does "
        "not report changed files (some containers, network drives, WSL), set "
        "NUMENEON_POLLING=1 to look at the files twice a second instead.",
    )
    made.add_argument(
        "step", metavar="STEP", nargs="?", help="default: the first unfinished one"
    )
    _project_options(made, python=True)


def _hint(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "hint",
        "hint:hint",
        "the next hint for an item",
        "First what to think about, then where to look, then the code.",
    )
    made.add_argument("item", metavar="ITEM", help="its id, as `check` prints it")
    made.add_argument("--all", action="store_true", help="all three at once")


def _diff(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "diff",
        "diff:diff",
        "what changes between two steps, or a step and yours",
        "A and B are steps or `mine`, the project in workspace/. READMEs are shown only "
        "when named.",
    )
    made.add_argument("a", metavar="A")
    made.add_argument("b", metavar="B")
    made.add_argument(
        "paths", metavar="PATH", nargs="*", help="only these files, folders or patterns"
    )
    _project_options(made, python=False)


def _catch_up(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "catch-up",
        "catch_up:catch_up",
        "put your project into the state after a step, backing up first",
        "Files you added are kept, and so are the database and virtual environments. A "
        "second run changes nothing.",
    )
    made.add_argument("step", metavar="STEP")
    made.add_argument("--before", action="store_true", help="the state before STEP instead")
    made.add_argument(
        "--dry-run", action="store_true", help="say what would happen, and stop"
    )
    _project_options(made, python=False)


def _run(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "run",
        "run:run",
        "start a step's backend with demo people and printed logins",
        "It runs in a copy with a database of its own: your files and your database stay as "
        "they are. Ctrl-C stops it (the exit status is 0).",
    )
    made.add_argument("which", metavar="STEP|final|mine")
    made.add_argument(
        "--port", type=int, metavar="PORT", help="default: a free one, 8000 if it is"
    )
    _project_options(made, python=True)


def _steps(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(commands, "steps", "steps:steps", "where you are")
    _project_options(made, python=False)


def _doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    _add(commands, "doctor", "doctor:doctor", "what this machine has and lacks, in words")


def _propagate(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "propagate",
        "propagate:propagate",
        "for maintainers: carry a step's uncommitted changes into all later ones",
        "Three-way, and all or nothing: at the first conflict it shows both sides and writes "
        "nothing. final/ is made equal to the last step.",
    )
    made.add_argument("step", metavar="STEP")
    made.add_argument("--to", metavar="STEP", help="the last step to carry them into")


def _test(commands: argparse._SubParsersAction[Parser]) -> None:
    made = _add(
        commands,
        "test",
        "test:test",
        "everything that CI runs",
        "The formatter, the linter, this project's tests and each step's own. With arguments, "
        "only this project's tests: they go to pytest as they are.",
    )
    made.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER)


COMMANDS: dict[str, Callable[[argparse._SubParsersAction[Parser]], None]] = {
    "check": _check,
    "watch": _watch,
    "hint": _hint,
    "diff": _diff,
    "catch-up": _catch_up,
    "run": _run,
    "steps": _steps,
    "doctor": _doctor,
    "propagate": _propagate,
    "test": _test,
}


def _close_output() -> None:
    """Whoever read our output has gone (`| head`): stop without a word."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

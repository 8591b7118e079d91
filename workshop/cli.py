"""The command line: what can be asked, and which function answers."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn, TextIO

from course import scratch
from course.faults import fault_report
from course.files import write_text
from course.terminal import COMMAND, complain, fitted, is_live, prepare_streams
from workshop.errors import Exit, Stop
from workshop.home import Home, here

DESCRIPTION = """\
Learn Django Channels in a project of your own, step by step, with every step checked.

Without a command, this prepares everything, creates your project in workspace/ and says
what to do next; in a terminal it then serves the pages and checks again at every save."""

EPILOG = """\
STEP is a number (5), a name (05-asgi, asgi) or `final`. Exit status: 0 all passed, 1 an
item failed, 2 wrong usage, 3 this machine lacks something, 130 stopped with Ctrl-C."""

# Each is a module of workshop.commands with HELP, MORE, add_arguments() and run().
COMMANDS = (
    "check",
    "watch",
    "hint",
    "diff",
    "catch-up",
    "give",
    "reset",
    "restore",
    "run",
    "steps",
    "doctor",
    "new-step",
    "propagate",
    "test",
)

# Those that make scratch folders begin by removing what a killed run left behind.
SWEEPING = {"start", "check", "watch", "run"}


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps paragraphs, and a command's help on the command's own line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)
        # argparse forgets the indentation of commands when it measures the longest one.
        self._action_max_length = max(self._action_max_length, len("    propagate"))


class Parser(argparse.ArgumentParser):
    """Answers wrong usage with one sentence and where to read more, exit status 2.

    Options cannot be shortened: what is unique today need not be tomorrow.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

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
    home = home or here()
    try:
        if arguments.command in SWEEPING:
            scratch.sweep()
            scratch.sweep([scratch.SITE], home.state)
        return int(module_of(arguments.command).run(home, arguments))
    except Stop as stop:
        complain(fitted(str(stop), sys.stderr))
        return int(stop.code)
    except KeyboardInterrupt:
        complain("\nStopped.")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _close_output(sys.stdout)
        return Exit.PASSED
    except OSError as error:
        if error.errno != errno.EIO or is_live(sys.stdin):
            complain(own_fault(home, error))
            return Exit.ENVIRONMENT
        _close_output(sys.stdout, sys.stderr)  # the terminal was closed
        return Exit.INTERRUPTED
    except Exception as error:
        if is_missing_package(error):
            raise  # a damaged environment, which bootstrap repairs
        complain(own_fault(home, error))
        return Exit.ENVIRONMENT


def is_missing_package(error: Exception) -> bool:
    """Whether a package from requirements.txt is not there."""
    if not isinstance(error, ModuleNotFoundError):
        return False
    return (error.name or "").partition(".")[0] not in {
        "",
        "checks",
        "course",
        "tools",
        "workshop",
    }


def own_fault(home: Home, error: Exception) -> str:
    """Keep the traceback of an error of ours in a file; what to say about it."""
    text = fault_report(error)
    file = home.state / "error.log"
    try:
        write_text(file, text)
    except OSError:
        return text
    return (
        f"The tutorial itself has a bug here ({type(error).__name__}: {error}). "
        f"Your project is not the cause; please report it with the file {file}"
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for. Ends with status 2 and a sentence if it cannot be understood."""
    if argv[:1] == ["test"] and not {"-h", "--help"} & set(argv):
        # argparse would keep options such as -k from reaching pytest
        return argparse.Namespace(command="test", arguments=list(argv[1:]))
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
    )
    top.set_defaults(command="start")
    module_of("start").add_arguments(top)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for name in COMMANDS:
        module = module_of(name)
        sentence = module.HELP[:1].upper() + module.HELP[1:] + "."
        sub = commands.add_parser(
            name, help=module.HELP, description=f"{sentence} {module.MORE}".strip()
        )
        sub.set_defaults(command=name)
        module.add_arguments(sub)
    return top


def module_of(command: str) -> ModuleType:
    """The module that owns a command."""
    return importlib.import_module(f"workshop.commands.{command.replace('-', '_')}")


def _close_output(*streams: TextIO) -> None:
    """Whoever read our output has gone (`| head`): stop without a word."""
    for stream in streams:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

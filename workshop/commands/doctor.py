"""`doctor`: what this machine has and what is missing."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from course.terminal import has_colour, paint, say, wrap
from workshop.errors import Exit
from workshop.home import Home

ROOM = (
    300_000_000  # bytes: scratch copies, databases and logs of a check, with much to spare
)


@dataclass(frozen=True)
class Finding:
    """One thing looked for: what was found, what it is for, what to do if it lacks."""

    name: str
    fine: bool
    found: str
    purpose: str
    remedy: str = ""
    required: bool = False


HELP = "show what this machine has and what is missing"
MORE = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing may follow the command's name."""


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Look at everything and say it. Exit status 3 if something required lacks."""
    say("Looking at this machine ...", "")
    lacking = []
    for look in LOOKS:
        finding = look(home)
        say(described(finding, colour=has_colour()))
        if not finding.fine and finding.required:
            lacking.append(finding.name)
    if lacking:
        say("", f"Required but missing: {', '.join(lacking)}.")
        return Exit.ENVIRONMENT
    say("", "Everything that is required is here.")
    return Exit.PASSED


def described(finding: Finding, *, colour: bool) -> str:
    """A finding as text: [x] there, [!] required and lacking, [-] lacking."""
    mark = "[x]" if finding.fine else "[!]" if finding.required else "[-]"
    style = "green" if finding.fine else "magenta" if finding.required else "faint"
    lines = [paint(f"{mark} {finding.name}: {finding.found}", style, colour=colour)]
    lines.append(wrap(f"for {finding.purpose}", "      "))
    if not finding.fine and finding.remedy:
        lines.append(wrap(finding.remedy, "      "))
    return "\n".join(lines)


def _python(home: Home) -> Finding:
    return Finding(
        "Python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()}, {platform.python_implementation()}, "
        f"on {platform.system()} {platform.release()} ({platform.machine()})",
        "everything",
        "Install Python 3.11 or newer from https://www.python.org/downloads/",
        required=True,
    )


def _environment(home: Home) -> Finding:
    inside = Path(sys.prefix).resolve() == (home.root / ".venv").resolve()
    return Finding(
        "Environment",
        sys.prefix != sys.base_prefix,
        f"{sys.prefix}" + ("" if inside else " (not the tutorial's own .venv)"),
        "keeping the tutorial's packages apart from yours",
        "Start with `python3 tutorial.py`: it creates the environment.",
        required=True,
    )


def _packages(home: Home) -> Finding:
    wanted = locked(home.root / "requirements.txt")
    differing = []
    for name, version in wanted.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            differing.append(f"{name} is {installed}, not {version}")
    shown = "; ".join(differing[:4]) + (" ..." if len(differing) > 4 else "")
    return Finding(
        "Packages",
        not differing,
        shown or f"all {len(wanted)} as locked in requirements.txt",
        "the checks and the backend",
        "Delete the folder .venv and start again: it will be recreated.",
        required=True,
    )


def locked(requirements: Path) -> dict[str, str]:
    """The packages that requirements.txt asks for on this machine, with their versions."""
    from packaging.requirements import Requirement

    text = requirements.read_text("utf-8").replace("\\\n", " ")
    wanted = {}
    for line in text.splitlines():
        line = re.sub(r"\s+--hash=\S+", "", line).partition("#")[0].strip()
        if not line:
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            wanted[requirement.name] = str(requirement.specifier).removeprefix("==")
    return wanted


def _folder(home: Home) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=home.root):
            fine, found = True, f"{home.root} can be written to"
    except OSError as error:
        fine, found = False, f"{home.root} cannot be written to: {error.strerror}"
    return Finding(
        "Folder", fine, found, "your project and progress",
        "Move the tutorial to a folder of your own.", required=True,
    )  # fmt: skip


def _space(home: Home) -> Finding:
    places = {Path(place): shutil.disk_usage(place).free for place in _places(home)}
    least = min(places, key=lambda place: places[place])
    return Finding(
        "Disk",
        places[least] >= ROOM,
        f"{places[least] / 1e9:.1f} GB free in {least}",
        "scratch copies of your project while it is checked",
        "Free some disk space: a check needs 0.3 GB.",
        required=True,
    )


def _places(home: Home) -> list[str]:
    return [str(home.root), tempfile.gettempdir()]


def _port(home: Home) -> Finding:
    from course.processes import free_port

    try:
        fine, found = True, f"127.0.0.1 has free ports, such as {free_port()}"
    except OSError as error:
        fine, found = False, f"127.0.0.1 has no free port: {error.strerror}"
    return Finding(
        "Network", fine, found, "starting your server and talking to it",
        "Allow Python to listen on 127.0.0.1 in your firewall.", required=True,
    )  # fmt: skip


def _redis(home: Home) -> Finding:
    from checks.harness.services import redis_executable

    path = redis_executable()
    return Finding(
        "Redis",
        path is not None,
        f"{path} ({_version([str(path), '--version'])})" if path else "not found",
        "items that send messages between processes; everything else works without it",
        _redis_remedy(),
    )


def _redis_remedy() -> str:
    if sys.platform == "darwin":
        return "Install it: brew install redis"
    if os.name == "nt":
        return (
            "Redis does not run on Windows. Use the tutorial under WSL "
            "(https://learn.microsoft.com/windows/wsl/install) for those items."
        )
    return "Install it: sudo apt install redis-server   (or valkey-server)"


def _postgres(home: Home) -> Finding:
    from checks.harness.services import postgres_folder

    folder = postgres_folder()
    server = (
        folder / ("postgres.exe" if os.name == "nt" else "postgres") if folder else None
    )
    remedy = "brew install postgresql" if sys.platform == "darwin" else (
        "https://www.postgresql.org/download/windows/" if os.name == "nt"
        else "sudo apt install postgresql"
    )  # fmt: skip
    return Finding(
        "PostgreSQL",
        server is not None,
        f"{server} ({_version([str(server), '--version'])})" if server else "not found",
        "items that start your project as a cloud host does; everything else works without it",
        f"Install it: {remedy}",
    )


def _git(home: Home) -> Finding:
    path = shutil.which("git")
    return Finding(
        "Git",
        path is not None,
        f"{path} ({_version([path, '--version'])})" if path else "not found",
        "deploying your project, and for maintainers",
        "Install it from https://git-scm.com/downloads",
    )


def _browser(home: Home) -> Finding:
    from checks.browser.browser import VARIABLE, executable

    path = executable()
    return Finding(
        "Browser",
        path is not None,
        path or "no Chrome, Edge or Chromium was found",
        "items of step 7 and later, which look at a page; the check starts its own window",
        f"Install one of them. If you have one in another place, set {VARIABLE} to its program.",
    )


def _events(home: Home) -> Finding:
    from workshop.commands.watch import file_system, polling

    folder = home.workspace if home.workspace.is_dir() else home.root
    told = polling(folder)
    if told:
        found = f"checks the files twice a second ({file_system(folder) or 'as asked'})"
        fine = True
    else:
        fine = events_arrive(home.root)
        found = (
            "the system reports changed files"
            if fine
            else "the system does not report changed files"
        )
    return Finding(
        "Saves",
        fine,
        found,
        "`watch`, which checks again at every save",
        "Set the variable NUMENEON_POLLING=1.",
    )


def events_arrive(root: Path, seconds: float = 2.0) -> bool:
    """Whether a change in this file system is told: makes one, and waits for the news."""
    from watchfiles import watch

    try:
        folder = Path(tempfile.mkdtemp(prefix=".numeneon-", dir=root))
    except OSError:
        return False
    heard = threading.Event()
    timer = threading.Timer(0.1, lambda: (folder / "probe").write_text("changed", "utf-8"))
    timer.start()
    try:
        for seen in watch(
            folder, rust_timeout=int(seconds * 1000), step=20, yield_on_timeout=True
        ):
            if seen:
                heard.set()
            break
    finally:
        timer.join()
        shutil.rmtree(folder, ignore_errors=True)
    return heard.is_set()


def _version(command: list[str]) -> str:
    """What a program says to --version, in short."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "does not start"
    numbers = re.search(r"\d+(\.\d+)+", done.stdout)
    return f"version {numbers[0]}" if numbers else "version unknown"


def _looks() -> Iterator[Callable[[Home], Finding]]:
    yield from (_python, _environment, _packages, _folder, _space, _port)
    yield from (_redis, _postgres, _git, _browser, _events)


LOOKS = tuple(_looks())

"""`run`: a backend with demo people, in a copy with a database of its own."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import contract, processes
from course.files import copy_file, files_of
from course.scratch import RUN, scratch_folder
from course.terminal import complain, has_colour, paint, say
from workshop.arguments import project_options
from workshop.commands.check import interpreter
from workshop.errors import EnvironmentTrouble, Exit, Stop, UsageError
from workshop.home import Home

PEOPLE = ("alice@example.com", "bob@example.com")
SETTINGS = "numeneon_run_settings"
START_SECONDS = 30.0
OVERLAY = '''"""The project's settings, with a database of this run's own."""

from {settings} import *  # noqa: F403
from {settings} import DATABASES as _databases

_default = _databases.get("default", {{}})
_sqlite = "sqlite3" in _default.get("ENGINE", "")
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": {database!r},
        "OPTIONS": _default.get("OPTIONS", {{}}) if _sqlite else {{}},
    }}
}}
# The demo logins end with this run: to make hashes that nobody can break would only take time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
'''


HELP = "start a step's backend with demo users, and print their logins"
MORE = (
    "It runs in a copy with a database of its own: your files and your database stay as "
    "they are. Ctrl-C stops it (the exit status is 0)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow the command's name."""
    parser.add_argument("which", metavar="STEP|final|mine")
    parser.add_argument(
        "--port", type=int, metavar="PORT", help="default: 8000 if free, else another one"
    )
    project_options(parser, python=True)


def run(home: Home, arguments: argparse.Namespace) -> int:
    """Start the backend, print how to use it, and serve until Ctrl-C (exit status 0)."""
    folder = _folder(home, arguments.which, arguments.project)
    choose_port(arguments.port)
    say(f"Preparing {home.shown(folder)}, in a copy with a database of its own ...")
    try:
        with scratch(folder, interpreter(arguments.python)) as backend:
            password = f"demo-{secrets.token_hex(4)}"
            backend.manage("migrate", "--verbosity", "0")
            known = password if seed(backend, password) else None
            with served(backend, arguments.port, known) as (server, port):
                say(*greeting(port, known))
                status = server.wait()
        raise Stop(
            f"The server stopped by itself (exit status {status}); its output is above.",
            Exit.FAILED,
        )
    except KeyboardInterrupt:
        say("", "Stopped. The copy and its database were removed.")
        return Exit.PASSED


@dataclass(frozen=True)
class ScratchBackend:
    """A scratch copy of a backend, ready to be started."""

    folder: Path
    python: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), "manage.py", *arguments]

    def manage(self, *arguments: str) -> None:
        """Run a management command to its end. Raises Stop with its last lines if it fails."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            lines = done.stdout.decode("utf-8", errors="replace").strip().splitlines()
            said = "\n".join(f"    {line}" for line in lines[-8:])
            raise Stop(f"`manage.py {arguments[0]}` failed:\n{said}", Exit.FAILED)


@contextlib.contextmanager
def scratch(folder: Path, python: str | None) -> Iterator[ScratchBackend]:
    """A copy of the project in `folder`, with an empty database; removed at the end.

    Raises Stop if there is no Django project, EnvironmentTrouble if its Python is missing.
    """
    from checks import errors
    from checks.harness import project

    try:
        found = project.find(folder, python)
    except errors.NotYet as news:
        raise Stop(f"This cannot be started: {news.found}.", Exit.FAILED) from news
    except errors.EnvironmentFault as news:
        raise EnvironmentTrouble(f"{news.found}. {news.todo}.") from news
    with scratch_folder(RUN) as top:
        copy = top / "project"
        for name in files_of(folder):
            source = folder / name
            if source.is_file():
                copy_file(source, copy / name)
        inside = copy / found.backend.relative_to(found.root)
        overlay = OVERLAY.format(
            settings=found.settings_module, database=str(top / "db.sqlite3")
        )
        inside.joinpath(f"{SETTINGS}.py").write_text(overlay, "utf-8")
        yield ScratchBackend(inside, found.python, environment())


def environment() -> dict[str, str]:
    """Our environment without what would lead the copy to real data."""
    return contract.without_steering(os.environ) | {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def seed(backend: ScratchBackend, password: str) -> bool:
    """Make the demo people; False, with a word, where the project has no command for it."""
    try:
        backend.manage("seed_demo", "--password", password)
    except Stop as stop:
        if "Unknown command" not in str(stop):
            raise
        complain("This project has no `manage.py seed_demo`, so there are no demo users.")
        return False
    return True


@contextlib.contextmanager
def served(
    backend: ScratchBackend, wanted: int | None, password: str | None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The running server and its port, once it answers. Raises Stop if it does not come up.

    Where no port was asked for and another program was quicker to take the free one, it is
    tried again with the next.
    """
    for _ in range(3):
        port = choose_port(wanted)
        with process(backend, port) as server:
            if comes_up(server, port, password):
                yield server, port
                return
            ended = server.poll() is not None
        if wanted is not None or not listens(port):
            break
    what = "exited" if ended else "does not answer"
    raise Stop(f"The server did not start: it {what}. Its output is above.", Exit.FAILED)


@contextlib.contextmanager
def process(backend: ScratchBackend, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The server's process, ended at the end.

    It is started through the supervisor, which ends it when our end of the pipe closes:
    however this process ends, the server does too.
    """
    supervisor = Path(processes.__file__).with_name("supervisor.py")
    command = [sys.executable, "-S", str(supervisor), "-"]
    command += backend.command("runserver", "--noreload", f"127.0.0.1:{port}")
    apart: dict[str, Any] = (
        {"creationflags": 0x200} if os.name == "nt" else {"start_new_session": True}
    )
    server: subprocess.Popen[bytes] = subprocess.Popen(
        command, cwd=backend.folder, env=backend.environment, stdin=subprocess.PIPE, **apart
    )
    try:
        yield server
    finally:
        assert server.stdin is not None
        server.stdin.close()
        try:
            server.wait(8)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def comes_up(server: subprocess.Popen[bytes], port: int, password: str | None) -> bool:
    """Whether this server answers at the port: it, not another that was there first."""
    up = processes.wait_until(
        lambda: listens(port), seconds=START_SECONDS, alive=lambda: server.poll() is None
    )
    if not up or server.poll() is not None:
        return False
    if password is None or access_token(port, PEOPLE[0], password):
        return True
    # Another program's port, or a login that is not right yet: the first ends our server.
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(5)
    return server.poll() is None


def greeting(port: int, password: str | None) -> list[str]:
    """How to use the server that runs: its address, the logins, and its page."""
    address = paint(f"Running at http://127.0.0.1:{port}/", "bold", colour=has_colour())
    lines = ["", address, ""]
    if page := page_of(port):
        lines += [
            f"  browser  http://127.0.0.1:{port}{page}  (each user in a private window)",
            "",
        ]
    if _request(port, "GET", contract.DOCS_PATH):
        lines += [f"  API      http://127.0.0.1:{port}{contract.DOCS_PATH}", ""]
    if password:
        lines += [f"  {person}   password {password}" for person in PEOPLE]
        lines += [
            "",
            f"  log in   POST http://127.0.0.1:{port}/api/auth/login/",
            '           {"email": "' + PEOPLE[0] + '", "password": "' + password + '"}',
        ]
    return [*lines, "", "Ctrl-C stops it. Its log:", ""]


def page_of(port: int) -> str | None:
    """The path of the newest page for browsers that the server has; None if it has none."""
    pages = (contract.CLIENT_PATH, contract.DEMO_PATH)
    return next((path for path in pages if _request(port, "GET", path)), None)


def access_token(port: int, email: str, password: str) -> str | None:
    """A real token from the server's own login; None if it gives none."""
    body = json.dumps({"email": email, "password": password})
    answer = _request(port, "POST", "/api/auth/login/", body)
    if answer is None:
        return None
    try:
        return str(json.loads(answer)["access"])
    except (ValueError, KeyError, TypeError):
        return None


def choose_port(wanted: int | None) -> int:
    """The port asked for, else 8000 if it is free, else any. Raises Stop."""
    if wanted is None:
        return processes.free_port() if listens(8000) else 8000
    require_port(wanted)
    if listens(wanted):
        raise EnvironmentTrouble(
            f"Port {wanted} is in use by another program. Stop it, or leave out --port."
        )
    return wanted


def require_port(number: int) -> None:
    """Raises UsageError if a number cannot be a port."""
    if not 0 < number < 65536:
        raise UsageError(f"{number} is not a port: they go from 1 to 65535.")


def listens(port: int) -> bool:
    """Whether any program accepts connections at a port of this machine."""
    return processes.listening(port)


def _folder(home: Home, which: str, project: str | None) -> Path:
    if which.lower() == "mine":
        return home.project(project)
    if which.lower() == "final" and home.final.is_dir():
        return home.final
    return home.folder(home.step(which))


def _request(port: int, method: str, path: str, body: str | None = None) -> bytes | None:
    """The body of an HTTP answer; None if there was none, or its status says that it failed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.read() if answer.status < 400 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()

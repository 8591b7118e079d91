"""The project as Render would run it: its blueprint's commands, with services of our own."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness.harness import Harness
from checks.harness.logs import last_words
from checks.harness.sandbox import Sandbox
from checks.harness.servers import Server
from checks.render import blueprint
from checks.render.blueprint import Blueprint
from course import processes
from course.processes import Process, free_port

HOSTNAME = "numeneon-check.onrender.com"
# What Render's edge adds to each request, after it has taken the TLS off.
PROXY_HEADERS = {
    "Host": HOSTNAME,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.7",
}
_RENDER = {
    "RENDER": "true",
    "RENDER_EXTERNAL_HOSTNAME": HOSTNAME,
    "RENDER_EXTERNAL_URL": f"https://{HOSTNAME}",
    "RENDER_INSTANCE_ID": "srv-check-1",
    "RENDER_SERVICE_ID": "srv-check",
    "RENDER_SERVICE_NAME": "numeneon-check",
    "RENDER_SERVICE_TYPE": "web",
    "RENDER_GIT_BRANCH": "main",
    "RENDER_GIT_COMMIT": "0" * 40,
    "RENDER_CPU_COUNT": "1",
    "IS_PULL_REQUEST": "false",
    "WEB_CONCURRENCY": "1",
    "PORT": "10000",
    # Servers trust a proxy on their own machine; Render's edge is not there, so ours must
    # not seem to be. A blueprint that sets this one itself wins.
    "FORWARDED_ALLOW_IPS": "192.0.2.1",
}
# Addresses that nobody answers at, for processes that need no service.
_NO_DATABASE = "postgresql://numeneon:scratch@127.0.0.1:9/numeneon"
_NO_REDIS = "redis://127.0.0.1:9/0"
# What a process needs of this machine; everything else comes from the blueprint.
_MACHINE = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "USER")
_OURS = ("NUMENEON_CHECK", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
_COMMAND_SECONDS = 120.0
_REFUSED = re.compile(r"numeneon-check: refused to start: database '\w+' is (.*), not the")
_INSTALLERS = ("pip", "pip3", "uv", "poetry", "pipenv")


class Production:
    """A copy of the project that is built, migrated and served as its blueprint says."""

    def __init__(self, harness: Harness, plan: Blueprint) -> None:
        self.harness = harness
        self.plan = plan
        self.spot, self.web = plan.web_service()
        self.sandbox = Sandbox(harness.sandbox.original)
        harness.at_end(self.sandbox.close)
        for secret in self.sandbox.project.root.rglob(".env*"):
            secret.unlink()  # what git ignores does not reach Render
        self.folder = self.sandbox.project.root / self.web.get("rootDir", "")
        self.installed = harness.folder / "installed.txt"
        self._programs = self._make_programs()
        # Render generates a value once and then keeps it.
        self._generated = {
            entry["key"]: base64.b64encode(secrets.token_bytes(32)).decode()
            for _, entry in plan.variables()
            if entry.get("generateValue")
        }

    # What Render gives the service

    def values(self, database_url: str, redis_url: str) -> dict[str, str]:
        """The variables of the blueprint, filled with these services."""
        return {
            entry["key"]: _value(entry, database_url, redis_url)
            for _, entry in self.plan.variables()
        }

    def env(
        self, *, real: bool = False, redis_url: str | None = None, **changes: str | None
    ) -> dict[str, str]:
        """The environment of a process on Render: its own variables and the blueprint's.

        Without `real` the services it names do not answer. A change to None removes.
        """
        database_url = self.harness.postgres().url if real else _NO_DATABASE
        redis_url = redis_url or (self.harness.redis().url if real else _NO_REDIS)
        parts = urlsplit(database_url)
        proof = {"HOST": parts.hostname, "PORT": str(parts.port), "NAME": parts.path[1:]}
        ours = self.harness.env(layer="project", database="verify", database_is=proof)
        env = {key: os.environ[key] for key in _MACHINE if key in os.environ}
        env |= {key: ours[key] for key in _OURS}
        env |= _RENDER | self.values(database_url, redis_url) | self._generated
        if own_path := self.values("", "").get("PYTHONPATH"):
            env["PYTHONPATH"] = os.pathsep.join([ours["PYTHONPATH"], own_path])
        path = [
            self._programs,
            self.harness.project.python.parent,
            os.environ.get("PATH", ""),
        ]
        env["PATH"] = os.pathsep.join(map(str, path))
        env |= {key: value for key, value in changes.items() if value is not None}
        return {
            key: value for key, value in env.items() if changes.get(key, "") is not None
        }

    # Commands

    def start(self, command: str, env: dict[str, str]) -> Process:
        """Start a shell command in the service's folder, as Render does."""
        shell = shutil.which("bash")
        if shell is None or os.name == "nt":
            raise EnvironmentFault(
                "Render runs commands in bash, which is not there on this machine",
                todo="on Windows, run the check in WSL",
            )
        process = Process([shell, "-c", command], cwd=self.folder, env=env)
        self.harness.at_end(process.kill)
        return process

    def run(self, key: str, env: dict[str, str]) -> Process:
        """Run that command of the blueprint; raises NotYet if it fails or does not end."""
        return self.finish(self.web[key], env, self.plan.place(*self.spot, key), key)

    def finish(self, command: str, env: dict[str, str], place: Place, name: str) -> Process:
        process = self.start(command, env)
        if process.wait(_COMMAND_SECONDS) is None:
            process.kill()
            raise NotYet(
                f"`{command}` had not ended after {_COMMAND_SECONDS:g} s; its last lines:\n"
                f"{self.log(process, 8)}",
                expected=f"the {name} ends by itself",
                look_at=place,
            )
        if process.exit_code:
            raise NotYet(
                f"`{command}` ended with exit status {process.exit_code}; its last lines:\n"
                f"{self.log(process, 6)}",
                expected=f"the {name} ends with exit status 0",
                look_at=self.place_in(process) or place,
            )
        return process

    def place_in(self, process: Process) -> Place | None:
        """The learner's line in what a process printed; manage.py stands in every traceback."""
        found = self.sandbox.place_in(process.log())
        return None if found and found.file.endswith("manage.py") else found

    def log(self, process: Process, last: int) -> str:
        return self.sandbox.as_learner(process.log(last)) or "(nothing printed)"

    def said(self, process: Process) -> str:
        """Why a process that loads the settings ended, in a sentence part."""
        log = process.log()
        if other := _REFUSED.search(log):
            return f"they name the database {self.sandbox.as_learner(other[1])} instead"
        return self.sandbox.as_learner(last_words(log))

    def _make_programs(self) -> Path:
        """A folder for the front of PATH: the project's Python, and installers that only note.

        A build must not change the environment of the person who checks.
        """
        folder = self.harness.folder / "programs"
        folder.mkdir()
        python = self.harness.project.python
        note = f"{folder}/note"
        _write_program(folder / "note", _NOTE.format(log=shlex.quote(str(self.installed))))
        for name in _INSTALLERS:
            _write_program(folder / name, f'exec {shlex.quote(note)} {name} "$@"\n')
        start = _PYTHON.format(python=shlex.quote(str(python)), note=shlex.quote(note))
        for name in ("python", "python3"):
            _write_program(folder / name, start)
        return folder

    # What the items share

    def build(self) -> None:
        """The build command has run."""
        self.harness.once("built", self._build)

    def _build(self) -> None:
        try:
            env = self.env(real=True)
        except EnvironmentFault:
            env = self.env()  # most builds need no service
        self.run("buildCommand", env)

    def migrate(self) -> None:
        """The pre-deploy command has run, if there is one."""
        self.harness.once("migrated", self._migrate)

    def _migrate(self) -> None:
        if self.web.get("preDeployCommand"):
            self.run("preDeployCommand", self.env(real=True))

    def server(self, name: str, *, distant: bool = False) -> Server:
        """The server of that name, started by the start command on a free $PORT."""
        return self.harness.once(f"server {name}", lambda: self._serve(name, distant))

    def _serve(self, name: str, distant: bool) -> Server:
        self.build()  # a server looks for the static files when it starts
        self.migrate()
        if name != "A" and not self.web.get("preDeployCommand"):
            self.server("A")  # its start command may migrate, which two must not do at once
        redis_url = self.harness.distant_redis() if distant else None

        def start(port: int) -> Process:
            env = self.env(real=True, redis_url=redis_url, PORT=str(port))
            return self.start(self.web["startCommand"], env)

        process, port, up = processes.start_on_free_port(start, processes.listens)
        if not up:
            raise self._no_start(process, port)
        return Server(
            f"the server {name}", port, process, self.sandbox, proxy_headers=PROXY_HEADERS
        )

    def _no_start(self, process: Process, port: int) -> NotYet:
        place = self.plan.place(*self.spot, "startCommand")
        log = process.log()
        if process.exit_code is None:
            process.kill()
            found = (
                f"nobody listened on $PORT ({port}) within {processes.START_SECONDS:g} s"
            )
        else:
            found = f"the start command ended with exit status {process.exit_code}"
        shown = self.sandbox.as_learner("\n".join(log.splitlines()[-8:]))
        return NotYet(
            f"{found}; its last lines:\n{shown or '(nothing printed)'}",
            expected="the start command serves on $PORT until it is told to end",
            look_at=self.sandbox.place_in(log) or place,
        )

    def refusal(self, missing: str) -> NotYet | None:
        """Start without a variable; None if the project refuses that and names it."""
        port = free_port()
        env = self.env(PORT=str(port), WEB_CONCURRENCY="1", **{missing: None})
        process = self.start(self.web["startCommand"], env)
        listened = processes.listens(process, port)
        log = process.log()
        process.kill()
        if (
            not listened
            and process.exit_code
            and missing in log
            and not _REFUSED.search(log)
        ):
            return None
        found = "the server started all the same" if listened else self.said(process)
        settings = self.harness.project.relative(self.harness.project.settings_file)
        return NotYet(
            f"without {missing}: {found}",
            expected=f"the start fails at once, with a sentence that names {missing}",
            look_at=self.sandbox.place_in(log) or Place(settings),
            todo="with DEBUG off, raise ImproperlyConfigured where the variable is read",
        )


def production(harness: Harness) -> Production:
    """The one of this run; raises NotYet while the blueprint is not fit to be used."""
    return harness.once("production", lambda: Production(harness, fitting(harness)))


def read_blueprint(harness: Harness) -> Blueprint:
    return harness.once("blueprint", lambda: blueprint.load(harness.project.root))


def fitting(harness: Harness) -> Blueprint:
    """The blueprint, once all that it names is there."""
    return harness.once("references", lambda: _fitting(harness))


def _fitting(harness: Harness) -> Blueprint:
    plan = read_blueprint(harness)
    plan.web_service()  # it must be there
    blueprint.check_references(plan, harness.project.root)
    return plan


def end(process: Process) -> None:
    """SIGTERM to a server and its workers, as a host sends it before it takes them away."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _value(entry: dict[str, Any], database_url: str, redis_url: str) -> str:
    """What Render would put into this variable."""
    if "fromDatabase" in entry:
        return _part(
            urlsplit(database_url), entry["fromDatabase"]["property"], database_url
        )
    if "fromService" in entry:
        source = entry["fromService"]
        if source["type"] in ("keyvalue", "redis"):
            return _part(urlsplit(redis_url), source.get("property"), redis_url)
        return HOSTNAME
    if "value" in entry:
        return str(entry["value"])
    return _by_hand(entry["key"])


def _part(url: Any, wanted: str, whole: str) -> str:
    parts = {
        "host": url.hostname,
        "port": str(url.port),
        "hostport": f"{url.hostname}:{url.port}",
        "user": url.username or "",
        "password": url.password or "",
        "database": url.path[1:],
    }
    return parts.get(wanted) or whole


def _by_hand(key: str) -> str:
    """What a person might enter for a variable with `sync: false`."""
    if "HOST" in key:
        return HOSTNAME
    if "ORIGIN" in key or "URL" in key:
        return f"https://{HOSTNAME}"
    return secrets.token_urlsafe(40)


def _write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}", "utf-8")
    path.chmod(0o755)


# Notes what would have been installed, and fails as pip does for a file that is not there.
_NOTE = """\
echo "$*" >> {log}
while [ $# -gt 0 ]; do
    case "$1" in
        -r | --requirement) shift; file="$1" ;;
        -r*) file="${{1#-r}}" ;;
        --requirement=*) file="${{1#--requirement=}}" ;;
        *) file="" ;;
    esac
    if [ -n "$file" ] && [ ! -f "$file" ]; then
        echo "ERROR: Could not open requirements file: '$file'" >&2
        exit 1
    fi
    shift
done
"""
_PYTHON = """\
if [ "$1" = "-m" ] && [ "$2" = "pip" ]; then shift; exec {note} "$@"; fi
exec {python} "$@"
"""

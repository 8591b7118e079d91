"""The project as Render would run it: its blueprint's commands, with services of our own."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness import client
from checks.harness.causes import cause_of
from checks.harness.harness import Harness
from checks.harness.logs import last_traceback, last_words
from checks.harness.project import read
from checks.harness.sandbox import Sandbox
from checks.harness.servers import LOCAL, Server
from checks.render import blueprint, installer, values
from checks.render.blueprint import FILE, Blueprint
from checks.render.installer import Shelf
from checks.render.programs import write_programs
from course import processes
from course.deadline import patient
from course.processes import Process, listening, start_on_free_port, wait_until

HOSTNAME = "numeneon-check.onrender.com"
# What Render's edge adds to each request, after it has taken the TLS off.
PROXY_HEADERS = {
    "Host": HOSTNAME,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.7",
}
# Render's proxy is on another machine: a server that believes only its own must not believe
# ours. Only Linux has a second address to connect from.
PROXY_ADDRESS = "127.0.0.2" if sys.platform.startswith("linux") else None
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
    # Render sets it for Python, and a blueprint may set it too: uvicorn and gunicorn believe
    # the proxy's headers if they come from these addresses. Daphne does not read it.
    "FORWARDED_ALLOW_IPS": "*",
    # Likewise: without it, gunicorn would listen at 127.0.0.1:8000.
    "GUNICORN_CMD_ARGS": "--preload --access-logfile - --bind=0.0.0.0:10000",
}
# Addresses that nobody answers at, for processes that need no service.
_NO_DATABASE = "postgresql://numeneon:scratch@127.0.0.1:9/numeneon"
NO_REDIS = "redis://127.0.0.1:9/0"
# How a project is judged that has settings for production and no blueprint yet.
_OURS_BEFORE = """\
services:
  - type: web
    name: numeneon
    runtime: python
    buildCommand: >-
      {install}
      && {{ python {backend}/manage.py collectstatic --no-input || true; }}
    startCommand: >-
      cd {backend} && python manage.py migrate --no-input
      && exec uvicorn {package}.asgi:application --host 0.0.0.0 --port $PORT --lifespan off
    healthCheckPath: /healthz/
    envVars:
      - {{key: DEBUG, value: "false"}}
      - {{key: ALLOWED_HOSTS, value: {host}}}
      - {{key: SECRET_KEY, generateValue: true}}
      - key: DATABASE_URL
        fromDatabase: {{name: database, property: connectionString}}
      - key: REDIS_URL
        fromService: {{type: keyvalue, name: events, property: connectionString}}
"""
# What a process needs of this machine; everything else comes from the blueprint.
_MACHINE = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "USER")
_OURS = (
    "NUMENEON_CHECK",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "PYTHONIOENCODING",
)
_COMMAND_SECONDS = patient(60.0)
_REFUSED = re.compile(r"numeneon-check: refused to start: database '\w+' is (.*), not the")
# A name that a program could not find: a module's, or a command's.
_NO_MODULE = re.compile(r"No module named '?([\w.]+)")
_NO_COMMAND = re.compile(r"([\w.-]+): (?:command not found|not found)$", re.MULTILINE)
# What Render's own machines have besides Python, and this one need not have.
_TOOLS = ("node", "npm", "npx", "yarn", "pnpm", "bun", "git", "curl", "wget", "make", "gcc")
_TRACEBACK = "Traceback (most recent call last)"
_COLLECTING = re.compile(r"staticfiles[/\\]management[/\\]commands[/\\]collectstatic\.py")
# PostgreSQL's own words; the second comes where its certificate has to be verified.
_NO_TLS = re.compile(
    r"server does not support SSL|root certificate file .* does not exist|"
    r"certificate verify failed"
)
# How daphne, uvicorn, gunicorn and hypercorn say where they listen, and that they cannot.
_ELSEWHERE = re.compile(r"(?:[Rr]unning on|[Ll]istening (?:on|at))\b.*?:(\d{2,5})\b")
_TAKEN = re.compile(
    r":(\d{2,5})\b.*in use|in use.*?[:,]\s*(\d{2,5})\b|[:,] (\d{2,5})\).*in use"
)
_PASSWORD = re.compile(r"(\w+://[^\s:/@]*:)[^\s@/]+(@)")
_HIDDEN = "********"
_SHORTEST_SECRET = 8
_LOOKS_SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|API_?KEY|PRIVATE", re.IGNORECASE)


class NotCollected(NotYet):
    """The news that collectstatic stopped: the one of the item about static files."""


def looks_secret(key: str) -> bool:
    """Whether a variable of that name is likely to hold something nobody may read."""
    return _LOOKS_SECRET.search(key) is not None


class _Copy(Sandbox):
    """A scratch copy whose messages name no secret."""

    secrets: tuple[str, ...] = ()

    def as_learner(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return _PASSWORD.sub(rf"\1{_HIDDEN}\2", super().as_learner(text))


class Production:
    """A copy of the project that is built, migrated and served as its blueprint says."""

    def __init__(self, harness: Harness, plan: Blueprint, source: str = FILE) -> None:
        """`source` is how messages call the place that the variables come from."""
        self.harness = harness
        self.source = source
        self.plan = plan
        self.spot, self.web = plan.web_service()
        self.sandbox = _Copy(harness.sandbox.original)
        harness.at_end(self.sandbox.close)
        for secret in self.sandbox.project.root.rglob(".env*"):
            secret.unlink()  # what git ignores does not reach Render
        self.folder = self.sandbox.project.root / self.web.get("rootDir", "")
        self.discarded: list[str] = []
        self._building: Process | None = None
        self.shelf = Shelf(harness.folder / "shelf")
        write_programs(self.shelf, harness.project.python, harness.interpreters.desk())
        # Render generates a value once and then keeps it, and a person enters it once.
        self._kept = {
            entry["key"]: values.generated()
            for _, entry in plan.variables()
            if entry.get("generateValue")
        }
        self._by_hand = {
            entry["key"]: values.generated()
            for _, entry in plan.variables()
            if "sync" in entry and "value" not in entry
        }
        made = (*self._kept.values(), *self._by_hand.values())
        self.sandbox.secrets = (*made, *self._written_secrets())

    def _written_secrets(self) -> list[str]:
        """What a blueprint should not hold, where it does."""
        return [
            str(entry["value"])
            for _, entry in self.plan.variables()
            if looks_secret(entry["key"])
            and len(str(entry.get("value", ""))) >= _SHORTEST_SECRET
        ]

    # What Render gives the service

    def values(self, database_url: str, redis_url: str) -> dict[str, str]:
        """The variables of the blueprint, filled with these services."""
        found = {
            entry["key"]: values.value_of(entry, database_url, redis_url, HOSTNAME)
            for _, entry in self.plan.variables()
        }
        entered = {
            key: values.entered(key, database_url, redis_url, HOSTNAME, anything)
            for key, anything in self._by_hand.items()
        }
        known = {key: value for key, value in found.items() if value is not None}
        return {**entered, **known, **self._kept}

    def made_up(self, process: Process) -> str | None:
        """The variable entered by hand whose value, ours, a process could not use."""
        log, filled = process.log(), self.values(_NO_DATABASE, NO_REDIS)
        return next((key for key in self._by_hand if repr(filled[key]) in log), None)

    def key_variable(self, secret_key: str) -> str:
        """The variable from which the settings have their SECRET_KEY."""
        filled = self.values(_NO_DATABASE, NO_REDIS)
        return next((k for k, value in filled.items() if value == secret_key), "SECRET_KEY")

    def database_variable(self) -> str:
        """A variable without which nobody can say where the database is."""
        linked = [e["key"] for _, e in self.plan.variables() if "fromDatabase" in e]
        named = [key for key in self.values("", "") if values.is_of_database(key)]
        return [*linked, *named, "DATABASE_URL"][0]

    def redis_variable(self) -> str:
        """A variable from which the settings have the address of their Redis."""
        filled = self.values(_NO_DATABASE, NO_REDIS)
        return next((k for k, value in filled.items() if value == NO_REDIS), "REDIS_URL")

    def env(
        self,
        *,
        real: bool = False,
        fresh: bool = False,
        redis_url: str | None = None,
        **changes: str | None,
    ) -> dict[str, str]:
        """The environment of a process on Render: its own variables and the blueprint's.

        Without `real` the services it names do not answer. A `fresh` one has only the
        packages that the build has installed so far. A change to None removes.
        """
        database_url = self.harness.postgres().url if real else _NO_DATABASE
        redis_url = redis_url or (self.harness.redis().url if real else NO_REDIS)
        parts = urlsplit(database_url)
        proof = {"HOST": parts.hostname, "PORT": str(parts.port), "NAME": parts.path[1:]}
        packages = {"packages": str(self.installed().packages)} if fresh else {}
        ours = self.harness.env(
            layer="project", database="verify", database_is=proof, **packages
        )
        env = {key: os.environ[key] for key in _MACHINE if key in os.environ}
        env |= {key: ours[key] for key in _OURS}
        env |= _RENDER | self.values(database_url, redis_url)
        if own_path := self.values("", "").get("PYTHONPATH"):
            env["PYTHONPATH"] = os.pathsep.join([ours["PYTHONPATH"], own_path])
        path = [
            self.shelf.programs,
            self.harness.project.python.parent,
            os.environ.get("PATH", ""),
        ]
        env["PATH"] = os.pathsep.join(map(str, path))
        env |= {key: value for key, value in changes.items() if value is not None}
        # Its last word is Render's port, and ours is another one.
        env["GUNICORN_CMD_ARGS"] = re.sub(
            rf":{_RENDER['PORT']}\b", f":{env['PORT']}", env["GUNICORN_CMD_ARGS"]
        )
        return {
            key: value for key, value in env.items() if changes.get(key, "") is not None
        }

    def installed(self) -> Shelf:
        """The packages of the build, still empty before it; the machine's are known."""
        return self.harness.once("shelf", self._filled_shelf)

    def _filled_shelf(self) -> Shelf:
        report = self.harness.probe("check_distributions")
        installer.fill(self.shelf, report, self.sandbox.project)
        return self.shelf

    # Commands

    def start(self, command: str, env: dict[str, str]) -> Process:
        """Start a shell command in the service's folder, as Render does."""
        process = Process([_bash(), "-c", command], cwd=self.folder, env=env)
        self.harness.at_end(process.kill)
        return process

    def manage(self, *arguments: str, **services: Any) -> Process:
        """Start manage.py of the copy with these arguments, in the service's folder.

        `services` are what env() is given.
        """
        _bash()  # without it nothing of a deployment is judged
        argv = [str(self.sandbox.project.backend / "manage.py"), *arguments]
        env = self.env(**services)
        process = self.harness.interpreters.start(self.sandbox, argv, env, self.folder)
        self.harness.at_end(process.kill)
        return process

    def program(self, *argv: str, **services: Any) -> Process:
        """Start a Python program of the copy in its backend folder, without a blueprint's
        commands; `services` are what env() is given."""
        env = self.env(**services)
        backend = self.sandbox.project.backend
        process = self.harness.interpreters.start(self.sandbox, list(argv), env, backend)
        self.harness.at_end(process.kill)
        return process

    def daphne(self, **services: Any) -> Server:
        """Daphne with the settings of production, whatever the blueprint starts."""

        def start(port: int) -> Process:
            argv = ["-m", "daphne", "-b", LOCAL, "-p", str(port), self.harness.project.asgi]
            return self.program(*argv, **services)

        process, port, up = start_on_free_port(start, processes.listens)
        if not up:
            raise self.harness.crash(
                process, "daphne with the settings of production ended"
            )
        name = "the server with the settings of production"
        return Server(name, port, process, self.sandbox, proxy_headers=PROXY_HEADERS)

    def run(self, key: str, env: dict[str, str]) -> Process:
        """Run that command of the blueprint; raises NotYet if it fails or does not end."""
        return self.finish(self.web[key], env, self.plan.place(*self.spot, key), key)

    def finish(self, command: str, env: dict[str, str], place: Place, name: str) -> Process:
        process = self.start(command, env)
        if process.wait(_COMMAND_SECONDS) is None:
            process.kill()
            raise NotYet(
                f"`{command}` had not finished after {_COMMAND_SECONDS:g} s; its last lines:\n"
                f"{self.log(process, 8)}",
                expected=f"the {name} exits by itself",
                look_at=place,
            )
        if process.exit_code:
            shown = f"`{command}` exited with status {process.exit_code}"
            expected = f"the {name} exits with status 0"
            raise (
                self.explained(process)
                or self._crash(process, shown, expected)
                or NotYet(
                    f"{shown}; its last lines:\n{self.log(process, 6)}",
                    expected=expected,
                    look_at=self.place_in(process) or place,
                )
            )
        return process

    def _crash(self, process: Process, what: str, expected: str) -> NotYet | None:
        """The news of an exception, if the line of the project that has to change is known."""
        log = process.log()
        if news := self._not_collected(log):
            return news
        cause = cause_of(log, self.sandbox)
        if _TRACEBACK not in log or cause.environment or cause.look_at is None:
            return None
        found = f"{what}: {cause.found}"
        return NotYet(found, expected=expected, look_at=cause.look_at, todo=cause.todo)

    def not_collected(self) -> NotYet | None:
        """Why the build did not collect the static files, where it went on without them."""
        if self._building is None:
            return None
        return self._not_collected(self._building.log())

    def _not_collected(self, log: str) -> NotYet | None:
        """The news that a log ends with, if collectstatic stopped with an exception."""
        trace = last_traceback(log)
        if not _COLLECTING.search(trace):
            return None
        cause = cause_of(trace, self.sandbox)
        no_root = "STATIC_ROOT" in cause.found
        return NotCollected(
            f"`manage.py collectstatic` stopped: {cause.found}",
            expected="it copies the static files of all apps into one folder",
            look_at=cause.look_at,
            todo='write STATIC_ROOT = BASE_DIR / "staticfiles": the folder that it copies to'
            if no_root
            else cause.todo,
        )

    def explained(self, process: Process) -> NotYet | EnvironmentFault | None:
        """Why a program of the blueprint failed, where that is not in its own code."""
        log = process.log()
        if not self.shelf.is_filled:
            return None
        if _NO_TLS.search(log):
            return EnvironmentFault(
                "the project asks PostgreSQL for TLS (ssl_require or sslmode), and the "
                "PostgreSQL on this machine cannot provide it",
                todo="nothing is wrong with that; check the deployment itself with "
                "`check 6 --url https://...`",
            )
        for name in dict.fromkeys(_NO_MODULE.findall(log)):
            if found := self._not_installed(f"module {name}", self._owner_of_module(name)):
                return found
            if self.shelf.missing and not self._is_own_module(name):
                return self._not_here()
        for name in dict.fromkeys(_NO_COMMAND.findall(log)):
            if found := self._not_installed(f"command {name}", self._owner_of_script(name)):
                return found
            if name in self.shelf.missing:
                return self._not_here()
            if name in _TOOLS:
                return EnvironmentFault(
                    f"`{name}` is not installed on this machine, but it is on Render's",
                    todo=f"install {name}, then check again",
                )
        return None

    def _not_here(self) -> EnvironmentFault:
        names = ", ".join(self.shelf.missing)
        return EnvironmentFault(
            f"the build installs {names}, which {self.harness.project.python} does not have",
            todo="install the project's requirements into that environment, then check again",
        )

    def _not_installed(self, what: str, package: str | None) -> NotYet | None:
        """The news that the build lacks a package; None if it has it, or there is none."""
        if package is None or self.shelf.is_installed(package):
            return None
        root = self.sandbox.project.root
        lists = [Path(path) for path in self.shelf.lists]
        files = [path.relative_to(root).as_posix() for path in lists]
        where = ", ".join(files) or "anything that the build installs"
        return NotYet(
            f"the {what} is missing after the build: its package, {package}, is not in {where}",
            expected="the build installs everything that the server needs",
            look_at=Place(files[0])
            if files
            else self.plan.place(*self.spot, "buildCommand"),
            todo=f"add {package} to {files[0]}"
            if files
            else "let the build command run `pip install -r requirements.txt`",
        )

    def _owner_of_module(self, module: str) -> str | None:
        """The package of this machine that a module belongs to."""
        first = module.split(".")[0]
        for name, distribution in self.shelf.offered()["distributions"].items():
            stems = {
                Path(entry).name.split(".")[0] for entry in distribution["entries"] or ()
            }
            if first in stems:
                return name
        return None

    def _owner_of_script(self, script: str) -> str | None:
        for name, distribution in self.shelf.offered()["distributions"].items():
            if script in {Path(path).name for path in distribution["scripts"]}:
                return name
        return None

    def _is_own_module(self, module: str) -> bool:
        first = module.split(".")[0]
        folders = (self.sandbox.project.backend, self.folder, self.sandbox.project.root)
        return any(
            (folder / first).is_dir() or (folder / f"{first}.py").is_file()
            for folder in folders
        )

    def place_in(self, process: Process) -> Place | None:
        """The learner's line in what a process printed; manage.py is in every traceback."""
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

    # What the items share

    def build(self) -> None:
        """The build command has run."""
        self.harness.once("built", self._build)

    def _build(self) -> None:
        try:
            env = self.env(real=True, fresh=True)
        except EnvironmentFault:
            env = self.env(fresh=True)  # most builds need no service
        self._building = self.run("buildCommand", env)

    def migrate(self) -> None:
        """The pre-deploy command has run, if there is one."""
        self.harness.once("migrated", self._migrate)

    def _migrate(self) -> None:
        self.build()  # before it, no package is there
        if self.web.get("preDeployCommand"):
            before = _contents(self.sandbox.project.root)
            self.run("preDeployCommand", self.env(real=True, fresh=True))
            # It runs on an instance of its own: what it writes is not in the deployed one.
            self.discarded = _restore(self.sandbox.project.root, before)

    def server(self, name: str, *, redis_url: str | None = None) -> Server:
        """The server of that name, started by the start command on a free $PORT.

        `redis_url` is that of its Redis, if not the one of all servers.
        """
        return self.harness.once(f"server {name}", lambda: self._serve(name, redis_url))

    def _serve(self, name: str, redis_url: str | None) -> Server:
        self.migrate()
        if name != "A" and not self.web.get("preDeployCommand"):
            self.server("A")  # its start command may migrate, which two must not do at once

        def start(port: int) -> Process:
            instance = (
                f"srv-check-{name.replace(' ', '-')}"  # another one each, as on Render
            )
            env = self.env(
                real=True,
                fresh=True,
                redis_url=redis_url,
                PORT=str(port),
                RENDER_INSTANCE_ID=instance,
            )
            return self.start(self.web["startCommand"], env)

        process, port, up = start_on_free_port(start, _listens_somewhere)
        if not (up and listening(port)):
            if name != "A":
                # One that uses a fixed port takes it from the others: the news is A's.
                self.server("A")
            raise self._no_start(process, port)
        return Server(
            f"the server {name}", port, process, self.sandbox, proxy_headers=PROXY_HEADERS
        )

    def _no_start(self, process: Process, port: int) -> NotYet | EnvironmentFault:
        place = self.plan.place(*self.spot, "startCommand")
        log = process.log()
        running = process.exit_code is None
        process.kill()
        if other := _other_port(log, port):
            return NotYet(
                f"the server listens on port {other}, which is not the one in $PORT",
                expected="the start command serves on the port that Render puts into $PORT",
                look_at=place,
                todo="let the start command use `$PORT`: with uvicorn `--port $PORT`, with "
                "daphne `-p $PORT`, with gunicorn and hypercorn `--bind 0.0.0.0:$PORT`",
            )
        if found := self.explained(process):
            return found
        expected = "the start command serves on $PORT until it gets SIGTERM"
        if running:
            found_out = (
                f"nothing listened on $PORT ({port}) within {processes.START_SECONDS:g} s"
            )
        else:
            found_out = f"the start command exited with status {process.exit_code}"
            if crash := self._crash(process, found_out, expected):
                return crash
        lacking = _NO_COMMAND.findall(log)
        shown = self.sandbox.as_learner("\n".join(log.splitlines()[-8:]))
        return NotYet(
            f"{found_out}; its last lines:\n{shown or '(nothing printed)'}",
            expected=expected,
            look_at=self.sandbox.place_in(log) or place,
            todo=f"add the package that provides `{lacking[0]}` to the requirements, or correct "
            "its name"
            if lacking
            else "",
        )

    def refusal(self, missing: str) -> NotYet | None:
        """Start without a variable; None if the project refuses that and names it.

        A supervisor (gunicorn, uvicorn with --workers) may listen already while each of its
        workers refuses, and start them again and again: what counts is that no request is
        answered and that the sentence is printed.
        """
        path = self.web["healthCheckPath"]
        self.build()  # until it has ended, a program may be missing for that reason alone

        def start(port: int) -> Process:
            # With its services, which the start command may use before the server is there.
            env = self.env(real=True, fresh=True, PORT=str(port), **_without(missing))
            return self.start(self.web["startCommand"], env)

        def answers(process: Process, port: int) -> bool:
            answered = False

            def is_settled() -> bool:
                nonlocal answered
                answered = answered or _answers(port, path)
                return answered or _repeats(process.log(), missing)

            wait_until(
                is_settled,
                seconds=processes.START_SECONDS,
                alive=lambda: process.exit_code is None,
            )
            return answered

        process, _, answered = start_on_free_port(start, answers)
        ended = process.exit_code
        process.kill()
        log = process.log()
        if not answered and ended != 0 and missing in log and not _REFUSED.search(log):
            return None
        found = "the server started anyway" if answered else self.said(process)
        settings = self.harness.project.relative(self.harness.project.settings_file)
        return NotYet(
            f"without {missing}: {found}",
            expected=f"the start fails at once, with a message that names {missing}",
            look_at=self.sandbox.place_in(log) or Place(settings),
            todo="with DEBUG off, raise ImproperlyConfigured where the variable is read",
        )


def _bash() -> str:
    """The shell of Render's commands. Raises EnvironmentFault."""
    shell = shutil.which("bash")
    if shell is None or os.name == "nt":
        raise EnvironmentFault(
            "Render runs commands in bash, which is not installed on this machine",
            todo="on Windows, run the check in WSL",
        )
    return shell


def _contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _restore(root: Path, before: dict[Path, bytes]) -> list[str]:
    """Undo what changed since then; the names of the files that were new, sorted."""
    after = _contents(root)
    new = sorted(after.keys() - before.keys())
    for path in new:
        path.unlink()
    for path, content in before.items():
        if after.get(path) != content:
            path.write_bytes(content)
    return [path.relative_to(root).as_posix() for path in new]


def _listens_somewhere(process: Process, port: int) -> bool:
    """Wait until the server listens, be it at another port than the one it was given."""
    return wait_until(
        lambda: listening(port) or _other_port(process.log(), port) is not None,
        seconds=processes.START_SECONDS,
        alive=lambda: process.exit_code is None,
    )


def _other_port(log: str, port: int) -> int | None:
    """The port that a server says it listens on, or wanted to, if that is not this one."""
    found = [*_ELSEWHERE.findall(log), *("".join(groups) for groups in _TAKEN.findall(log))]
    others = [int(text) for text in found if int(text) != port]
    return others[0] if others and len(others) == len(found) else None


def _without(name: str) -> dict[str, Any]:
    """The change to an environment that takes one variable away."""
    return {name: None}


def _answers(port: int, path: str) -> bool:
    """Whether an HTTP request gets any answer at all."""
    if not listening(port):
        return False
    try:
        client.request(port, "GET", path, headers=PROXY_HEADERS, patience=1)
    except client.NoAnswer:
        return False
    return True


def _repeats(log: str, missing: str) -> bool:
    """Whether a sentence that names the variable was printed by one worker after another."""
    lines = [line for line in log.splitlines() if missing in line]
    return any(lines.count(line) >= 3 for line in set(lines))


def place_in_lists(plan: Production, package: str) -> Place | None:
    """The line of the installed requirements files that names a package."""
    for path in map(Path, plan.shelf.lists):
        for number, line in enumerate(read(path).splitlines(), 1):
            if re.match(rf"[\s\"']*{re.escape(package)}\b", line, re.IGNORECASE):
                return Place(path.relative_to(plan.sandbox.project.root).as_posix(), number)
    return None


def production(harness: Harness) -> Production:
    """The one of this run; raises NotYet while the blueprint is not fit to be used."""
    return harness.once("production", lambda: _production(harness))


def _production(harness: Harness) -> Production:
    if has_blueprint(harness):
        return Production(harness, fitting(harness))
    project = harness.project
    text = _OURS_BEFORE.format(
        backend=shlex.quote(project.relative(project.backend)),
        package=project.package,
        host=HOSTNAME,
        install=installer.command_for(project),
    )
    settings = project.relative(project.settings_file)
    plan = replace(blueprint.read_text(text), file=settings)
    return Production(harness, plan, "this check")


def has_blueprint(harness: Harness) -> bool:
    """Whether the project has one, be it right or wrong."""
    return (harness.project.root / FILE).exists()


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

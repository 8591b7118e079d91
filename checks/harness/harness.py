"""What a checklist works with: the project's interpreter, a scratch database, real services."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checks.browser.browser import Browsers
from checks.errors import EnvironmentFault, NotYet, Place
from checks.harness import services
from checks.harness.causes import cause_of
from checks.harness.hanging import being, hanging_at
from checks.harness.latency_proxy import LatencyProxy
from checks.harness.resources import Resources
from checks.harness.sandbox import Sandbox
from checks.harness.services import Service
from checks.harness.warm import PROBES, Interpreters, NoDatabases, environment
from course import processes
from course.deadline import patient, waiting_for
from course.processes import Process

MEMORY_LAYER = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
# For how long a project waits for clients that do nothing, where it has these settings.
_SHORTER = dict.fromkeys(["AUTH_SECONDS", "SEND_SECONDS"], round(patient(2)))
# How late a Redis answers that is not on this machine: a slow moment in a cloud. Seconds.
_DISTANCE = 0.1


class Crash(NotYet):
    """The news that a process of the project's died; `log` is all that it printed."""

    def __init__(
        self, found: str, log: str, expected: str, look_at: Place | None, todo: str
    ) -> None:
        super().__init__(found, expected=expected, look_at=look_at, todo=todo)
        self.log = log


class Harness(Resources):
    """One run over one project: what the items ask for is made once, and taken away."""

    def __init__(
        self,
        sandbox: Sandbox,
        interpreters: Interpreters,
        databases: NoDatabases,
        run: int = 1,
        *,
        postgres: Callable[[], Service] = services.start_postgres,
        browsers: Browsers | None = None,
    ) -> None:
        super().__init__()
        self.browsers = browsers or Browsers()
        if browsers is None:
            self.at_end(self.browsers.close)
        self.sandbox = sandbox
        self.project = sandbox.project
        self.interpreters = interpreters
        self.databases = databases
        self._postgres = postgres
        self.folder = sandbox.folder / f"run-{run}"
        self.facts_folder = self.folder / "facts"
        self.facts_folder.mkdir(parents=True)
        self.database_path = self.folder / "db.sqlite3"
        # Whether a server that the checklist starts anyway runs Django's system checks.
        self.checked_by_runserver = False
        self.url: str | None = None
        self.logins: list[tuple[str, str]] = []
        self._names = itertools.count(1)
        self._processes: list[Process] = []

    # Processes in the project

    def env(self, **plan: Any) -> dict[str, str]:
        """The environment of a process that runs the learner's code (see probes/guard).

        `layer` is a CHANNEL_LAYERS entry or "project"; `database` a path, or "verify"
        with `database_is`; `caches` keeps those of the project that are in these; `middleware`
        goes in front of the project's; `throttled` keeps the project's limits of requests;
        `variables` are set on top, None removes one.
        """
        variables = plan.pop("variables", {})
        whole = {
            "facts": str(self.facts_folder),
            "database": str(self.database_path),
            "layer": MEMORY_LAYER,
            "middleware": [],
            "shorter": _SHORTER,
            **plan,
        }
        env = environment(**whole)
        env.pop("VIRTUAL_ENV", None)
        env["SECRET_KEY"] = "a-key-for-one-check-only-0123456789-abcdefghijklmnop"
        env |= {k: v for k, v in variables.items() if v is not None}
        return {k: v for k, v in env.items() if variables.get(k, "") is not None}

    def start(self, argv: list[str], env: dict[str, str]) -> Process:
        """Start the project's interpreter with these arguments, in the backend folder."""
        python = self.project.python
        try:
            process = self.interpreters.start(self.sandbox, argv, env)
        except OSError as error:
            raise EnvironmentFault(
                f"the project's Python cannot be started: {python}: {error.strerror}",
                todo="recreate its virtual environment, or use another interpreter with --python",
            ) from error
        self._processes.append(process)
        self.at_end(process.kill)
        return process

    def close(self) -> None:
        """As Resources.close(), but the processes are killed together: each takes a while."""
        for process in self._processes:
            if process.exit_code is None:
                process.kill_group()
        super().close()

    def finish(self, argv: list[str], env: dict[str, str], *, seconds: float) -> Process:
        """Run to the end; raises NotYet if it takes longer than that many seconds."""
        process = self.start(argv, env)
        self._await_end(process, seconds)
        return process

    def _await_end(self, process: Process, seconds: float) -> None:
        with waiting_for(f"the end of `{self._typed(process.argv)}`"):
            status = process.wait(seconds)
        if status is None:
            log = self.sandbox.as_learner(process.log(8))
            at = hanging_at(process, self.sandbox)
            process.kill()
            raise NotYet(
                f"`{self._typed(process.argv)}` had not finished after {seconds:g} s{being(at)}; "
                f"its last lines:\n{log or '(nothing printed)'}",
                expected="it exits by itself",
                look_at=at,
            )

    def _typed(self, argv: list[str]) -> str:
        """A command as the learner would type it; ours have names of their own."""
        first, *rest = argv
        words = ["python" if Path(first) == self.project.python else first, *rest]
        return " ".join(Path(word).name if str(PROBES) in word else word for word in words)

    def probe(
        self, name: str, *args: str, seconds: float = patient(30), **plan: Any
    ) -> Any:
        """What a script of probes/ reports, run by the project's interpreter.

        The script prints one line `RESULT {json}`. Raises NotYet if the learner's code
        stopped it.
        """
        process = self.start(self.script(name, *args), self.env(**plan))
        return self.result_of(process, seconds=seconds)

    def script(self, name: str, *args: str) -> list[str]:
        """What follows `python` to run a script of probes/."""
        return [str(PROBES / f"{name}.py"), *args]

    def result_of(self, process: Process, *, seconds: float) -> Any:
        """What the script of probes/ that this process runs reports at its end."""
        self._await_end(process, seconds)
        # A long line reaches us in pieces, and something else may follow the result.
        _, found, rest = f"\n{process.log()}".rpartition("\nRESULT ")
        if found:
            return json.JSONDecoder().raw_decode(rest.replace("\n", ""))[0]
        raise self.crash(process, "the project's code stopped with an error")

    def crash(
        self, process: Process, what: str, expected: str = "", todo: str = ""
    ) -> Crash | EnvironmentFault:
        """The news that a process died: its last words, and the place that has to change.

        It is an EnvironmentFault if the project's Python lacks what the project asks for.
        """
        log = process.log()
        cause = cause_of(log, self.sandbox)
        if cause.environment:
            return EnvironmentFault(cause.found, todo=cause.todo)
        found = f"{what}: {cause.found}"
        return Crash(found, log, expected, cause.look_at, todo or cause.todo)

    def place_in(self, traceback: str) -> Place | None:
        return self.sandbox.place_in(traceback)

    # The scratch database

    def database(self) -> Path:
        """The scratch database, migrated as the learner would: `manage.py migrate`."""
        return self.once("database", self._migrate)

    def _migrate(self) -> Path:
        if self.databases.reuse(self.sandbox, self.database_path):
            return self.database_path
        argv = ["manage.py", "migrate", "--noinput"]  # it prints what it is applying
        argv += ["--skip-checks"] if self.checked_by_runserver else []
        process = self.finish(argv, self.env(), seconds=processes.START_SECONDS * 2)
        if process.exit_code:
            raise self.crash(
                process,
                "`python manage.py migrate` failed",
                expected="all migrations apply",
            )
        if not self.facts_of(process):
            raise NotYet(
                "the project never loaded its settings through Django",
                expected="manage.py sets DJANGO_SETTINGS_MODULE and calls Django",
                look_at=Place(self.project.relative(self.project.backend / "manage.py")),
            )
        self.databases.keep(self.sandbox, self.database_path)
        return self.database_path

    def facts_of(self, process: Process) -> dict[str, Any] | None:
        """What the guard wrote down when that process loaded the settings."""
        try:
            text = (self.facts_folder / f"{process.pid}.json").read_text("utf-8")
        except FileNotFoundError:
            return None
        return json.loads(text)

    # Services of our own

    def redis(self, *, password: str = "") -> Service:
        """A real Redis, empty and private to this run; protected by a password if given one."""
        name = "redis with a password" if password else "redis"
        folder = self.folder / name.replace(" ", "-")
        return self.once(
            name, lambda: self._kept(services.start_redis(folder, password=password))
        )

    def postgres(self) -> Service:
        """A real PostgreSQL, empty and private to this run."""
        return self.once("postgres", lambda: self._kept(self._postgres()))

    def _kept(self, service: Service) -> Service:
        self.at_end(service.stop)
        return service

    def distant_redis(self, *, password: str = "") -> str:
        """The URL of the same Redis, its answers late as those of one on another machine."""
        name = "distant redis with a password" if password else "distant redis"
        return self.once(name, lambda: self._distant_redis(password))

    def _distant_redis(self, password: str) -> str:
        link = LatencyProxy(self.redis(password=password).port, delay=_DISTANCE).start()
        self.at_end(link.close)
        return services.redis_url(link.port, password)

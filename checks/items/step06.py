"""Step 6: the project runs on Render, with PostgreSQL, Redis and several processes."""

from __future__ import annotations

import re
import shlex
import sys
import time
import uuid
from contextlib import ExitStack
from typing import Any

from checks.bench import TOKEN_WAYS, Bench, Person, Server
from checks.client import Socket
from checks.errors import Blocked, EnvironmentFault, NotYet, Place
from checks.items import Checklist, Hints
from checks.processes import Process, listening
from checks.production import Production, end, fitting, production, read_blueprint
from checks.remote import WAKING_SECONDS, Remote

_PLAN = "render.yaml"
_SETTINGS = "backend/numeneon/settings.py"
IDLE_SECONDS = 15.0
_IDLE_PEOPLE = 10
_SOCKETS_EACH = 5
_STYLE_SHEET = re.compile(r'href="([^"]+\.css)"')

checklist = Checklist(
    6,
    early=[
        lambda bench: bench.postgres,
        lambda bench: bench.redis,
        lambda bench: production(bench).built,
        lambda bench: production(bench).migrated,
        lambda bench: _deploy_check(bench),
        lambda bench: _first(bench),
        lambda bench: _second(bench),
    ],
)
item = checklist.item


def _first(bench: Bench) -> Server:
    return production(bench).server("A")


def _second(bench: Bench) -> Server:
    """Another process with the same database and Redis, which answers it a little later."""
    return production(bench).server("B", distant=True)


@item(
    "deploy.blueprint",
    docs="change-1",
    hints=Hints(
        think="Render reads one file to know what to run. Is each word in it one that it knows?",
        look="render.yaml, at the line named; names and values are those of Render's "
        "blueprint specification.",
        code=_PLAN,
    ),
)
def blueprint_is_valid(bench: Bench) -> None:
    """`render.yaml` is a valid blueprint with a Python web service."""
    read_blueprint(bench).web  # noqa: B018


@item(
    "deploy.references",
    docs="change-1",
    needs=["deploy.blueprint"],
    hints=Hints(
        think="The blueprint names services, scripts and folders. Is each there under that name?",
        look="`fromDatabase`, `fromService` and the commands in render.yaml.",
        code=_PLAN,
    ),
)
def parts_fit_each_other(bench: Bench) -> None:
    """Whatever the blueprint names is there: services, databases, folders and scripts."""
    fitting(bench)


@item(
    "deploy.variables",
    docs="change-2",
    needs=["deploy.references"],
    hints=Hints(
        think="Which variables do your settings insist on, and who sets them on Render?",
        look="`envVars` of the web service, beside each os.environ in the settings.",
        code=_PLAN,
    ),
)
def variables_are_provided(bench: Bench) -> None:
    """The settings load with DEBUG off and exactly the variables that the blueprint provides."""
    process = _deploy_check(bench)
    facts = bench.facts_of(process)
    place = read_blueprint(bench).place(*production(bench).spot, "envVars")
    if facts is None:
        log = process.log()
        raise NotYet(
            f"the settings did not load: {production(bench).said(process)}",
            expected="every variable that they need has a value in render.yaml",
            look_at=production(bench).sandbox.place_in(log) or place,
            todo="add the variable to `envVars`, or give it a default",
        )
    if facts["debug"]:
        raise NotYet(
            "DEBUG is on with the variables of render.yaml",
            expected='DEBUG off: a `key: DEBUG` with `value: "false"`, and settings that read it',
            look_at=place,
        )


def _deploy_check(bench: Bench) -> Any:
    """`manage.py check --deploy` under the variables of the blueprint, ended."""
    return bench.once("check --deploy", lambda: _run_deploy_check(bench))


def _run_deploy_check(bench: Bench) -> Any:
    plan = production(bench)
    command = f"exec python {_manage(plan)} check --deploy --fail-level WARNING"
    process = plan.start(command, plan.env())
    if process.wait(60) is None:
        process.kill()
        raise NotYet(
            f"`manage.py check --deploy` had not ended after 60 s; its last lines:\n"
            f"{plan.log(process, 5)}",
            expected="it ends by itself",
        )
    return process


def _stopped_by_an_error(process: Process) -> bool:
    """Whether Django's own commands cannot even begin: a mistake in the urls, say."""
    return "Traceback (most recent call last)" in process.log()


def _manage(plan: Production) -> str:
    return shlex.quote(str(plan.sandbox.project.backend / "manage.py"))


@item(
    "deploy.check",
    docs="change-2",
    needs=["deploy.variables"],
    hints=Hints(
        think="Django knows what production needs. What does it say about your settings?",
        look="`python manage.py check --deploy` with DEBUG=false: each line has an id that "
        "Django's documentation explains.",
        code=_SETTINGS,
    ),
)
def deploy_check_is_clean(bench: Bench) -> None:
    """`manage.py check --deploy` has no warning about the production settings."""
    process = _deploy_check(bench)
    if _stopped_by_an_error(process):
        raise NotYet(
            f"it stopped with an error: {production(bench).said(process)}",
            expected="no complaint",
            look_at=production(bench).sandbox.place_in(process.log()),
            todo="mend that line, then check again",
        )
    if process.exit_code:
        lines = [
            line for line in process.log().splitlines() if re.match(r"\?: |\w.*: \(", line)
        ]
        shown = "\n".join(lines[:5]) or production(bench).log(process, 6)
        raise NotYet(
            f"it complains:\n{production(bench).sandbox.as_learner(shown)}",
            expected="no complaint",
            look_at=production(bench).sandbox.place_in(process.log())
            or Place(bench.project.relative(bench.project.settings_file)),
        )


@item(
    "deploy.build",
    docs="change-3",
    needs=["deploy.variables"],
    hints=Hints(
        think="Render starts from a fresh clone. What has to happen before the first start?",
        look="The build command of render.yaml; run it in a fresh clone of your repository.",
        code="build.sh",
    ),
)
def build_works(bench: Bench) -> None:
    """The build command works in a fresh copy, where pip only notes what it should install."""
    plan = production(bench)
    plan.built  # noqa: B018
    asked = (
        plan.installed.read_text("utf-8").splitlines() if plan.installed.exists() else []
    )
    if not any(re.search(r"\b(install|sync)\b", line) for line in asked):
        raise NotYet(
            f"the build ended well, but it asked for: {'; '.join(asked) or 'nothing'}",
            expected="pip install -r requirements.txt, or the like of another installer",
            look_at=plan.plan.place(*plan.spot, "buildCommand"),
        )


@item(
    "deploy.migrates",
    docs="change-3",
    needs=["deploy.build"],
    hints=Hints(
        think="A new database is empty. Which command makes its tables, and when does it run?",
        look="`preDeployCommand` in render.yaml: after the build, before the new version starts.",
        code=_PLAN,
    ),
)
def migrations_run(bench: Bench) -> None:
    """Before the server starts, a real PostgreSQL gets all tables."""
    plan = production(bench)
    if _stopped_by_an_error(_deploy_check(bench)):
        raise Blocked("deploy.check")
    plan.migrated  # noqa: B018
    if not plan.web.get("preDeployCommand"):
        _first(bench)  # the start command may do it
    command = f"python {_manage(plan)} migrate --check"
    process = plan.start(command, plan.env(real=True))
    if process.wait(60) != 0:
        raise NotYet(
            "`manage.py migrate --check` finds migrations that nobody applied",
            expected="no migration is left when the server runs",
            look_at=plan.plan.place(*plan.spot, "preDeployCommand"),
            todo="add `preDeployCommand: python backend/manage.py migrate --no-input`",
        )


@item(
    "deploy.boots",
    docs="run",
    needs=["deploy.migrates"],
    hints=Hints(
        think="Which port does Render expect you at, and what does it ask you there?",
        look="The start command: host 0.0.0.0, port $PORT. `healthCheckPath` and its view.",
        code=_PLAN,
    ),
)
def server_boots_and_is_well(bench: Bench) -> None:
    """The start command serves on `$PORT`, and the health path answers 200."""
    plan, server = production(bench), _first(bench)
    if not _open_to_others(server.port):
        raise NotYet(
            "the server listens for this machine only",
            expected="host 0.0.0.0: Render's edge comes from outside",
            look_at=plan.plan.place(*plan.spot, "startCommand"),
        )
    path = plan.web["healthCheckPath"]
    for protocol in ("https", "http"):
        answer = server.ask("GET", path, headers={"X-Forwarded-Proto": protocol})
        # Render takes a redirect for an answer, too, if it asks without TLS.
        if answer.status != 200 and (protocol == "https" or not 300 <= answer.status < 400):
            raise NotYet(
                f"{answer}; the server's last lines:\n{plan.log(server.process, 4)}",
                expected="200 while the database and Redis are there",
                look_at=plan.sandbox.place_in(server.process.log())
                or plan.plan.place(*plan.spot, "healthCheckPath"),
            )


def _open_to_others(port: int) -> bool:
    """Whether an address besides 127.0.0.1 is served; Linux has a second one to try."""
    return not sys.platform.startswith("linux") or listening(port, "127.0.0.2")


@item(
    "deploy.needs-secret",
    docs="change-2",
    needs=["deploy.boots"],
    apart=True,
    hints=Hints(
        think="Who knows a key that stands in a public repository? What should happen "
        "without one?",
        look="The line that reads SECRET_KEY: with DEBUG off it has no default.",
        code=_SETTINGS,
    ),
)
def no_start_without_secret(bench: Bench) -> None:
    """Without SECRET_KEY the server refuses to start and says what is missing."""
    _must_refuse(bench, "SECRET_KEY")


@item(
    "deploy.needs-database",
    docs="change-2",
    needs=["deploy.boots"],
    apart=True,
    hints=Hints(
        think="A file beside the code is lost with every deploy. What should happen when "
        "nobody says where the database is?",
        look="The line that reads DATABASE_URL: with DEBUG off it has no default.",
        code=_SETTINGS,
    ),
)
def no_start_without_database(bench: Bench) -> None:
    """Without the database's variables the server refuses to start and says what is missing."""
    entries = [e for _, e in read_blueprint(bench).variables() if "fromDatabase" in e]
    names = [entry["key"] for entry in entries] or ["DATABASE_URL"]
    _must_refuse(bench, names[0])


def _must_refuse(bench: Bench, name: str) -> None:
    if news := production(bench).refusal(name):
        raise news


@item(
    "deploy.https",
    docs="run",
    needs=["deploy.boots"],
    hints=Hints(
        think="Render takes the TLS off in front of your server. How does Django learn that a "
        "request came over https?",
        look="SECURE_PROXY_SSL_HEADER, SECURE_SSL_REDIRECT and ALLOWED_HOSTS.",
        code=f"{_SETTINGS}::ALLOWED_HOSTS",
    ),
)
def https_is_the_way_in(bench: Bench) -> None:
    """Under Render's host name the API answers over https, and plain http is sent there."""
    server = _first(bench)
    settings = Place(bench.project.relative(bench.project.settings_file))
    over_tls = server.ask("GET", "/api/auth/me/")
    if over_tls.status != 401:
        raise NotYet(
            f"with Render's headers {over_tls}",
            expected="401: nobody is logged in (a redirect would never end, and 400 means "
            "that the host name is not allowed)",
            look_at=settings,
        )
    plain = server.ask("GET", "/api/auth/me/", headers={"X-Forwarded-Proto": "http"})
    target = plain.headers.get("location", "")
    if not (300 <= plain.status < 400 and target.startswith("https://")):
        raise NotYet(
            f"over plain http {plain}",
            expected="a redirect to https: what travels in the open can be read and changed",
            look_at=settings,
        )


@item(
    "deploy.static",
    docs="run",
    needs=["deploy.https"],
    hints=Hints(
        think="With DEBUG off Django serves no files. Who does, and from which folder?",
        look="STATIC_ROOT, `collectstatic` in the build, and the middleware that serves them.",
        code="build.sh",
    ),
)
def static_files_are_served(bench: Bench) -> None:
    """The admin's login page is served together with its style sheet."""
    server, plan = _first(bench), production(bench)
    page = server.ask("GET", "/admin/login/")
    if page.status == 404:
        return  # a project without the admin has nothing to serve here
    bench.need(page, 200)
    sheet = _STYLE_SHEET.search(str(page.body))
    if sheet is None:
        raise NotYet("the page names no style sheet", expected="the admin's login page")
    answer = server.ask("GET", sheet[1])
    if answer.status != 200:
        raise NotYet(
            f"GET {sheet[1]} answered {answer.status}",
            expected="200 and the style sheet",
            look_at=plan.sandbox.place_in(server.process.log())
            or Place(bench.project.relative(bench.project.settings_file)),
        )


@item(
    "deploy.crosses",
    docs="check",
    needs=["deploy.https"],
    hints=Hints(
        think="Two processes share no memory. What carries an event from one to the other?",
        look="CHANNEL_LAYERS with REDIS_URL set: each process must talk to the same Redis.",
        code=f"{_SETTINGS}::CHANNEL_LAYERS",
    ),
)
def event_crosses_processes(bench: Bench) -> None:
    """A user connected to one process gets an event that is caused in another."""
    first, second = _first(bench), _second(bench)
    alice, bob = bench.person(first, "alice"), bench.person(second, "bob")
    with _greeted(first, alice) as socket:
        _send_message(bench, second, bob, alice, "across")
        _expect_message(bench, socket, "across", first)


def _send_message(bench: Bench, server: Any, sender: Any, receiver: Any, text: str) -> None:
    body = {"receiver_id": receiver.id, "content": text}
    sent = server.ask("POST", "/api/messages/", body=body, token=sender.access)
    bench.need(sent, 201)


def _expect_message(bench: Bench, socket: Socket, text: str, server: Server) -> None:
    event = socket.event("new_message")
    if event is None or event.get("data", {}).get("content") != text:
        raise NotYet(
            f"a message was sent through the other process: {socket}",
            expected="a new_message frame in the socket to this process",
            look_at=production(bench).sandbox.place_in(server.process.log())
            or Place(
                bench.project.relative(bench.project.settings_file), symbol="CHANNEL_LAYERS"
            ),
        )


@item(
    "deploy.idle",
    docs="check",
    needs=["deploy.crosses"],
    apart=True,
    hints=Hints(
        think="Most sockets are silent most of the time. Who loses patience first: the server, "
        "or its Redis client?",
        look="The channel layer's BACKEND and its time-outs: channels_redis.core gives up on a "
        "silent connection with redis-py 8, unless socket_timeout is None.",
        code=f"{_SETTINGS}::CHANNEL_LAYERS",
    ),
)
def idle_sockets_live(bench: Bench) -> None:
    """Fifty sockets that were silent for fifteen seconds are all open and hear the next event."""
    server = _second(bench)
    sender = bench.person(server, "idle-sender")
    people = [bench.person(server, f"idle{n}") for n in range(_IDLE_PEOPLE)]
    with ExitStack() as stack:
        sockets = [
            (person, stack.enter_context(_greeted(server, person)))
            for person in people
            for _ in range(_SOCKETS_EACH)
        ]
        _stay_silent([socket for _, socket in sockets])
        for person in people:
            _send_message(bench, _first(bench), sender, person, "still there?")
        heard = [socket.event("new_message", patience=5) for _, socket in sockets]
        lost = [
            str(socket)
            for (_, socket), event in zip(sockets, heard, strict=True)
            if not event
        ]
    if lost:
        raise NotYet(
            f"{len(lost)} of {len(sockets)} idle sockets missed the message; one of them: "
            f"{lost[0]}",
            expected="a socket may be silent for as long as it likes",
            look_at=Place(
                bench.project.relative(bench.project.settings_file), symbol="CHANNEL_LAYERS"
            ),
        )


def _greeted(server: Server, person: Person) -> Socket:
    """A socket of that person, by whichever way the project takes a token."""
    for way in (server.way, *TOKEN_WAYS):
        socket = server.socket(person.access, way=way)
        if socket.event("connection_established"):
            server.way = way
            return socket
        socket.close()
    raise NotYet(
        f"{person.username}'s socket to {server.name}: {socket}",
        expected="a connection_established frame",
    )


def _stay_silent(sockets: list[Socket]) -> None:
    """Let the time pass, listening; a socket that closes meanwhile has lost."""
    end_of_silence = time.monotonic() + IDLE_SECONDS
    for socket in sockets:
        while (left := end_of_silence - time.monotonic()) > 0:
            if socket.receive(patience=left) is None:
                break


@item(
    "deploy.shutdown",
    docs="check",
    needs=["deploy.crosses"],
    apart=True,
    hints=Hints(
        think="A deploy takes the old process away. How long may it take to say goodbye?",
        look="`maxShutdownDelaySeconds`, and the time-out for a graceful shutdown in the start "
        "command, which must be shorter.",
        code=_PLAN,
    ),
)
def sigterm_ends_it_in_time(bench: Bench) -> None:
    """SIGTERM ends the server within `maxShutdownDelaySeconds`, and its sockets are told."""
    plan, server = production(bench), production(bench).server("to be ended")
    allowed = plan.web.get("maxShutdownDelaySeconds", 30)
    with _greeted(server, bench.person(server, "leaver")) as socket:
        end(server.process)
        ended = server.process.wait(allowed)
        code = socket.until_closed(patience=5)
    place = plan.plan.place(*plan.spot, "startCommand")
    if ended is None:
        raise NotYet(
            f"{allowed} s after SIGTERM the server is still running; its last lines:\n"
            f"{plan.log(server.process, 4)}",
            expected=f"it ends within maxShutdownDelaySeconds ({allowed} s); then Render kills it",
            look_at=place,
        )
    if code is None:
        raise NotYet(f"the server has ended, the socket: {socket}", expected="it is closed")


# A deployment, judged from outside


def _remote(bench: Bench) -> Remote:
    assert bench.url
    return bench.once("remote", lambda: Remote.at(bench.url or ""))


def _account(bench: Bench, index: int) -> Any:
    return bench.once(f"account {index}", lambda: _log_in(bench, index))


def _log_in(bench: Bench, index: int) -> Person:
    if len(bench.logins) < index + 1:
        raise _two_logins()
    email, password = bench.logins[index]
    remote = _remote(bench)
    body = {"email": email, "password": password}
    login = bench.need(remote.ask("POST", "/api/auth/login/", body=body), 200)
    access = str(login.get("access"))
    me = bench.need(remote.ask("GET", "/api/auth/me/", token=access), 200)
    return Person(
        me.get("id"), me.get("username"), email, "", access, str(login.get("refresh"))
    )


def _two_logins() -> EnvironmentFault:
    return EnvironmentFault(
        "two accounts of the deployment are needed",
        todo="give both: --login EMAIL:PASSWORD --login EMAIL:PASSWORD",
    )


@item(
    "live.health",
    docs="live",
    live=True,
    hints=Hints(
        think="Does the service run at all? What does Render's dashboard say of the last deploy?",
        look="The health path of render.yaml, opened in a browser; the service's log.",
        code=_PLAN,
    ),
)
def deployment_is_well(bench: Bench) -> None:
    """The deployment answers 200 at its health path."""
    try:
        path = fitting(bench).web[1]["healthCheckPath"]
    except NotYet:
        path = "/healthz/"
    bench.need(_remote(bench).ask("GET", path, patience=WAKING_SECONDS), 200)


@item(
    "live.login",
    docs="live",
    needs=["live.health"],
    live=True,
    hints=Hints(
        think="The deployment has a database of its own. Do these accounts exist there?",
        look="Sign both up at the deployment's /api/auth/signup/ first.",
        code="backend/users/views.py",
    ),
)
def accounts_can_log_in(bench: Bench) -> None:
    """Both accounts can log in there, and each is told who it is."""
    first, second = _account(bench, 0), _account(bench, 1)
    if first.id == second.id:
        raise _two_logins()


@item(
    "live.socket",
    docs="live",
    needs=["live.login"],
    live=True,
    hints=Hints(
        think="On the network a socket is wss. What stands between the browser and your consumer?",
        look="ALLOWED_HOSTS (the Origin is compared with it), and the service's log while you "
        "connect.",
        code="backend/numeneon/asgi.py::application",
    ),
)
def live_socket_greets(bench: Bench) -> None:
    """A WebSocket with a valid token is greeted with connection_established."""
    with _live_socket(bench) as socket:
        assert socket.opened


def _live_socket(bench: Bench) -> Socket:
    """A greeted socket of the first account; raises NotYet with what came instead."""
    remote, seen = _remote(bench), []
    person = _account(bench, 0)
    for way in TOKEN_WAYS:
        socket = remote.socket(person.access, way=way)
        if socket.event("connection_established"):
            return socket
        seen.append(f"token by {way}: {socket}")
        socket.close()
    raise NotYet("\n".join(seen), expected="a connection_established frame")


@item(
    "live.event",
    docs="live",
    needs=["live.socket"],
    live=True,
    hints=Hints(
        think="The message is stored. Which way does the event take to the other one's socket?",
        look="REDIS_URL in the service's environment, and the log around the moment of sending.",
        code=f"{_SETTINGS}::CHANNEL_LAYERS",
    ),
)
def live_event_arrives(bench: Bench) -> None:
    """A message from the second account reaches the first one's socket at once."""
    text = f"A check of the deployment, {uuid.uuid4().hex[:8]}"
    receiver, sender = _account(bench, 0), _account(bench, 1)
    with _live_socket(bench) as socket:
        _send_message(bench, _remote(bench), sender, receiver, text)
        while (event := socket.event("new_message")) is not None:
            if event.get("data", {}).get("content") == text:
                return
    raise NotYet(
        f"the message was stored; the socket: {socket}",
        expected="a new_message frame with it",
    )

"""Step 6: the project runs on Render, with PostgreSQL, Redis and several processes."""

from __future__ import annotations

import re
import shlex
import sys
import time
import uuid
from contextlib import ExitStack
from typing import Any

from checks.errors import Blocked, EnvironmentFault, NotYet, Place
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.people import Person, signed_up
from checks.harness.remote import WAKING_SECONDS, Remote
from checks.harness.servers import Server, need
from checks.items import Checklist
from checks.render.production import Production, end, fitting, production, read_blueprint
from course.contract import GREETING, TOKEN_WAYS
from course.processes import Process, listening

_PLAN = "render.yaml"
_SETTINGS = "backend/numeneon/settings.py"
IDLE_SECONDS = 15.0
_IDLE_PEOPLE = 10
_SOCKETS_EACH = 5
_STYLE_SHEET = re.compile(r'href="([^"]+\.css)"')

checklist = Checklist(
    6,
    prefetch=[
        lambda harness: harness.postgres(),
        lambda harness: harness.redis(),
        lambda harness: production(harness).build(),
        lambda harness: production(harness).migrate(),
        lambda harness: _deploy_check(harness),
        lambda harness: _first(harness),
        lambda harness: _second(harness),
    ],
)
item = checklist.item


def _first(harness: Harness) -> Server:
    return production(harness).server("A")


def _second(harness: Harness) -> Server:
    """Another process with the same database and Redis, which answers it a little later."""
    return production(harness).server("B", distant=True)


@item("deploy.blueprint")
def blueprint_is_valid(harness: Harness) -> None:
    """`render.yaml` is a valid blueprint with a Python web service."""
    read_blueprint(harness).web_service()


@item("deploy.references", needs=["deploy.blueprint"])
def parts_fit_each_other(harness: Harness) -> None:
    """Whatever the blueprint names is there: services, databases, folders and scripts."""
    fitting(harness)


@item("deploy.variables", needs=["deploy.references"])
def variables_are_provided(harness: Harness) -> None:
    """The settings load with DEBUG off and exactly the variables that the blueprint provides."""
    process = _deploy_check(harness)
    facts = harness.facts_of(process)
    place = read_blueprint(harness).place(*production(harness).spot, "envVars")
    if facts is None:
        log = process.log()
        raise NotYet(
            f"the settings did not load: {production(harness).said(process)}",
            expected="every variable that they need has a value in render.yaml",
            look_at=production(harness).sandbox.place_in(log) or place,
            todo="add the variable to `envVars`, or give it a default",
        )
    if facts["debug"]:
        raise NotYet(
            "DEBUG is on with the variables of render.yaml",
            expected='DEBUG off: a `key: DEBUG` with `value: "false"`, and settings that read it',
            look_at=place,
        )


def _deploy_check(harness: Harness) -> Any:
    """`manage.py check --deploy` under the variables of the blueprint, ended."""
    return harness.once("check --deploy", lambda: _run_deploy_check(harness))


def _run_deploy_check(harness: Harness) -> Any:
    plan = production(harness)
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


@item("deploy.check", needs=["deploy.variables"])
def deploy_check_is_clean(harness: Harness) -> None:
    """`manage.py check --deploy` has no warning about the production settings."""
    process = _deploy_check(harness)
    if _stopped_by_an_error(process):
        raise NotYet(
            f"it stopped with an error: {production(harness).said(process)}",
            expected="no complaint",
            look_at=production(harness).sandbox.place_in(process.log()),
            todo="mend that line, then check again",
        )
    if process.exit_code:
        lines = [
            line for line in process.log().splitlines() if re.match(r"\?: |\w.*: \(", line)
        ]
        shown = "\n".join(lines[:5]) or production(harness).log(process, 6)
        raise NotYet(
            f"it complains:\n{production(harness).sandbox.as_learner(shown)}",
            expected="no complaint",
            look_at=production(harness).sandbox.place_in(process.log())
            or Place(harness.project.relative(harness.project.settings_file)),
        )


@item("deploy.build", needs=["deploy.variables"])
def build_works(harness: Harness) -> None:
    """The build command works in a fresh copy, where pip only notes what it should install."""
    plan = production(harness)
    plan.build()
    asked = (
        plan.installed.read_text("utf-8").splitlines() if plan.installed.exists() else []
    )
    if not any(re.search(r"\b(install|sync)\b", line) for line in asked):
        raise NotYet(
            f"the build ended well, but it asked for: {'; '.join(asked) or 'nothing'}",
            expected="pip install -r requirements.txt, or the like of another installer",
            look_at=plan.plan.place(*plan.spot, "buildCommand"),
        )


@item("deploy.migrates", needs=["deploy.build"])
def migrations_run(harness: Harness) -> None:
    """Before the server starts, a real PostgreSQL gets all tables."""
    plan = production(harness)
    if _stopped_by_an_error(_deploy_check(harness)):
        raise Blocked("deploy.check")
    plan.migrate()
    if not plan.web.get("preDeployCommand"):
        _first(harness)  # the start command may do it
    command = f"python {_manage(plan)} migrate --check"
    process = plan.start(command, plan.env(real=True))
    if process.wait(60) != 0:
        raise NotYet(
            "`manage.py migrate --check` finds migrations that nobody applied",
            expected="no migration is left when the server runs",
            look_at=plan.plan.place(*plan.spot, "preDeployCommand"),
            todo="add `preDeployCommand: python backend/manage.py migrate --no-input`",
        )


@item("deploy.boots", needs=["deploy.migrates"])
def server_boots_and_is_well(harness: Harness) -> None:
    """The start command serves on `$PORT`, and the health path answers 200."""
    plan, server = production(harness), _first(harness)
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


@item("deploy.needs-secret", needs=["deploy.boots"], parallel=True)
def no_start_without_secret(harness: Harness) -> None:
    """Without SECRET_KEY the server refuses to start and says what is missing."""
    _must_refuse(harness, "SECRET_KEY")


@item("deploy.needs-database", needs=["deploy.boots"], parallel=True)
def no_start_without_database(harness: Harness) -> None:
    """Without the database's variables the server refuses to start and says what is missing."""
    entries = [e for _, e in read_blueprint(harness).variables() if "fromDatabase" in e]
    names = [entry["key"] for entry in entries] or ["DATABASE_URL"]
    _must_refuse(harness, names[0])


def _must_refuse(harness: Harness, name: str) -> None:
    if news := production(harness).refusal(name):
        raise news


@item("deploy.https", needs=["deploy.boots"])
def https_is_the_way_in(harness: Harness) -> None:
    """Under Render's host name the API answers over https, and plain http is sent there."""
    server = _first(harness)
    settings = Place(harness.project.relative(harness.project.settings_file))
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


@item("deploy.static", needs=["deploy.https"])
def static_files_are_served(harness: Harness) -> None:
    """The admin's login page is served together with its style sheet."""
    server, plan = _first(harness), production(harness)
    page = server.ask("GET", "/admin/login/")
    if page.status == 404:
        return  # a project without the admin has nothing to serve here
    need(page, 200)
    sheet = _STYLE_SHEET.search(str(page.body))
    if sheet is None:
        raise NotYet("the page names no style sheet", expected="the admin's login page")
    answer = server.ask("GET", sheet[1])
    if answer.status != 200:
        raise NotYet(
            f"GET {sheet[1]} answered {answer.status}",
            expected="200 and the style sheet",
            look_at=plan.sandbox.place_in(server.process.log())
            or Place(harness.project.relative(harness.project.settings_file)),
        )


@item("deploy.crosses", needs=["deploy.https"])
def event_crosses_processes(harness: Harness) -> None:
    """A user connected to one process gets an event that is caused in another."""
    first, second = _first(harness), _second(harness)
    alice, bob = signed_up(harness, first, "alice"), signed_up(harness, second, "bob")
    with _greeted(first, alice) as socket:
        _send_message(harness, second, bob, alice, "across")
        _expect_message(harness, socket, "across", first)


def _send_message(
    harness: Harness, server: Any, sender: Any, receiver: Any, text: str
) -> None:
    body = {"receiver_id": receiver.id, "content": text}
    sent = server.ask("POST", "/api/messages/", body=body, token=sender.access)
    need(sent, 201)


def _expect_message(harness: Harness, socket: Socket, text: str, server: Server) -> None:
    event = socket.event("new_message")
    if event is None or event.get("data", {}).get("content") != text:
        raise NotYet(
            f"a message was sent through the other process: {socket}",
            expected="a new_message frame in the socket to this process",
            look_at=production(harness).sandbox.place_in(server.process.log())
            or Place(
                harness.project.relative(harness.project.settings_file),
                symbol="CHANNEL_LAYERS",
            ),
        )


@item("deploy.idle", needs=["deploy.crosses"], parallel=True)
def idle_sockets_live(harness: Harness) -> None:
    """Fifty sockets that were silent for fifteen seconds are all open and hear the next event."""
    server = _second(harness)
    sender = signed_up(harness, server, "idle-sender")
    people = [signed_up(harness, server, f"idle{n}") for n in range(_IDLE_PEOPLE)]
    with ExitStack() as stack:
        sockets = [
            (person, stack.enter_context(_greeted(server, person)))
            for person in people
            for _ in range(_SOCKETS_EACH)
        ]
        _stay_silent([socket for _, socket in sockets])
        for person in people:
            _send_message(harness, _first(harness), sender, person, "still there?")
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
                harness.project.relative(harness.project.settings_file),
                symbol="CHANNEL_LAYERS",
            ),
        )


def _greeted(server: Server, person: Person) -> Socket:
    """A socket of that person, by whichever way the project takes a token."""
    for way in (server.way, *TOKEN_WAYS):
        socket = server.socket(person.access, way=way)
        if socket.event(GREETING):
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


@item("deploy.shutdown", needs=["deploy.crosses"], parallel=True)
def sigterm_ends_it_in_time(harness: Harness) -> None:
    """SIGTERM ends the server within `maxShutdownDelaySeconds`, and its sockets are told."""
    plan, server = production(harness), production(harness).server("to be ended")
    allowed = plan.web.get("maxShutdownDelaySeconds", 30)
    with _greeted(server, signed_up(harness, server, "leaver")) as socket:
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


def _remote(harness: Harness) -> Remote:
    assert harness.url
    return harness.once("remote", lambda: Remote.at(harness.url or ""))


def _account(harness: Harness, index: int) -> Any:
    return harness.once(f"account {index}", lambda: _log_in(harness, index))


def _log_in(harness: Harness, index: int) -> Person:
    if len(harness.logins) < index + 1:
        raise _two_logins()
    email, password = harness.logins[index]
    remote = _remote(harness)
    body = {"email": email, "password": password}
    login = need(remote.ask("POST", "/api/auth/login/", body=body), 200)
    access = str(login.get("access"))
    me = need(remote.ask("GET", "/api/auth/me/", token=access), 200)
    return Person(
        me.get("id"), me.get("username"), email, "", access, str(login.get("refresh"))
    )


def _two_logins() -> EnvironmentFault:
    return EnvironmentFault(
        "two accounts of the deployment are needed",
        todo="give both: --login EMAIL:PASSWORD --login EMAIL:PASSWORD",
    )


@item("live.health", live=True)
def deployment_is_well(harness: Harness) -> None:
    """The deployment answers 200 at its health path."""
    try:
        path = fitting(harness).web_service()[1]["healthCheckPath"]
    except NotYet:
        path = "/healthz/"
    need(_remote(harness).ask("GET", path, patience=WAKING_SECONDS), 200)


@item("live.login", needs=["live.health"], live=True)
def accounts_can_log_in(harness: Harness) -> None:
    """Both accounts can log in there, and each is told who it is."""
    first, second = _account(harness, 0), _account(harness, 1)
    if first.id == second.id:
        raise _two_logins()


@item("live.socket", needs=["live.login"], live=True)
def live_socket_greets(harness: Harness) -> None:
    """A WebSocket with a valid token is greeted with connection_established."""
    with _live_socket(harness) as socket:
        assert socket.opened


def _live_socket(harness: Harness) -> Socket:
    """A greeted socket of the first account; raises NotYet with what came instead."""
    remote, seen = _remote(harness), []
    person = _account(harness, 0)
    for way in TOKEN_WAYS:
        socket = remote.socket(person.access, way=way)
        if socket.event(GREETING):
            return socket
        seen.append(f"token by {way}: {socket}")
        socket.close()
    raise NotYet("\n".join(seen), expected="a connection_established frame")


@item("live.event", needs=["live.socket"], live=True)
def live_event_arrives(harness: Harness) -> None:
    """A message from the second account reaches the first one's socket at once."""
    text = f"A check of the deployment, {uuid.uuid4().hex[:8]}"
    receiver, sender = _account(harness, 0), _account(harness, 1)
    with _live_socket(harness) as socket:
        _send_message(harness, _remote(harness), sender, receiver, text)
        while (event := socket.event("new_message")) is not None:
            if event.get("data", {}).get("content") == text:
                return
    raise NotYet(
        f"the message was stored; the socket: {socket}",
        expected="a new_message frame with it",
    )

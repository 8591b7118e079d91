"""Step 0: the REST backend answers as documented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from checks.errors import NotYet, Place
from checks.harness.causes import cause_of
from checks.harness.client import Answer
from checks.harness.harness import Harness
from checks.harness.logs import last_words
from checks.harness.people import signed_up
from checks.harness.project import Project
from checks.harness.servers import runserver
from checks.harness.settings_files import module_file, parsed, read
from checks.harness.views import needed, unexpected
from checks.items import Checklist
from course.deadline import patient
from course.processes import Process
from course.source import definitions

checklist = Checklist(
    __name__,
    prefetch=[lambda harness: runserver(harness), lambda harness: harness.database()],
)
item = checklist.item

_HASH = re.compile(r"^(pbkdf2_\w+|argon2\w*|bcrypt\w*|scrypt|md5)\$")
_PYTEST = ["-m", "pytest", "-q", "-x", "-rfE", "-p", "no:cacheprovider", "--color=no"]
_CONFIGURES_PYTEST = {
    "pytest.ini": "",
    ".pytest.ini": "",
    "pyproject.toml": "[tool.pytest",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
_NO_TESTS = 5  # pytest's exit status
# What pytest says of tests that are written for Django's own runner, or if it is not there.
_NOT_FOR_PYTEST = re.compile(
    r"settings are not configured|AppRegistryNotReady|No module named pytest"
)
_PYTEST_FAILURE = re.compile(
    r"^(?:FAILED|ERROR) (?P<file>\S.*?\.py)(?:::(?P<test>.+?))?(?: - (?P<why>.*))?$",
    re.MULTILINE,
)
_DJANGO_FAILURE = re.compile(r"^(?:FAIL|ERROR): (?P<test>\S+)", re.MULTILINE)


@item("rest.starts")
def project_starts(harness: Harness) -> None:
    """The project starts with `python manage.py runserver` and answers HTTP."""
    answer = runserver(harness).ask("GET", "/")
    if answer.status >= 500:
        cause = cause_of(runserver(harness).process.log(), harness.sandbox)
        raise NotYet(
            f"{answer}: {cause.found}",
            expected="any answer except a server error (5xx)",
            look_at=cause.look_at,
            todo=cause.todo,
        )


@item("rest.migrates", needs=["rest.starts"])
def migrations_apply(harness: Harness) -> None:
    """All migrations apply to an empty database."""
    harness.database()  # made by `manage.py migrate`, which must not fail


@item("rest.no-missing-migrations", needs=["rest.migrates"], parallel=True)
def no_migration_is_missing(harness: Harness) -> None:
    """Every model change has its migration."""
    command = ["manage.py", "makemigrations", "--check", "--dry-run"]
    for names in [[], *([name] for name in _without_migrations(harness.project))]:
        process = harness.finish([*command, *names], harness.env(), seconds=patient(60))
        log = process.log()
        if process.exit_code == 0 or (names and "No installed app with label" in log):
            continue
        if "Migrations for '" not in log:
            raise harness.crash(process, "`makemigrations --check` stopped")
        typed = " ".join(["python manage.py makemigrations", *names])
        raise NotYet(
            f"models changed without a migration:\n{harness.sandbox.as_learner(process.log(8))}",
            expected=f"`{typed} --check` finds nothing to do",
            look_at=_changed_model(harness, log),
            todo=f"run `{typed}`, read the new file and commit it",
        )


def _without_migrations(project: Project) -> list[str]:
    """The apps that have models and no migration: `makemigrations` passes over them, and
    `migrate` makes no tables for them, unless they are named."""
    backend = project.backend
    folders = {file.parent for file in backend.rglob("models.py")}
    folders |= {file.parent.parent for file in backend.rglob("models/__init__.py")}
    return sorted(
        folder.name for folder in folders if not any(folder.glob("migrations/[0-9]*.py"))
    )


def _changed_model(harness: Harness, log: str) -> Place | None:
    """The models that the new migration is for, and the line of what it says has changed."""
    folder = re.search(r"^\s+(\S+)[/\\]migrations[/\\]\w+\.py", log, re.MULTILINE)
    if folder is None:
        return None
    app = ".".join(Path(folder[1]).parts)
    file = module_file(harness.project.backend, f"{app}.models")
    said = re.search(r"field (\w+) (?:on|to|from) (\w+)|model (\w+)", log)
    wanted = [f"{said[2]}.{said[1]}", said[2], said[3]] if said else []
    found = {name.lower(): (name, node) for name, node in definitions(parsed(file))}
    for symbol in filter(None, wanted):
        if known := found.get(symbol.lower()):
            return Place(harness.project.relative(file), known[1].lineno, known[0])
    return Place(harness.project.relative(file))


@item("rest.signup", needs=["rest.migrates"])
def signup_makes_a_user(harness: Harness) -> None:
    """Signing up returns 201 with the new user and without the password."""
    body = {
        "username": "erin",
        "email": "erin@example.com",
        "password": "Sunny-meadow-42",
        "display_name": "Erin",
    }
    answer = runserver(harness).ask("POST", "/api/auth/signup/", body=body)
    needed(harness, answer, 201)
    if not (isinstance(answer.get("id"), int) and answer.get("username") == "erin"):
        raise unexpected(
            harness, answer, "the answer holds the id and username of the new user"
        )
    if _shows(answer.body, body["password"]):
        raise unexpected(harness, answer, "no password in an answer, hashed or not")
    again = runserver(harness).ask("POST", "/api/auth/signup/", body=body)
    if again.status not in (400, 409):
        raise unexpected(harness, again, "a name that is taken gets 400 or 409")


def _shows(value: Any, password: str) -> bool:
    """Whether an answer holds the password, as it is or as Django stores it."""
    if isinstance(value, dict):
        return any(
            (name == "password" and inner) or _shows(inner, password)
            for name, inner in value.items()
        )
    if isinstance(value, list):
        return any(_shows(inner, password) for inner in value)
    return isinstance(value, str) and (password in value or bool(_HASH.search(value)))


@item("rest.login", needs=["rest.signup"])
def login_gives_tokens(harness: Harness) -> None:
    """Logging in by email returns an access and a refresh token; a wrong password gets 401."""
    alice = signed_up(harness, runserver(harness), "alice")
    wrong = {"email": alice.email, "password": "not-her-password"}
    needed(harness, runserver(harness).ask("POST", "/api/auth/login/", body=wrong), 401)


@item("rest.refresh", needs=["rest.login"])
def refresh_gives_a_new_access_token(harness: Harness) -> None:
    """A refresh token can be exchanged for a working access token."""
    alice = signed_up(harness, runserver(harness), "alice")
    answer = runserver(harness).ask(
        "POST", "/api/auth/token/refresh/", body={"refresh": alice.refresh}
    )
    needed(harness, answer, 200)
    access = answer.get("access")
    needed(harness, runserver(harness).ask("GET", "/api/auth/me/", token=str(access)), 200)


@item("rest.me", needs=["rest.login"])
def me_is_who_logged_in(harness: Harness) -> None:
    """`/api/auth/me/` returns the user whose token was sent."""
    for name in ("alice", "bob"):
        person = signed_up(harness, runserver(harness), name)
        answer = needed(
            harness,
            runserver(harness).ask("GET", "/api/auth/me/", token=person.access),
            200,
        )
        if (answer.get("id"), answer.get("username")) != (person.id, person.username):
            raise unexpected(
                harness, answer, f"{name}'s token gives {name}, id {person.id}"
            )


@item("rest.requires-login", needs=["rest.login", "rest.no-missing-migrations"])
def strangers_get_401(harness: Harness) -> None:
    """A request without a token gets 401; the same request with a token succeeds."""
    alice = signed_up(harness, runserver(harness), "alice")
    for path in ("/api/auth/me/", "/api/posts/", "/api/friends/", "/api/messages/"):
        needed(harness, runserver(harness).ask("GET", path), 401)
        needed(harness, runserver(harness).ask("GET", path, token=alice.access), 200)


@item("rest.friends", needs=["rest.login"])
def friends_ask_and_accept(harness: Harness) -> None:
    """A friend request can be sent once and accepted by its receiver; then both are friends."""
    server = runserver(harness)
    alice, bob = signed_up(harness, server, "alice"), signed_up(harness, server, "bob")
    itself = server.ask("POST", f"/api/friends/request/{alice.id}/", token=alice.access)
    if itself.status not in (400, 403, 409, 422):
        raise unexpected(harness, itself, "a request to yourself is refused with 400")
    asked = server.ask("POST", f"/api/friends/request/{bob.id}/", token=alice.access)
    if needed(harness, asked, 201).get("id") is None:
        raise unexpected(harness, asked, "the answer holds the id of the request")
    accept = f"/api/friends/accept/{asked.get('id')}/"
    again = server.ask("POST", f"/api/friends/request/{alice.id}/", token=bob.access)
    if again.status not in (400, 409):
        raise unexpected(
            harness, again, "a second request, in either direction, gets 400 or 409"
        )
    own = server.ask("POST", accept, token=alice.access)
    if own.status not in (403, 404):
        raise unexpected(
            harness,
            own,
            "the sender cannot accept the request for the receiver: 403 or 404",
        )
    needed(harness, server.ask("POST", accept, token=bob.access), 200)
    for person, other in ((alice, bob), (bob, alice)):
        friends = needed(
            harness, server.ask("GET", "/api/friends/", token=person.access), 200
        )
        if other.id not in _ids(friends):
            raise unexpected(harness, friends, f"{other.username} among the friends")


@item("rest.messages", needs=["rest.login"])
def a_message_arrives(harness: Harness) -> None:
    """The receiver of a message finds it in the conversation; a third person does not."""
    server = runserver(harness)
    alice, carol = signed_up(harness, server, "alice"), signed_up(harness, server, "carol")
    body = {"receiver_id": carol.id, "content": "Hello Carol"}
    sent = server.ask("POST", "/api/messages/", body=body, token=alice.access)
    needed(harness, sent, 201)
    theirs = f"/api/messages/conversation/{alice.id}/"
    seen = needed(harness, server.ask("GET", theirs, token=carol.access), 200)
    if sent.get("id") is None or sent.get("id") not in _ids(seen):
        raise unexpected(harness, seen, "carol's conversation with alice holds the message")
    bob = signed_up(harness, server, "bob")
    others = needed(harness, server.ask("GET", theirs, token=bob.access), 200)
    if others.rows:
        raise unexpected(harness, others, "bob's conversation with alice is empty")


def _ids(answer: Answer) -> list[Any]:
    """The ids of the rows of a list."""
    return [row.get("id") for row in answer.rows if isinstance(row, dict)]


@item("rest.tests", needs=[earlier.id for earlier in checklist.items], parallel=True)
def own_tests_pass(harness: Harness) -> None:
    """The project has its own tests, and they pass."""
    tested = _tested(harness, [*_PYTEST, *_tests_folder(harness)])
    if tested.exit_code == 0:
        return
    log = harness.sandbox.as_learner(tested.log())
    # tests.py, as startapp makes it, is found by Django's own runner only.
    if tested.exit_code == _NO_TESTS or _NOT_FOR_PYTEST.search(log):
        tested = _tested(harness, ["manage.py", "test", "--noinput"])
        log = harness.sandbox.as_learner(tested.log())
        if not re.search(r"^Ran [1-9]", log, re.MULTILINE) and "ImportError" not in log:
            raise NotYet(
                "neither `python -m pytest` nor `python manage.py test` found a test",
                expected="the project has its own tests, and they pass",
                todo="write one, in a file like users/tests/test_signup.py",
            )
        if tested.exit_code == 0:
            return
        raise _failed_test(harness, log, "python manage.py test", _DJANGO_FAILURE)
    raise _failed_test(harness, log, "python -m pytest", _PYTEST_FAILURE)


def _tested(harness: Harness, argv: list[str]) -> Process:
    """The project's tests, run with its own channel layer and its own limits of requests."""
    # pytest cuts the reason of a failure at the width of the terminal.
    wide = {"COLUMNS": "300"}
    env = harness.env(layer="project", throttled=True, variables=wide)
    return harness.finish(argv, env, seconds=patient(180))


def _tests_folder(harness: Harness) -> list[str]:
    """The folder to name to pytest: the project's, if only that one configures it."""
    project = harness.project
    if _configures_pytest(project.backend) or not _configures_pytest(project.root):
        return []
    return [str(project.root)]


def _configures_pytest(folder: Path) -> bool:
    return any(
        (folder / name).is_file() and words in read(folder / name)
        for name, words in _CONFIGURES_PYTEST.items()
    )


def _failed_test(
    harness: Harness, log: str, command: str, failure: re.Pattern[str]
) -> NotYet:
    """The news of the first test that failed: which, why, and the line of the test."""
    expected = f"`{command}` passes"
    failed = failure.search(log)
    if failed is None:
        return NotYet(last_words(log), expected=expected, look_at=harness.place_in(log))
    named = failed.groupdict()
    place = harness.place_in(log)
    if named.get("file"):
        path = (harness.project.backend / named["file"]).resolve()
        line = re.search(rf"^{re.escape(named['file'])}:(\d+): ", log, re.MULTILINE)
        place = Place(harness.project.relative(path), int(line[1]) if line else None)
        command += f" -x {named['file']}"
    reason = re.search(r"^E\s+(\S.*)", log, re.MULTILINE)
    why = named.get("why") or (reason[1] if reason else last_words(log))
    return NotYet(
        f"{named['test'] or named['file']} failed: {why}",
        expected=expected,
        look_at=place,
        todo=f"run `{command}` and fix what it reports",
    )

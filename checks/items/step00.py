"""Step 0: the REST backend answers as documented."""

from __future__ import annotations

import re

from checks.errors import NotYet, Place
from checks.harness.harness import Harness
from checks.harness.people import signed_up
from checks.harness.servers import need, runserver
from checks.items import Checklist

checklist = Checklist(
    0, prefetch=[lambda harness: runserver(harness), lambda harness: harness.database()]
)
item = checklist.item

_USERS = "backend/users/views.py"


@item("rest.starts")
def project_starts(harness: Harness) -> None:
    """The project starts with `python manage.py runserver` and answers HTTP."""
    answer = runserver(harness).ask("GET", "/")
    if answer.status >= 500:
        raise NotYet(
            str(answer),
            expected="any answer but a server error",
            look_at=harness.place_in(runserver(harness).process.log()),
        )


@item("rest.migrates", needs=["rest.starts"])
def migrations_apply(harness: Harness) -> None:
    """All migrations apply to an empty database."""
    harness.database()  # made by `manage.py migrate`, which must not fail


@item("rest.no-missing-migrations", needs=["rest.migrates"], parallel=True)
def no_migration_is_missing(harness: Harness) -> None:
    """Every model change has its migration."""
    argv = ["manage.py", "makemigrations", "--check", "--dry-run"]
    process = harness.finish(argv, harness.env(), seconds=60)
    if process.exit_code == 0:
        return
    log = process.log()
    app = re.search(r"Migrations for '(\w+)'", log)
    if app is None:
        raise harness.crash(process, "`makemigrations --check` stopped")
    raise NotYet(
        f"models changed without a migration:\n{harness.sandbox.as_learner(process.log(8))}",
        expected="`python manage.py makemigrations --check` finds nothing to do",
        look_at=Place(
            harness.project.relative(harness.project.backend / app[1] / "models.py")
        ),
        todo="run `python manage.py makemigrations`, read the new file, keep it with the code",
    )


@item("rest.signup", needs=["rest.migrates"])
def signup_makes_a_user(harness: Harness) -> None:
    """Signing up answers 201 with the new user and without the password."""
    body = {
        "username": "erin",
        "email": "erin@example.com",
        "password": "Sunny-meadow-42",
        "display_name": "Erin",
    }
    answer = runserver(harness).ask("POST", "/api/auth/signup/", body=body)
    need(answer, 201)
    if not (isinstance(answer.get("id"), int) and answer.get("username") == "erin"):
        raise NotYet(
            str(answer), expected="the answer holds id and username of the new user"
        )
    if "password" in str(answer.body):
        raise NotYet(str(answer), expected="no password in an answer, hashed or not")
    again = runserver(harness).ask("POST", "/api/auth/signup/", body=body)
    need(again, 400)


@item("rest.login", needs=["rest.signup"])
def login_gives_tokens(harness: Harness) -> None:
    """Logging in by email gives an access and a refresh token, a wrong password 401."""
    alice = signed_up(harness, runserver(harness), "alice")
    wrong = {"email": alice.email, "password": "not-her-password"}
    need(runserver(harness).ask("POST", "/api/auth/login/", body=wrong), 401)


@item("rest.refresh", needs=["rest.login"])
def refresh_gives_a_new_access_token(harness: Harness) -> None:
    """A refresh token buys a new access token that works."""
    alice = signed_up(harness, runserver(harness), "alice")
    answer = runserver(harness).ask(
        "POST", "/api/auth/token/refresh/", body={"refresh": alice.refresh}
    )
    need(answer, 200)
    access = answer.get("access")
    need(runserver(harness).ask("GET", "/api/auth/me/", token=str(access)), 200)


@item("rest.me", needs=["rest.login"])
def me_is_who_logged_in(harness: Harness) -> None:
    """`/api/auth/me/` answers with the user whose token it got."""
    for name in ("alice", "bob"):
        person = signed_up(harness, runserver(harness), name)
        answer = need(
            runserver(harness).ask("GET", "/api/auth/me/", token=person.access), 200
        )
        if (answer.get("id"), answer.get("username")) != (person.id, person.username):
            raise NotYet(
                str(answer), expected=f"{name}'s token gives {name}, id {person.id}"
            )


@item("rest.requires-login", needs=["rest.login"])
def strangers_get_401(harness: Harness) -> None:
    """A request without a token gets 401, the same request with one is answered."""
    alice = signed_up(harness, runserver(harness), "alice")
    for path in ("/api/auth/me/", "/api/posts/", "/api/friends/", "/api/messages/"):
        need(runserver(harness).ask("GET", path), 401)
        need(runserver(harness).ask("GET", path, token=alice.access), 200)


@item("rest.friends", needs=["rest.login"])
def friends_ask_and_accept(harness: Harness) -> None:
    """A friend request can be sent once and accepted by its receiver; then both are friends."""
    server = runserver(harness)
    alice, bob = signed_up(harness, server, "alice"), signed_up(harness, server, "bob")
    itself = server.ask("POST", f"/api/friends/request/{alice.id}/", token=alice.access)
    need(itself, 400)
    asked = server.ask("POST", f"/api/friends/request/{bob.id}/", token=alice.access)
    accept = f"/api/friends/accept/{need(asked, 201).get('id')}/"
    again = server.ask("POST", f"/api/friends/request/{alice.id}/", token=bob.access)
    if again.status not in (400, 409):
        raise NotYet(str(again), expected="a second request, either way, gets 400 or 409")
    own = server.ask("POST", accept, token=alice.access)
    if own.status not in (403, 404):
        raise NotYet(str(own), expected="who asked cannot accept for the other: 403 or 404")
    need(server.ask("POST", accept, token=bob.access), 200)
    for person, other in ((alice, bob), (bob, alice)):
        friends = need(server.ask("GET", "/api/friends/", token=person.access), 200)
        if other.id not in [row.get("id") for row in friends.rows]:
            raise NotYet(str(friends), expected=f"{other.username} among the friends")


@item("rest.messages", needs=["rest.login"])
def a_message_arrives(harness: Harness) -> None:
    """A message can be sent and is in the receiver's conversation, and in nobody else's."""
    server = runserver(harness)
    alice, carol = signed_up(harness, server, "alice"), signed_up(harness, server, "carol")
    body = {"receiver_id": carol.id, "content": "Hello Carol"}
    sent = server.ask("POST", "/api/messages/", body=body, token=alice.access)
    need(sent, 201)
    theirs = f"/api/messages/conversation/{alice.id}/"
    seen = need(server.ask("GET", theirs, token=carol.access), 200)
    if sent.get("id") not in [row.get("id") for row in seen.rows]:
        raise NotYet(
            str(seen), expected="carol's conversation with alice holds the message"
        )
    bob = signed_up(harness, server, "bob")
    others = need(server.ask("GET", theirs, token=bob.access), 200)
    if others.rows:
        raise NotYet(str(others), expected="bob's conversation with alice is empty")


@item("rest.tests", needs=[earlier.id for earlier in checklist.items], parallel=True)
def own_tests_pass(harness: Harness) -> None:
    """The project has tests of its own and they pass."""
    argv = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--color=no"]
    process = harness.finish(argv, harness.env(layer="project"), seconds=180)
    log = harness.sandbox.as_learner(process.log())
    if process.exit_code == 0:
        return
    failed = re.search(
        r"^(?:FAILED|ERROR) (\S+?)(?:::(\S+))?(?: - (.*))?$", log, re.MULTILINE
    )
    if failed is None:
        what = "no test was found" if process.exit_code == 5 else process.log(6)
        raise NotYet(what, expected="`python -m pytest` passes")
    raise NotYet(
        f"{failed[2] or failed[1]} failed: {failed[3] or 'see its output'}",
        expected="`python -m pytest` passes",
        look_at=Place(f"{harness.project.relative(harness.project.backend / failed[1])}"),
        todo=f"run `python -m pytest -x {failed[1]}` and mend what it names",
    )

"""Step 0: the REST backend answers as documented."""

from __future__ import annotations

import re

from checks.bench import Bench
from checks.errors import NotYet, Place
from checks.items import Checklist, Hints

checklist = Checklist(
    0, early=[lambda bench: bench.runserver, lambda bench: bench.database]
)
item = checklist.item

_USERS = "backend/users/views.py"


@item(
    "rest.starts",
    docs="run",
    hints=Hints(
        think="Which line of the traceback is yours? The last one that names your folder.",
        look="Run `python manage.py check` in the folder with manage.py and read from the bottom.",
        code="backend/manage.py",
    ),
)
def project_starts(bench: Bench) -> None:
    """The project starts with `python manage.py runserver` and answers HTTP."""
    answer = bench.runserver.ask("GET", "/")
    if answer.status >= 500:
        raise NotYet(
            str(answer),
            expected="any answer but a server error",
            look_at=bench.place_in(bench.runserver.process.log()),
        )


@item(
    "rest.migrates",
    docs="run",
    needs=["rest.starts"],
    hints=Hints(
        think="Does each migration build on one that exists?",
        look="The newest file in each app's migrations/ folder, and its `dependencies`.",
        code="backend/users/migrations/0001_initial.py",
    ),
)
def migrations_apply(bench: Bench) -> None:
    """All migrations apply to an empty database."""
    bench.database  # noqa: B018 - made by `manage.py migrate`, which must not fail


@item(
    "rest.no-missing-migrations",
    docs="run",
    needs=["rest.migrates"],
    apart=True,
    hints=Hints(
        think="A changed model needs a migration that tells the database.",
        look="Run `python manage.py makemigrations` and read what it wants to add.",
        code="backend/users/migrations/0001_initial.py",
    ),
)
def no_migration_is_missing(bench: Bench) -> None:
    """Every model change has its migration."""
    argv = ["manage.py", "makemigrations", "--check", "--dry-run"]
    process = bench.finish(argv, bench.env(), seconds=60)
    if process.exit_code == 0:
        return
    log = process.log()
    app = re.search(r"Migrations for '(\w+)'", log)
    if app is None:
        raise bench.crash(process, "`makemigrations --check` stopped")
    raise NotYet(
        f"models changed without a migration:\n{bench.sandbox.as_learner(process.log(8))}",
        expected="`python manage.py makemigrations --check` finds nothing to do",
        look_at=Place(bench.project.relative(bench.project.backend / app[1] / "models.py")),
        todo="run `python manage.py makemigrations`, read the new file, keep it with the code",
    )


@item(
    "rest.signup",
    docs="check",
    needs=["rest.migrates"],
    hints=Hints(
        think="What does the client send, and which fields does your serializer accept?",
        look="The signup view and its serializer; the answer's status is 201.",
        code=_USERS,
    ),
)
def signup_makes_a_user(bench: Bench) -> None:
    """Signing up answers 201 with the new user and without the password."""
    body = {
        "username": "erin",
        "email": "erin@example.com",
        "password": "Sunny-meadow-42",
        "display_name": "Erin",
    }
    answer = bench.runserver.ask("POST", "/api/auth/signup/", body=body)
    bench.need(answer, 201)
    if not (isinstance(answer.get("id"), int) and answer.get("username") == "erin"):
        raise NotYet(
            str(answer), expected="the answer holds id and username of the new user"
        )
    if "password" in str(answer.body):
        raise NotYet(str(answer), expected="no password in an answer, hashed or not")
    again = bench.runserver.ask("POST", "/api/auth/signup/", body=body)
    bench.need(again, 400)


@item(
    "rest.login",
    docs="check",
    needs=["rest.signup"],
    hints=Hints(
        think="People log in with their email. Who turns an email into a user?",
        look="The login view: it takes email and password and answers with two tokens.",
        code=_USERS,
    ),
)
def login_gives_tokens(bench: Bench) -> None:
    """Logging in by email gives an access and a refresh token, a wrong password 401."""
    alice = bench.person(bench.runserver, "alice")
    wrong = {"email": alice.email, "password": "not-her-password"}
    bench.need(bench.runserver.ask("POST", "/api/auth/login/", body=wrong), 401)


@item(
    "rest.refresh",
    docs="check",
    needs=["rest.login"],
    hints=Hints(
        think="An access token lives for minutes. How does a client get the next one?",
        look="The route token/refresh/ and the view behind it.",
        code="backend/users/urls.py",
    ),
)
def refresh_gives_a_new_access_token(bench: Bench) -> None:
    """A refresh token buys a new access token that works."""
    alice = bench.person(bench.runserver, "alice")
    answer = bench.runserver.ask(
        "POST", "/api/auth/token/refresh/", body={"refresh": alice.refresh}
    )
    bench.need(answer, 200)
    access = answer.get("access")
    bench.need(bench.runserver.ask("GET", "/api/auth/me/", token=str(access)), 200)


@item(
    "rest.me",
    docs="check",
    needs=["rest.login"],
    hints=Hints(
        think="Whose token is it? The view needs no id in its address.",
        look="The view behind auth/me/ and `request.user`.",
        code=_USERS,
    ),
)
def me_is_who_logged_in(bench: Bench) -> None:
    """`/api/auth/me/` answers with the user whose token it got."""
    for name in ("alice", "bob"):
        person = bench.person(bench.runserver, name)
        answer = bench.need(
            bench.runserver.ask("GET", "/api/auth/me/", token=person.access), 200
        )
        if (answer.get("id"), answer.get("username")) != (person.id, person.username):
            raise NotYet(
                str(answer), expected=f"{name}'s token gives {name}, id {person.id}"
            )


@item(
    "rest.requires-login",
    docs="check",
    needs=["rest.login"],
    hints=Hints(
        think="What is refused by default, and what is open on purpose?",
        look="REST_FRAMEWORK in settings: the default permission and authentication classes.",
        code="backend/numeneon/settings.py::REST_FRAMEWORK",
    ),
)
def strangers_get_401(bench: Bench) -> None:
    """A request without a token gets 401, the same request with one is answered."""
    alice = bench.person(bench.runserver, "alice")
    for path in ("/api/auth/me/", "/api/posts/", "/api/friends/", "/api/messages/"):
        bench.need(bench.runserver.ask("GET", path), 401)
        bench.need(bench.runserver.ask("GET", path, token=alice.access), 200)


@item(
    "rest.friends",
    docs="check",
    needs=["rest.login"],
    hints=Hints(
        think="A friendship has two sides. Who may accept a request, and who sees whom then?",
        look="The views request/ and accept/, and the query behind the list of friends.",
        code="backend/friends/views.py",
    ),
)
def friends_ask_and_accept(bench: Bench) -> None:
    """A friend request can be sent once and accepted by its receiver; then both are friends."""
    server = bench.runserver
    alice, bob = bench.person(server, "alice"), bench.person(server, "bob")
    itself = server.ask("POST", f"/api/friends/request/{alice.id}/", token=alice.access)
    bench.need(itself, 400)
    asked = server.ask("POST", f"/api/friends/request/{bob.id}/", token=alice.access)
    accept = f"/api/friends/accept/{bench.need(asked, 201).get('id')}/"
    again = server.ask("POST", f"/api/friends/request/{alice.id}/", token=bob.access)
    if again.status not in (400, 409):
        raise NotYet(str(again), expected="a second request, either way, gets 400 or 409")
    own = server.ask("POST", accept, token=alice.access)
    if own.status not in (403, 404):
        raise NotYet(str(own), expected="who asked cannot accept for the other: 403 or 404")
    bench.need(server.ask("POST", accept, token=bob.access), 200)
    for person, other in ((alice, bob), (bob, alice)):
        friends = bench.need(server.ask("GET", "/api/friends/", token=person.access), 200)
        if other.id not in [row.get("id") for row in friends.rows]:
            raise NotYet(str(friends), expected=f"{other.username} among the friends")


@item(
    "rest.messages",
    docs="check",
    needs=["rest.login"],
    hints=Hints(
        think="Who is the sender? Never what the client claims.",
        look="The view that creates a message and the one that lists a conversation.",
        code="backend/messaging/views.py",
    ),
)
def a_message_arrives(bench: Bench) -> None:
    """A message can be sent and is in the receiver's conversation, and in nobody else's."""
    server = bench.runserver
    alice, carol = bench.person(server, "alice"), bench.person(server, "carol")
    body = {"receiver_id": carol.id, "content": "Hello Carol"}
    sent = server.ask("POST", "/api/messages/", body=body, token=alice.access)
    bench.need(sent, 201)
    theirs = f"/api/messages/conversation/{alice.id}/"
    seen = bench.need(server.ask("GET", theirs, token=carol.access), 200)
    if sent.get("id") not in [row.get("id") for row in seen.rows]:
        raise NotYet(
            str(seen), expected="carol's conversation with alice holds the message"
        )
    bob = bench.person(server, "bob")
    others = bench.need(server.ask("GET", theirs, token=bob.access), 200)
    if others.rows:
        raise NotYet(str(others), expected="bob's conversation with alice is empty")


@item(
    "rest.tests",
    docs="check",
    needs=[earlier.id for earlier in checklist.items],  # they say more than a red test
    apart=True,
    hints=Hints(
        think="Which test is the first to fail, and what does its name promise?",
        look="Run `python -m pytest -x` in the folder with manage.py.",
        code="backend/pytest.ini",
    ),
)
def own_tests_pass(bench: Bench) -> None:
    """The project has tests of its own and they pass."""
    argv = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--color=no"]
    process = bench.finish(argv, bench.env(layer="project"), seconds=180)
    log = bench.sandbox.as_learner(process.log())
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
        look_at=Place(f"{bench.project.relative(bench.project.backend / failed[1])}"),
        todo=f"run `python -m pytest -x {failed[1]}` and mend what it names",
    )

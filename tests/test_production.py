"""What this machine lacks is not the project's fault, and no message gives a secret away."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import course
from checks.harness import services
from checks.items import items_of
from checks.render.production import PROXY_ADDRESS
from checks.report import line
from checks.results import ItemResult, Report, Status
from checks.runner import Session
from tests.test_services import SYSTEM_POSTGRES
from tests.variants import Edit
from tests.variants.step06 import (
    BELIEVES,
    BUILD,
    DEBUG,
    HEADER,
    KEY,
    MIGRATE,
    NO_DATABASE,
    PARSED,
    PLAN,
    REQUIREMENTS,
    SETTINGS,
    START,
    STATIC_ROOT,
    UVICORN_PIN,
    WHITENOISE,
)

pytestmark = pytest.mark.server
STEP = course.step(6)
GUNICORN = (
    f"      cd backend && {MIGRATE} && exec gunicorn numeneon.asgi:application\n"
    "      --bind 0.0.0.0:$PORT      -k uvicorn.workers.UvicornWorker\n"
)
REQUIRE_TLS = PARSED.replace("(database_url)", "(database_url, ssl_require=True)")


@pytest.fixture
def report_on(tmp_path, shared):
    """Judges items of step 6 over the snapshot with some edits; `own` is not shared."""

    def run(items: list[str], *edits: Edit, **own: Any) -> Report:
        project = tmp_path / f"project-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(STEP.folder, project, ignore=shutil.ignore_patterns("__pycache__"))
        for edit in edits:
            edit.apply(project)
        with Session(project, **(shared | own)) as session:
            return session.run(6, only=items)

    return run


@pytest.fixture
def judge(report_on):
    """Judges one item."""

    def run(item: str, *edits: Edit, **own: Any) -> ItemResult:
        report = report_on([item], *edits, **own)
        shown = "\n".join(line(result) for result in report.items)
        found = next(
            r for r in report.items if r.status is not Status.PASSED or r.id == item
        )
        assert found.message or found.status is Status.PASSED, shown
        return found

    return run


def by_hand(name: str) -> Edit:
    return Edit(PLAN, DEBUG, f"{DEBUG}      - key: {name}\n        sync: false\n")


def test_server_that_is_not_here_is_the_environments(judge):
    """A package that the project requires and this machine lacks is named; nobody fails."""
    found = judge(
        "deploy.boots",
        Edit(REQUIREMENTS, UVICORN_PIN, f"{UVICORN_PIN}gunicorn==23.0.0\n"),
        Edit(PLAN, START, GUNICORN),
    )

    assert (found.id, found.status) == ("deploy.boots", Status.ENVIRONMENT)
    assert "gunicorn" in found.message


def test_server_that_nobody_requires_fails(judge):
    """The same start command without the requirement fails on Render as well."""
    found = judge("deploy.boots", Edit(PLAN, START, GUNICORN))

    assert (found.id, found.status) == ("deploy.boots", Status.FAILED)
    assert "gunicorn: not found" in found.message
    assert "add the package that provides `gunicorn`" in found.message


def test_text_made_up_for_a_person_is_ours(judge):
    """What somebody enters by hand cannot be known: an odd value of ours is no failure."""
    found = judge(
        "deploy.variables",
        by_hand("PAGES"),
        Edit(SETTINGS, KEY, f'{KEY}PAGES = int(os.environ["PAGES"])\n'),
    )

    assert found.status is Status.ENVIRONMENT
    assert "PAGES is entered by hand" in found.message


def test_tls_that_postgres_lacks_is_the_environments(judge, monkeypatch):
    """A project may require TLS of its database; where ours has none, that is said."""
    monkeypatch.setattr(services, "_tls_options", lambda *args: [])

    found = judge(
        "deploy.migrates",
        Edit(SETTINGS, PARSED, REQUIRE_TLS),
        postgres=services.start_postgres,
    )

    assert (found.id, found.status) == ("deploy.migrates", Status.ENVIRONMENT)
    assert "TLS" in found.message


@pytest.mark.skipif(not SYSTEM_POSTGRES, reason="the PostgreSQL of the wheels has no TLS")
def test_database_over_tls_passes(judge, monkeypatch):
    """With a PostgreSQL that offers TLS, a project that requires it is judged."""
    folder = Path(max(SYSTEM_POSTGRES)).parent
    monkeypatch.setattr(services, "postgres_folder", lambda: folder)

    found = judge(
        "deploy.migrates",
        Edit(SETTINGS, PARSED, REQUIRE_TLS),
        postgres=services.start_postgres,
    )

    assert (found.id, found.status) == ("deploy.migrates", Status.PASSED)


def test_messages_hide_secrets(judge):
    """Settings that print the key and the database's password show stars instead."""
    error = '"key " + SECRET_KEY + " of " + os.environ["DATABASE_URL"]'
    found = judge(
        "deploy.variables",
        Edit(
            SETTINGS, KEY, f"{KEY}if not DEBUG:\n    raise ImproperlyConfigured({error})\n"
        ),
    )

    assert found.status is Status.FAILED
    assert "key ******** of postgresql://numeneon:********@127.0.0.1" in found.message


NO_BLUEPRINT = (Edit(PLAN, None, None), Edit(BUILD, None, None))


@pytest.mark.parametrize("item", ["deploy.static", "deploy.needs-secret"])
def test_settings_are_judged_before_there_is_a_blueprint(judge, item):
    """Part 2 of the step ends before part 3 writes one: our own variables take its place."""
    assert judge(item, *NO_BLUEPRINT).status is Status.PASSED


def test_settings_can_fail_before_there_is_a_blueprint(judge):
    """What is wrong with them is their own news, and not that a file is missing."""
    found = judge("deploy.needs-database", *NO_BLUEPRINT, Edit(SETTINGS, NO_DATABASE, ""))

    assert (found.id, found.status) == ("deploy.needs-database", Status.FAILED)
    assert "found    without DATABASE_URL:" in found.message


@pytest.mark.parametrize(
    ("item", "edit", "named"),
    [
        (
            "deploy.https",
            Edit(SETTINGS, WHITENOISE, WHITENOISE.replace('ware")', 'war")')),
            ["WhiteNoiseMiddlewar", "in MIDDLEWARE"],
        ),
        (
            "deploy.static",
            Edit(SETTINGS, STATIC_ROOT, ""),
            ["STATIC_ROOT", f"look at  {SETTINGS}"],
        ),
    ],
)
def test_part_that_fails_is_the_one_that_explains(report_on, item, edit, named):
    """Before there is a blueprint, and after: never the item about a missing variable."""
    for edits in ([*NO_BLUEPRINT, edit], [edit]):
        report = report_on([each.id for each in items_of(6, 2)], *edits)

        [failure] = [r for r in report.items if r.status is Status.FAILED]
        assert failure.id == item
        assert all(words in failure.message for words in named), failure.message


def test_list_beside_manage_py_is_installed_before_there_is_a_blueprint(judge):
    """A project has its requirements where it likes."""
    text = (STEP.folder / REQUIREMENTS).read_text("utf-8")
    elsewhere = (Edit(REQUIREMENTS, None, None), Edit(f"backend/{REQUIREMENTS}", "", text))

    assert judge("deploy.https", *NO_BLUEPRINT, *elsewhere).status is Status.PASSED


@pytest.mark.skipif(not PROXY_ADDRESS, reason="only Linux has another address of its own")
def test_proxy_is_not_on_the_servers_machine(judge):
    """A server that believes nobody but its own machine redirects Render's proxy for ever."""
    found = judge(
        "deploy.https",
        Edit(SETTINGS, HEADER, ""),
        Edit(PLAN, DEBUG, DEBUG + BELIEVES.format("127.0.0.1")),
    )

    assert (found.id, found.status) == ("deploy.https", Status.FAILED)
    assert "GET /api/auth/me/ answered 301" in found.message


def test_shell_in_front_of_the_server_is_a_remark(judge):
    """SIGTERM ends the shell, and the server goes on: it passes, and `exec` is advised."""
    server = "uvicorn $1 --host 0.0.0.0 --port $PORT --lifespan off\ntrue\n"
    found = judge(
        "deploy.shutdown",
        Edit("start.sh", "", server),
        Edit(
            PLAN,
            START,
            f"      cd backend && {MIGRATE} && bash ../start.sh numeneon.asgi:application\n",
        ),
    )

    assert found.status is Status.PASSED
    assert "Write `exec` before the server" in found.remark

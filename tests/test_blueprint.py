"""render.yaml: what is certain fails, what is only unknown is a remark, nothing breaks us."""

from __future__ import annotations

import copy
import random

import pytest
import yaml

import course
from checks.errors import NotYet
from checks.render import blueprint, values
from checks.report import line, to_junit
from checks.results import ItemResult, Report, Status
from checks.runner import Session

PLAN = (course.step(6).folder / "render.yaml").read_text("utf-8")


@pytest.fixture
def load(tmp_path):
    """Reads a text as the render.yaml of a project with its build script."""
    (tmp_path / "build.sh").write_text("true\n")

    def read(text: str) -> blueprint.Blueprint:
        (tmp_path / "render.yaml").write_text(text, "utf-8")
        return blueprint.load(tmp_path)

    return read


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "plan: free  # spins",
            "plan: nano  # spins",
            "`plan: nano` is not known to this check",
        ),
        (
            "    healthCheckPath:",
            "    shutdownStyle: x\n    healthCheckPath:",
            "shutdownStyle",
        ),
        (
            "runtime: python",
            "runtime: python\n    region: frankfrut",
            "did you mean `frankfurt`?",
        ),
        ("- key: DEBUG", "- key: NOTHING\n      - key: DEBUG", "from nothing"),
    ],
)
def test_what_is_unknown_is_a_remark(load, old, new, said):
    """Render adds plans, regions and keys; the remark names line and text, and all passes."""
    [remark] = load(PLAN.replace(old, new)).remarks

    assert remark.startswith("render.yaml:")
    assert said in remark


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("buildCommand:", "build_command:", "did you mean `buildCommand`?"),
        ("startCommand:", "startComand:", "did you mean `startCommand`?"),
        ("generateValue:", "generatedValue:", "did you mean `generateValue`?"),
        ("runtime: python", "branch: main", "has no `runtime`"),
        ("runtime: python", "runtime: pyhton", "did you mean `python`?"),
        ("type: web", "type: [web]", "`type` is a list, not a string"),
        (
            "    runtime: python",
            "    runtime: python\n    rootDir: 5",
            "`rootDir` is a number",
        ),
        (
            "plan: free",
            "plan: free\n    maxShutdownDelaySeconds: 30",
            "Render refuses `max",
        ),
        (
            "plan: free",
            "plan: starter\n    maxShutdownDelaySeconds: 30\n    disk: {name: files}",
            "has a disk, with which Render refuses `max",
        ),
        ('value: "false"', "value:", "empty, not a string"),
        ("healthCheckPath: /healthz/", "healthCheckPath: /a b", "is not a path"),
    ],
)
def test_what_is_certain_fails(load, old, new, said):
    """A misspelt key, a missing one and a wrong type are refused by Render as well."""
    with pytest.raises(NotYet) as news:
        load(PLAN.replace(old, new, 1)).web_service()

    assert said in news.value.message
    assert "render.yaml:" in news.value.message


def test_numbers_are_texts_as_written(load):
    """3.10 is not 3.1, and 010 is not 8."""
    plan = load(PLAN.replace("3.13.9", "3.10").replace('value: "1"', "value: 010"))

    found = {entry["key"]: entry.get("value") for _, entry in plan.variables()}
    assert (found["PYTHON_VERSION"], found["WEB_CONCURRENCY"]) == ("3.10", "010")


ODD = [None, 5, -1, 1.5, True, "", "x", "\0", "a=b", [], {}, [5], [[]], [{}], {"a": 1}]
ODD += [{"name": 5}, [{"source": 1}], [{"key": 5, "value": 3}], "../..", "/etc", {1: 2}]


def test_odd_blueprints_get_a_verdict(load, tmp_path):
    """Whatever is put in place of whatever: a blueprint or news for the learner, no crash."""
    dice = random.Random(6)
    whole = yaml.safe_load(PLAN)
    fit = 0
    for _ in range(150):
        content = copy.deepcopy(whole)
        parent, key = dice.choice(list(_places(content)))
        parent[key] = dice.choice(ODD)
        try:
            plan = load(yaml.safe_dump(content))
            blueprint.check_references(plan, tmp_path)
            fit += len(list(plan.variables())) > 0
        except NotYet as news:
            assert news.found

    assert 0 < fit < 150


def _places(content):
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield content, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATABASE_URL", "postgresql://me:word@db:5432/notes"),
        ("POSTGRES_DB", "notes"),
        ("PGHOST", "db"),
        ("DB_PORT", "5432"),
        ("REDIS_URL", "redis://store:6379/0"),
        ("DEFAULT_FROM_EMAIL", "someone@example.com"),
        ("EMAIL_HOST_USER", "someone@example.com"),
        ("EMAIL_PORT", "587"),
        ("EMAIL_HOST_PASSWORD", "anything"),
        ("ALLOWED_HOSTS", "here.onrender.com"),
        ("CORS_ALLOWED_ORIGINS", "https://here.onrender.com"),
        ("ACCESS_TOKEN_MINUTES", "60"),
        ("SECRET_KEY", "anything"),
        ("DEBUG", "false"),
        ("DATABASE_CONN_MAX_AGE", "60"),
    ],
)
def test_hand_entered_values_are_of_their_kind(key, value):
    """What `sync: false` leaves to a person is filled with what such a name asks for."""
    database, redis = "postgresql://me:word@db:5432/notes", "redis://store:6379/0"

    assert values.entered(key, database, redis, "here.onrender.com", "anything") == value


def test_remark_is_shown_and_kept():
    """A passed item keeps its remark in the terminal, in JSON and in JUnit."""
    result = ItemResult("a.b", "It works.", Status.PASSED, remark="one\ntwo")
    report = Report(6, "here", [result])

    assert line(result).splitlines()[1:] == ["      remark   one", "      remark   two"]
    assert report.as_dict()["items"][0]["remark"] == "one\ntwo"
    assert "remark: one" in to_junit(report)
    assert report.status is Status.PASSED


def test_blueprint_alone_starts_nothing(tmp_path, monkeypatch):
    """Who asks for the blueprint waits for no service, no build and no server."""
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda *args, **more: started.append(args))

    with Session(course.step(6).folder) as session:
        report = session.run(6, only=["deploy.blueprint"])

    assert report.status is Status.PASSED
    assert started == []

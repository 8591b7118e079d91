"""`check` and `steps`: verdicts, reports, and what is remembered of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from checks.results import Status
from tests.small import FakeSession, write_tree
from workshop import cli
from workshop.commands import check
from workshop.home import Home
from workshop.progress import load


@pytest.mark.usefixtures("workspace")
def test_passed_step_is_remembered(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """After all passed, the next step is named, and it is the one checked next."""
    assert cli.main(["check"], home) == 0

    said = capsys.readouterr().out
    assert "Step 0: all passed" in said
    assert "Next: step 1, Middle (20 minutes)." in said
    assert load(home).current() == home.steps[1]


@pytest.mark.usefixtures("workspace")
def test_failed_item_keeps_the_step(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """A step with a failure is shown as begun and stays the current one."""
    verdicts["start.tested"] = Status.FAILED

    assert cli.main(["check"], home) == 1
    cli.main(["steps"], home)

    assert "> [ ]  0  Start   10 min  1 of 2" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_environment_fault_is_status_3(home: Home, verdicts: dict[str, Status]) -> None:
    """What the machine lacks is not the learner's failure."""
    verdicts["start.tested"] = Status.ENVIRONMENT

    assert cli.main(["check"], home) == 3


@pytest.mark.usefixtures("workspace")
def test_named_item_is_judged_alone(
    home: Home, sessions: list[FakeSession], capsys: pytest.CaptureFixture[str]
) -> None:
    """--item finds its step by itself, and does not claim that the step is finished."""
    assert cli.main(["check", "--item", "notes.view"], home) == 0

    assert sessions[0].runs[0]["step"] == 1
    assert sessions[0].runs[0]["only"] == ["notes.view"]
    assert "Next:" not in capsys.readouterr().out
    assert load(home).count(home.steps[1]) == (1, 2)


def test_other_project_has_its_own_record(home: Home, workspace: Path) -> None:
    """--project is judged and remembered apart from the workspace."""
    other = home.root.parent / "other project"
    write_tree(other, {"backend/manage.py": ""})

    assert cli.main(["check", "--project", str(other)], home) == 0

    assert load(home).current() == home.steps[0]
    assert load(home, other).current() == home.steps[1]


@pytest.mark.usefixtures("workspace")
def test_reports_are_written(
    home: Home, verdicts: dict[str, Status], tmp_path: Path
) -> None:
    """--json and --junit hold the same verdicts."""
    verdicts["start.tested"] = Status.FAILED
    files = tmp_path / "out.json", tmp_path / "out.xml"

    cli.main(["check", "0", "--json", str(files[0]), "--junit", str(files[1])], home)

    written = json.loads(files[0].read_text("utf-8"))
    assert written["schema"] == 1
    assert written["status"] == "failed"
    assert [item["status"] for item in written["items"]] == ["passed", "failed"]
    assert ET.parse(files[1]).getroot().get("failures") == "1"


@pytest.mark.usefixtures("workspace")
def test_json_on_stdout_is_alone_there(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json -` can be piped into another program: the words go to standard error."""
    cli.main(["check", "--json", "-"], home)

    captured = capsys.readouterr()
    assert json.loads(captured.out)["status"] == "passed"
    assert "all passed" in captured.err


@pytest.mark.usefixtures("workspace")
def test_unfinished_earlier_step_is_named(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who passes a later step first is told what is still open."""
    cli.main(["check", "1"], home)

    assert "Still unfinished: step 0, Start." in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_last_step_ends_the_course(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """After the last step it says so, and `check` judges that one again."""
    for number in ("0", "1", "2"):
        cli.main(["check", number], home)

    assert "all steps are finished" in capsys.readouterr().out
    assert cli.main(["check"], home) == 0
    assert "Step 2, End" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 99}', '{"schema": 1}'])
def test_damaged_record_is_begun_anew(
    content: str, home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that cannot be read is put aside, with a word, and nothing else happens."""
    write_tree(home.state, {"progress.json": content})

    assert cli.main(["check"], home) == 0

    assert "cannot be understood" in capsys.readouterr().err
    assert (home.state / "progress.damaged.json").read_text() == content
    assert load(home).current() == home.steps[1]


def test_url_needs_no_workspace(home: Home, sessions: list[FakeSession]) -> None:
    """A deployment is judged by the step that has live items, with both accounts."""
    arguments = ["--login", "a@example.com:one", "--login", "b@example.com:two:2"]

    assert cli.main(["check", "--url", "https://x.example/", *arguments], home) == 0

    run = sessions[0].runs[0]
    assert (run["step"], run["url"]) == (2, "https://x.example")
    assert run["logins"] == [("a@example.com", "one"), ("b@example.com", "two:2")]
    assert not (home.state / "progress.json").exists()


def test_accounts_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """NUMENEON_LOGIN_1 and _2 keep passwords out of the shell's history."""
    monkeypatch.setenv("NUMENEON_LOGIN_1", "a@example.com:one")
    monkeypatch.setenv("NUMENEON_LOGIN_2", "b@example.com:two")

    assert check.accounts([]) == [("a@example.com", "one"), ("b@example.com", "two")]


@pytest.mark.parametrize(
    "options",
    [
        ["a@example.com:hunter2"],
        ["a@example.com:hunter2", "A@example.com:hunter2"],
        ["alice:hunter2", "bob:hunter2"],
    ],
)
def test_impossible_accounts_are_refused(options: list[str]) -> None:
    """One account, the same one twice, or no address: the sentence has no password in it."""
    with pytest.raises(check.UsageError) as refused:
        check.accounts(options)

    assert "hunter2" not in str(refused.value)


def test_left_out_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a password may be typed unseen."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed")

    assert check.accounts(["a@example.com", "b@example.com"])[0] == (
        "a@example.com",
        "typed",
    )

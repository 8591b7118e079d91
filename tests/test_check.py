"""`check` and `steps`: verdicts, reports, and what is remembered of them."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from checks.exchange import Event, Exchange
from checks.items import Item
from checks.results import ItemResult, Report, Status
from course.terminal import COMMAND
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
def test_first_failure_is_said_last(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its sentence comes when it is known; what it has to say comes once, at the end."""
    verdicts.update({"start.works": Status.FAILED, "start.tested": Status.BLOCKED})

    cli.main(["check", "0"], home)

    said = capsys.readouterr().out
    assert said.count("[ ] The item start.works holds.\n") == 2
    assert said.count("found    start.works does not hold") == 1
    assert "The item start.tested" not in said
    assert "\n[-] 1 waits for start.works (--all shows everything)\nStep 0:" in said


@pytest.mark.usefixtures("workspace")
def test_all_prints_every_item_in_full(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """--all is the checklist in its order, also what waits, each once."""
    verdicts.update({"start.works": Status.FAILED, "start.tested": Status.BLOCKED})

    cli.main(["check", "0", "--all"], home)

    said = capsys.readouterr().out
    assert said.count("[ ] The item start.works holds.\n") == 1
    assert "[-] The item start.tested holds.\n      waits for start.works" in said


@pytest.mark.usefixtures("workspace")
def test_trace_prints_the_exchange(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The item is judged, and what went over the wire follows its verdict."""
    exchange = Exchange((Event(7, "frame", "server", "client", "hello"),))
    verdict = FakeSession._verdict

    def with_exchange(self: FakeSession, item: Item, status: Status) -> ItemResult:
        return replace(verdict(self, item, status), exchange=exchange)

    monkeypatch.setattr(FakeSession, "_verdict", with_exchange)

    assert cli.main(["check", "--trace", "notes.urls"], home) == 0
    said = capsys.readouterr().out
    assert "Step 1, Middle: checking" in said
    assert "notes.view" not in said
    assert said.index("[x] The item notes.urls") < said.index("    7  | hello")
    assert said.index("    7  | hello") < said.index("Step 1: all passed")
    assert "\033" not in said


@pytest.mark.usefixtures("workspace")
def test_trace_says_why_there_is_no_exchange(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """An item that talks to no server, one that waits, and one that is not there."""
    verdicts["start.tested"] = Status.BLOCKED

    cli.main(["check", "--trace", "start.works", "--trace", "start.tested"], home)
    said = " ".join(capsys.readouterr().out.split())
    assert "start.works: passed. It sent nothing to a server" in said
    assert (
        f"start.tested waits for start.works: {COMMAND} check --trace start.works" in said
    )

    assert cli.main(["check", "--trace", "start.workz"], home) == 2
    assert "Did you mean start.works" in capsys.readouterr().err


@pytest.mark.usefixtures("workspace")
def test_failure_is_cut_to_the_terminal(
    home: Home,
    verdicts: dict[str, Status],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal's rows are the limit; a pipe has none."""
    lines = "\n".join(f"         line {n}" for n in range(40))
    message = f"found    the log:\n{lines}\nnext     read it"
    failed = ItemResult("start.works", "It works.", Status.FAILED, message=message)
    report = Report(0, "/project", [failed], 0.1)
    options = {"partly": True, "url": None}
    step = home.steps[0]

    whole = check.closing(home, load(home), step, report, **options)
    monkeypatch.setattr(check, "height", lambda stream: 24)
    cut = check.closing(home, load(home), step, report, **options)

    assert len(whole) > 40
    assert len(cut) <= 24 - 4
    assert "      next     read it" in cut


@pytest.mark.usefixtures("workspace")
def test_failure_names_the_section_of_its_page(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """The file with its anchor; the address as soon as the site is served."""
    verdicts["start.works"] = Status.FAILED

    cli.main(["check", "0"], home)
    assert f"read     {Path('docs/steps/x.md')}#y" in capsys.readouterr().out

    with socket.create_server(("127.0.0.1", 0)) as site:
        address = f"http://127.0.0.1:{site.getsockname()[1]}/"
        noted = json.dumps({"pid": 1, "address": address})
        write_tree(home.state, {"running.json": noted})
        cli.main(["check", "0"], home)
        assert f"read     {address}steps/x/#y" in capsys.readouterr().out

    assert home.site_address() is None


@pytest.mark.usefixtures("workspace")
def test_known_message_leads_to_its_entry(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """What was found is looked up among the exact messages of docs/fix/."""
    short = "### `start.works does` { #short }\n\nShort.\n"
    exact = "### `start.works does not` { #exact }\n\nExact.\n"
    later = "### `works does not hold` { #later }\n\nLater.\n"
    write_tree(home.root, {"docs/fix/index.md": short + exact + later})
    verdicts["start.works"] = Status.FAILED

    cli.main(["check", "0"], home)

    assert f"see      {Path('docs/fix/index.md')}#exact" in capsys.readouterr().out


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


@pytest.mark.parametrize("option", ["--json", "--junit"])
@pytest.mark.usefixtures("workspace")
def test_report_that_cannot_be_written_is_told_first(
    option: str,
    home: Home,
    sessions: list[FakeSession],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is judged for a report that would be lost."""

    def refused(**options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)

    assert cli.main(["check", option, "out"], home) == 3

    assert "The report out cannot be written: Read-only" in capsys.readouterr().err
    assert not sessions


@pytest.mark.skipif(os.name == "nt", reason="NUL is not a file there")
@pytest.mark.usefixtures("workspace")
def test_report_to_a_device_leaves_it_a_device(home: Home, tmp_path: Path) -> None:
    """A pipe, a device or a link is written to, never replaced by a file."""
    pointed = tmp_path / "pointed.json"
    pointed.write_text("")
    (tmp_path / "link.json").symlink_to(pointed)

    assert cli.main(["check", "0", "--json", str(tmp_path / "link.json")], home) == 0

    assert (tmp_path / "link.json").is_symlink()
    assert json.loads(pointed.read_text("utf-8"))["status"] == "passed"


@pytest.mark.skipif(os.name == "nt", reason="Windows starts no scripts")
@pytest.mark.usefixtures("workspace")
def test_interpreter_that_is_no_python_is_told_first(
    home: Home,
    tmp_path: Path,
    sessions: list[FakeSession],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program that is not Python is not blamed on the project's code."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert cli.main(["check", "--python", str(program)], home) == 3

    assert "is not a Python interpreter" in capsys.readouterr().err
    assert not sessions


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
def test_last_step_ends_the_course(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """After the last step it says what to do with it, and `check` judges that one again."""
    verdicts["end.deployed"] = Status.MANUAL
    for number in ("0", "1", "2"):
        cli.main(["check", number], home)

    said = capsys.readouterr().out
    assert said.count("all 3 steps are finished") == 1
    assert "1 item of step 2 can only be judged" in said
    assert f"{COMMAND} check --url https://" in said
    assert f"{COMMAND} diff mine final" in said
    assert cli.main(["check"], home) == 0
    assert "Step 2, End" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_end_is_said_once_to_a_watch(home: Home) -> None:
    """A watch hears of the end at the save that reaches it, not at each one after."""
    progress = load(home)
    said = []
    for number in (0, 1, 2, 2):
        step = home.steps[number]
        with home.session(home.workspace, None) as session:
            report = session.run(number, on_result=lambda result: None)
        progress.record(report)
        lines = check.closing(home, progress, step, report, partly=True, url=None)
        said.append("the last step" in "\n".join(lines))

    assert said == [False, False, True, False]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 99}', '{"schema": 1}'])
def test_damaged_record_is_begun_anew(
    content: str, home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that cannot be read is put aside, with a word, and nothing else happens."""
    write_tree(home.state, {"progress.json": content})

    assert cli.main(["check"], home) == 0

    assert "is damaged" in capsys.readouterr().err
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


@pytest.mark.usefixtures("workspace")
def test_replaced_item_is_not_asked_for_any_more(
    home: Home, monkeypatch: pytest.MonkeyPatch, sessions: list[FakeSession]
) -> None:
    """After the step that replaces an item, an earlier step is finished without it."""
    first, *others = home.checklist(home.steps[0])
    items = {0: (replace(first, until=2), *others)}
    changed = replace(home, items_of=lambda n: items.get(n) or home.items_of(n))
    cli.main(["catch-up", "2"], changed)

    cli.main(["check", "0"], changed)

    assert sessions[-1].runs[0]["reached"] == 2
    assert load(changed).count(home.steps[0]) == (len(others), len(others))

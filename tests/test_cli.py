"""The command line: what it says to wrong usage, and its exit statuses."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from checks.results import Status
from course import terminal
from course.terminal import COMMAND
from workshop import cli
from workshop.commands import catch_up
from workshop.home import Home


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """--help names each command with what it does, and the exit statuses."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    for name in cli.COMMANDS:
        assert re.search(rf"^    {name} ", said, re.MULTILINE), name
    assert "3 this machine lacks something" in " ".join(said.split())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """COMMAND --help says what it does in a sentence."""
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])

    assert ended.value.code == 0
    assert ". " in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["chek"], "There is no command 'chek'. Did you mean check?"),
        (["diff"], "required: A"),
        (["check", "--nonsense"], "Unrecognized arguments: --nonsense"),
        (["run", "1", "--port", "x"], "invalid int value: 'x'"),
    ],
)
def test_wrong_usage_is_one_sentence(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, where to read more, status 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in said
    assert "--help" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["check", "7"], "There is no step '7'. The steps are: 0 start, 1 middle, 2 end."),
        (["check", "--project", "nowhere"], "does not exist. Name an existing one"),
        (["check", "--item", "start.work"], "Did you mean start.works"),
        (["check", "1", "--item", "start.works"], "it belongs to step 0, Start"),
        (["check", "--url", "ftp://x.example"], "is not a URL that can be checked"),
        (
            ["check", "--url", "https://x.example/path"],
            "Give the URL without a path or query",
        ),
        (["check", "--json", "no/such/folder/out.json"], "does not exist"),
        (["diff", "0", "nine"], "There is no step 'nine'"),
        (["diff", "0", "1", "nope"], "Neither 00-start nor 01-middle has 'nope'"),
        (["hint", "notes.vieww"], "Did you mean notes.view"),
        (["catch-up", "0", "--before"], "Nothing comes before step 0"),
        (["catch-up", "0", "--project", "nowhere"], "does not exist. Name an existing one"),
        (["run", "9"], "There is no step '9'"),
        (["run", "0", "--port", "70000"], "is not a port"),
    ],
)
@pytest.mark.usefixtures("workspace")
def test_impossible_wish_is_status_2(
    argv: list[str], words: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the thing and what there is instead."""
    assert cli.main(argv, home) == 2
    assert words in capsys.readouterr().err


def test_missing_workspace_says_how_to_make_it(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first start there is nothing to check."""
    assert cli.main(["check"], home) == 2
    assert "There is no workspace yet. Make one with:" in capsys.readouterr().err


def test_missing_interpreter_is_the_environments_fault(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--python with something that is no program is status 3."""
    assert cli.main(["check", "--python", "python-of-dreams"], home) == 3
    assert "There is no interpreter python-of-dreams" in capsys.readouterr().err


def test_our_own_fault_is_kept_and_told(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the command is never shown as a traceback: it is in a file to report."""

    def broken(home: Home, arguments: object) -> int:
        raise RuntimeError("surprise")

    monkeypatch.setattr(catch_up, "run", broken)

    assert cli.main(["catch-up", "1"], home) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "surprise" in said
    assert "RuntimeError: surprise" in (home.state / "error.log").read_text()


def test_ctrl_c_is_130(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is stopped says so in a word."""

    def stopped(home: Home, arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(catch_up, "run", stopped)

    assert cli.main(["catch-up", "1"], home) == 130
    assert "Stopped." in capsys.readouterr().err


@pytest.mark.usefixtures("workspace")
def test_output_of_a_pipe_has_no_colour(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody watches, no escape codes are written; the marks say it all."""
    verdicts["start.tested"] = Status.FAILED

    assert cli.main(["check"], home) == 1
    assert cli.main(["steps"], home) == 0
    assert cli.main(["diff", "0", "1"], home) == 0
    assert "\033" not in capsys.readouterr().out


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


def test_no_color_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colour unless NO_COLOR is set."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.has_colour(Terminal())

    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.has_colour(Terminal())


@pytest.mark.parametrize("columns", ["20", "40", "200"])
def test_table_fits_the_terminal(
    columns: str,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No line of the table is wider than the terminal, nor than is readable."""
    monkeypatch.setenv("COLUMNS", columns)

    cli.main(["steps"], home)

    lines = capsys.readouterr().out.splitlines()[: len(home.steps)]
    assert max(map(len, lines)) <= max(int(columns), 30)


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    "argv",
    [
        ["check"],
        ["check", "--all"],
        ["check", "2"],
        ["hint"],
        ["hint", "notes.view"],
        ["steps"],
        ["reset", "--dry-run"],
        ["check", "1", "--item", "start.works"],
        ["diff", "mine"],
        ["check", "9"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("workspace")
def test_every_line_fits_the_terminal(
    columns: int,
    argv: list[str],
    home: Home,
    verdicts: dict[str, Status],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a person watches is wrapped at words; a line of one piece may be longer."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main(["check", "1"], home)
    cli.main(["check", "2"], home)
    verdicts.update({"start.works": Status.FAILED, "start.tested": Status.BLOCKED})
    watched = Terminal()
    monkeypatch.setattr(sys, "stdout", watched)
    monkeypatch.setattr(sys, "stderr", watched)

    cli.main(argv, home)

    assert watched.getvalue()
    for line in watched.getvalue().splitlines():
        text = line.split("  ")[-1].strip()
        assert len(line) <= columns or " " not in text or COMMAND in text, line


def test_text_that_the_console_cannot_show_is_no_error(
    home: Home, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console with an old encoding gets question marks, not a crash."""
    (workspace / "note.txt").write_text("Жизнь\n", "utf-8")
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)

    assert cli.main(["diff", "0", "mine"], home) == 0
    output.flush()
    assert b"?" in output.buffer.getvalue()  # type: ignore[attr-defined]


def test_options_reach_pytest_as_they_are() -> None:
    """`test -k name -x` is passed on."""
    parsed = cli.parse(["test", "-k", "name", "-x"])

    assert parsed.arguments == ["-k", "name", "-x"]

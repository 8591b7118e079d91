"""`hint`: one more at each call, the code last; and how code is found by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.results import Status
from course.source import SymbolNotFound, extract, symbols
from course.terminal import COMMAND
from tests.small import write_tree
from workshop import cli
from workshop.home import Home

SOURCE = '''"""A module."""

LIMIT = 3  # not more


# Why it is here.
# In two lines.
@decorated
@twice(
    1,
)
class Consumer:
    """A consumer."""

    group: str | None = None

    # Runs first.
    async def connect(self):
        """Accept."""
        await self.accept()

    def receive(self): ...


def helper():
    return """
# not a comment
"""
'''


def test_each_call_gives_one_more(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """First the question, then the place, then the code, and then the code again."""
    said = []
    for _ in range(4):
        assert cli.main(["hint", "notes.view"], home) == 0
        said.append(capsys.readouterr().out)

    assert "Who asks?" in said[0] and "In notes/views.py." not in said[0]
    assert "In notes/views.py." in said[1] and "return 1" not in said[1]
    assert "    @decorated\n    def view():" in said[2]
    assert "return 1" in said[3] and "--all" in said[3]


def test_all_gives_everything_at_once(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """--all shows the three and does not count as having asked."""
    assert cli.main(["hint", "notes.view", "--all"], home) == 0
    said = capsys.readouterr().out
    cli.main(["hint", "notes.view"], home)

    assert all(text in said for text in ("Who asks?", "In notes/views.py.", "return 1"))
    assert "return 1" not in capsys.readouterr().out


def test_items_are_counted_apart(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A hint for one item does not use up those of another."""
    cli.main(["hint", "notes.view"], home)
    capsys.readouterr()

    cli.main(["hint", "notes.urls"], home)

    assert "Who asks?" in capsys.readouterr().out


def test_damaged_count_starts_anew(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """What was remembered wrongly is no obstacle."""
    entry = {"hints": {"notes.view": "two"}}
    record = {"schema": 1, "projects": {"workspace": entry}}
    write_tree(home.state, {"progress.json": json.dumps(record)})

    assert cli.main(["hint", "notes.view"], home) == 0
    assert "Who asks?" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_without_an_item_it_is_the_first_failure(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """The one of the last check, in the order of the checklist; one more at each call."""
    verdicts |= {"start.tested": Status.FAILED, "notes.urls": Status.FAILED}
    cli.main(["check", "0"], home)
    cli.main(["check", "1"], home)
    verdicts.clear()
    capsys.readouterr()

    said = []
    for _ in range(2):
        assert cli.main(["hint"], home) == 0
        said.append(capsys.readouterr().out)
    cli.main(["check", "1"], home)
    cli.main(["check", "0", "--item", "start.works"], home)
    capsys.readouterr()
    cli.main(["hint"], home)

    assert "The item notes.urls" in said[0] and "Who asks?" in said[0]
    assert "In notes/views.py." in said[1]
    assert "The item start.tested" in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
def test_with_nothing_failed_it_says_what_to_do(
    home: Home, verdicts: dict[str, Status], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first check, after a finished step, without a tool, and at the end."""

    def said() -> str:
        capsys.readouterr()
        assert cli.main(["hint"], home) == 0
        return capsys.readouterr().out

    assert "Nothing has been checked yet." in said()
    verdicts["start.tested"] = Status.ENVIRONMENT
    cli.main(["check", "0"], home)
    assert f"{COMMAND} doctor" in said()
    verdicts.clear()
    cli.main(["check", "0"], home)
    assert "step 0 is finished.\nNext: step 1, Middle" in said()
    cli.main(["check", "1"], home)
    cli.main(["check", "2"], home)
    assert "all 3 steps are finished" in said()


def test_other_project_has_its_own_hints(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--project counts apart from the workspace."""
    other = home.root / "other"
    write_tree(other, {"backend/manage.py": ""})
    cli.main(["hint", "notes.view"], home)
    capsys.readouterr()

    cli.main(["hint", "notes.view", "--project", str(other)], home)

    assert "Who asks?" in capsys.readouterr().out


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A source file with one of everything."""
    path = tmp_path / "module.py"
    path.write_text(SOURCE, "utf-8")
    return path


def test_whole_file_without_a_symbol(module: Path) -> None:
    """No symbol: the file as it is."""
    assert extract(module) == SOURCE


def test_class_comes_with_decorators_and_comments(module: Path) -> None:
    """What stands right above belongs to it."""
    found = extract(module, "Consumer")

    assert found.startswith("# Why it is here.\n# In two lines.\n@decorated\n@twice(\n")
    assert found.endswith("    def receive(self): ...\n")


def test_method_comes_with_its_comment(module: Path) -> None:
    """A method is addressed through its class and keeps its indentation."""
    assert extract(module, "Consumer.connect") == (
        "    # Runs first.\n    async def connect(self):\n"
        '        """Accept."""\n        await self.accept()\n'
    )


def test_assignments_are_symbols(module: Path) -> None:
    """At module level and in a class, annotated or not."""
    assert extract(module, "LIMIT") == "LIMIT = 3  # not more\n"
    assert extract(module, "Consumer.group") == "    group: str | None = None\n"


def test_text_in_a_string_is_no_comment(module: Path) -> None:
    """Lines of a string stay with their function."""
    assert extract(module, "helper").count("# not a comment") == 1


def test_unknown_symbol_names_what_there_is(module: Path) -> None:
    """The error has the file, the symbol and the symbols that exist."""
    with pytest.raises(
        SymbolNotFound, match=r"module\.py has no 'nope'.*Consumer\.connect"
    ):
        extract(module, "nope")

    assert "Consumer.receive" in symbols(module)

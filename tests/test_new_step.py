"""`new-step`: a step more, or one in between, and nothing has to be edited by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import course
from course.outline import Part, Step
from tools.player.scratch import environment
from workshop import cli
from workshop.authoring.renumbering import in_sentences, redirected, rewritten
from workshop.commands.new_step import with_entry
from workshop.home import Home, here

ROOT = course.ROOT
LEFT_OUT = (".git", ".venv", ".tutorial", "workspace", "__pycache__", ".*_cache", "*.pyc")
# The fast tests that judge what follows from the list of steps, by one generator.
FAST = "course outline facts pages directives structure repository site variants"
CHOSEN = "not zensical and not reference_to_nothing_ends and not gets_its_verdict"
# What is compiled stays for the next run, where nothing is edited in between.
KEPT = {"PYTHONDONTWRITEBYTECODE": ""}
SECONDS = 900


class Clone:
    """A copy of the repository that a test may change; what it runs sees only the copy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))

    def run(self, *argv: str, **variables: str) -> str:
        """Run a module of the copy; what it prints. It must end with 0."""
        done = subprocess.run(
            [sys.executable, "-m", *argv],
            cwd=self.root,
            env=environment() | {"PYTHONPATH": str(self.root)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def passes(self, *steps: int) -> None:
        """The fast tests of the copy, the linter, and the check and variants of some steps."""
        self.run("ruff", "check", "--no-cache", "checks", "tests", "workshop")
        self.run("ruff", "format", "--no-cache", "--check", "checks", "tests")
        files = [f"tests/test_{name}.py" for name in FAST.split()]
        pytest = ["pytest", "-v", "-p", "no:cacheprovider", "-k"]
        self.run(*pytest, CHOSEN, "-x", *files, **KEPT)
        own = [f"{n:02}- and (renamed_apps_pass or gets_its_verdict)" for n in steps]
        proofs = ["tests/test_snapshots.py", "tests/test_variants.py"]
        said = self.run(*pytest, " or ".join(own), *proofs, **KEPT)
        for n in steps:
            assert re.search(rf"renamed_apps_pass\[{n:02}-\S* PASSED", said)
            assert re.search(rf"gets_its_verdict\[{n:02}-.* PASSED", said)

    @property
    def entries(self) -> list[dict]:
        """The list of steps as the copy has it."""
        return tomllib.loads((self.root / "course/course.toml").read_text("utf-8"))["step"]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A copy of the repository."""
    return Clone(tmp_path / "clone")


@pytest.mark.slow
def test_new_steps_need_no_edit(clone: Clone, full: bool) -> None:
    """One at the end: all that follows from the list is there. Then one in parts between two:
    later steps get new numbers everywhere. Both pass, and its parts are played one by one.

    That a step at the end passes where nothing was inserted is proven with --full alone.
    """
    last = course.steps()[-1].number
    check_appended(clone, last + 1)
    if full:
        clone.passes(last + 1)
    number = course.step("installation").number + 1
    check_inserted(clone, number)
    clone.passes(number, last + 2)
    check_played(clone, f"{number:02}-a-dummy")


def check_appended(clone: Clone, number: int) -> None:
    """A step more: its entry, its page, its line in the README."""
    said = clone.run("workshop", "new-step", "a-last-one", "--title", "Dummies & more")

    entry = clone.entries[-1]
    slug = f"{number:02}-a-last-one"
    assert (entry["slug"], entry["title"]) == (slug, "Dummies & more")
    assert f"docs/steps/{slug}.md" in said
    readme = (clone.root / "README.md").read_text("utf-8")
    assert f"(steps/{slug}/README.md)" in readme


def check_inserted(clone: Clone, number: int) -> None:
    """A step in two parts, behind the one of the number before."""
    names = [entry["slug"][3:] for entry in clone.entries]
    before = clone.entries[number - 1]["slug"]

    parts = ["--part", "first-half", "--part", "second-half"]
    clone.run("workshop", "new-step", "a-dummy", "--after", before, *parts)

    names.insert(number, "a-dummy")
    slugs = [entry["slug"] for entry in clone.entries]
    assert slugs == [f"{place:02}-{name}" for place, name in enumerate(names)]


def check_played(clone: Clone, slug: str) -> None:
    """Each page of the step is played, and what one shows has to be what is printed."""
    said = clone.run("tools.player", slug)
    assert f"docs/steps/{slug}/1-first-half.md: " in said
    assert f"docs/steps/{slug}/2-second-half.md: " in said
    page = clone.root / "docs" / "steps" / slug / "1-first-half.md"
    page.write_text(page.read_text("utf-8").replace("First half: ready", "no"), "utf-8")
    with pytest.raises(AssertionError, match="does not print what the page shows"):
        clone.run("tools.player", slug)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["Browser"], "cannot name a step"),
        (["final"], "cannot name a step"),
        (["asgi"], "There is a step called asgi already"),
        (["x", "--part", "one"], "two parts or more"),
        (["x", "--part", "one", "--part", "one"], "two parts or more"),
        (["x", "--after", "99"], "There is no step '99'"),
        (["--title", "X"], "A new step needs a name"),
    ],
)
def test_step_that_cannot_be_is_refused(
    argv: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    home = Home(tmp_path, here().steps)

    assert cli.main(["new-step", *argv], home) == 2

    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_inserting_wants_a_way_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git is the way back from a command that writes into many files."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "mine.txt").write_text("not committed\n")
    home = Home(tmp_path, here().steps)

    assert cli.main(["new-step", "x", "--after", "asgi"], home) == 2

    assert "not committed" in capsys.readouterr().err


# Numbers


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("In step 5 and in Step 05", "In step 6 and in Step 06"),
        ("steps 0 to 5, steps 2 and 6", "steps 0 to 6, steps 2 and 7"),
        ("`python3 tutorial.py diff mine 5`", "`python3 tutorial.py diff mine 6`"),
        ("python3 tutorial.py diff 4 5", "python3 tutorial.py diff 4 6"),
        ("5 items, within 5 s, HTTP 505", "5 items, within 5 s, HTTP 505"),
        ("check 5 friends, run 6 servers", "check 5 friends, run 6 servers"),
        ("footstep 5", "footstep 5"),
    ],
)
def test_sentences_get_the_next_number(text: str, made: str) -> None:
    """Where a number is that of a step, and nowhere else."""
    assert in_sentences(text, {5, 6}) == made


@pytest.mark.parametrize(
    ("name", "text", "made"),
    [
        ("docs/a.md", "(steps/{5}-asgi.md)", "(steps/{6}-asgi.md)"),
        ("docs/a.md", "step={5}-asgi path=x", "step={6}-asgi path=x"),
        ("docs/a.md", "{5}-asgi-more x{5}-asgi", "{5}-asgi-more x{5}-asgi"),
        ("tests/a.py", "import step{5}\nstep{5}.X", "import step{6}\nstep{6}.X"),
        ("tests/a.py", "says('step{5}')", "says('step{5}')"),
        ("checks/items/step05.py", "Checklist(\n    5,", "Checklist(\n    6,"),
        ("checks/items/step05.py", "Checklist(__name__)", "Checklist(__name__)"),
    ],
)
def test_names_get_the_next_number(name: str, text: str, made: str) -> None:
    """Slugs, modules, and numbers of checklists that are written out."""
    asgi = replace(course.step("asgi"), number=5, slug=f"{5:02}-asgi")
    text, made = (
        t.replace("{5}", f"{5:02}").replace("{6}", f"{6:02}") for t in (text, made)
    )

    assert rewritten(name, text, [asgi]) == made


def test_neighbours_speak_of_the_new_step() -> None:
    """Only in the section that is about what comes before, or next."""
    old, new = step_of(4, "emit"), step_of(5, "new")
    text = "## Start\n\nstep 4 (`steps/{4}-emit`): {{ items emit }}\n\n## Run\n\nstep 4\n"

    made = redirected(text.replace("{4}", "04"), "Start", old, new)

    assert made == text.replace(
        "step 4 (`steps/{4}-emit`)", "step 5 (`steps/05-new`)"
    ).replace("items emit", "items new")


def test_link_to_the_next_step_leads_to_its_overview() -> None:
    """A step in parts has its first page in a folder."""
    parts = (Part(1, "one", "One", 10), Part(2, "two", "Two", 10))
    old, new = step_of(5, "old"), replace(step_of(4, "new"), parts=parts)
    text = f"## Next\n\n[Step 5]({old.slug}.md)\n"

    made = redirected(text, "Next", old, new)

    assert made == f"## Next\n\n[Step 4]({new.slug}/index.md)\n"


def step_of(number: int, name: str) -> Step:
    """A step with nothing but a number and a name."""
    return Step(number, f"{number:02}-{name}", name.title(), 10, (), 0)


def test_list_keeps_its_comments() -> None:
    """An entry is put behind another one, and no other line changes."""
    text = '# why\n\n[[step]]\nslug = "00-a" # first\n\n[[step]]\nslug = "01-b"\n'

    middle = with_entry(text, "00-a", step_of(1, "new"))
    last = with_entry(text, "01-b", step_of(2, "new"))

    assert middle.startswith(
        '# why\n\n[[step]]\nslug = "00-a" # first\n\n[[step]]\nslug = "01-new"'
    )
    assert middle.endswith('\n\n[[step]]\nslug = "01-b"\n')
    assert last.startswith(text) and last.endswith("given = []\n")

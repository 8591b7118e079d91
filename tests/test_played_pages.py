"""The pages are true: each is played as a learner would, and the player notices when not."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import course
from course import processes
from course.processes import listening
from tools.player import matching as play_compare
from tools.player import player
from tools.player import scratch as play_scratch
from tools.player.edits import with_wrong
from tools.player.player import NotAsShown, Player, Score, Source, play, run_options
from tools.player.scratch import Scratch, environment
from tools.player.warm import Cold, Warm
from tools.site import differences, listings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCES = player.sources()
MISSING = "no browser in this test"
SETTINGS = "backend/numeneon/settings.py"
EDIT = '@code step=01-installation path=requirements.txt region="channels==..redis"\n'
SAY = """\
```console
$ python -c "print('ready')"
ready
```
"""
SERVER = """\
@run server
```console
$ python -m http.server 8000 --bind 127.0.0.1
Serving HTTP on 127.0.0.1 port 8000 (http://127.0.0.1:8000/) ...
```
"""
ASK = """\
```console
$ python -c "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000); \
c.request('GET', '/'); print(c.getresponse().status)"
200
```
"""


@pytest.fixture
def windows(request: pytest.FixtureRequest) -> tuple[Browser | None, str]:
    """A browser, or None and why there is none; in CI that is a failure."""
    try:
        return request.getfixturevalue("browser"), ""
    except pytest.skip.Exception as missing:
        return None, str(missing)


@pytest.fixture(scope="session")
def commands(
    request: pytest.FixtureRequest, shared: dict[str, Any], passed: Path
) -> Iterator[Cold]:
    """What starts the commands of all pages."""
    full = request.config.getoption("--full")
    made = Cold() if full else Warm(environment(), shared, passed)
    yield made
    made.close()


def tell(line: str) -> None:
    """Print a line of the table: on stderr, which pytest-xdist lets through."""
    print(f"\n  {line}", end="", file=sys.stderr, flush=True)


def played(
    text: str, folder: Path, step: str | None = "installation", *, whole: bool = False
) -> Score:
    """Play a page of our own, without a browser.

    It finds only a workspace, unless it needs the `whole` tutorial for its commands: to copy
    that takes longer than such a page. Without it there is no check at its end either.
    """
    page = Source("page.md", text, None if step is None else course.step(step))
    with pytest.MonkeyPatch.context() as patch:
        for parts in () if whole else ("PACKAGES", "FOLDERS"):
            patch.setattr(play_scratch, parts, ())
            patch.setattr(Player, "_prove", lambda self, checks, line: None)
        return play(page, folder / "tutorial", None, MISSING)


# The pages


@pytest.mark.played
@pytest.mark.parametrize("pages", player.lessons(), ids=lambda pages: pages[0].name)
def test_page_is_as_it_says(
    pages: list[Source],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
    commands: Cold,
) -> None:
    """Its edits make the step, its commands do what it shows, and no block stays unread.

    One lesson, with --full each, starts every command as a terminal does. In the others, a
    check with which a page begins is not run again if the page before it has ended with the
    same check, which passed there on the same bytes (tools/player/warm.py).
    """
    blocks = [fence for page in pages for fence in player.fences(page)]
    needs_browser = any("browser" in run_options(fence).words for fence in blocks)
    chrome, why_not = (
        request.getfixturevalue("windows") if needs_browser else (None, MISSING)
    )

    cold = pages[0].step == course.step("settings")

    scores = player.play_in_turn(
        pages, tmp_path / "tutorial", chrome, why_not, Cold() if cold else commands
    )

    record_property("played", "\n".join(map(str, scores)))
    with capsys.disabled():
        for score in scores:
            tell(str(score))
    assert sum(score.blocks for score in scores) == len(blocks)
    assert chrome is None or not any(score.unplayed for score in scores)


def test_pages_of_steps_skip_next_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What is skipped on them is printed with its reason: today one block of all."""
    skipped = [
        f"{page.name}:{fence.line}: {run_options(fence).values['reason']}"
        for page in SOURCES
        if page.step
        for fence in player.fences(page)
        if "skip" in run_options(fence).words
    ]

    with capsys.disabled():
        for line in skipped:
            tell(f"skipped: {line}")
    assert len(skipped) <= 1


# Comparing


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        (["a", "b"], ["", "a", "b  ", ""]),
        (["...", "b"], ["a", "b"]),
        (["a", "..."], ["a"]),
        (["a", "...", "b", "...", "c"], ["a", "x", "b", "y", "b", "c"]),
        (["..."], []),
        ([], []),
        (["all passed, 4 items in 1.0 s."], ["all passed, 4 items in 61.5 s."]),
        (["3 passed in 0.62s"], ["3 passed in 10.01s"]),
        (["a ping. (5.0 ms)", "seconds: 0.65"], ["a ping. (61.5 ms)", "seconds: 1.20"]),
        (["3 passed in 0.62s"], ["3 passed in 63.61s (0:01:03)"]),
        (["at 2026-11-21T08:26:13.638293Z"], ["at 2027-01-02T03:04:05Z"]),
        (
            ['[21/Nov/2026 08:25:18] "GET / HTTP/1.1" 404 2844'],
            ['[22/Nov/2026 09:25:18] "GET / HTTP/1.1" 404 2845'],
        ),
        (["<object at 0x7f01>"], ["<object at 0xab12>"]),
        (["Started server process [12]"], ["Started server process [4567]"]),
    ],
)
def test_what_is_shown_may_leave_out_and_differ(shown: list[str], came: list[str]) -> None:
    """`...` stands for any number of lines, and the table names what differs each time."""
    assert play_compare.matches(shown, came)


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        (["a"], ["a", "b"]),
        (["a", "b"], ["a"]),
        ([], ["a"]),
        (["a", "..."], ["b", "a"]),
        (["...", "b"], ["b", "a"]),
        (["a", "...", "a"], ["a"]),
        (["...", "b", "...", "a", "..."], ["a", "b"]),
        (["4 items in 1.0 s."], ["5 items in 1.0 s."]),
        (["closed 4401"], ["closed 1006"]),
        (["line ..."], ["line 2"]),
        (["  indented"], ["indented"]),
    ],
)
def test_anything_else_must_be_equal(shown: list[str], came: list[str]) -> None:
    """A line more, a line less, another order, another number are noticed."""
    assert not play_compare.matches(shown, came)


def test_lines_of_a_log_are_found_together() -> None:
    """A part of a log is there only with its lines one after the other."""
    assert play_compare.contains(["b", "c"], ["a", "b", "c", "d"])
    assert not play_compare.contains(["b", "d"], ["a", "b", "c", "d"])


def test_port_is_rewritten_both_ways() -> None:
    """Commands get a port of their own, and what they print names port 8000 again."""
    assert play_compare.rewritten("python manage.py runserver", 4711) == (
        "python manage.py runserver 4711"
    )
    assert play_compare.rewritten("python manage.py runasgi --reload", 4711) == (
        "python manage.py runasgi --port 4711 --reload"
    )
    assert play_compare.rewritten("ws://127.0.0.1:8000/ws/", 4711) == (
        "ws://127.0.0.1:4711/ws/"
    )
    assert play_compare.as_shown(["at :4711/ in /tmp/x/a"], 4711, "/tmp/x") == [
        "at :8000/ in ~/a"
    ]


def test_second_port_is_rewritten_as_well() -> None:
    """A second server, and what names it, gets another port than the first."""
    command = "python manage.py runserver 8001"
    assert play_compare.rewritten(command, 4711, 815) == "python manage.py runserver 815"
    assert play_compare.rewritten("https://localhost:8443", 4711, 815).endswith(":815")
    assert play_compare.as_shown(["from :815 to :4711"], 4711, "/tmp/x", 815) == [
        "from :8001 to :8000"
    ]


def test_commands_find_nothing_that_steers_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What our own shell or pytest has set does not reach what a page runs."""
    monkeypatch.setenv("DATABASE_URL", "postgres://real/data")
    monkeypatch.setenv("CI", "true")

    found = environment()

    assert not {"DATABASE_URL", "CI", "PYTEST_CURRENT_TEST"} & set(found)
    assert found["PIP_NO_INDEX"] == "1"


# Edits


@pytest.mark.slow
def test_given_files_come_by_their_command(tmp_path: Path) -> None:
    """`@given` is played: the command puts in place what the page need not show otherwise."""
    step = course.step("settings")
    text = f"@given step={step.slug}\n@diff step={step.slug} path={SETTINGS}\n"

    score = played(text, tmp_path, step.slug, whole=True)

    given = [c.path for c in differences.changes_of(step) if step.gives(c.path)]
    assert given
    assert str(score) == f"page.md: 0 played, {len(given) + 1} edits, 0 skipped"


def test_wrong_code_stands_where_the_right_one_will() -> None:
    """What is wrong on purpose takes the place of its symbol, and nothing else moves."""
    values = {
        "step": "04-emit-events",
        "path": "backend/notifications/events.py",
        "symbol": "publish",
    }
    found = listings.listing(values)
    everything = [(0, len(found.change.new))]

    made = with_wrong(found.change, everything, {(found.first, found.last): ["wrong()"]})

    new = found.change.new
    assert made.splitlines() == [*new[: found.first], "wrong()", *new[found.last :]]


# The player's own judgement


@pytest.mark.server
def test_small_page_is_played(tmp_path: Path) -> None:
    """One edit, one command, a server that is asked and that a text block quotes."""
    log = '```text\n[21/Nov/2026 08:25:18] "GET / HTTP/1.1" 200 -\n```\n'
    log = log.replace("[21/Nov/2026", "127.0.0.1 - - [21/Nov/2026")

    score = played(EDIT + SAY + SERVER + ASK + log + "@run stop\n", tmp_path)

    assert str(score) == "page.md: 4 played, 1 edits, 0 skipped"


@pytest.mark.slow
def test_shell_is_typed_into(tmp_path: Path) -> None:
    """A block with `>>>` runs in `manage.py shell`, and other output than shown is noticed."""
    block = "```console\n$ cd backend\n```\n```pycon\n>>> 20 + 22\n{}\n```\n"

    assert played(EDIT + block.format(42), tmp_path / "a").played == 2
    with pytest.raises(NotAsShown, match=r"page\.md:5: .*"):
        played(EDIT + block.format(43), tmp_path / "b")


@pytest.mark.slow
def test_shell_may_stay_open(tmp_path: Path) -> None:
    """What one block defines is there for a `same` one, and for no other."""
    first = "```console\n$ cd backend\n```\n```pycon\n>>> def answer(): return known\n```\n"
    second = "```pycon\n>>> known = 42\n>>> answer()\n42\n```\n"

    assert played(f"{EDIT}{first}@run same\n{second}", tmp_path / "a").played == 3
    with pytest.raises(NotAsShown, match="NameError"):
        played(EDIT + first + second, tmp_path / "b")
    with pytest.raises(NotAsShown, match="no shell yet"):
        played(f"{EDIT}@run same\n{second}", tmp_path / "c")


def test_exported_variables_stay_until_they_are_unset(tmp_path: Path) -> None:
    """For every command that comes later on the page."""
    say = "$ python -c \"import os; print(os.environ.get('GREETING'))\"\n{}\n"
    block = f"$ export GREETING=hello\n{say.format('hello')}$ unset GREETING\n"

    assert played(f"{EDIT}```console\n{block}{say.format(None)}```\n", tmp_path).played == 1


def test_exported_ports_are_those_of_the_copy(tmp_path: Path) -> None:
    """A variable that names the page's server reaches the one that runs."""
    say = "$ python -c \"import os; print(os.environ['SITE'].endswith(':8000'))\"\nTrue\n"
    block = f"$ export SITE=http://127.0.0.1:8000\n{say}"

    assert played(f"{EDIT}```console\n{block}```\n", tmp_path).played == 1


@pytest.mark.server
def test_helper_runs_beside_the_server(tmp_path: Path) -> None:
    """Both answer, the helper until the end of the page."""
    helper = SERVER.replace("@run server", "@run beside").replace("-m http", "-u -m http")
    port = processes.free_port()
    helper = helper.replace("8000", str(port))

    assert played(EDIT + helper + SERVER + ASK, tmp_path).played == 3
    assert not listening(port)


@pytest.mark.server
def test_second_server_is_stopped_first(tmp_path: Path) -> None:
    """Two servers run side by side; `@run stop` ends the one that was started last."""
    second, ask_it = SERVER.replace("8000", "8001"), ASK.replace("8000", "8001")
    refused = "@run fails\n" + ask_it.replace("\n200\n", "\n...\n")
    text = (
        EDIT
        + SERVER
        + second
        + ASK
        + ask_it
        + "@run stop\n"
        + ASK
        + refused
        + "@run stop\n"
    )

    score = played(text, tmp_path)

    assert score.played == 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (EDIT + SAY.replace("\nready", "\nsteady"), r"3: .* does not print what .* shows"),
        (EDIT + SAY.replace("print(", "exit("), r"3: .* exited with status 1"),
        (EDIT + "@run fails\n" + SAY, r"4: .* exited with status 0, and it should fail"),
        (
            SAY,
            r"4: the workspace is not as steps/01-installation\n  requirements.txt differs",
        ),
        (EDIT + "@run skip\n" + SAY, r"3: a block is skipped without a reason"),
        (EDIT + "@run server\n\nText.\n" + SAY, r"2: @run server is above no block"),
        (EDIT + "@run stop\n", r"2: there is no server to stop"),
        (
            EDIT + "@draft path=no.txt\n\nText.\n",
            r"2: @draft path=no.txt is above no block",
        ),
        (
            EDIT + "@throwaway path=try.py\n```python\npass\n```\n",
            r"5: the workspace is not as steps/01-installation\n  try.py is there",
        ),
        (
            EDIT + "@throwaway path=requirements.txt\n```text\nx\n```\n",
            r"3: requirements.txt is in step 01-installation",
        ),
        (EDIT + "```yaml\na: 1\n```\n", r"2: nothing says what to do with this 'yaml'"),
        (EDIT + "```text\nnews\n```\n", r"2: nothing says what to do with this 'text'"),
        (EDIT + SAY + "```text\nnews\n```\n", r"6: the last command has not printed this"),
        (EDIT + "```console\nready\n```\n", r"2: a console block begins with a command"),
        (EDIT + "```console\n$ cd nowhere\n```\n", r"3: .* there is no such folder"),
        (EDIT + "@run server\n" + SAY, r"4: .* exited with status 0"),
        (
            "@code step=01-installation path=no.txt\n",
            r"1: step 01-installation has no file",
        ),
    ],
)
def test_what_is_not_so_is_told_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    """A page that is not true is refused, and the message begins with page and line."""
    with pytest.raises(NotAsShown, match=rf"^page\.md:{says}"):
        played(text, tmp_path)


def test_without_a_browser_its_blocks_are_counted(tmp_path: Path) -> None:
    """They count as not played, with the reason, and so does what they would print."""
    block = "@run browser window=bob\n```js\nconsole.log(1)\n```\n```text\n1\n```\n"

    score = played(EDIT + block, tmp_path)

    assert str(score) == f"page.md: 0 played, 1 edits, 0 skipped, 2 not played: {MISSING}"


def test_block_is_saved_as_its_page_says(tmp_path: Path) -> None:
    """The next command finds the file; a name that leads out of the tutorial is refused."""
    block = "@run save={}\n```python\nprint('ready')\n```\n"
    run = "```console\n$ python hello.py\nready\n```\n"

    score = played(block.format("hello.py") + run, tmp_path / "a", step=None)

    assert str(score) == "page.md: 2 played, 0 edits, 0 skipped"
    with pytest.raises(NotAsShown, match=r"page\.md:2: \.\./x\.py is outside"):
        played(block.format("../x.py"), tmp_path / "b", step=None)


@pytest.mark.browser
def test_browser_window_prints_what_is_shown(
    windows: tuple[Browser | None, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables stay from one block to the next, and other words than shown are noticed."""
    chrome, why_not = windows
    if chrome is None:
        pytest.skip(why_not)
    block = "@run browser window=bob\n```js\n{}\n```\n"
    text = EDIT + SERVER + block.format("n = await 41;")
    text += block.format("console.log(n + 1)") + "```text\n{}\n```\n"
    step = course.step("installation")

    score = play(Source("page.md", text.format(42), step), tmp_path / "a", chrome)

    assert score.played == 4
    monkeypatch.setattr("tools.player.browser.SECONDS", 2.0)
    with pytest.raises(NotAsShown, match=r"page\.md:15: the console of the window 'bob'"):
        play(Source("page.md", text.format(43), step), tmp_path / "b", chrome)
    endless = EDIT + SERVER + block.format("await new Promise(() => {});")
    with pytest.raises(NotAsShown, match="these lines did not end within 2 s"):
        play(Source("page.md", endless, step), tmp_path / "c", chrome)


@pytest.mark.browser
def test_form_is_filled_in_and_seen(
    windows: tuple[Browser | None, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window opens at an address, a form is filled in there, and other news is noticed."""
    chrome, why_not = windows
    if chrome is None:
        pytest.skip(why_not)
    form = (
        "<label>Name <input id=n></label><label>To <select id=t><option>a<option>b"
        "</select></label><button onclick='out.append(n.value, t.value)'>Go</button>"
        "<p id=out>"
    )
    write = shlex.quote(f"open('f.html', 'w').write({form!r})")
    text = EDIT + f"```console\n$ cd ..\n$ python -c {write}\n```\n" + SERVER
    text += "@run browser window=bob page=/f.html\n"
    text += "```form\nName: x\nTo: b\n[Go]\n```\n"
    text += "@run browser window=bob sees\n```text\n...\n{}\n```\n"
    step = course.step("installation")

    score = play(Source("page.md", text.format("xb"), step), tmp_path / "a", chrome)

    assert score.played == 4
    monkeypatch.setattr("tools.player.browser.SECONDS", 2.0)
    with pytest.raises(NotAsShown, match="the window 'bob' does not show what the page"):
        play(Source("page.md", text.format("xa"), step), tmp_path / "b", chrome)


@pytest.mark.parametrize(
    ("after", "times"), [("", 1), ("$ python -c \"open('new.py', 'w')\"\n", 2)]
)
def test_part_is_judged_once(
    after: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of its page, unless the page had just that project checked."""
    started: list[str] = []

    def argv(self: Scratch, command: str) -> list[str]:
        started.append(command)
        return [sys.executable, "-c", command.split('"')[1] if "-c" in command else ""]

    monkeypatch.setattr(Scratch, "_argv", argv)
    for parts in ("PACKAGES", "FOLDERS"):
        monkeypatch.setattr(play_scratch, parts, ())
    part = course.step(f"{course.step('notifications-app').number}.1")
    judge = f"python3 tutorial.py check {part.label}"
    text = f"```console\n$ {judge}\n{after}```\n"

    play(Source("page.md", text, part), tmp_path / "tutorial", None, MISSING)

    assert started.count(judge) == times
    assert started.count("python manage.py check") == 1


@pytest.mark.server
@pytest.mark.parametrize("news", [NotAsShown("no"), KeyboardInterrupt()])
def test_servers_end_with_the_player(
    news: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the play in its middle, nothing goes on running."""
    ports: list[int] = []

    def command(self: Player, *_: object, **__: object) -> None:
        assert listening(self.scratch.port)
        ports.append(self.scratch.port)
        raise news

    monkeypatch.setattr(Player, "_command", command)

    with pytest.raises(type(news)):
        played(EDIT + SERVER + SAY, tmp_path)

    assert [listening(port) for port in ports] == [False]

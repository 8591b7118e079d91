"""What the tests share."""

from __future__ import annotations

import collections
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.browser.browser import Browsers
from checks.harness import services, warm
from checks.harness.warm import MigratedDatabases

# One definition for all files: imported into each, the session would begin a browser for each,
# and build the pages for each.
from tests.browser import browser, copy, plain, tool, visits  # noqa: F401 - fixtures
from tests.needs import require
from tests.small import home, sessions, verdicts, workspace  # noqa: F401 - fixtures
from tests.variants.venvs import python_of


def pytest_configure() -> None:
    """A shell starts what it puts into the background with Ctrl-C ignored, nohup ignores a
    closed terminal, and programs inherit both: those that the tests start must get these
    signals, wherever the tests were started."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.name != "nt" and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--full` is what the scheduled job runs: everything, however long it takes."""
    parser.addoption("--full", action="store_true", help="leave nothing out")


# Each takes seconds to make: all tests that use one run in the same worker. So do those
# with both sites.
_DEAR_FIXTURES = {"site": "site", "zensical_site": "site", "tool": "tool"}
# What takes long, by its fixtures and markers, and until which part of the run it may begin.
# A visit to all pages and the pages that are played compute for minutes; the others also wait.
_LONG = (
    ({"tool"}, 0.0),
    ({"played"}, 0.75),
    ({"site", "slow", "server", "browser", "variants"}, 1.0),
)
_SHORT = 2.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --full its cases are not collected: they are no skips, but another suite."""
    for item in items:
        names = _DEAR_FIXTURES.keys() & set(getattr(item, "fixturenames", ()))
        for group in {_DEAR_FIXTURES[name] for name in names}:
            item.add_marker(pytest.mark.xdist_group(group))
    if getattr(config.option, "loadgroup", False):
        _name_groups(items)
    if not config.getoption("--full"):
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if getattr(config.option, "loadgroup", False):
        _longest_first(items)


def _name_groups(items: list[pytest.Item]) -> None:
    """Put the group of a test behind its id, where the scheduler looks for it.

    xdist does that itself, but not with pytest 9.2: it says nothing, and each worker makes
    everything (github.com/pytest-dev/pytest-xdist/issues/1386). Twice does no harm.
    """
    for item in items:
        if group := item.get_closest_marker("xdist_group"):
            item._id = type(item._id).parse(f"{item.nodeid}@{group.args[0]}")


def _longest_first(items: list[pytest.Item]) -> None:
    """What is long and begins last runs alone, while the processors are idle.

    The files with long tests take turns, because in some of them most tests wait while others
    compute. Of one file, the later steps come first: their projects do more.
    """
    items.sort(key=lambda item: -_step(item))
    sizes = collections.Counter((item.path, _until(item)) for item in items)
    dealt: collections.Counter[tuple[Path, float]] = collections.Counter()

    def place(item: pytest.Item) -> float:
        until = _until(item)
        dealt[item.path, until] += 1
        # A file's only long test begins in the middle, not at the end.
        share = (dealt[item.path, until] - 0.5) / sizes[item.path, until]
        return until if until == _SHORT else until * share

    items.sort(key=place)


def _until(item: pytest.Item) -> float:
    """Until which part of the run a test may begin; behind all long ones if it is short."""
    names = {mark.name for mark in item.iter_markers()}
    names.update(getattr(item, "fixturenames", ()))
    return next((until for kind, until in _LONG if names & kind), _SHORT)


def _step(item: pytest.Item) -> int:
    """The last step that a test names. Of those that name none, some tests are long, no page is."""
    unnamed = 0 if item.get_closest_marker("played") else 99
    return max(map(int, re.findall(r"\b(\d\d)-", item.name)), default=unnamed)


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether nothing is to be left out."""
    return bool(request.config.getoption("--full"))


_seconds: dict[str, float] = collections.defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each file costs, set-up and clean-up included."""
    _seconds[report.nodeid.partition("::")[0]] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the time went: docs/contribute has the budget of each part."""
    dear = sorted(_seconds.items(), key=lambda entry: -entry[1])[:8]
    words = ", ".join(f"{Path(file).stem} {seconds:.0f}" for file, seconds in dear)
    terminalreporter.write_line(f"seconds of work by file: {words}")


@pytest.fixture
def interpreter(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str | None], str | None]:
    """The interpreter that a variant asks for: None for ours, `without:NAME` for one that
    lacks a package."""
    return lambda name: python_of(name, tmp_path_factory) if name else None


@pytest.fixture(scope="session")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What sessions over many projects share, as arguments of Session: as a watch does, but
    from project to project. With --full each check begins with nothing, as a learner's does.
    """
    if request.config.getoption("--full"):
        yield {}
        return
    from tests.clusters import SharedPostgres  # a driver of PostgreSQL, which few need

    interpreters, postgres = warm.for_a_watch(), SharedPostgres()
    databases = MigratedDatabases(_for_all_workers(tmp_path_factory, "databases"), most=60)
    browsers = Browsers()
    yield {
        "interpreters": interpreters,
        "databases": databases,
        "postgres": postgres,
        "browsers": browsers,
    }
    browsers.close()
    interpreters.close()
    postgres.close()


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What checks of played pages have passed: the next page often begins with the same one."""
    return _for_all_workers(tmp_path_factory, "passed")


def _for_all_workers(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder of the whole run, below which each worker has its own."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def real_redis() -> Path:
    """The Redis executable. Without one: a failure in CI, a skipped test elsewhere."""
    return require(services.redis_executable(), "Redis")


@pytest.fixture(scope="session")
def real_postgres() -> Path:
    """The folder of PostgreSQL's executables, likewise."""
    return require(services.postgres_folder(), "PostgreSQL")

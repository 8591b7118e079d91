"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.harness import services
from tests.small import home, sessions, verdicts, workspace  # noqa: F401 - fixtures
from tests.variants.venvs import python_of

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@pytest.fixture
def interpreter(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str | None], str | None]:
    """The interpreter that a variant asks for: None for ours, `without:NAME` for one that
    lacks a package."""
    return lambda name: python_of(name, tmp_path_factory) if name else None


def require(found: Path | None, what: str) -> Path:
    """A service that a test needs: without it the test fails in CI and is skipped elsewhere."""
    if found is not None:
        return found
    text = f"{what} was not found; `python3 tutorial.py doctor` says how to get it"
    if IN_CI:
        pytest.fail(text)
    pytest.skip(text)


@pytest.fixture(scope="session")
def real_redis() -> Path:
    """The Redis executable. Without one: a failure in CI, a skipped test elsewhere."""
    return require(services.redis_executable(), "Redis")


@pytest.fixture(scope="session")
def real_postgres() -> Path:
    """The folder of PostgreSQL's executables, likewise."""
    return require(services.postgres_folder(), "PostgreSQL")

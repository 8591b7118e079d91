"""What a test needs and a machine may lack: a failure in CI, a skip with words elsewhere."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def lacking(what: str) -> NoReturn:
    """This test cannot run here, and `what` says why."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


def require(found: Path | None, what: str) -> Path:
    """What a test needs, if this machine has it; `what` is its name."""
    if found is None:
        lacking(f"{what} was not found; `python3 tutorial.py doctor` says how to get it")
    return found


def needs(name: str) -> ModuleType:
    """Import a package that learners may not have."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        lacking(f"the package {name} is not installed")


def interpreter_with(name: str, candidates: Iterable[str | None] = ()) -> str:
    """The first of these interpreters, and then ours, that can import a package."""
    for candidate in filter(None, [*candidates, sys.executable]):
        if _imports(candidate, name):
            return candidate
    lacking(f"the package {name} is not installed")


@functools.cache
def _imports(interpreter: str, name: str) -> bool:
    """Whether an interpreter can import a package: asked by many tests, and each costs a start."""
    command = [interpreter, "-c", f"import {name}"]
    return subprocess.run(command, capture_output=True).returncode == 0

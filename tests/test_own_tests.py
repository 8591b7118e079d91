"""Each step's own tests, which learners get, in a copy of the step."""

import os
import subprocess
import sys

import pytest

import course
from course import ROOT, contract
from course.files import copy_tree

# So many percent of the lines of a step's code are run by its own tests, at least.
_COVERAGE = (
    "--cov=.",
    f"--cov-config={ROOT / 'pyproject.toml'}",
    "--cov-fail-under=95",
    "--cov-report=",
)


@pytest.mark.slow
@pytest.mark.parametrize("step", course.steps(), ids=lambda step: step.slug)
def test_step_passes_its_own_tests(step, tmp_path):
    """They run as a learner runs them, and reach nearly every line."""
    copy_tree(ROOT / "steps" / step.slug, tmp_path / "step")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_COVERAGE],
        cwd=tmp_path / "step" / "backend",
        env=_environment() | {"COVERAGE_FILE": str(tmp_path / "coverage")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )

    assert done.returncode == 0, done.stdout


def _environment() -> dict[str, str]:
    """Ours, without what this run of pytest tells its own programs."""
    kept = contract.without_steering(os.environ)
    ours = {name for name in kept if name.startswith(("PYTEST_", "COV_"))}
    return {name: value for name, value in kept.items() if name not in ours}

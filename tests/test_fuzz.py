"""Frames that nobody thought of: a short run of benchmarks/fuzz.py, which the gate can afford."""

import subprocess
import sys

import pytest

import course
from tests.needs import needs


@pytest.mark.server
@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_server_survives_some_hundred_sequences(server, tmp_path, full):
    """It answers or says why not, logs no exception, and does not grow."""
    needs("hypothesis")
    many = ["--sequences", "10000"] if full else ["--sequences", "200", "--waves", "3"]
    argv = ["benchmarks/fuzz.py", *many, "--server", server, "--seed", "7"]

    # A file, not a pipe: its end would have to be awaited from every process that has it.
    with (tmp_path / "said").open("w+") as said:
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=course.ROOT,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=3600,
        )
        said.seek(0)
        figures = said.read()

    assert done.returncode == 0, figures
    assert "faults: 0" in figures

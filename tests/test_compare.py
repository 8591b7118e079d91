"""The benchmarks that compare servers: they find what is lost, and their figures are right."""

import json
import subprocess
import sys

import pytest

import course
from benchmarks.charts import chart
from benchmarks.compare import ratios, spread
from benchmarks.crowd import frames, reconciled
from benchmarks.leaving import faults


@pytest.mark.parametrize(
    ("heard", "fault"),
    [
        ([0, 0, 1], {"missing": 1}),
        ([], {"missing": 4}),
        ([0, 0, 1, 1, 1], {"twice": 1}),
        ([0, 0, 1, 1, 7], {"strangers": 1}),
    ],
)
def test_faulty_delivery_is_found(heard, fault):
    """What is missing, doubled or another's counts, even if the total is right."""
    told = reconciled([0, 1], 2, heard)

    assert {name: told[name] for name in fault} == fault


def test_faultless_delivery_is_good():
    """Each of two clients has both."""
    told = reconciled([0, 1], 2, [1, 0, 0, 1])

    assert (told["expected"], told["received"]) == (4, 4)
    assert not (told["missing"] or told["twice"] or told["strangers"])


def test_ratio_is_taken_round_by_round():
    """A machine that was slow for one round was slow for both."""
    assert ratios([20, 200, 20], [10, 100, 10]) == {"median": 2, "min": 2, "max": 2}
    assert spread([]) == {}


def test_frames_are_found_wherever_the_bytes_are_cut():
    """A short one, one of 300 bytes and a close, however they arrive."""
    data = b"\x81\x02hi" + b"\x81\x7e\x01\x2c" + b"x" * 300 + b"\x88\x02\x03\xf4"
    found, rest = [], b""
    for place in range(0, len(data), 3):
        new, rest = frames(rest + data[place : place + 3])
        found += new

    assert found == [(1, b"hi"), (1, b"x" * 300), (8, b"\x03\xf4")]
    assert rest == b""


def test_chart_says_its_figures():
    """Each bar has its name and its median, and how many times the bare loop's that is."""
    figures = {"median": 18.0, "min": 17.0, "max": 20.0}
    drawing = chart("An event", "ms", [("bare", figures, None), ("ours", figures, 1.1)])

    assert "18 ms<" in drawing
    assert "18 ms, 1.1 times<" in drawing


def test_server_that_leaves_badly_is_found():
    """Another code, a row that stays, and a close after the window."""
    good = {
        **{"sockets": 2, "window": 5, "codes": {"1012": 2}, "process ended s": 6.0},
        **{"last close s": 5.0, "missing": 0, "twice": 0, "strangers": 0},
        **{"rows": 0, "groups": 0},
    }

    assert faults(good) == []
    assert faults(good | {"codes": {"1012": 1, "1006": 1}})
    assert faults(good | {"rows": 1}) == ["1 rows left"]
    assert faults(good | {"last close s": 9.0})


@pytest.mark.server
def test_nothing_is_lost_in_a_small_comparison(real_redis, tmp_path):
    """With thirty sockets each: the bare loop and the last step, counted frame by frame."""
    file, said = tmp_path / "figures.json", tmp_path / "said"
    few = ["--sizes", "30", "--rounds", "1", "--only", "bare", "final", "--sqlite"]
    with said.open("w") as output:
        done = subprocess.run(
            [sys.executable, "benchmarks/compare.py", *few, "--brief", "--json", file],
            cwd=course.ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=120,
        )

    assert done.returncode == 0, said.read_text()
    figures = json.loads(file.read_text())
    assert figures["counts"]["final"]["received"] == figures["counts"]["final"]["expected"]

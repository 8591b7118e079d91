"""The test that loses connections, servers and Redis on purpose: it can fail, and it passes."""

import subprocess
import sys

import pytest

import course
from benchmarks.loss import Device, growth, reconcile


def frames(*numbers: int) -> list[dict[str, object]]:
    return [{"type": "new_message", "data": {}, "id": 10 + n, "seq": n} for n in numbers]


def verdict_on(*numbers: int, stored: tuple[int, ...] = (1, 2, 3)):
    """What is said of a screen with these numbers."""
    device = Device("", [], None)
    device.screen = frames(*numbers)
    return reconcile([(7, frame) for frame in frames(*stored)], {7: [device]})


@pytest.mark.parametrize(
    ("shown", "fault"),
    [
        ((1, 3), {"lost": 1}),
        ((), {"lost": 3}),
        ((1, 3, 2), {"out_of_order": 1}),
        ((1, 2, 2, 3), {"twice": 1}),
        ((1, 2, 3, 4), {"different": 1}),
    ],
)
def test_faulty_screen_is_found(shown, fault):
    """What was lost, mixed up, doubled or made up counts."""
    verdict = verdict_on(*shown)

    assert not verdict.is_good
    assert {name: getattr(verdict, name) for name in fault} == fault


def test_hole_in_the_numbers_is_found():
    """Rows whose numbers are not 1, 2, 3 are a fault, whatever is shown."""
    assert verdict_on(1, 3, stored=(1, 3)).numbers == 1


def test_faultless_screen_is_good():
    """Everything once and in order."""
    assert verdict_on(1, 2, 3).is_good


def test_growth_leaves_out_the_beginning():
    """What a server takes when it starts is no leak; what it takes later is, by the hour."""
    start = [(0.0, 50.0), (60.0, 80.0)]
    flat = start + [(60.0 * n, 100.0) for n in range(2, 6)]

    assert growth(flat) == 0
    assert growth([(at, at / 60) for at, _ in flat]) == pytest.approx(60)


@pytest.mark.server
def test_nothing_is_lost_in_a_quarter_of_a_minute(real_redis, real_postgres, tmp_path):
    """With Redis and both servers restarted, each device shows everything once and in order."""
    few = ["--minutes", "0.25", "--users", "4", "--devices", "2", "--notifications", "120"]
    few += ["--redis-restarts", "1", "--server-restarts", "2", "--seed", "5"]

    # A file, not a pipe: its end would have to be awaited from every process that has it.
    with (tmp_path / "said").open("w+") as said:
        done = subprocess.run(
            [sys.executable, "benchmarks/loss.py", *few],
            cwd=course.ROOT,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        said.seek(0)
        figures = said.read()

    assert done.returncode == 0, figures
    assert "lost 0, out of order 0, shown twice 0" in figures

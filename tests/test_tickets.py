"""What the checks of step 10 rely on: a clock that can be set, caches that are safe to use."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from checks.harness.warm import PROBES, environment
from checks.items.step10 import _BITS, _random_bits
from course import contract

OURS = "redis://127.0.0.1:4711/0"


def run(code: str, env: dict[str, str], folder: Path) -> str:
    """What Python prints that runs this code, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_clock_is_set_for_those_who_ask(tmp_path: Path) -> None:
    """Time passes for time.time() and for datetime.now(), and stops doing so."""
    code = """
import pickle, time
from datetime import datetime, timezone
from time import time as moment
from check_clock import set_ahead

def seen():
    now = datetime.now(timezone.utc)
    assert isinstance(now, datetime) and pickle.loads(pickle.dumps(now)) == now
    return [time.time(), moment(), now.timestamp(), datetime.fromtimestamp(5).timestamp()]

before = seen()
set_ahead(3600)
later = seen()
set_ahead(0)
print([round((b - a) / 60) for a, b in zip(before, later)], round(time.time() - before[0]))
"""
    env = contract.without_steering(os.environ) | {"PYTHONPATH": str(PROBES)}

    assert run(code, env, tmp_path) == "[60, 60, 60, 0] 0\n"


CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
    },
    "ours": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:4711/2",
    },
    "theirs": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:47110/0",
    },
    "files": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": "/srv/cache",
    },
}


@pytest.mark.parametrize(
    ("plan", "kept"), [({}, set()), ({"caches": True}, {"default", "ours"})]
)
def test_only_scratch_caches_are_kept(
    tmp_path: Path, plan: dict[str, bool], kept: set[str]
) -> None:
    """A cache in the learner's own Redis, or in files, is never used by a check."""
    settings = (
        f"SECRET_KEY = 'x'\nDATABASES = {{}}\nCHANNEL_LAYERS = {{}}\nCACHES = {CACHES}\n"
    )
    (tmp_path / "project.py").write_text(settings)
    whole = {"facts": str(tmp_path), "database": "db", "layer": {}, "middleware": []}
    env = environment(**whole, **plan) | {
        "REDIS_URL": OURS,
        "DJANGO_SETTINGS_MODULE": "project",
    }
    code = (
        "import json; from django.conf import settings; print(json.dumps(settings.CACHES))"
    )

    found = json.loads(run(code, env, tmp_path).splitlines()[-1])

    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    assert {name for name, entry in found.items() if entry != memory} == kept
    assert all(found[name] == CACHES[name] for name in kept)


@pytest.mark.parametrize(
    ("tickets", "enough"),
    [
        ([secrets.token_urlsafe(16) for _ in range(12)], True),
        ([secrets.token_hex(16) for _ in range(12)], True),
        ([str(uuid.uuid4()) for _ in range(12)], True),
        ([str(uuid.uuid1()) for _ in range(12)], False),
        ([secrets.token_hex(8) for _ in range(12)], False),
        ([f"ticket-of-alice-that-is-long-{n:04}" for n in range(12)], False),
        (["a" * 22] * 12, False),
    ],
)
def test_random_bits_are_those_that_differ(tickets: list[str], enough: bool) -> None:
    """What is the same in all tickets makes none of them harder to guess."""
    assert (_random_bits(tickets) >= _BITS) == enough

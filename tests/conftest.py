"""What the tests share."""

from __future__ import annotations

import pytest

from tests.variants.venvs import python_of


@pytest.fixture
def interpreter(tmp_path_factory):
    """The interpreter that a variant asks for: None for ours, `without:NAME` for one that
    lacks a package."""
    return lambda name: python_of(name, tmp_path_factory) if name else None

"""Interpreters that lack a package or have an old one, for variants of the environment."""

from __future__ import annotations

import importlib.metadata
import sysconfig
import venv
from pathlib import Path

import pytest

_made: dict[tuple[Path, str], str] = {}


def python_of(name: str, folders: pytest.TempPathFactory) -> str:
    """The interpreter called `without:DIST` or `old:DIST==VERSION`, made once a session."""
    key = (folders.getbasetemp(), name)
    if key not in _made:
        kind, _, what = name.partition(":")
        dist, _, version = what.partition("==")
        if kind not in ("without", "old") or (kind == "old") != bool(version):
            raise ValueError(f"{name!r} is neither without:DIST nor old:DIST==VERSION")
        _made[key] = str(_make(folders.mktemp("venv"), dist, version))
    return _made[key]


def _make(folder: Path, dist: str, version: str) -> Path:
    """A virtual environment with links to the packages of ours, all but that one."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    ours = {"base": str(folder), "platbase": str(folder)}
    target = Path(sysconfig.get_path("purelib", vars=ours))
    source = Path(sysconfig.get_path("purelib"))
    left_out = _parts(dist)
    for entry in source.iterdir():
        if entry.name not in left_out or (
            version and not entry.name.endswith(".dist-info")
        ):
            (target / entry.name).symlink_to(entry, entry.is_dir())
    if version:
        info = target / f"{dist.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        text = f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n"
        (info / "METADATA").write_text(text, "utf-8")
    return folder / "bin" / "python"


def _parts(dist: str) -> set[str]:
    """What a package put into site-packages, by name."""
    files = importlib.metadata.distribution(dist).files or []
    return {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}

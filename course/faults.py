"""What is needed to find a fault of the tutorial itself: where it ran, and what happened."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import traceback
from importlib import metadata
from pathlib import Path

_PACKAGES = ("Django", "channels", "daphne", "channels_redis", "redis", "websockets")
_SECONDS = 10.0
# Run by an interpreter that may have none of the packages; prints one object of JSON.
_QUESTION = f"""
import json, platform
from importlib import metadata
found = {{"Python": platform.python_version()}}
for name in {_PACKAGES!r}:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def fault_report(error: BaseException, python: Path | None = None) -> str:
    """The text of a log: platform, versions, the traceback.

    `python` is the project's interpreter, if one was found. Raises nothing: it runs where
    something has broken already.
    """
    lines = [f"platform  {platform.platform()}", f"tutorial  {_shown(_own_versions())}"]
    if python is not None and python != Path(sys.executable):
        lines.append(f"project   {_shown(_versions_of(python))}")
    return "\n".join([*lines, "", "".join(traceback.format_exception(error))])


def _shown(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _own_versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _versions_of(python: Path) -> dict[str, str]:
    """The same of another interpreter, as far as it can still tell."""
    try:
        done = subprocess.run(
            [python, "-c", _QUESTION], capture_output=True, text=True, timeout=_SECONDS
        )
        versions = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return {"Python": f"not known ({type(error).__name__})"}
    return versions if isinstance(versions, dict) else {"Python": "not known"}

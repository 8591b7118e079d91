"""Replaces the pins by the newest releases: in requirements.in, the lock and every step.

For the scheduled job, on a checkout that is thrown away: `python tools/newest.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^\]]+\])?)==([^\s;]+)", re.MULTILINE)
LOCK = (
    "uv pip compile requirements.in --output-file requirements.txt --universal --upgrade "
    "--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet"
)


def main(root: Path = ROOT) -> int:
    """Loosen requirements.in, lock anew, pin the steps to what the lock says."""
    wanted = root / "requirements.in"
    wanted.write_text(loosened(wanted.read_text("utf-8")), "utf-8")
    done = subprocess.run(LOCK.split(), cwd=root)
    if done.returncode:
        return done.returncode
    newest = locked((root / "requirements.txt").read_text("utf-8"))
    for file in sorted(
        [*root.glob("steps/*/requirements.txt"), *root.glob("final/requirements.txt")]
    ):
        file.write_text(repinned(file.read_text("utf-8"), newest), "utf-8")
    return 0


def loosened(text: str) -> str:
    """The requirements without their versions; the ones with a marker keep theirs."""
    lines = (line if ";" in line else PIN.sub(r"\1", line) for line in text.splitlines())
    return "\n".join(lines) + "\n"


def locked(text: str) -> dict[str, str]:
    """Name and version of everything in a lock; of two versions of one package, the newer."""
    from packaging.version import Version

    found: dict[str, str] = {}
    for name, version in PIN.findall(text):
        if name not in found or Version(version) > Version(found[name]):
            found[name] = version
    return found


def repinned(text: str, newest: dict[str, str]) -> str:
    """A step's requirements with the versions of the lock; comments stay."""

    def pin(match: re.Match[str]) -> str:
        name = re.sub(r"[-_.]+", "-", match[1].partition("[")[0]).lower()
        return f"{match[1]}=={newest.get(name, match[2])}"

    return PIN.sub(pin, text)


if __name__ == "__main__":
    sys.exit(main())

"""How much memory a process has in use."""

from __future__ import annotations

import re
from pathlib import Path


def resident(pid: int) -> int | None:
    """The bytes that a process keeps in memory; None where the system does not say (Linux does)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None

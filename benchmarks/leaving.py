"""What clients notice of a server that leaves: SIGTERM with 500 sockets open.

    python benchmarks/leaving.py [--sockets 500] [--window 5] [--sqlite]

Starts two processes of the last step, connects everybody to the first one and ends it, while
notifications for all of them are written at the second one. Then they come back and resume.
Exit status 1 unless all were closed with 1012 inside the window, nothing was lost, and neither
presence nor Redis remembers a socket that is gone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.servers import FINAL, Contender, arena, final, manage  # noqa: E402

# Rows of sockets that say that they are open, for a server that has none.
ROWS = """
from notifications.models import Connection
print(Connection.objects.filter(open=True).count())
"""
# How much longer than the window the process may take to end. Seconds.
GRACE = 20.0


def remembered(contender: Contender) -> dict[str, int]:
    """What the database and Redis still know of sockets, while none is open."""
    import redis

    rows = int(manage(contender.env, FINAL, "shell", "-v0", "--no-imports", "-c", ROWS))
    with redis.Redis.from_url(contender.env["REDIS_URL"]) as client:
        names = [name.decode() for name in client.pubsub_channels()]
    return {"rows": rows, "groups": sum("user_" in name for name in names)}


def leave(contender: Contender, sockets: int, window: float) -> dict[str, Any]:
    """End the first process; what its clients have seen."""
    crowd, (gone, stays) = contender.crowd, contender.ports
    heads, places = contender.heads[:sockets], list(range(sockets))
    contender.connect(heads, 0, ports=[gone], follows=True)
    post = contender.requests[f"post {sockets}"] | {"port": stays}
    crowd.ask("send", request=post)
    began = time.perf_counter()
    process = contender.processes[0]
    process.ask_to_end()
    while process.exit_code is None and time.perf_counter() < began + window + GRACE:
        crowd.ask("send", request=post)
        time.sleep(0.2)
    took = time.perf_counter() - began if process.exit_code is not None else None
    state = crowd.ask("state")
    left = remembered(contender)
    contender.connect(heads, 0, ports=[stays], follows=True)
    time.sleep(3)
    told = crowd.ask("tally", places=places)
    closed = sorted(moment - began for moment in state["closed_at"])
    quarters = [
        sum(n * window / 4 <= c < (n + 1) * window / 4 for c in closed) for n in range(4)
    ]
    return {
        "sockets": sockets,
        "window": window,
        "codes": state["codes"],
        "first close s": round(closed[0], 2) if closed else None,
        "last close s": round(closed[-1], 2) if closed else None,
        "closed in each quarter": quarters,
        "process ended s": round(took, 2) if took else None,
        **told,
        **left,
    }


def faults(found: dict[str, Any]) -> list[str]:
    """What should not be."""
    wrong = [
        f"{found[name]} {name}" for name in ("missing", "twice", "strangers") if found[name]
    ]
    wrong += [f"{found[name]} {name} left" for name in ("rows", "groups") if found[name]]
    if found["codes"] != {"1012": found["sockets"]}:
        wrong.append(f"closed with {found['codes']}")
    if found["last close s"] is None or found["last close s"] > found["window"] + 1:
        wrong.append("not all were closed inside the window")
    if found["process ended s"] is None:
        wrong.append("the process did not end")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--window", type=float, default=5, help="DRAIN_SECONDS")
    parser.add_argument("--sqlite", action="store_true", help="instead of PostgreSQL")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        arena(Path(name), [options.sockets], sqlite=options.sqlite) as field,
    ):
        contender = final(field, 2, MEASURED_DRAIN=str(options.window))
        try:
            found = leave(contender, options.sockets, options.window)
        finally:
            contender.stop()
    print(json.dumps(found, indent=1))
    for line in faults(found):
        print(f"wrong: {line}")
    return 1 if faults(found) else 0


if __name__ == "__main__":
    sys.exit(main())

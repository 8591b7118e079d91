"""Runs a program and ends it when our own standard input closes.

`supervisor.py USER PROGRAM ARG...`: USER is a number, or `-` for the one who runs this.
"""

import os
import signal
import subprocess
import sys
import threading
from typing import Any


def unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def main() -> None:
    options: dict[str, Any] = {}
    if sys.argv[1] != "-":
        options["user"] = int(sys.argv[1])
    # Held back until there is a program to hand it on to.
    if os.name != "nt":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        options["preexec_fn"] = unblock
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, **options)

    def end(*_: object) -> None:
        # What Redis and PostgreSQL take as: do not wait for clients, but leave tidily.
        child.terminate() if os.name == "nt" else child.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    if os.name != "nt":
        unblock()

    def wait() -> None:
        while os.read(0, 1024):
            pass
        end()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=wait, daemon=True).start()
    sys.exit(child.wait())


if __name__ == "__main__":
    main()

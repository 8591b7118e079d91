"""Locks between processes: files that the system unlocks when their holder ends, however.

Standard library only: it runs before anything has been installed.
"""

from __future__ import annotations

import errno
import sys
import time

_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK}


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process; False if another one holds it.

    Raises OSError where the file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True


def lock(descriptor: int) -> None:
    """Lock an open file, after a wait for the process that holds it."""
    if sys.platform == "win32":
        while not try_lock(descriptor):
            time.sleep(0.5)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)

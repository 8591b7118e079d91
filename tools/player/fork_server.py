"""Forks an interpreter that has imported the libraries, for each program that a page starts.

As checks/probes/fork_server.py, which does the forking; but a page's programs run as in a
learner's terminal: without the guard of a check, and end with us because the system ends them.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import json
import os
import runpy
import signal
import sys
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path

_PROBES = Path(__file__).resolve().parents[2] / "checks" / "probes"
# What pages start besides manage.py, and what their clients are made of.
_MORE = ["doctest", "pytest", "websockets.sync.client"]
# It imports anyio, which has a plugin that pytest wants to import itself.
_NOT_BEFORE_PYTEST = "uvicorn"
_PR_SET_PDEATHSIG = 1  # of prctl(2): which signal comes when the parent has ended
# The status of a server whose files have changed (django.utils.autoreload).
_CHANGED = 3
# How long the second process goes on after a Ctrl-C: as Popen.wait() lets it. Seconds.
_LAST_MOMENT = 0.25
_MOST_BYTES = 65_536  # what fits into a pipe


def main() -> None:
    prctl = ctypes.CDLL(None).prctl
    sys.path[:0] = added = [str(_PROBES), str(_PROBES / "guard")]
    server, interpreter = map(importlib.import_module, ("fork_server", "warm_interpreter"))
    task = server.forked_for(_MORE, without=_NOT_BEFORE_PYTEST)
    if task is None:
        return
    del sys.path[: len(added)]
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    argv = task["argv"]
    if task["stale"] or interpreter.hides_a_library(""):
        interpreter.start_anew(argv)
    if argv[:2] == ["manage.py", "runserver"] and "--noreload" not in argv:
        _reload(prctl)
    try:
        _run(argv)
    except Exception as error:  # noqa: BLE001 - printed as Python does, without our frames
        place = error.__traceback__
        while place and place.tb_frame.f_code.co_filename == __file__:
            place = place.tb_next
        sys.excepthook(type(error), error.with_traceback(place), place)
        sys.exit(1)


def _run(argv: Sequence[str]) -> None:
    """What Python does with `-m MODULE ...` or `FILE ...`."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if argv[0] == "-m":
        sys.path[0], sys.argv = os.getcwd(), [*argv[1:]]
        runpy._run_module_as_main(argv[1])  # type: ignore[attr-defined]
    else:
        main.__file__ = os.path.abspath(argv[0])
        sys.path[0], sys.argv = os.path.dirname(main.__file__), [*argv]
        source = Path(main.__file__).read_bytes()
        exec(compile(source, main.__file__, "exec", dont_inherit=True), vars(main))


def _reload(prctl: Callable[[int, int], object]) -> None:
    """Be the first process of Django's autoreloader, which starts a second one, again after
    each change. Returns in the second one.

    Django's own would load the project as well, and hand on the variables that its settings
    have set: here each second process hands them on to the next.
    """
    set_by_settings, writing = os.pipe()
    while pid := os.fork():
        try:
            _, status = os.waitpid(pid, 0)
        except KeyboardInterrupt:
            time.sleep(_LAST_MOMENT)
            os.kill(pid, signal.SIGKILL)
            sys.exit()
        if (code := os.waitstatus_to_exitcode(status)) != _CHANGED:
            sys.exit(code)
        os.environ |= json.loads(os.read(set_by_settings, _MOST_BYTES))
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ["RUN_MAIN"] = "true"
    atexit.register(lambda: os.write(writing, json.dumps(dict(os.environ)).encode()))


if __name__ == "__main__":
    main()

"""The `python` of a shell command: has its program forked with the libraries, and ends as it does.

Called as `python -IS forked_program.py DESK ARGV...`; see harness/desk.py. Signals are passed on.
Without an answer this process becomes the interpreter that was asked for.
"""

import contextlib
import json
import os
import signal
import socket
import sys

_PASSED_ON = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]
_PASSED_ON += [signal.SIGUSR1, signal.SIGUSR2]


def main():
    desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [sys.executable, *sys.argv[2:]]
    # The program may run, and be sent a signal, before we know its number.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    pid = _asked(desk, sys.argv[1], argv)
    if pid is None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        os.execv(sys.executable, argv)

    def pass_on(number, frame):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    status = _answer(desk).get("status")
    if status is None:  # the tool is gone
        os.killpg(pid, signal.SIGKILL)
        sys.exit(3)
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no other way to be handled
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _asked(desk, address, argv):
    """The process that was forked to run `argv`; None if there is none."""
    task = {"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ)}
    with contextlib.suppress(OSError):
        desk.connect(address)
        socket.send_fds(desk, [json.dumps(task).encode()], [0, 1, 2])
        return _answer(desk).get("pid")
    return None


def _answer(desk):
    return json.loads(desk.recv(1024) or b"{}")


if __name__ == "__main__":
    main()

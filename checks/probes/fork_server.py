"""An interpreter that has imported the libraries and forks for each program wanted of it.

Every program gets a process that no other one has used and that has never seen the project;
what it saves is the import of Django, Channels and Twisted, more than half of a start.

It is asked through a socket that keeps messages apart: the descriptors of the new program's
standard input, output and error, and {"number", "argv", "cwd", "env"}, where argv is what would
have followed `python`. We say {"ready"} once all is imported. The new process answers {"started":
number, "pid", "stale"}, and when it has ended we say {"ended": pid, "status"}. `stale`: since
we imported ours, packages have been installed.
"""

import gc
import json
import os
import select
import socket
import sys
import threading

import sitecustomize
import warm_interpreter

# What daphne imports, up to the reactor: that one belongs to a single process.
_TWISTED = [
    "autobahn.twisted.websocket",
    "twisted.internet.asyncioreactor",
    "twisted.internet.endpoints",
    "twisted.web.http",
    "twisted.web.server",
]
_LARGEST_TASK = 1 << 20


def main():
    task = forked_for()
    if task is None:
        return
    if sitecustomize.holds_the_pipe():  # a shell may have given it another input
        sitecustomize.end_with_parent()
    if task["stale"]:
        warm_interpreter.start_anew(task["argv"])
    warm_interpreter.become(task["argv"])


def forked_for(more=(), without=None):
    """Import the libraries, `more` of them and none of the package `without`, then fork for each
    request: the task in the process that has to do it, None at our end."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    names = [*warm_interpreter.LIBRARIES, *_TWISTED, *more]
    warm_interpreter.import_all(name for name in names if name.partition(".")[0] != without)
    warm_interpreter.compile_patterns()
    if not _can_fork():
        return None
    gc.collect()
    gc.freeze()  # what is never collected is never written to, and stays shared
    _say(channel, ready=True)
    return _serve(channel)


def _can_fork():
    """Whether a copy of this process would work: no threads, no event loop; and a system
    that tells us when one of them has ended."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return threading.active_count() == 1 and "twisted.internet.reactor" not in sys.modules


def _serve(channel):
    """Fork for each request; the task in the process that has to do it, None at our end."""
    installed = _installed()
    children = {}
    while True:
        ready, _, _ = select.select([channel, *children], [], [])
        for descriptor in set(ready) - {channel}:
            _say_ended(channel, children.pop(descriptor))
            os.close(descriptor)
        if channel not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(channel, _LARGEST_TASK, 3)
        if not message:  # the tool is gone
            return None
        pid = os.fork()
        if not pid:
            for descriptor in children:
                os.close(descriptor)
            stale = installed != _installed()
            return _begin(channel, {**json.loads(message), "stale": stale}, descriptors)
        children[os.pidfd_open(pid)] = pid
        for descriptor in descriptors:
            os.close(descriptor)


def _say_ended(channel, pid):
    _, status = os.waitpid(pid, 0)
    _say(channel, ended=pid, status=os.waitstatus_to_exitcode(status))


def _begin(channel, task, descriptors):
    """Be a process of our own, with the descriptors, folder and environment of the task."""
    os.setsid()
    for wanted, given in enumerate(descriptors):
        os.dup2(given, wanted)
        os.close(given)
    os.environ.clear()
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    _say(channel, started=task["number"], pid=os.getpid(), stale=task["stale"])
    channel.close()
    return task


def _say(channel, **message):
    channel.send(json.dumps(message).encode())


def _installed():
    """What tells that packages were installed or removed: when each folder was written to."""
    return {path: os.stat(path).st_mtime_ns for path in sys.path if os.path.isdir(path)}


if __name__ == "__main__":
    main()

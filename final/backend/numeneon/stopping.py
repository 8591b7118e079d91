"""Knows when the server is told to stop: it waits for every answer, and a stream has no end."""

import signal
import threading
from functools import partial

# What is called then. Each of them lets something end.
listeners = set()
# Set when this process has to end, and takes nothing new. Of threading: views read it, too.
leaving = threading.Event()


def listen(listener):
    """Have a function called when the server is told to stop."""
    # Not earlier than now: by now the server has set its own handlers of signals. Python
    # has signals in the main thread only, where runserver runs no server.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler) and getattr(handler, "func", None) is not tell:
                signal.signal(number, partial(tell, handler))
    listeners.add(listener)


def tell(handler, number, frame):
    """Called by Python for a signal, in place of the server's handler."""
    for listener in list(listeners):
        listener()
    handler(number, frame)

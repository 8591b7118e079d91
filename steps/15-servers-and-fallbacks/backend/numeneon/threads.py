"""Database work for code that runs in the event loop."""

from functools import wraps

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import close_old_connections


def database_sync_to_async(function):
    """Return a coroutine function that runs a function in a thread, as that of Channels does."""

    @wraps(function)
    def run(*args, **kwargs):
        # Django does this at the end of a request. What calls us may go on for hours.
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return sync_to_async(run)


def give_thread_back():
    """End the thread that Django keeps for a request until its answer has been sent."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context:
        thread = SyncToAsync.context_to_thread_executor.pop(context, None)
        if thread:
            thread.shutdown(wait=False)
        # From now on this task uses the thread that all sockets share.
        SyncToAsync.thread_sensitive_context.set(None)

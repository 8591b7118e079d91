"""What happens when the server is told to stop."""

import signal
import threading

import pytest

from numeneon import stopping


@pytest.fixture
def heard(monkeypatch):
    """What has been heard of signals, in order; those listening are the test's."""
    monkeypatch.setattr(stopping, "listeners", set())
    return []


@pytest.fixture
def handlers(monkeypatch, heard):
    """The handlers that the server has set: of one signal."""
    handlers = {signal.SIGINT: lambda number, frame: heard.append(number)}
    handlers[signal.SIGTERM] = signal.SIG_DFL
    monkeypatch.setattr(signal, "getsignal", handlers.get)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    return handlers


def test_listeners_are_told_before_the_server(handlers, heard):
    """Each once, however many there are; a signal without a handler is left alone."""
    stopping.listen(lambda: heard.append("a stream"))
    stopping.listen(lambda: heard.append("a stream"))

    handlers[signal.SIGINT](signal.SIGINT, None)

    assert heard == ["a stream", "a stream", signal.SIGINT]
    assert handlers[signal.SIGTERM] == signal.SIG_DFL


def test_other_threads_have_no_signals(handlers, heard):
    """As under runserver."""
    before = dict(handlers)

    thread = threading.Thread(target=stopping.listen, args=[print])
    thread.start()
    thread.join()

    assert handlers == before

"""What one request, or one call of the tool, did on its way to an event.

Log lines of a server do not say which request they belong to, and items run side by side.
So whatever is logged, warned of, put off until the commit or sent while one request is
answered is kept in a journal of its own, and the tool asks for it by its number.
"""

import contextlib
import contextvars
import functools
import json
import logging
import os
import sys
import traceback
import warnings

from check_layer_log import number as running_for
from django.db.backends.base.base import BaseDatabaseWrapper

_MOST = 20  # of each kind: a loop over 200 friends must not fill the memory
_ROOT = os.getcwd() + os.sep
_DISPATCHER = os.path.join("django", "dispatch", "dispatcher.py")

_current = contextvars.ContextVar("numeneon_check_journal", default=None)
_journals = {}


class Journal:
    """Tracebacks, warnings, groups and what was sent to them, and the frames behind it."""

    def __init__(self):
        self.errors = []
        self.unawaited = []
        self.groups = []
        self.messages = []
        self.commits = []
        self.sends = []

    def add(self, kind, entry):
        """Keep one more, up to the bound."""
        entries = getattr(self, kind)
        if len(entries) < _MOST:
            entries.append(entry)


@contextlib.contextmanager
def keeping(journal):
    """Whatever happens inside, in this thread or one that it hands its context, is kept."""
    # Not once for all: daphne throws warnings away from the moment it begins to serve.
    warnings.showwarning = _show_and_keep
    reset = _current.set(journal)
    try:
        yield journal
    finally:
        _current.reset(reset)


def kept(get_response):
    """With the header X-Check-Journal, keep what this request does, under that number."""

    def answer(request):
        number = request.headers.get("X-Check-Journal")
        if number is None:
            return get_response(request)
        reset = running_for.set(number)
        try:
            with keeping(_journals.setdefault(number, Journal())):
                return get_response(request)
        finally:
            running_for.reset(reset)

    return answer


def take(number):
    """The journal of that number, once; an empty one if there is none."""
    return vars(_journals.pop(number, None) or Journal())


def note(kind, entry):
    """Keep an entry in the journal of what is going on, if it has one."""
    if journal := _current.get():
        journal.add(kind, entry)


def note_stack(kind):
    """Keep the learner's own frames that led here, the outermost first."""
    if _current.get():
        note(kind, learners_frames())


def plain(message):
    """A message as JSON can hold it; None for one that it cannot."""
    try:
        return json.loads(json.dumps(message, default=str))
    except (TypeError, ValueError, RecursionError):
        return None


def learners_frames():
    """The learner's own frames that led to the caller's caller, the outermost first."""
    frames, through_signal = [], False
    frame = sys._getframe(2)
    while frame:
        file = frame.f_code.co_filename
        if file.startswith(_ROOT) and "site-packages" not in file:
            frames.append([file, frame.f_lineno, frame.f_code.co_name, False])
            through_signal = False
        elif file.endswith(_DISPATCHER) and frames and not through_signal:
            frames[-1][3] = through_signal = True
        frame = frame.f_back
    return frames[::-1]


def _keep_what_is_logged():
    make = logging.getLogRecordFactory()

    def make_and_keep(*args, **kwargs):
        record = make(*args, **kwargs)
        if record.exc_info and record.exc_info[0]:
            note("errors", "".join(traceback.format_exception(*record.exc_info)))
        elif record.levelno >= logging.ERROR:
            note("errors", record.getMessage())
        return record

    logging.setLogRecordFactory(make_and_keep)


def _show_and_keep(message, category, filename, lineno, file=None, line=None):
    """In place of warnings.showwarning(): prints, and keeps what was never awaited."""
    if "was never awaited" in str(message):
        text = f"{category.__name__}: {message}"
        note("unawaited", {"text": text, "file": filename, "line": lineno})
    text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)


def _keep_what_waits_for_the_commit():
    on_commit = BaseDatabaseWrapper.on_commit

    @functools.wraps(on_commit)
    def noted(self, *args, **kwargs):
        note_stack("commits")
        return on_commit(self, *args, **kwargs)

    BaseDatabaseWrapper.on_commit = noted


_keep_what_is_logged()
# Python shows each place once: the second request to pass there would go unseen.
warnings.filterwarnings("always", "coroutine .* was never awaited", RuntimeWarning)
_keep_what_waits_for_the_commit()

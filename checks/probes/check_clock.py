"""Lets time pass in a server: whoever asks it for the time is told a later one."""

import datetime
import sys
import time

_real_time = time.time
_real_datetime = datetime.datetime
_ahead = 0.0


def set_ahead(seconds):
    """From now on it is so much later than it really is."""
    global _ahead
    _ahead = seconds
    for name, module in list(sys.modules.items()):
        # datetime itself stays as it is: pickle looks the class up there.
        if module is not None and name not in (__name__, "datetime"):
            _replace_in(vars(module))


def _replace_in(names):
    for name, value in list(names.items()):
        if value is _real_time:
            names[name] = _later_time
        elif value is _real_datetime:
            names[name] = _LaterDatetime


def _later_time():
    return _real_time() + _ahead


class _LooksReal(type):
    def __instancecheck__(cls, value):
        return isinstance(value, _real_datetime)


class _LaterDatetime(_real_datetime, metaclass=_LooksReal):
    """Makes real ones, whose now() is later."""

    def __new__(cls, *args, **kwargs):
        return _real_datetime(*args, **kwargs)

    @classmethod
    def now(cls, tz=None):
        """As datetime.now()."""
        return _real_datetime.now(tz) + datetime.timedelta(seconds=_ahead)

    @classmethod
    def utcnow(cls):
        """As datetime.utcnow()."""
        return cls.now(datetime.UTC).replace(tzinfo=None)

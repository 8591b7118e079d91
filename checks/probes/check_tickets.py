"""HTTP middleware of the checks: what happens to a server's tickets is decided from outside.

A request with the header X-Check-Control, {"NAME": VALUE}, reaches no view.
"""

import json
import time

from check_clock import set_ahead
from django.contrib.auth import get_user_model
from django.db.backends.signals import connection_created
from django.http import HttpResponse

_slowness = 0.0


def controlled(get_response):
    """Do what such a request says, and let every other one through."""

    def answer(request):
        control = request.headers.get("X-Check-Control")
        if control is None:
            return get_response(request)
        for name, value in json.loads(control).items():
            _CONTROLS[name](value)
        return HttpResponse(status=204)

    return answer


def _deactivate(user_id):
    get_user_model().objects.filter(pk=user_id).update(is_active=False)


def _set_slowness(seconds):
    """Each statement takes so much longer: what two sockets can do to each other, they do."""
    global _slowness
    _slowness = seconds


def _slow(execute, sql, params, many, context):
    found = execute(sql, params, many, context)
    time.sleep(_slowness)
    return found


def _make_slow(connection, **kwargs):
    if _slow not in connection.execute_wrappers:
        connection.execute_wrappers.append(_slow)


_CONTROLS = {"ahead": set_ahead, "deactivate": _deactivate, "slow": _set_slowness}
connection_created.connect(_make_slow)

"""Trouble that the tool causes: events are lost, writers are slow, the database fails."""

import time

from django import db
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

losing = False
failing = None


def lose(yes):
    """From now on what is sent to a group is lost; or, with False, is delivered again."""
    global losing
    losing = yes
    return {}


def fail(error):
    """From now on no query works: it raises that error of django.db's, or none with None."""
    global failing
    failing = error and getattr(db, error)
    return {}


def _can_fail(cursor):
    """The method by which a connection begins every query, which now may fail."""

    def cursor_or_failure(self, *args, **kwargs):
        if failing:
            raise failing("the check let this fail")
        return cursor(self, *args, **kwargs)

    return cursor_or_failure


BaseDatabaseWrapper.cursor = _can_fail(BaseDatabaseWrapper.cursor)


def slowed(get_response):
    """With the header X-Check-Slow: SECONDS, each statement of the request takes so much longer.

    Whatever two requests can do to each other's rows, they do then.
    """

    def answer(request):
        if "X-Check-Slow" not in request.headers:
            return get_response(request)
        seconds = float(request.headers["X-Check-Slow"])

        def slow(execute, sql, params, many, context):
            """Called by Django around each query."""
            found = execute(sql, params, many, context)
            time.sleep(seconds)
            return found

        with connection.execute_wrapper(slow):
            return get_response(request)

    return answer

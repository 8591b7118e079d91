"""Trouble on the way of an event, which the tool causes on purpose: loss, and slow writers."""

import time

from django.db import connection

losing = False


def lose(yes):
    """From now on what is sent to a group is lost; or, with False, is delivered again."""
    global losing
    losing = yes
    return {}


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

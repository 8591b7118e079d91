"""HTTP middleware of the checks: counts what a request costs, or takes its changes back."""

import asyncio
import contextvars

from asgiref.sync import AsyncToSync
from check_journal import note_stack
from django.db import connection, transaction

_current = contextvars.ContextVar("numeneon_check_count", default=None)


class Counter:
    """The queries and the crossings from synchronous into asynchronous code of one request."""

    def __init__(self):
        self.queries = 0
        self.crossings = 0

    def query(self, execute, sql, params, many, context):
        """Called by Django around each query."""
        self.queries += 1
        return execute(sql, params, many, context)


def counted(get_response):
    """With the header X-Check-Count, answer with what the request cost as well."""

    def answer(request):
        if "X-Check-Count" not in request.headers:
            return get_response(request)
        counter = Counter()
        reset = _current.set(counter)
        try:
            with connection.execute_wrapper(counter.query):
                response = get_response(request)
        finally:
            _current.reset(reset)
        response["X-Check-Queries"] = str(counter.queries)
        response["X-Check-Crossings"] = str(counter.crossings)
        return response

    return answer


def rolled_back(get_response):
    """With the header X-Check-Rollback, undo in the database what the request did."""

    def answer(request):
        if "X-Check-Rollback" not in request.headers:
            return get_response(request)
        with transaction.atomic():
            response = get_response(request)
            transaction.set_rollback(True)
        return response

    return answer


def _count_crossings():
    """Each call of async_to_sync(), and each event loop made otherwise, is one crossing."""
    call, new_loop = AsyncToSync.__call__, asyncio.new_event_loop

    def counting_call(self, *args, **kwargs):
        _add()
        return call(self, *args, **kwargs)

    def counting_loop():
        _add()
        return new_loop()

    AsyncToSync.__call__ = counting_call
    asyncio.new_event_loop = asyncio.events.new_event_loop = counting_loop


def _add():
    note_stack("sends")
    if counter := _current.get():
        counter.crossings += 1


_count_crossings()

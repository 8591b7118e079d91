"""HTTP middleware of the checks: counts what a request costs, or lets it fail half-way."""

import asyncio
import contextlib
import contextvars

from asgiref.sync import AsyncToSync
from check_journal import note_stack
from django.db import OperationalError, connection, transaction

_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")

_current = contextvars.ContextVar("numeneon_check_count", default=None)


class Counter:
    """The queries and the crossings from synchronous into asynchronous code of one request.

    `work` is how many instructions SQLite needed for the queries, which no other load changes.
    """

    def __init__(self):
        self.queries = 0
        self.crossings = 0
        self.work = 0

    def query(self, execute, sql, params, many, context):
        """Called by Django around each query."""
        self.queries += 1
        return execute(sql, params, many, context)

    def instruction(self):
        """Called by SQLite for each instruction; 0 lets it go on."""
        self.work += 1
        return 0

    @contextlib.contextmanager
    def counting(self):
        """Count what this thread's connection does inside."""
        connection.ensure_connection()
        connection.connection.set_progress_handler(self.instruction, 1)
        try:
            with connection.execute_wrapper(self.query):
                yield
        finally:
            if connection.connection:
                connection.connection.set_progress_handler(None, 0)


def counted(get_response):
    """With the header X-Check-Count, answer with what the request cost as well."""

    def answer(request):
        if "X-Check-Count" not in request.headers:
            return get_response(request)
        counter = Counter()
        reset = _current.set(counter)
        try:
            with counter.counting():
                response = get_response(request)
        finally:
            _current.reset(reset)
        response["X-Check-Queries"] = str(counter.queries)
        response["X-Check-Crossings"] = str(counter.crossings)
        response["X-Check-Work"] = str(counter.work)
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


class Breaker:
    """Lets the `number`th statement of a request that writes fail, as a full disk would."""

    def __init__(self, number):
        self.left = number

    def query(self, execute, sql, params, many, context):
        """Called by Django around each query."""
        if sql.lstrip().upper().startswith(_WRITES):
            self.left -= 1
            if self.left == 0:
                raise OperationalError(f"the check let this fail: {sql[:60]}")
        return execute(sql, params, many, context)


def broken_off(get_response):
    """With the header X-Check-Break: N, let the Nth write fail; the answer says if one did."""

    def answer(request):
        if "X-Check-Break" not in request.headers:
            return get_response(request)
        breaker = Breaker(int(request.headers["X-Check-Break"]))
        with connection.execute_wrapper(breaker.query):
            response = get_response(request)
        response["X-Check-Broke"] = "yes" if breaker.left <= 0 else "no"
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

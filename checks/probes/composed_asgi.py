"""The project's WebSocket side on a server of its own, before step 5 puts it into asgi.py.

Run as `daphne composed_asgi:application` in the backend folder: HTTP goes to Django, a
WebSocket through the project's middleware and routes to its consumer, or, if the environment
says so, both to what the project itself serves. What the project has no address for at this stage,
the tool asks for below /__check__/; only this machine can.
"""

import asyncio
import contextlib
import functools
import inspect
import json
import os
import time
import traceback

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

import check_trouble  # noqa: E402 - Django has to be set up first
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, get_default_application  # noqa: E402
from check_ageing import drop_seconds, let_days_pass  # noqa: E402
from check_bulk_users import make_bulk_users  # noqa: E402
from check_discovery import Parts, is_async  # noqa: E402
from check_journal import Journal, keeping, note, plain, take  # noqa: E402
from check_layer_log import LayerLog, kind_of  # noqa: E402
from check_layer_log import number as socket_number  # noqa: E402
from check_products import save_product  # noqa: E402
from django.apps import apps  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls.exceptions import Resolver404  # noqa: E402

PREFIX = "/__check__/"
NUMBER = b"x-check-socket"
USER = b"x-check-user"
CALL = b"x-check-journal"
parts = Parts(os.getcwd(), os.environ["NUMENEON_CHECK_PATH"])
# Whether sockets go to the application in the project's asgi.py, with all that is around it.
WHOLE = bool(os.environ.get("NUMENEON_CHECK_WHOLE"))
running = set()
running_queries = set()
errors = []
memberships = {}
socket_journals = {}
afterwards = {}
latency = 0  # seconds that joining a group takes, as it does with a Redis


async def tell_user(scope, receive, send):
    """In place of a consumer: says whom the middleware let in."""
    user = await sync_to_async(_describe_user)(scope)
    await _say(user, scope, receive, send)


async def _say(words, scope, receive, send):
    """One frame, and then wait for the client to close.

    A close of ours right behind the frame may cost the client the frame: `websockets`
    drops what it has read when it finds nobody any more to answer the close.
    """
    offered = scope.get("subprotocols") or [None]
    await receive()
    await send({"type": "websocket.accept", "subprotocol": offered[0]})
    await send({"type": "websocket.send", "text": json.dumps(words)})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _describe_user(scope):
    user = scope.get("user")
    if user is None:
        return {"user": None}
    return {"user": str(user), "id": user.pk, "authenticated": bool(user.is_authenticated)}


async def routed(scope, receive, send):
    """The project's routes; a path that none of them takes is answered with a frame."""
    if parts.router is None:
        await _say({"check": "no route"}, scope, receive, send)
        return
    try:
        await parts.router(scope, receive, send)
    except (ValueError, Resolver404) as error:
        if "No route found" not in str(error):
            raise
        await _say({"check": "no route"}, scope, receive, send)


class Afterwards:
    """What a consumer does after its own close(), until it hears that the socket has ended."""

    def __init__(self):
        self.accepted = False
        self.closed = False
        self.ended = False
        self.deeds = []

    def note(self, deed):
        """Keep a deed if it comes in that time."""
        if self.closed and not self.ended:
            self.deeds.append(deed)

    def heard(self, receive):
        """The `receive` to give to the consumer."""

        async def noted():
            message = await receive()
            self.ended = self.ended or message["type"] == "websocket.disconnect"
            return message

        return noted

    def said(self, send):
        """The `send` to give to the consumer."""

        async def noted(message):
            kind = message["type"]
            if kind == "websocket.send":
                self.note(f"sent {message.get('text') or 'a binary frame'}")
            elif kind == "websocket.accept" and self.accepted:
                self.note("called accept() again")
            # Closed before it was accepted: that is the news of an item of its own.
            self.accepted = self.accepted or kind == "websocket.accept"
            self.closed = self.closed or kind == "websocket.close"
            await send(message)

        return noted


async def websocket(scope, receive, send):
    """Remembers what is open, and the traceback of what ended with an error."""
    token = object()
    running.add(token)
    number = dict(scope["headers"]).get(NUMBER, b"").decode()
    socket_number.set(number)
    notes = socket_journals.setdefault(number, Journal())
    after = afterwards.setdefault(number, Afterwards())
    receive, send = after.heard(receive), after.said(send)
    try:
        inner = tell_user if scope["path"].startswith(PREFIX) else routed
        whole = WHOLE and inner is routed
        application = get_default_application() if whole else _behind_middleware(inner)
        if user := dict(scope["headers"]).get(USER):
            # A consumer is judged before there is a middleware, and whatever that one does.
            scope = {**scope, "user": await get_user_model().objects.aget(pk=int(user))}
            application = inner
        with keeping(notes):
            await application(scope, receive, send)
    except Exception as error:
        after.note(f"stopped with {type(error).__name__}: {error}")
        errors.append({"socket": number, "traceback": traceback.format_exc()})
        raise
    finally:
        running.discard(token)


@functools.cache
def _behind_middleware(inner):
    """That application inside the middleware: one object for all sockets, as in asgi.py."""
    return parts.middleware(inner) if parts.middleware else inner


async def found():
    """What the project has, and where."""
    return parts.report()


async def state():
    """How many sockets are open, who is in which group, and what sockets ended with."""
    groups = getattr(get_channel_layer(), "groups", {})
    members = {name: sorted(channels) for name, channels in groups.items() if channels}
    return {"open": len(running), "groups": members, "errors": errors}


async def socket(number):
    """Which groups the socket of that number is in, what its coroutines left undone, and
    what its consumer did after it had closed it."""
    return {
        "groups": sorted(memberships.get(number, ())),
        "unawaited": socket_journals[number].unawaited,
        "afterwards": afterwards[number].deeds,
    }


async def slow_groups(seconds):
    """From now on it takes that long to join a group."""
    global latency
    latency = seconds
    return {}


async def notify(**arguments):
    """Call send_notification() as a view would, with exactly these keyword arguments.

    Answers with the journal of the call.
    """
    try:
        inspect.signature(parts.sender).bind(**arguments)
    except TypeError as error:
        return {"signature": str(inspect.signature(parts.sender)), "error": str(error)}
    with keeping(Journal()) as journal:
        if is_async(parts.sender):
            await parts.sender(**arguments)
        else:
            await _in_thread(parts.sender, arguments)
    return vars(journal)


async def notify_each(user_ids, **arguments):
    """Call send_notification() for each of these users, in a call of its own.

    Answers with one journal of all the calls.
    """
    whole = vars(Journal())
    for id in user_ids:
        answer = await notify(user_ids=[id], **arguments)
        if "signature" in answer:
            return answer
        for kind, entries in answer.items():
            whole[kind] += entries
    return whole


async def flood(user_id, count, size):
    """Send a user so many notifications of that size, and keep no journal of them."""
    data = {"id": 1, "content": "x" * size}
    for _ in range(count):
        arguments = {"user_ids": [user_id], "kind": "new_message", "data": data}
        if is_async(parts.sender):
            await parts.sender(**arguments)
        else:
            await _in_thread(parts.sender, arguments)
    return {}


async def journal(number):
    """What the request of that number did, in its own journal."""
    return take(number)


async def change(id, **fields):
    """Change a user's row, or delete it if no fields are given."""
    rows = get_user_model().objects.filter(pk=id)
    await _in_thread(rows.update if fields else rows.delete, fields)
    return {}


async def save(id, **fields):
    """Change a user as the admin does: the row is read, and saved as a whole."""

    def save_user():
        user = get_user_model().objects.get(pk=id)
        for name, value in fields.items():
            setattr(user, name, value)
        user.save()
        return {}

    return await _in_thread(save_user, {})


async def bulk_users(**arguments):
    """Make many people who are connected with others as one is; {} if that cannot be."""
    try:
        return await _in_thread(make_bulk_users, arguments)
    except Exception:
        return {}


async def lose(yes):
    """Events are lost from now on, or are not."""
    return check_trouble.lose(yes)


async def age(days, user_id=None):
    """That many days pass for all that is in the database, or for what belongs to that user."""
    return await _in_thread(let_days_pass, {"days": days, "user_id": user_id})


async def rows():
    """How many rows all tables of the project have together."""

    def count_rows():
        models = apps.get_models(include_auto_created=True)
        return {"rows": sum(model._base_manager.count() for model in models)}

    return await _in_thread(count_rows, {})


async def same_minute():
    """Whatever happened in a minute has happened at its beginning, at one moment."""
    return await _in_thread(drop_seconds, {})


async def product(**fields):
    """Make a product with that name and price, or give it another price; {} without a model."""
    return await _in_thread(save_product, fields)


async def busy(seconds):
    """The thread in which sockets use the database is busy for so long, with somebody's query."""
    task = asyncio.ensure_future(sync_to_async(time.sleep)(seconds))
    running_queries.add(task)
    task.add_done_callback(running_queries.discard)
    return {}


async def idle():
    """Wait until nobody's query is busy any more."""
    await asyncio.gather(*running_queries)
    return {}


async def fail(error):
    """From now on each query raises that error of django.db's; None: it is well again."""
    return check_trouble.fail(error)


async def _in_thread(call, arguments):
    def run():
        try:
            return call(**arguments)
        finally:
            connections.close_all()

    async with ThreadSensitiveContext():
        return await sync_to_async(run)()


_CONTROLS = (found, state, socket, slow_groups, notify, notify_each, flood, journal)
_CONTROLS += (
    change,
    save,
    bulk_users,
    age,
    rows,
    same_minute,
    product,
    lose,
    busy,
    idle,
    fail,
)
CONTROLS = {c.__name__: c for c in _CONTROLS}


async def http(scope, receive, send):
    """Django, but for the paths of the checks."""
    if not scope["path"].startswith(PREFIX):
        await _with_static_files()(scope, receive, send)
        return
    socket_number.set(dict(scope["headers"]).get(CALL, b"").decode())
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        control = CONTROLS[scope["path"].removeprefix(PREFIX).strip("/")]
        answer = await control(**json.loads(body or b"{}"))
    except Exception:
        answer = {"traceback": traceback.format_exc()}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


@functools.cache
def _with_static_files():
    """What answers HTTP, with the static files, as runserver serves them: a page is shown, too."""
    application = django_application
    if WHOLE:
        # One that cannot be imported is news of an item about sockets.
        with contextlib.suppress(Exception):
            application = get_default_application()
    return ASGIStaticFilesHandler(application)


def watch_groups(layer):
    """Note which socket joins which group, and to which group a request sends."""
    join, leave, deliver = layer.group_add, layer.group_discard, layer.group_send
    log = LayerLog()

    @functools.wraps(join)
    async def group_add(group, channel):
        log.note(f"group_add {group}")
        memberships.setdefault(socket_number.get(), set()).add(group)
        if after := afterwards.get(socket_number.get()):
            after.note(f"joined the group {group}")
        await asyncio.sleep(latency)
        return await join(group, channel)

    @functools.wraps(leave)
    async def group_discard(group, channel):
        log.note(f"group_discard {group}")
        memberships.get(socket_number.get(), set()).discard(group)
        return await leave(group, channel)

    @functools.wraps(deliver)
    async def group_send(group, message):
        log.note(f"group_send {group} {kind_of(message)}")
        note("groups", group)
        note("messages", plain(message))
        if check_trouble.losing:
            return None
        return await deliver(group, message)

    layer.group_add, layer.group_discard = group_add, group_discard
    layer.group_send = group_send


watch_groups(get_channel_layer())
application = ProtocolTypeRouter({"http": http, "websocket": websocket})

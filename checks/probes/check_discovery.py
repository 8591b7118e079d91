"""Finds the WebSocket parts of a project by what they are, not by what they are called.

A module is imported only if its text looks as if it held a part: whatever else lies
around in the project stays unread. An import that fails ends the process with the
learner's own traceback.
"""

import contextlib
import functools
import importlib
import inspect
import re
from pathlib import Path

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.middleware import BaseMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.urls.exceptions import Resolver404

_SKIPPED = {"tests", "test", "migrations", "management", "node_modules", "site-packages"}
_SKIPPED |= {"manage.py", "conftest.py", "settings.py", "asgi.py", "wsgi.py"}
_CONSUMERS = re.compile(r"^\s*class\s.*Consumer", re.MULTILINE)
_ROUTES = re.compile(r"as_asgi|websocket_urlpatterns|URLRouter|path\(.*Consumer")
_MIDDLEWARE = re.compile(r"BaseMiddleware|\bscope\b")
# Defined, made by assignment (a bound method, a partial), or known here by that name.
_SENDER = re.compile(
    r"^\s*(?:async )?def send_notification\b"
    r"|^\s*send_notification\s*[:=]"
    r"|\bas send_notification\b",
    re.MULTILINE,
)
_ASGI_PARAMETERS = 3
_CONSUMER_CLASSES = (AsyncConsumer, SyncConsumer)
# Where a middleware keeps the application inside it: Channels' own names, and usual ones.
_INNER = ("inner", "application", "app")
_DEEPEST = 10  # middleware in middleware


class Parts:
    """The consumer, the routes, the middleware and send_notification(); None where not found."""

    def __init__(self, backend, path):
        """`path` is the address whose routes and consumer are wanted."""
        self.backend = Path(backend).resolve()
        self.path = path.lstrip("/")
        self.routes, self.routes_place = self._routes()
        self.router, self.trouble = _router(self.routes)
        self.target = target_of(self.router, self.path)
        self.consumer = self._routed_consumer() or self._consumer()
        self.middleware = self._middleware()
        self.sender, self.sender_module = self._sender()

    def report(self):
        """What was found and where, for the tool to read."""
        found = {
            "consumer": _place(self.consumer),
            "middleware": _place(self.middleware),
            "sender": self._place_of_sender() if self.sender_module else None,
        }
        found["routes"] = self.routes_place
        found["routes_trouble"] = self.trouble
        found["target"] = _described(self.target)
        part = self.consumer or self.middleware or self.sender_module
        # Of the sender its module: it may be an object of any class.
        name = getattr(part, "__module__", None) or getattr(part, "__name__", "")
        config = part and apps.get_containing_app_config(name)
        found["app"] = config.name if config else None
        found["notifications_app"] = apps.is_installed("notifications")
        return found

    def _modules(self, pattern, names=None):
        """The project's modules whose text matches, `names` first or, if asgi.py, only."""
        for path in sorted(self.backend.rglob("*.py")):
            parts = path.relative_to(self.backend).parts
            skipped = any(p in _SKIPPED or p.startswith((".", "test_")) for p in parts)
            if (path.name in names if names else not skipped) and pattern.search(
                _text(path)
            ):
                dotted = ".".join(parts).removesuffix(".py").removesuffix(".__init__")
                yield importlib.import_module(dotted)

    def _routed_consumer(self):
        """The consumer at the address, or else the likeliest one that has another."""
        at_path = _consumer_class(self.target)
        if at_path and not _is_channels_own(at_path):
            return at_path
        routed = [_consumer_class(c) for c in _callbacks(self.routes or [])]
        own = [c for c in routed if c and not _is_channels_own(c)]
        return max(own, key=_relevance, default=None)

    def _consumer(self):
        found = []
        for module in self._modules(_CONSUMERS):
            own = [c for c in _own(module) if _subclass(c, _CONSUMER_CLASSES)]
            found += [
                c for c in own if not any(_subclass(o, c) and o is not c for o in own)
            ]
        return max(found, key=_relevance, default=None)

    def _routes(self):
        """The patterns that lead to the address, and the place of the list that matches it.

        A project may have several: each app's own, and one that includes them.
        """
        found = []
        for modules in (self._modules(_ROUTES), self._asgi_modules()):
            for module in modules:
                found += _lists_of_routes(module)
            # A name that a module only imports has no line there: its own module is first.
            found.sort(key=lambda pair: pair[1]["line"] is None)
            for routes, place in found:
                if (matching := _matching(_router(routes)[0], self.path)) is not None:
                    deepest = (p for r, p in found if r is matching[1])
                    return routes, next(deepest, place)
            if any(map(_leads_to_notifications, found)):
                break
        best = max(found, key=_leads_to_notifications, default=None)
        return best or (None, None)

    def _asgi_modules(self):
        """asgi.py, which is imported only if the routes are nowhere else."""
        return self._modules(_ROUTES, {"asgi.py"})

    def _middleware(self):
        found = [
            m for module in self._modules(_MIDDLEWARE) for m in _middlewares_of(module)
        ]
        derived = [
            c for c in found if not any(_subclass(o, c) and o is not c for o in found)
        ]
        return max(derived, key=_likeness, default=None)

    def _sender(self):
        """What is called send_notification, whatever can be called, and its module."""
        for module in self._modules(_SENDER):
            sender = vars(module).get("send_notification")
            if callable(sender) and not inspect.isclass(sender):
                return sender, module
        return None, None

    def _place_of_sender(self):
        """The code behind it, where that is the project's own, else the name's line."""
        with contextlib.suppress(TypeError, OSError):  # no source: built in, or generated
            place = _place(_code_behind(self.sender))
            if self.backend in Path(place["file"]).resolve().parents:
                return place
        return _place_of_name(self.sender_module, "send_notification")


def is_async(sender):
    """Whether a call of it gives a coroutine: of a function, a partial, or an object."""
    call = getattr(sender, "__call__", None)  # noqa: B004 - the method itself is wanted
    return inspect.iscoroutinefunction(sender) or inspect.iscoroutinefunction(call)


def _code_behind(called):
    """The function that a partial, a bound method or an object with __call__ leads to."""
    called = inspect.unwrap(called)
    if isinstance(called, functools.partial):
        return _code_behind(called.func)
    return called if inspect.isroutine(called) else type(called).__call__


def target_of(router, path):
    """What the router would hand a socket at that path to, through routers in each other."""
    matching = _matching(router, path)
    return matching[0].callback if matching else None


def _matching(router, path):
    """The first pattern that matches the path, and the list that it is in, or None."""
    for route in router.routes if router else ():
        try:
            match = route.pattern.match(path)
        except Resolver404:
            continue
        if match:
            inner = _router_in(route.callback)
            return _matching(inner, match[0]) if inner else (route, router.routes)
    return None


def _router(routes):
    """A router of these patterns, or None and what Channels says against them."""
    try:
        return URLRouter(routes or []), ""
    except ImproperlyConfigured as error:
        return None, str(error)


def _router_in(application):
    """The router that an application is, or has inside its middleware; None if neither."""
    for _ in range(_DEEPEST):
        if isinstance(application, URLRouter):
            return application
        if isinstance(application, ProtocolTypeRouter):
            application = application.application_mapping.get("websocket")
        else:
            application = _inside(application)
    return None


def _inside(middleware):
    """The application that a middleware holds; None for whatever is none."""
    if not callable(middleware) or inspect.isclass(middleware):
        return None
    with contextlib.suppress(Exception):  # a stranger's object may answer as it likes
        held = (getattr(middleware, name, None) for name in _INNER)
        return next((value for value in held if callable(value)), None)
    return None


def _callbacks(routes):
    """What these patterns lead to, through routers in each other."""
    for route in routes:
        inner = _router_in(route.callback)
        yield from _callbacks(inner.routes) if inner else [route.callback]


def _consumer_class(callback):
    """The consumer behind a pattern: `as_asgi()` keeps it, a forgotten one leaves it bare."""
    for _ in range(_DEEPEST):
        if _subclass(callback, _CONSUMER_CLASSES):
            return callback
        if callback is None or hasattr(callback, "consumer_class"):
            return getattr(callback, "consumer_class", None)
        callback = _inside(callback)
    return None


def _described(target):
    """What the tool has to know of the end of a route."""
    if target is None:
        return None
    consumer = _consumer_class(target)
    return {
        "name": getattr(consumer or target, "__qualname__", repr(target)),
        "is_class": inspect.isclass(target),
        "is_channels_own": bool(consumer) and _is_channels_own(consumer),
    }


def _is_channels_own(cls):
    return cls.__module__.startswith("channels.")


def _relevance(cls):
    """Whether a consumer's name looks like the one for notifications; the first of equals."""
    return "notif" in f"{cls.__module__}.{cls.__qualname__}".lower()


def _leads_to_notifications(found):
    """Whether one of the consumers of a list of patterns looks like the one wanted."""
    routes, _ = found
    classes = [c for c in map(_consumer_class, _callbacks(routes)) if c]
    return any(_relevance(c) for c in classes)


def _lists_of_routes(module):
    """Each list of patterns in a module, and where; also those inside an application."""
    for name, value in list(vars(module).items()):
        router = _router_in(value)
        routes = router.routes if router else value
        if _is_routes(name, routes):
            yield routes, _place_of_name(module, name)


def _text(path):
    return path.read_text("utf-8", errors="replace")


def _own(module):
    return [
        v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__
    ]


def _subclass(value, of):
    return (
        inspect.isclass(value)
        and (inspect.isclass(of) or isinstance(of, tuple))
        and (issubclass(value, of))
    )


def _is_routes(name, value):
    """Whether it is a list of URL patterns that lead to consumers."""
    if not isinstance(value, (list, tuple)) or not value:
        return False
    if not all(hasattr(route, "pattern") for route in value):
        return False
    callbacks = [c for c in map(_callback_of, value) if c]
    return name == "websocket_urlpatterns" or any(
        _consumer_class(c) or _router_in(c) for c in callbacks
    )


def _callback_of(route):
    """What a pattern leads to; None for an include(), which Channels does not take."""
    return getattr(route, "callback", None)


def _middlewares_of(module):
    for value in _own(module):
        if inspect.isclass(value) and _takes_a_scope(value):
            yield value
        elif inspect.isfunction(value) and "middleware" in value.__name__.lower():
            first = next(iter(inspect.signature(value).parameters), "get_response")
            if first not in ("get_response", "request", "scope"):
                yield value


def _takes_a_scope(cls):
    """Whether its instances are called as ASGI applications are."""
    call = inspect.getattr_static(cls, "__call__", None)
    if issubclass(cls, BaseMiddleware) or not inspect.isfunction(call):
        return issubclass(cls, BaseMiddleware)
    return len(inspect.signature(call).parameters) == 1 + _ASGI_PARAMETERS


def _likeness(value):
    """How much a middleware's name looks like the one that knows tokens."""
    name = value.__name__.lower()
    words = sum(word in name for word in ("jwt", "token", "auth"))
    return words * 2 + inspect.isclass(value)


def _place(part):
    if part is None:
        return None
    part = inspect.unwrap(part)
    file, line = inspect.getsourcefile(part), inspect.getsourcelines(part)[1]
    return {"file": file, "line": line, "name": part.__qualname__}


def _place_of_name(module, name):
    source = _text(Path(module.__file__))
    words = rf"^(?:(?:async )?def )?{re.escape(name)}\b"
    match = re.search(words, source, re.MULTILINE)
    line = source.count("\n", 0, match.start()) + 1 if match else None
    return {"file": module.__file__, "line": line, "name": name}

"""Finds the WebSocket parts of a project by what they are, not by what they are called.

A module is imported only if its text looks as if it held a part: whatever else lies
around in the project stays unread. An import that fails ends the process with the
learner's own traceback.
"""

import importlib
import inspect
import re
from pathlib import Path

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.middleware import BaseMiddleware
from channels.routing import URLRouter
from django.apps import apps

_SKIPPED = {"tests", "test", "migrations", "management", "node_modules", "site-packages"}
_SKIPPED |= {"manage.py", "conftest.py", "settings.py", "asgi.py", "wsgi.py"}
_CONSUMERS = re.compile(r"^\s*class\s.*Consumer", re.MULTILINE)
_ROUTES = re.compile(r"as_asgi|websocket_urlpatterns|URLRouter")
_MIDDLEWARE = re.compile(r"BaseMiddleware|\bscope\b")
_SENDER = re.compile(r"^\s*(?:async )?def send_notification\b", re.MULTILINE)
_ASGI_PARAMETERS = 3


class Parts:
    """The consumer, the routes, the middleware and send_notification(); None where not found."""

    def __init__(self, backend):
        self.backend = Path(backend).resolve()
        self.routes, self.routes_place = self._routes()
        self.consumer = self._routed_consumer() or self._consumer()
        self.middleware = self._middleware()
        self.sender = self._sender()

    def report(self):
        """What was found and where, for the tool to read."""
        parts = {
            "consumer": self.consumer,
            "middleware": self.middleware,
            "sender": self.sender,
        }
        found = {name: _place(part) for name, part in parts.items()}
        found["routes"] = self.routes_place
        config = self.consumer and apps.get_containing_app_config(self.consumer.__module__)
        found["app"] = config.name if config else None
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
        callbacks = [route.callback for route in self.routes or []]
        classes = [getattr(callback, "consumer_class", None) for callback in callbacks]
        own = (c for c in classes if c and not c.__module__.startswith("channels."))
        return next(own, None)

    def _consumer(self):
        for module in self._modules(_CONSUMERS):
            own = [c for c in _own(module) if _subclass(c, (AsyncConsumer, SyncConsumer))]
            for candidate in own:
                if not any(_subclass(c, candidate) and c is not candidate for c in own):
                    return candidate
        return None

    def _routes(self):
        for names in (None, {"asgi.py"}):
            for module in self._modules(_ROUTES, names):
                for name, value in vars(module).items():
                    routes = value.routes if isinstance(value, URLRouter) else value
                    if _is_routes(name, routes):
                        return routes, _place_of_name(module, name)
        return None, None

    def _middleware(self):
        found = [
            m for module in self._modules(_MIDDLEWARE) for m in _middlewares_of(module)
        ]
        derived = [
            c for c in found if not any(_subclass(o, c) and o is not c for o in found)
        ]
        return max(derived, key=_likeness, default=None)

    def _sender(self):
        for module in self._modules(_SENDER):
            if inspect.isroutine(sender := vars(module).get("send_notification")):
                return sender
        return None


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
    callbacks = [getattr(route, "callback", None) for route in value]
    named = name == "websocket_urlpatterns"
    return all(callbacks) and (
        named or any(hasattr(c, "consumer_class") for c in callbacks)
    )


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
    match = re.search(rf"^{re.escape(name)}\b", source, re.MULTILINE)
    line = source.count("\n", 0, match.start()) + 1 if match else None
    return {"file": module.__file__, "line": line, "name": name}

"""Finds what a project answers over HTTP: in its URL resolver, and in the views there.

Needs a Django that is set up. What an endpoint does is said by a docstring of its view; a
view of Django REST framework also says whom it lets in, and which fields it takes.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.contrib.admindocs.views import simplify_regex
from django.contrib.staticfiles.views import serve as static_files
from django.test import AsyncRequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from tools.site.introspection import Endpoint
from tools.site.introspection.bodies import Body, serializer_of, writable
from tools.site.introspection.functions import Owns, closure, docstring, is_own

# In the order in which one reads about them. HEAD and OPTIONS go without saying.
_METHODS = ("get", "post", "put", "patch", "delete")
_WITH_BODY = {"post", "put", "patch"}
# What the actions do that a view set inherits: their own docstrings speak of instances.
_INHERITED = {
    "list": "List {many}.",
    "create": "Create one {one}.",
    "retrieve": "Show one {one}.",
    "update": "Replace one {one}.",
    "partial_update": "Change one {one}.",
    "destroy": "Delete one {one}.",
}
# Likewise for views of libraries that projects use as they are.
_LIBRARY = {
    "rest_framework_simplejwt.views.TokenObtainPairView": (
        "Sign in: exchange {body} for an access and a refresh token."
    ),
    "rest_framework_simplejwt.views.TokenRefreshView": (
        "Exchange a refresh token for a new access token."
    ),
    "drf_spectacular.views.SpectacularAPIView": (
        "Describe the REST API as an OpenAPI document."
    ),
}

Pattern: TypeAlias = URLPattern | URLResolver


def of_project(owns: Owns) -> list[Endpoint]:
    """Every method of every address, in the order of the URL files.

    `owns` says whether a file is the project's own. Django's admin is left out: it is a
    site for people, with a hundred addresses of its own. So are static files.
    """
    return list(_below(get_resolver().url_patterns, "/", owns))


def _below(patterns: Iterable[Pattern], prefix: str, owns: Owns) -> Iterator[Endpoint]:
    for pattern in _as_written(patterns):
        address = prefix + _text(pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from _below(pattern.url_patterns, address, owns)
        elif pattern.callback is static_files:
            continue
        elif "format" not in pattern.pattern.regex.groupindex:  # posts.json beside posts/
            yield from _of_callback(pattern.callback, address, owns)


def _text(pattern: Pattern) -> str:
    """What a pattern adds to an address, its parameters as `<name>`."""
    text = str(pattern.pattern)
    if isinstance(pattern.pattern, RegexPattern):
        return simplify_regex(text).lstrip("/")
    return re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", text)


def _as_written(patterns: Iterable[Pattern]) -> Iterator[Pattern]:
    """Patterns in their order, a view set's own actions behind the inherited ones.

    A router sorts the actions by name; the class has them in an order that means something.
    """
    for cls, group in itertools.groupby(patterns, key=lambda p: _class_of(_callback(p))):
        together = list(group)
        yield from together if cls is None else sorted(together, key=_line_of_action)


def _callback(pattern: Pattern) -> Any:
    return pattern.callback if isinstance(pattern, URLPattern) else None


def _class_of(callback: Any) -> Any:
    """The class behind a view that `as_view()` or `@api_view` has made, else None."""
    return getattr(callback, "cls", None) or getattr(callback, "view_class", None)


def _line_of_action(pattern: Pattern) -> int:
    callback = _callback(pattern)
    names = getattr(callback, "actions", None) or {}
    actions: list[Any] = [getattr(callback.cls, name, None) for name in names.values()]
    # `mapping` is what @action leaves on a function.
    lines = [
        inspect.unwrap(a).__code__.co_firstlineno for a in actions if hasattr(a, "mapping")
    ]
    return min(lines, default=0)


def _of_callback(callback: Any, address: str, owns: Owns) -> Iterator[Endpoint]:
    if isinstance(callback, functools.partial):
        callback = callback.func
    cls = _class_of(callback)
    if cls is None:
        yield from _FunctionView(callback, owns).endpoints(address)
    elif hasattr(cls, "get_permissions"):
        yield from _RestView(callback, cls, owns).endpoints(address)
    else:
        yield from _ClassView(callback, cls, owns).endpoints(address)


class _FunctionView:
    """A view that is a function."""

    def __init__(self, function: Any, owns: Owns) -> None:
        self.function = function
        self.owns = owns

    def endpoints(self, address: str) -> Iterator[Endpoint]:
        """One for each method, at that address."""
        view = inspect.unwrap(self.function)
        for method in self._methods():
            body = Body(view, None, self.owns).fields() if method in _WITH_BODY else ()
            token = self._needs_token(method, address)
            yield Endpoint(method.upper(), address, self._does(view), body, token)

    def _methods(self) -> list[str]:
        """Those that `@require_http_methods` and its like allow; GET if nothing does."""
        layer = self.function
        while layer is not None:
            allowed = closure(layer).get("request_method_list")
            if allowed:
                return [name for name in _METHODS if name.upper() in allowed]
            layer = getattr(layer, "__wrapped__", None)
        return ["get"]

    def _needs_token(self, method: str, address: str) -> bool:
        """Whether it refuses to show something to a request without a token. Nothing but
        the answer says so; what fails without a parameter has refused nobody."""
        if method != "get" or "<" in address or not is_own(self.function, self.owns):
            return False
        view = self.function
        if not iscoroutinefunction(view):
            view = sync_to_async(view)
        with contextlib.suppress(Exception):
            response = async_to_sync(view)(AsyncRequestFactory().get(address))
            return bool(response.status_code == HTTPStatus.UNAUTHORIZED)
        return False

    def _does(self, view: Any) -> str:
        text = docstring(view)
        if not is_own(view, self.owns):
            return _first_sentence(text)
        return _answers(text)


class _ClassView:
    """A view that is a class of Django's."""

    def __init__(self, callback: Any, cls: Any, owns: Owns) -> None:
        self.callback = callback
        self.cls = cls
        self.owns = owns
        self.values: Mapping[str, Any] = {
            **getattr(callback, "view_initkwargs", {}),
            **getattr(callback, "initkwargs", {}),
        }

    def endpoints(self, address: str) -> Iterator[Endpoint]:
        """One for each method, at that address."""
        for method, handler in self.handlers().items():
            function = getattr(self.cls, handler)
            body = self.body(method, handler) if method in _WITH_BODY else ()
            does = self.does(handler, function).replace("{body}", " and ".join(body))
            token = self.needs_token(method, handler)
            yield Endpoint(method.upper(), self.address(address), does, body, token)

    def handlers(self) -> dict[str, str]:
        """For each method, the name of what answers it.

        Of those that a class inherits only GET counts, and POST for a form: a redirect
        answers every method there is, but nobody would send it a DELETE.
        """
        return {
            name: name
            for name in self._defined()
            if name == "get"
            or is_own(getattr(self.cls, name), self.owns)
            or (name == "post" and hasattr(self.cls, "form_class"))
        }

    def _defined(self) -> list[str]:
        allowed = self.cls.http_method_names
        return [name for name in _METHODS if name in allowed and hasattr(self.cls, name)]

    def address(self, address: str) -> str:
        """The address with `<pk>`, Django's word, replaced by the name of that field."""
        model = self.model()
        return address.replace("<pk>", f"<{model._meta.pk.name}>") if model else address

    def model(self) -> Any:
        """The model whose rows the view shows, if it says so."""
        queryset = getattr(self.cls, "queryset", None)
        return getattr(self.cls, "model", None) or getattr(queryset, "model", None)

    def does(self, handler: str, function: Any) -> str:
        """What the class says of itself, and what its method says of its answers."""
        own = docstring(function) if is_own(function, self.owns) else ""
        return " ".join(filter(None, [self._about(), _answers(own)]))

    def _about(self) -> str:
        for cls in self.cls.__mro__:
            if is_own(cls, self.owns) and cls.__dict__.get("__doc__"):
                return _answers(docstring(cls))
            known = _LIBRARY.get(f"{cls.__module__}.{cls.__qualname__}")
            if known:
                return known
        template = self.values.get(
            "template_name", getattr(self.cls, "template_name", None)
        )
        if template:
            return f"Show the page {template}."
        return "" if is_own(self.cls, self.owns) else _first_sentence(docstring(self.cls))

    def body(self, method: str, handler: str) -> tuple[str, ...]:
        """The fields that a request of that method may hold."""
        function = getattr(self.cls, handler)
        if is_own(function, self.owns):
            return Body(function, None, self.owns, self.cls).fields()
        return tuple(getattr(self.cls.form_class, "base_fields", ()))

    def needs_token(self, method: str, handler: str) -> bool:
        """Whether a request without a token is refused: Django's own views take none."""
        return False


class _RestView(_ClassView):
    """A view of Django REST framework: a class, a view set, or a function with @api_view."""

    def handlers(self) -> dict[str, str]:
        actions = getattr(self.callback, "actions", None)
        if actions:
            return {name: actions[name] for name in _METHODS if name in actions}
        return {name: name for name in self._defined()}

    def does(self, handler: str, function: Any) -> str:
        if handler in _METHODS:
            return super().does(handler, function)
        own = _answers(docstring(function)) if is_own(function, self.owns) else ""
        return own or self._inherited(handler) or _first_sentence(docstring(function))

    def _inherited(self, handler: str) -> str:
        """What an inherited action does, with the name of what it does that to."""
        meta = getattr(self.model(), "_meta", None)
        one = getattr(meta, "verbose_name", "object")
        many = getattr(meta, "verbose_name_plural", "objects")
        return _INHERITED.get(handler, "").format(one=one, many=many)

    def model(self) -> Any:
        serializer = getattr(self.cls, "serializer_class", None)
        meta = getattr(serializer, "Meta", None)
        return getattr(meta, "model", None) or super().model()

    def body(self, method: str, handler: str) -> tuple[str, ...]:
        view = self._instance(method, handler)
        function = getattr(self.cls, handler)
        # What @api_view makes of a function keeps it in a closure.
        function = closure(function).get("func", function)
        if is_own(function, self.owns):
            return Body(function, view, self.owns, self.cls).fields()
        return writable(serializer_of(view))

    def needs_token(self, method: str, handler: str) -> bool:
        """Asks the permissions about a request that carries nothing."""
        view = self._instance(method, handler)
        try:
            return not all(
                p.has_permission(view.request, view) for p in view.get_permissions()
            )
        except Exception:  # noqa: BLE001 - the project's code, which expected a user
            return True

    def _instance(self, method: str, handler: str) -> Any:
        """The view as it is when it has got an anonymous request of that method."""
        # Not imported above: it reads the settings, and a project may do without it.
        from rest_framework.test import APIRequestFactory

        view = self.cls(**self.values)
        view.args, view.kwargs, view.format_kwarg = (), {}, None
        if getattr(self.callback, "actions", None):
            view.action_map, view.action = self.callback.actions, handler
        request = APIRequestFactory().generic(method.upper(), "/")
        view.request = view.initialize_request(request)
        return view


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def _answers(text: str) -> str:
    """A docstring for those who send requests: `Called for GET: 200` is `Returns 200`."""
    # For an address, the docstring may name only what it returns instead of 200.
    text = re.sub(r"^Called for ([A-Z]+: |/\S*: (?=200))", "Returns ", text)
    return re.sub(r"^Called for /\S*: ", "Returns 200; ", text)

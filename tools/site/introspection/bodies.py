"""Finds which fields a request may send: in serializers, and in what a view's source reads."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from typing import Any

from tools.site.introspection.functions import Owns, is_own, tree_of


class Body:
    """What a function of the project reads from the body of a request.

    Its source says so: `request.data["name"]`, or a serializer made with `data=request.data`,
    in the function or in a method of its own class that it calls.
    """

    def __init__(self, function: Any, view: Any, owns: Owns, cls: Any = None) -> None:
        """`view` is an instance that can make its serializer, or None."""
        self.function = function
        self.view = view
        self.owns = owns
        self.cls = cls

    def fields(self) -> tuple[str, ...]:
        found = (
            name
            for function in self._functions()
            for node in ast.walk(tree_of(function))
            for name in self._read_by(node, function)
        )
        return tuple(dict.fromkeys(found))

    def _functions(self) -> list[Any]:
        """The function, and the methods that it calls, directly or not."""
        found = [inspect.unwrap(self.function)]
        for function in found:
            code = getattr(function, "__code__", None)  # a callable object has none
            for name in code.co_names if code else ():
                value: Any = getattr(self.cls, name, None)
                method = inspect.unwrap(value)
                is_new = inspect.isfunction(method) and method not in found
                if is_new and is_own(method, self.owns):
                    found.append(method)
        return found

    def _read_by(self, node: ast.AST, function: Any) -> Iterator[str]:
        if isinstance(node, ast.Subscript) and _is_body(node.value):
            yield from _constant(node.slice)
        elif isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "data"]
            if isinstance(node.func, ast.Name) and node.func.id == "super":
                yield from writable(serializer_of(self.view))
            elif isinstance(node.func, ast.Attribute) and _is_body(node.func.value):
                yield from _constant(*node.args[:1])
            elif any(_is_body(part) for value in given for part in ast.walk(value)):
                yield from writable(self._serializer(node.func, function))

    def _serializer(self, called: ast.expr, function: Any) -> Any:
        """The serializer that a call makes, by the class or through the view."""
        first, *rest = ast.unparse(called).split(".")
        if rest[-1:] == ["get_serializer"]:
            return serializer_of(self.view)
        value = functools.reduce(
            lambda value, name: getattr(value, name, None),
            rest,
            function.__globals__.get(first),
        )
        return value() if hasattr(value, "_declared_fields") else None


def serializer_of(view: Any) -> Any:
    """The serializer that a view makes; None if it has none."""
    try:
        return view.get_serializer()
    except Exception:  # noqa: BLE001 - the project's code, without a real request
        # Then the one that the class names will be nearest to the truth.
        cls = getattr(view, "serializer_class", None)
        return cls() if cls else None


def writable(serializer: Any) -> tuple[str, ...]:
    """The fields of a serializer that a request may set, with the parts of nested ones."""
    fields = getattr(getattr(serializer, "child", serializer), "fields", {})
    return tuple(
        name + (f"{{{', '.join(parts)}}}" if (parts := writable(field)) else "")
        for name, field in fields.items()
        if not field.read_only and not _is_hidden(field)
    )


def _is_hidden(field: Any) -> bool:
    """Whether a field takes no input, only its default."""
    # Not imported above: it reads the settings, and a project may do without it.
    from rest_framework.serializers import HiddenField

    return isinstance(field, HiddenField)


def _is_body(node: ast.AST) -> bool:
    """Whether an expression is the body of the request that a view has got."""
    if not isinstance(node, ast.Attribute) or node.attr not in {"data", "POST"}:
        return False
    return ast.unparse(node.value) in {"request", "self.request"}


def _constant(*nodes: ast.AST) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant):
            yield str(node.value)

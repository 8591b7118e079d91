"""Reads what the backend of a step offers, from its source and without importing it.

The reference pages are made of this: events, addresses and settings stand in the code only.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import yaml

from course import Step
from course.files import files_of
from tools.site.differences import is_test, text_of

# What a view of the libraries answers: which methods, and what it does.
_GENERIC = {
    "CreateAPIView": ("POST",),
    "ListAPIView": ("GET",),
    "ListCreateAPIView": ("GET", "POST"),
    "RetrieveAPIView": ("GET",),
    "TokenObtainPairView": ("POST",),
    "TokenRefreshView": ("POST",),
}
_SIGN_IN = "Sign in: exchange email and password for an access and a refresh token."
_TOKEN_VIEWS = {"TokenObtainPairView", "TokenRefreshView"}
_METHODS = ("get", "post", "put", "patch", "delete")
_VIEW_SET = {
    "list": ("GET", False, "List them."),
    "create": ("POST", False, "Write one."),
    "retrieve": ("GET", True, "Show one."),
    "update": ("PUT", True, "Replace one."),
    "partial_update": ("PATCH", True, "Change one."),
    "destroy": ("DELETE", True, "Delete one."),
}
_CHANGES = {"POST", "PUT", "PATCH"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Event:
    """One event: its type, its data as `name{parts}` texts, and to whom it goes."""

    kind: str
    data: tuple[str, ...]
    receiver: str


@dataclass(frozen=True)
class Frame:
    """A frame that the consumer itself sends, and the docstring of the method that does."""

    kind: str
    fields: tuple[str, ...]
    method: str
    moment: str


@dataclass(frozen=True)
class Endpoint:
    """One method of one address of the REST API."""

    method: str
    address: str
    does: str
    body: tuple[str, ...] = ()
    needs_token: bool = True


@dataclass(frozen=True)
class Variable:
    """One environment variable: its default and what is said if production lacks it."""

    name: str
    default: str
    demanded: str
    render: str


class Backend:
    """The code of one step's backend, parsed."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.modules: dict[str, ast.Module] = {}
        for path in files_of(step.folder):
            if path.startswith("backend/") and path.endswith(".py") and not is_test(path):
                name = path.removeprefix("backend/").removesuffix(".py").replace("/", ".")
                self.modules[name] = ast.parse(text_of(step, path) or "")

    @functools.cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Every class of the backend by its name."""
        return {
            node.name: node
            for module in self.modules.values()
            for node in module.body
            if isinstance(node, ast.ClassDef)
        }

    # Events

    def events(self) -> list[Event]:
        """What notifications/events.py publishes, in its order."""
        module = self.modules.get("notifications.events", ast.Module([], []))
        found: list[Event] = []
        for function in _functions(module):
            for call in _calls(function, "publish"):
                values = {word.arg: word.value for word in call.keywords}
                kind = values.get("kind")
                if isinstance(kind, ast.Constant):
                    data = self._data(function, values["data"])
                    found.append(Event(kind.value, tuple(data), _docstring(function)))
        return found

    def frames(self) -> list[Frame]:
        """What the consumers send of themselves: dicts with a `type` of their own."""
        found: list[Frame] = []
        for cls in self._classes_of("notifications.consumers"):
            for method in _functions(cls):
                for node in ast.walk(method):
                    fields = _literal_keys(node)
                    if isinstance(node, ast.Dict) and "type" in fields:
                        kind = node.values[fields.index("type")]
                        if isinstance(kind, ast.Constant):
                            name = f"{cls.name}.{method.name}"
                            rest = tuple(field for field in fields if field != "type")
                            found.append(Frame(kind.value, rest, name, _docstring(method)))
        return found

    def close_codes(self) -> list[tuple[int, str]]:
        """The codes with which consumers close, and the methods that do."""
        return [
            (word.value.value, f"{cls.name}.{method.name}")
            for cls in self._classes_of("notifications.consumers")
            for method in _functions(cls)
            for call in _calls(method, "close")
            for word in call.keywords
            if word.arg == "code" and isinstance(word.value, ast.Constant)
        ]

    def _classes_of(self, module: str) -> list[ast.ClassDef]:
        body = self.modules[module].body if module in self.modules else []
        return [node for node in body if isinstance(node, ast.ClassDef)]

    def _data(self, function: _Function, value: ast.expr) -> Iterator[str]:
        """The fields of an event's data, each with its own parts."""
        local = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if isinstance(value, ast.Name):
            value = local[value.id]
        if isinstance(value, ast.Dict):
            for key, part in zip(value.keys, value.values, strict=True):
                yield _constant(key) + self._parts(part, local)
        elif isinstance(value, ast.DictComp):
            source = value.value
            names = value.generators[0].iter
            for name in ast.literal_eval(names):
                yield name + self._parts_of(getattr(source, "value", source), name, local)

    def _parts(self, value: ast.expr, local: Mapping[str, ast.expr]) -> str:
        if isinstance(value, ast.Subscript):
            return self._parts_of(value.value, _constant(value.slice), local)
        return ""

    def _parts_of(self, source: ast.expr, field: str, local: Mapping[str, ast.expr]) -> str:
        """`{id, username}` if that field of a serializer's data is made by a serializer."""
        if isinstance(source, ast.Name):
            source = local.get(source.id, source)
        names = {node.id for node in ast.walk(source) if isinstance(node, ast.Name)}
        for name in names & set(self.classes):
            for declared in self._declared(name).get(field, []):
                parts = self.fields(declared)
                if parts:
                    return "{" + ", ".join(parts) + "}"
        return ""

    # Serializers

    def fields(self, serializer: str) -> list[str]:
        """What a serializer's Meta lists, its own or the one it inherits."""
        for cls in self._lineage(serializer):
            for meta in cls.body:
                if isinstance(meta, ast.ClassDef) and meta.name == "Meta":
                    value = _assigned(meta, "fields")
                    if value is not None:
                        return list(ast.literal_eval(value))
        return []

    def body(self, serializer: str) -> list[str]:
        """The fields of a serializer that a request may set."""
        fixed = {"id", *self._stamps()}
        for cls in self._lineage(serializer):
            for node in ast.walk(cls):
                if isinstance(node, ast.Assign) and _names(node) == ["read_only_fields"]:
                    fixed |= set(ast.literal_eval(node.value))
                elif isinstance(node, ast.Assign) and _is_read_only(node.value):
                    fixed |= set(_names(node))
        return [field for field in self.fields(serializer) if field not in fixed]

    def _stamps(self) -> set[str]:
        """The fields of models that are set when a row is made."""
        return {
            name
            for cls in self.classes.values()
            for node in cls.body
            if isinstance(node, ast.Assign) and "auto_now" in ast.dump(node.value)
            for name in _names(node)
        }

    def _declared(self, serializer: str) -> dict[str, list[str]]:
        """For each field that a serializer declares: the classes that its value names."""
        return {
            name: [part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)]
            for cls in self._lineage(serializer)
            for node in cls.body
            if isinstance(node, ast.Assign)
            for name in _names(node)
        }

    def _lineage(self, name: str) -> Iterator[ast.ClassDef]:
        """A class of the backend and those of its bases that are the backend's own."""
        cls = self.classes.get(name)
        if cls is not None:
            yield cls
            for base in cls.bases:
                yield from self._lineage(ast.unparse(base).rpartition(".")[2])

    # Addresses

    def endpoints(self) -> list[Endpoint]:
        """Every method of every address of the API, in the order of the URL files."""
        return list(self._addresses("numeneon.urls", "/"))

    def _addresses(self, module: str, prefix: str) -> Iterator[Endpoint]:
        tree = self.modules[module]
        for call in _calls(tree, "path"):
            address = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", _constant(call.args[0]))
            target = call.args[1]
            if isinstance(target, ast.Call) and ast.unparse(target.func) == "include":
                yield from self._addresses(_constant(target.args[0]), address)
            elif ast.unparse(target).endswith(".as_view()"):
                name = ast.unparse(target).removesuffix(".as_view()").rpartition(".")[2]
                yield from self._view(name, address)
            elif isinstance(target, ast.Name):
                yield self._function(target.id, address)
        for call in _calls(tree, "register"):
            yield from self._view_set(ast.unparse(call.args[1]), prefix)

    def _function(self, name: str, address: str) -> Endpoint:
        functions = (f for module in self.modules.values() for f in _functions(module))
        found = next(function for function in functions if function.name == name)
        does = re.sub(r"^Called for \S+: ", "Answers 200, or ", _docstring(found))
        return Endpoint("GET", address, does, needs_token=False)

    def _view(self, name: str, address: str) -> Iterator[Endpoint]:
        lineage = list(self._lineage(name))
        bases = {name} | {
            ast.unparse(base).rpartition(".")[2] for cls in lineage for base in cls.bases
        }
        does = _docstring(lineage[0]) if lineage else _SIGN_IN
        free = bool(bases & _TOKEN_VIEWS) or "AllowAny" in "".join(map(ast.dump, lineage))
        body = self._body_of(bases, lineage)
        one = Endpoint("", address, does, needs_token=not free)
        for base in sorted(bases & set(_GENERIC)):
            for method in _GENERIC[base]:
                sent = body if method in _CHANGES else ()
                yield replace(one, method=method, body=sent)
        for function in (f for cls in lineage for f in _functions(cls)):
            if function.name in _METHODS:
                answers = re.sub(r"^Called for [A-Z]+: ", "", _docstring(function))
                method = function.name.upper()
                yield replace(one, method=method, does=f"{does} Answers {answers}")

    def _body_of(
        self, bases: Iterable[str], lineage: list[ast.ClassDef]
    ) -> tuple[str, ...]:
        if "TokenObtainPairView" in bases:
            fields = (_assigned(cls, "USERNAME_FIELD") for cls in self.classes.values())
            login = next((_constant(field) for field in fields if field), "username")
            return (login, "password")
        if "TokenRefreshView" in bases:
            return ("refresh",)
        values = (_assigned(cls, "serializer_class") for cls in lineage)
        return tuple(next((self.body(ast.unparse(value)) for value in values if value), ()))

    def _view_set(self, name: str, prefix: str) -> Iterator[Endpoint]:
        cls = self.classes[name]
        serializer = _assigned(cls, "serializer_class")
        body = tuple(self.body(ast.unparse(serializer))) if serializer else ()
        for method, one, does in _VIEW_SET.values():
            sent = body if method in _CHANGES else ()
            yield Endpoint(method, prefix + ("<id>/" if one else ""), does, sent)
        methods = {function.name: function for function in _functions(cls)}
        for function in methods.values():
            yield from self._action(function, prefix, body, methods)

    def _action(
        self,
        function: _Function,
        prefix: str,
        body: tuple[str, ...],
        methods: Mapping[str, _Function],
    ) -> Iterator[Endpoint]:
        """The addresses that `@action` and `@name.mapping.method` give to a function."""
        for decorator in function.decorator_list:
            words = ast.unparse(decorator)
            mapped = re.fullmatch(r"(\w+)\.mapping\.(\w+)", words)
            if mapped:
                name, verbs = mapped[1], [mapped[2]]
            elif words.startswith("action("):
                options = {
                    word.arg: word.value for word in getattr(decorator, "keywords", [])
                }
                given = options.get("methods")
                name, verbs = function.name, ast.literal_eval(given) if given else ["get"]
                if "serializer_class" in options:
                    body = tuple(self.body(ast.unparse(options["serializer_class"])))
            else:
                continue
            sent = body if _reads_body(function, methods) else ()
            for verb in verbs:
                address = f"{prefix}<id>/{name}/"
                yield Endpoint(verb.upper(), address, _docstring(function), sent)

    # Settings

    def variables(self) -> list[Variable]:
        """The environment variables that settings.py reads, in its order."""
        tree = self.modules["numeneon.settings"]
        demanded = _demands(tree)
        render = _render_values(text_of(self.step, "render.yaml") or "")
        found: dict[str, str] = {}
        for node in ast.walk(tree):
            for name, default in _read_variables(node):
                found[name] = default or found.get(name, "")
        order = ast.unparse(tree)
        return [
            Variable(name, found[name], demanded.get(name, ""), render.get(name, ""))
            for name in sorted(found, key=lambda name: order.index(repr(name)))
        ]


def _read_variables(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(name, default) for each `os.environ` that a node reads."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        first, last = node.values[0], node.values[-1]
        if isinstance(last, ast.Constant):
            for name, _ in _read_variables(first):
                yield name, str(last.value)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
        default = node.args[1] if len(node.args) > 1 else None
        yield _constant(node.args[0]), _constant(default) if default else ""
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
        yield _constant(node.slice), ""


def _demands(tree: ast.Module) -> dict[str, str]:
    """What the settings say when production lacks a variable, by its name."""
    found: dict[str, str] = {}
    for call in _calls(tree, "ImproperlyConfigured"):
        text = _constant(call.args[0])
        name, _, rest = text.partition(" is not set. ")
        if rest:
            found[name] = rest
    return found


def _render_values(text: str) -> dict[str, str]:
    """Where render.yaml takes each variable from."""
    services = (yaml.safe_load(text) or {}).get("services", []) if text else []
    values: dict[str, str] = {}
    for entry in (entry for service in services for entry in service.get("envVars", [])):
        source = entry.get("fromDatabase") or entry.get("fromService") or {}
        if "value" in entry:
            values[entry["key"]] = f"`{entry['value']}`"
        elif entry.get("generateValue"):
            values[entry["key"]] = "generated"
        elif source:
            values[entry["key"]] = f"from `{source['name']}`"
    return values


def _functions(parent: ast.Module | ast.ClassDef) -> list[_Function]:
    return [node for node in parent.body if isinstance(node, _Function)]


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """The calls of that function or method, in the order of the source."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name
    ]
    yield from sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _reads_body(function: _Function, methods: Mapping[str, _Function]) -> bool:
    """Whether a method, or one of its own that it calls, makes a serializer of the request."""
    names = {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
    }
    called = [
        methods[name] for name in names & set(methods) if methods[name] is not function
    ]
    return any(
        word.arg == "data"
        for each in [function, *called]
        for call in _calls(each, "get_serializer")
        for word in call.keywords
    )


def _docstring(node: _Function | ast.ClassDef) -> str:
    return " ".join((ast.get_docstring(node) or "").split())


def _constant(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _literal_keys(node: ast.AST) -> list[str]:
    return [_constant(key) for key in node.keys] if isinstance(node, ast.Dict) else []


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _assigned(cls: ast.ClassDef, name: str) -> ast.expr | None:
    for node in cls.body:
        if isinstance(node, ast.Assign) and name in _names(node):
            return node.value
    return None


def _is_read_only(value: ast.expr) -> bool:
    text = ast.unparse(value)
    return "read_only=True" in text or "SerializerMethodField(" in text

"""Reads the documents by which a project describes itself: OpenAPI and AsyncAPI."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.errors import NotYet
from checks.harness.client import shorten

_SHOWN = 3


@functools.cache
def _openapi_rules() -> dict[str, Any]:
    """The JSON schema of OpenAPI 3.1, which drf-spectacular brings."""
    found = importlib.util.find_spec("drf_spectacular")
    assert found and found.origin
    folder = Path(found.origin).parent / "validation"
    return json.loads((folder / "openapi_3_1_schema.json").read_text("utf-8"))


def faults_of_openapi(document: Any) -> list[str]:
    """What is wrong with an OpenAPI 3.1 document."""
    from jsonschema import Draft202012Validator

    faults = Draft202012Validator(_openapi_rules()).iter_errors(document)
    return [_told(fault) for fault, _ in zip(faults, range(_SHOWN), strict=False)]


def _told(fault: Any) -> str:
    return f"{fault.json_path}: {shorten(fault.message, 200)}"


class Messages:
    """The messages of an AsyncAPI document that the server sends, with all that they say."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Raises NotYet if it is no AsyncAPI 3 document with messages that are sent."""
        self._document = document
        version = str(document.get("asyncapi"))
        self._sent = list(self._messages("send")) if version.startswith("3.") else []
        if not self._sent:
            raise NotYet(
                f"it has asyncapi: {version} and {len(self._sent)} messages in operations "
                'with the action "send"',
                expected="an AsyncAPI 3 document with the frames that the server sends",
            )

    def _messages(self, action: str) -> Iterator[dict[str, Any]]:
        for operation in _values(self._document.get("operations")):
            operation = self._followed(operation)
            if operation.get("action") != action:
                continue
            channel = self._followed(operation.get("channel"))
            named = operation.get("messages") or _values(channel.get("messages"))
            yield from map(self._followed, named)

    def _followed(self, part: Any) -> dict[str, Any]:
        """What a reference leads to, {} if it leads nowhere; anything else as it is."""
        while isinstance(part, dict) and "$ref" in part:
            place: Any = self._document
            for name in str(part["$ref"]).removeprefix("#/").split("/"):
                name = name.replace("~1", "/").replace("~0", "~")
                place = place.get(name) if isinstance(place, dict) else None
            part = place
        return part if isinstance(part, dict) else {}

    def fault_of(self, frame: Any) -> str:
        """Why no message of the document is this frame; '' if one is."""
        from jsonschema import Draft7Validator
        from jsonschema.exceptions import best_match

        nearest = f"no message has {shorten(frame, 80)}"
        for message in self._sent:
            payload = _closed(message.get("payload", False))
            # References in it begin at the document.
            rules = {**_closed(self._document), "allOf": [payload]}
            faults = list(Draft7Validator(rules).iter_errors(frame))
            if not faults:
                return ""
            if not any("type" in fault.absolute_path for fault in faults):
                nearest = _told(best_match(faults))
        return nearest


def _closed(schema: Any) -> Any:
    """The same, but objects have no keys that it does not name unless it says they may."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # What allOf puts together has the keys of all its parts.
    whole = {k: v if k == "allOf" else _closed(v) for k, v in schema.items()}
    is_object = schema.get("type") == "object" and isinstance(
        schema.get("properties"), dict
    )
    return {"additionalProperties": False, **whole} if is_object else whole


def _values(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else []

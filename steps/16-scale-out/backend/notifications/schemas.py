"""Turns a type from frames.py into a JSON schema."""

from typing import Literal, get_args, get_origin, get_type_hints, is_typeddict

from notifications.frames import Moment

SCHEMAS = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Moment: {"type": "string", "format": "date-time"},
}


def schema_of(kind):
    """Return the JSON schema of a type."""
    if is_typeddict(kind):
        return schema_of_dict(kind)
    if get_origin(kind) is Literal:
        return {"const": get_args(kind)[0]}
    if get_origin(kind) is list:
        return {"type": "array", "items": schema_of(get_args(kind)[0])}
    return SCHEMAS[kind]


def schema_of_dict(kind):
    """Return the JSON schema of an object with these keys, and no others."""
    keys = get_type_hints(kind)
    return {
        "type": "object",
        "properties": {name: schema_of(each) for name, each in keys.items()},
        "required": sorted(kind.__required_keys__),
        "additionalProperties": False,
    }

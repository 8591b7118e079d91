"""Describes the socket as an AsyncAPI document, made from the types of its frames."""

from inspect import getdoc
from typing import get_args, get_type_hints

from notifications.frames import CLOSE_CODES, RECEIVED, SENT
from notifications.schemas import schema_of


def name_of(frame):
    """Return what is in a frame's key "type"."""
    return get_args(get_type_hints(frame)["type"])[0]


def references(frames, place):
    """Return references to the messages that describe these frames."""
    return {name_of(frame): {"$ref": f"{place}/{name_of(frame)}"} for frame in frames}


def operation(action, frames):
    """Return what the server does with these frames: it sends or receives them."""
    messages = references(frames, "#/channels/own/messages")
    channel = {"$ref": "#/channels/own"}
    return {"action": action, "channel": channel, "messages": list(messages.values())}


def document(host, *, secure):
    """Return the whole document, for the server at this host."""
    frames = SENT + RECEIVED
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Numeneon",
            "version": "1.0.0",
            "description": "What a signed-in user is told while it happens."
            " Ignore keys that you do not know: there may be more of them one day.",
        },
        "defaultContentType": "application/json",
        "servers": {"own": {"host": host, "protocol": "wss" if secure else "ws"}},
        "channels": {
            "own": {
                "address": "/ws/notifications/",
                "description": "Offer the subprotocols `ticket` and a ticket, which"
                " `POST /api/v1/ws/ticket/` issues.",
                "messages": references(frames, "#/components/messages"),
                "x-close-codes": CLOSE_CODES,
            },
            "user": {
                "address": "/ws/notifications/{userId}/",
                "description": "The same for one user, without announcements: for that"
                " user and for staff.",
                "parameters": {"userId": {"description": "The id of the user."}},
                "messages": references(frames, "#/components/messages"),
                "x-close-codes": CLOSE_CODES,
            },
        },
        "operations": {
            "send": operation("send", SENT),
            "receive": operation("receive", RECEIVED),
        },
        "components": {
            "messages": {
                name_of(frame): {"summary": getdoc(frame), "payload": schema_of(frame)}
                for frame in frames
            }
        },
    }

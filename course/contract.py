"""What a learner's backend promises to its clients: each fact of the contract, once.

The checks judge by it, `run` uses it, and the reference pages are made from it. docs/reference
explains the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

SOCKET_PATH = "/ws/notifications/"
# The pages that a browser can open: from step 0 on, and from part two on.
DEMO_PATH = "/demo/"
CLIENT_PATH = "/app/"
# What a server says of itself: from step 14 on.
HEALTH_PATH = "/api/v1/health/"
SCHEMA_PATH = "/api/schema/"
DOCS_PATH = "/api/docs/"
SOCKET_DOCUMENT_PATH = "/api/docs/socket.json"
METRICS_PATH = "/metrics"
CONNECTIONS_PATH = "/api/v1/connections/"
DASHBOARD_PATH = "/dashboard/"
# How an access token may travel to the socket: as the second of two offered subprotocols, as
# `?token=` in the address, or in the header `Authorization`, which no browser can send. From
# step 10 on the last one remains, and browsers offer a ticket in place of their token.
TOKEN_WAYS = ("subprotocol", "query", "header")
TOKEN_SUBPROTOCOL = "access_token"
TICKET_PATH = "/api/v1/ws/ticket/"
TICKET_SUBPROTOCOL = "ticket"
# How long a ticket is valid. Seconds.
TICKET_LIFE = 30
# From step 13 on.
ANNOUNCEMENTS_PATH = "/api/v1/announcements/"
PRESENCE_PATH = "/api/v1/presence/"

# From step 15 on: the same events over HTTP, as Server-Sent Events.
STREAM_PATH = "/api/v1/notifications/stream/"

# The parts of a user, as an event names one: briefly, or with the full name.
_BRIEF = ("id", "username")
_NAMED = ("id", "username", "first_name", "last_name")


@dataclass(frozen=True)
class Frame:
    """One kind of frame that a socket is sent, and when it is sent to whom.

    `fields` are those of `data` in an event, those beside `type` in a frame of the consumer;
    a field that is an object comes with its own parts, any other with none.
    """

    kind: str
    fields: Mapping[str, tuple[str, ...]]
    sent: str


def _by_kind(*frames: Frame) -> dict[str, Frame]:
    return {frame.kind: frame for frame in frames}


# The events: {"type": KIND, "data": {...}}. Those that are stored have more keys, from the
# step that stores them on: the id of the notification, and its number among its user's.
STORED_KEYS = ("id", "seq")
STORED_EVENTS = _by_kind(
    Frame(
        "friend_request",
        {"request_id": (), "from_user": _NAMED, "created_at": ()},
        "To the person who receives a friend request.",
    ),
    Frame(
        "friend_accepted",
        {"friend": _NAMED},
        "To the person who sent a friend request, when it is accepted.",
    ),
    Frame(
        "new_message",
        {"id": (), "sender": _BRIEF, "content": (), "created_at": ()},
        "To the receiver of a message, when it is sent.",
    ),
    Frame(
        "new_post",
        {"id": (), "author": _BRIEF, "content": (), "created_at": ()},
        "To every friend of the author, when a post is published. Replies and shares send none.",
    ),
    Frame(
        "order_status",
        {"order_id": (), "status": (), "version": (), "total": (), "updated_at": ()},
        "To the customer of an order, when its status changes (part two).",
    ),
)
# An announcement has an id in its data, and beside it its number among all announcements.
ANNOUNCEMENT = "announcement"
PRESENCE = "presence"
EVENTS = STORED_EVENTS | _by_kind(
    Frame(
        "notifications_read",
        {"ids": (), "up_to": (), "unread": ()},
        "To every socket of a user who has marked notifications as read: one, which is then "
        "in `ids`, or all up to the id `up_to`. `unread` is how many are left. Not stored.",
    ),
    Frame(
        ANNOUNCEMENT,
        {"id": (), "text": (), "created_at": ()},
        "To everybody, when staff announce something. It is stored once, and beside `data` it "
        f"has its number, `{ANNOUNCEMENT}`.",
    ),
    Frame(
        "announcements_read",
        {"up_to": (), "unread": ()},
        "To every socket of a user who has marked announcements as read, up to the id `up_to`. "
        "`unread` is how many are left. Not stored.",
    ),
    Frame(
        PRESENCE,
        {"user_id": (), "online": ()},
        "To a user's friends, when the first socket of the user opens, and a moment after the "
        "last one has closed. Not stored.",
    ),
)

# What a consumer sends to its own socket: {"type": KIND, ...}.
GREETING = "connection_established"
ERROR = "error"
PONG = "pong"
# What a client may send to its socket: {"type": "ping"}, which is answered with a pong, and
# {"type": "resume", "epoch": ..., "seq": ...}: the last event that it has seen.
PING = "ping"
RESUME = "resume"
RESUMED = "resumed"
# And {"type": "auth", "token": ...}: an access token, to sign in or to stay signed in.
AUTH = "auth"
AUTHENTICATED = "authenticated"
FRAMES = _by_kind(
    Frame(
        GREETING,
        {
            "message": (),
            "user_id": (),
            "epoch": (),
            "last_seq": (),
            "last_announcement": (),
            "expires_in": (),
        },
        "Sent first, when a socket with a valid token has been accepted. `epoch`, `last_seq` "
        "and `last_announcement`, which part two adds, are the position that a new client "
        "starts from, and `expires_in` says for how many seconds the token is valid.",
    ),
    Frame(
        ERROR,
        {"message": ()},
        "When the client sends something that is not JSON in a text frame or, later in part "
        "two, JSON that is not a command. The socket stays open, unless that happens again and "
        "again.",
    ),
    Frame(
        PONG,
        {"sent": (), "time": (), "last_seq": (), "last_announcement": ()},
        f'The answer to `{{"type": "{PING}"}}`, with the numbers of the last event and the last '
        "announcement, the server's time in milliseconds, and the number that the ping had in "
        "`sent`, if it had one (part two).",
    ),
    Frame(
        RESUMED,
        {
            "recovered": (),
            "last_seq": (),
            "last_announcement": (),
            "epoch": (),
            "refetch": (),
        },
        f'The end of the answer to `{{"type": "{RESUME}", "epoch": ..., "seq": ...}}`: '
        "`recovered` is true after all missed events, in order; false if they cannot be "
        "sent, and then `refetch` has the addresses to request.",
    ),
    Frame(
        AUTHENTICATED,
        {"expires_in": ()},
        f'The answer to `{{"type": "{AUTH}", "token": ...}}` on a socket whose session it renews: '
        "for how many seconds.",
    ),
)

# Why an accepted socket was closed by the application (4000 to 4999 are ours to give:
# RFC 6455, section 7.4.2).
NOT_AUTHENTICATED = 4401
TOO_LATE = 4408
BAD_MESSAGE = 4400
NOT_ALLOWED = 4403
TOO_MANY = 4429
TRY_AGAIN_LATER = 4503
CLOSE_CODES: dict[int, str] = {
    BAD_MESSAGE: "bad message: one that is too large, or one too many that makes no sense",
    NOT_AUTHENTICATED: "not authenticated: no token, one that is invalid or has expired, or one "
    "whose login has ended with a log-out or a new password",
    NOT_ALLOWED: "not allowed: the token that should renew the session is somebody else's, or "
    "the address is for the events of somebody else",
    TOO_LATE: "too late: the ticket is unknown, was used or has expired; no token came in time; "
    "the client has confirmed too little of what it was sent; or the row of this socket is gone, "
    "for example because the server's computer was asleep. The client requests another ticket, "
    "and tries again",
    TOO_MANY: "too many: frames in a minute, or open sockets of this user",
    TRY_AGAIN_LATER: "try again later, and resume: the database or Redis failed, or the socket is "
    "as old as sockets may become (part two)",
}

# What /metrics says of sockets. A counter has the label that is named here.
OPEN_SOCKETS = "numeneon_sockets_open"
OPEN_STREAMS = "numeneon_streams_open"
CONNECTS = "numeneon_socket_connects_total"
CLOSES = "numeneon_socket_closes_total"  # code
FRAMES_SENT = "numeneon_frames_sent_total"
EVENTS_DROPPED = "numeneon_events_dropped_total"  # reason
RESUMES = "numeneon_resumes_total"  # outcome
PUBLISH_TO_SEND = "numeneon_publish_to_send_seconds"

# Variables by which somebody's shell could lead a project to real data. Whoever starts a
# backend for a learner takes them out of its environment first.
STEERING_VARIABLES = frozenset(
    {
        "ALLOWED_HOSTS",
        "ALLOWED_ORIGINS",
        "DATABASE_CONNECTIONS",
        "DATABASE_URL",
        "DEBUG",
        "DEBUG_TOOLBAR",
        "DJANGO_SETTINGS_MODULE",
        "LOG_FORMAT",
        "METRICS_TOKEN",
        "WEBSOCKETS",
        "PORT",
        "REDIS_URL",
        "RENDER",
        "RENDER_EXTERNAL_HOSTNAME",
        "WEB_CONCURRENCY",
        "SECRET_KEY",
    }
)


def without_steering(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables that could lead a project to real data."""
    return {k: v for k, v in environment.items() if k not in STEERING_VARIABLES}


def is_presence(frame: Any) -> bool:
    """Whether a frame says who is online: it may come at any moment, from step 13 on."""
    return isinstance(frame, dict) and frame.get("type") == PRESENCE


def address_of(
    base: str, token: str | None, way: str = TOKEN_WAYS[0], *, path: str = SOCKET_PATH
) -> str:
    """The address of a socket below `base` (ws://host:port), the token in it if it goes there."""
    return f"{base}{path}" + (
        f"?token={quote(token, safe='')}" if token is not None and way == "query" else ""
    )


def subprotocols_of(token: str | None, way: str = TOKEN_WAYS[0]) -> list[str] | None:
    """The subprotocols that a client offers to hand its token over; None if it offers none."""
    if token is None or way != "subprotocol":
        return None
    return [TOKEN_SUBPROTOCOL, token]


def headers_of(token: str | None, way: str = TOKEN_WAYS[0]) -> dict[str, str]:
    """The headers that a client adds to the handshake to hand its token over."""
    if token is None or way != "header":
        return {}
    return {"Authorization": f"Bearer {token}"}


def is_greeting(
    frame: Any, user_id: int | None = None, username: str | None = None
) -> bool:
    """Whether a frame is the greeting: that of this user, where one is given.

    {"type": "connection_established", "message": "Connected as alice", "user_id": 1}
    """
    return (
        isinstance(frame, dict)
        and frame.get("type") == GREETING
        and (user_id is None or frame.get("user_id") == user_id)
        and (username is None or username in str(frame.get("message")))
    )

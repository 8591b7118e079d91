"""The ceiling: an ASGI application that knows its sockets by user, and sends. Nothing else.

No Django, no channel layer, no database: whoever has a token signed with SECRET_KEY is let in,
and a POST is a loop over send().
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import jwt

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEY = os.environ["SECRET_KEY"]
sockets: defaultdict[int, list[Send]] = defaultdict(list)


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Called by uvicorn for each request and each socket."""
    if scope["type"] == "websocket":
        await serve(scope, receive, send)
    elif scope["type"] == "http":
        said = json.loads((await receive())["body"])
        first, count = said.get("first", 0), said.get("count", 0)
        users = range(first, first + count) if count else list(sockets)
        for _ in range(said.get("times", 1)):
            await tell(users, said["mark"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def serve(scope: Message, receive: Receive, send: Send) -> None:
    """Runs as long as a socket does."""
    await receive()
    token = dict(scope["headers"])[b"authorization"].split()[1]
    user = int(jwt.decode(token, KEY, ["HS256"])["user_id"])
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": '{"type": "connection_established"}'})
    sockets[user].append(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    sockets[user].remove(send)


async def tell(users: Iterable[int], mark: str) -> None:
    """Send the same text to each of these users who is here."""
    text = json.dumps({"type": "mark", "data": {"mark": mark}})
    for user in users:
        for send in sockets[user]:
            await send({"type": "websocket.send", "text": text})

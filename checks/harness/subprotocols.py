"""Judges which of the subprotocols that a client offered a server has chosen."""

from __future__ import annotations

from collections.abc import Callable

from checks.errors import NotYet, Place
from checks.harness.client import Socket
from course.contract import NOT_AUTHENTICATED, TOKEN_SUBPROTOCOL


def expect_name_chosen(
    socket: Socket, find: Callable[[], Place | None], *, who: str = ""
) -> None:
    """The server chose the name beside the token, where the client offered both.

    A browser closes a socket if none of its offers is chosen; a chosen token would be in a
    response header, which proxies write to their logs. Raises NotYet for both, with the
    place that `find` gives; `who` says which client it was, if it was refused afterwards.
    """
    if not socket.offered or socket.subprotocol == TOKEN_SUBPROTOCOL:
        return
    look_at = find()
    if socket.subprotocol in socket.offered:
        raise NotYet(
            "the server chose the access token itself as the subprotocol: it is in the "
            "response header Sec-WebSocket-Protocol",
            expected=f"the server chooses the subprotocol {TOKEN_SUBPROTOCOL}",
            look_at=look_at,
            todo=f'self.accept(subprotocol="{TOKEN_SUBPROTOCOL}"): never a value that the '
            "client sent",
        )
    if who:
        raise NotYet(
            f"{who}: {socket}, but with none of the subprotocols that the client offered",
            expected=f"the server chooses {TOKEN_SUBPROTOCOL} for a refused client too: "
            "without it, a browser closes the socket itself and reports 1006 instead of "
            f"{NOT_AUTHENTICATED}",
            look_at=look_at,
            todo="accept a refused client with the same subprotocol as any other client",
        )
    raise NotYet(
        "the socket was opened with none of the subprotocols that the client offered",
        expected=f"the server chooses {TOKEN_SUBPROTOCOL}: a browser closes the socket if none "
        "of its subprotocols is chosen",
        look_at=look_at,
        todo=f'self.accept(subprotocol="{TOKEN_SUBPROTOCOL}"), if the client offered it',
    )

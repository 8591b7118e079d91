"""Step 3: a socket knows whose it is, and gets that user's notifications."""

from __future__ import annotations

from typing import Any

from checks.errors import NotYet, Place
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.people import Person, expired, forged
from checks.harness.stage import (
    WHOAMI,
    Stage,
    frames_of,
    people,
    said,
    sample_message,
    stage_of,
)
from checks.harness.subprotocols import expect_name_chosen
from checks.items import Checklist
from course.contract import NOT_AUTHENTICATED, SOCKET_PATH, is_greeting

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

_KIND = "new_message"  # of what send_notification() is given here


@item("notifications.installed")
def app_is_installed(harness: Harness) -> None:
    """The notifications app is installed, and its modules import."""
    stage = stage_of(harness)
    settings = harness.project.relative(harness.project.settings_file)
    part = next((p for p in ("consumer", "middleware", "sender") if stage.found[p]), None)
    if stage.found["app"] or (part is None and stage.found["notifications_app"]):
        return
    if part in ("middleware", "sender") and stage.found["notifications_app"]:
        return  # they need no app; the consumer is still to come
    package = harness.project.backend / "notifications" / "__init__.py"
    if part is None and not package.is_file():
        raise NotYet(
            "there is no notifications/__init__.py beside manage.py, and no consumer anywhere",
            expected='an app "notifications": a folder with __init__.py and apps.py, named in '
            "INSTALLED_APPS",
            todo="make the folder and its first files as Change 1 of the page does",
        )
    what = stage.found[part]["name"] if part else "the folder notifications"
    raise NotYet(
        f"{what} is in no installed app",
        expected='the app that holds it, "notifications", is in INSTALLED_APPS',
        look_at=Place(settings, symbol="INSTALLED_APPS"),
    )


# The middleware: who is let in as whom


@item("middleware.valid-token", needs=["notifications.installed"])
def valid_token_is_its_user(harness: Harness) -> None:
    """A valid access token makes the connection its user's."""
    stage = stage_of(harness)
    if not stage.found["middleware"]:
        raise NotYet(
            "no ASGI middleware was found in the project",
            expected="a class JWTAuthMiddleware(BaseMiddleware), in middleware.py",
        )
    for person in people(stage, "alice", "bob"):
        if news := stage.learn_way(person):
            raise news


def expect_anonymous(stage: Stage, token: str | None, what: str) -> None:
    """Connect with that token: nobody is let in, and nothing breaks."""
    with stage.open(token, path=WHOAMI) as socket:
        judge_anonymous(stage, socket, what)


def judge_anonymous(stage: Stage, socket: Socket, what: str) -> None:
    """An AnonymousUser is in the scope, or the middleware itself closes with 4401."""
    # Read to its end if need be: a middleware may refuse by itself, after a frame of its own.
    next((frame for frame in frames_of(socket) if "user" in said(socket)), None)
    user = said(socket)
    if user.get("user") and not user.get("authenticated"):
        return
    if socket.close_code == NOT_AUTHENTICATED and "user" not in user:
        return
    raise stage.news(
        f"{what}: {socket}",
        expected='an AnonymousUser in scope["user"]',
        part="middleware",
        socket=socket,
    )


def expect_user(stage: Stage, person: Person, what: str) -> None:
    """Connect with that person's token: it is theirs still."""
    with stage.open(person.access, path=WHOAMI) as socket:
        socket.receive()
    if said(socket).get("id") != person.id:
        raise stage.news(
            f"{what}: {socket}",
            expected=f'scope["user"] is {person.username}',
            part="middleware",
            socket=socket,
        )


@item("middleware.missing-token", needs=["middleware.valid-token"])
def no_token_is_anonymous(harness: Harness) -> None:
    """A connection without a token is anonymous."""
    stage = stage_of(harness)
    expect_anonymous(stage, None, "without a token")
    with stage.open(None, path=WHOAMI, subprotocols=["access_token"]) as socket:
        judge_anonymous(stage, socket, 'with the subprotocol "access_token" and no token')


@item("middleware.malformed-token", needs=["middleware.valid-token"])
def malformed_token_is_anonymous(harness: Harness) -> None:
    """Text that is not a token leaves the connection anonymous."""
    for token in ("not-a-token", "a.b.c", "1"):
        expect_anonymous(stage_of(harness), token, f"with the token `{token}`")


@item("middleware.expired-token", needs=["middleware.valid-token"])
def expired_token_is_anonymous(harness: Harness) -> None:
    """An expired token leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    # Tokens that are not signed with a key of the settings cannot be made by us.
    if token := expired(alice, _facts(stage)):
        expect_anonymous(stage, token, "with an expired token")


@item("middleware.wrong-signature", needs=["middleware.valid-token"])
def forged_token_is_anonymous(harness: Harness) -> None:
    """A token that somebody else has signed leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    key = "another-key-than-the-server-has-0123456789"
    if token := forged(alice, _facts(stage), key=key):
        expect_anonymous(stage, token, "with alice's token signed by somebody else")


@item("middleware.refresh-token", needs=["middleware.valid-token"])
def refresh_token_is_anonymous(harness: Harness) -> None:
    """A refresh token in place of an access token leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    expect_anonymous(stage, alice.refresh, "with alice's refresh token")


@item("middleware.deleted-user", needs=["middleware.valid-token"])
def deleted_user_is_anonymous(harness: Harness) -> None:
    """The token of a user who was deleted since leaves the connection anonymous."""
    stage = stage_of(harness)
    [gone] = people(stage, "gone")
    expect_user(stage, gone, "before the user is deleted")
    stage.control("change", id=gone.id)
    expect_anonymous(stage, gone.access, "with the token of a user who was deleted")


@item("middleware.inactive-user", needs=["middleware.valid-token"])
def inactive_user_is_anonymous(harness: Harness) -> None:
    """The token of a user who was deactivated since leaves the connection anonymous."""
    stage = stage_of(harness)
    [idle] = people(stage, "idle")
    expect_user(stage, idle, "before the user is deactivated")
    stage.control("change", id=idle.id, is_active=False)
    expect_anonymous(stage, idle.access, "with the token of a user whose is_active is off")


# The route


@item("routing.path", needs=["middleware.valid-token"])
def path_leads_to_consumer(harness: Harness) -> None:
    """`/ws/notifications/` leads to the consumer."""
    stage = stage_of(harness)
    expect_route(stage)
    [alice] = people(stage, "alice")
    with stage.open(alice.access) as socket:
        unrouted = socket.receive() == {"check": "no route"}
    trouble, target = stage.found["routes_trouble"], stage.found["target"] or {}
    found, todo = "", ""
    if unrouted:
        found = trouble or f"{SOCKET_PATH}: no pattern matches it"
        todo = "" if trouble else "URLRouter strips the first slash before it matches"
    elif not socket.opened and target.get("is_class"):
        found = f"{SOCKET_PATH}: the pattern leads to the class {target['name']} itself"
        todo = f"{target['name']}.as_asgi(): it makes a new consumer for each connection"
    elif not socket.opened and target.get("is_channels_own"):
        found = (
            f"{SOCKET_PATH}: the first pattern that matches it leads to {target['name']}"
        )
        todo = "the patterns are tried in order: move the one that matches everything to the end"
    if found:
        expected = f"{SOCKET_PATH} leads to {stage.found['consumer']['name']}"
        place = stage.place("routes")
        raise NotYet(found, expected=expected, look_at=place, todo=todo)


def expect_route(stage: Stage) -> None:
    """The project has a consumer, and patterns that lead to one."""
    if not stage.found["consumer"]:
        raise NotYet(
            "no module of the project has a Channels consumer",
            expected="a class NotificationConsumer, in notifications/consumers.py",
            todo="write it as Change 3 of the page does",
        )
    if not stage.found["routes"]:
        raise NotYet(
            "no module of the project has URL patterns that lead to a consumer",
            expected="a list websocket_urlpatterns, in notifications/routing.py",
            todo="write it as Change 3 of the page does",
        )


# The consumer


@item("consumer.greets-user", needs=["routing.path"])
def user_is_greeted(harness: Harness) -> None:
    """A signed-in user is accepted and greeted by name."""
    stage = stage_of(harness)
    for person in people(stage, "alice", "bob"):
        with stage.greeted(person):
            pass


@item("routing.end-anchor", needs=["consumer.greets-user"])
def longer_paths_lead_elsewhere(harness: Harness) -> None:
    """A path that continues after `/ws/notifications/` does not lead to the consumer."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    path = f"{SOCKET_PATH}anything"
    with stage.open(alice.access, path=path) as socket:
        if is_greeting(socket.receive()):
            raise NotYet(
                f"{path}: {socket}",
                expected="no pattern matches this path",
                look_at=stage.place("routes"),
                todo="end the regular expression with `$`: without it the pattern matches "
                "whatever begins like it",
            )


@item("consumer.subprotocol", needs=["consumer.greets-user"])
def name_is_the_chosen_subprotocol(harness: Harness) -> None:
    """The server chooses the subprotocol `access_token`, never the token itself."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    with stage.greeted(alice) as socket:
        expect_name_chosen(socket, stage.place("consumer"))


@item(
    "consumer.refuses-anonymous", needs=["consumer.greets-user", "middleware.missing-token"]
)
def anonymous_gets_no_greeting(harness: Harness) -> None:
    """An anonymous client gets no greeting."""
    stage = stage_of(harness)
    with stage.open(None) as socket:
        if any(is_greeting(frame) for frame in frames_of(socket)):
            raise stage.news(
                f"without a token: {socket}",
                expected="no greeting",
                part="consumer",
                socket=socket,
                todo='look at scope["user"].is_authenticated before anything else in connect()',
            )


@item(
    "consumer.close-code",
    needs=["consumer.refuses-anonymous"],
    close_codes=[NOT_AUTHENTICATED],
)
def refusal_can_be_read(harness: Harness) -> None:
    """A refused client can read why: its socket is accepted, then closed with 4401."""
    stage = stage_of(harness)
    with stage.open(None) as socket:
        for _ in frames_of(socket):
            pass
    if socket.close_code == NOT_AUTHENTICATED:
        return
    early = socket.refused == 403
    raise stage.news(
        f"without a token: {socket}",
        expected="accepted, then closed with 4401"
        + (": a close before accept() reaches a browser as 1006" if early else ""),
        part="consumer",
        socket=socket,
        todo="await self.accept() first, then await self.close(code=4401)" if early else "",
    )


@item("notify.arrives", needs=["consumer.greets-user"])
def notification_arrives(harness: Harness) -> None:
    """What send_notification() sends arrives in its user's socket, as type and data."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    data = sample_message(7)
    with stage.greeted(alice) as socket:
        journal = stage.notify([alice.id], _KIND, data)
        frame = next((f for f in frames_of(socket) if not _is_other(f)), None)
        if frame != {"type": _KIND, "data": data}:
            raise stage.unheard(
                f"{socket}",
                socket,
                journal,
                expected='after the greeting {"type": "new_message", "data": {...}}, the data '
                "as they were given",
                part="sender" if frame is None else "consumer",
            )


def _is_other(frame: Any) -> bool:
    """A frame of another type: what else a project has to say is no fault."""
    kind = frame.get("type") if isinstance(frame, dict) else None
    return isinstance(kind, str) and kind != _KIND


def _count(frames: list[Any]) -> int:
    return sum(not _is_other(frame) for frame in frames)


@item("consumer.all-sockets", needs=["notify.arrives"])
def all_sockets_of_one_user(harness: Harness) -> None:
    """A notification reaches all sockets of its user and nobody else's."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.listening(alice, alice, bob) as listeners:
        stage.notify([alice.id], _KIND, sample_message(8))
        first, second, others = map(_count, listeners.received())
    if (first, second, others) != (1, 1, 0):
        raise NotYet(
            f"alice's first socket got {first}, her second {second}, bob's {others} of one "
            "notification for alice",
            expected="1, 1 and 0",
            look_at=stage.place("consumer"),
        )


@item("consumer.leaves-group", needs=["consumer.all-sockets"])
def membership_ends_at_disconnect(harness: Harness) -> None:
    """A socket that closes leaves its group, and disconnect() ends without an error."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    stage.settled(0)
    before = stage.control("state")["groups"]
    with stage.greeted(alice) as socket:
        pass
    stage.settled(0)
    left = {n: c for n, c in stage.control("state")["groups"].items() if c != before.get(n)}
    if left or stage.errors_of(socket):
        names = ", ".join(left) or "none"
        raise stage.news(
            f"alice's socket has closed; groups that still hold it: {names}",
            expected="no group holds it, and disconnect() ends without an error",
            part="consumer",
            socket=socket,
        )
    stage.notify([alice.id], _KIND, sample_message(9))
    expect_refused_leaves_quietly(stage)


def expect_refused_leaves_quietly(stage: Stage) -> None:
    """disconnect() runs for a refused socket too, which was in no group."""
    with stage.open(None) as socket:
        for _ in frames_of(socket):
            pass
    stage.settled(0)
    # An error before the close is the news of the item that looks at the close code.
    if socket.close_code == NOT_AUTHENTICATED and stage.errors_of(socket):
        raise stage.news(
            f"without a token: {socket}; after that disconnect() stopped with an error",
            expected="disconnect() ends without an error, for a refused socket too",
            part="consumer",
            socket=socket,
        )


def expect_reply(harness: Harness, frames: list[str | bytes]) -> None:
    """Send each frame: it is answered, and a later notification still arrives."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    for sent in frames:
        with stage.listening(alice) as listeners:
            [(_, socket)] = listeners.sockets
            socket.send(sent)
            # The answer may be behind the marker, though hardly ever is.
            answered = listeners.received()[0] or socket.receive(patience=2)
            if not answered:
                raise stage.news(
                    f"the frame {sent!r} got no answer: {socket}",
                    expected='any frame, such as {"type": "error", "message": ...}',
                    part="consumer",
                    socket=socket,
                )


@item("consumer.text-not-json", needs=["notify.arrives"])
def text_that_is_not_json(harness: Harness) -> None:
    """Text that is not JSON is answered, and the socket stays open."""
    expect_reply(harness, ["hello", '{"type": ', ""])


@item("consumer.binary-frame", needs=["consumer.text-not-json"])
def binary_frame(harness: Harness) -> None:
    """A binary frame is answered, and the socket stays open."""
    expect_reply(harness, [b"\x00\xff\xfe", b'{"type": "ping"}'])


@item("notify.only-named", needs=["consumer.all-sockets"])
def only_the_named_users(harness: Harness) -> None:
    """send_notification() reaches all the users it names and nobody else; an empty list is fine."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    for named in ((alice, carol), (bob, carol), ()):
        with stage.listening(alice, bob, carol) as listeners:
            stage.notify([p.id for p in named], _KIND, sample_message(10))
            counts = [_count(frames) for frames in listeners.received()]
        if counts != [int(person in named) for person in (alice, bob, carol)]:
            raise NotYet(
                f"for {', '.join(p.username for p in named) or 'nobody'}: alice, bob and carol "
                f"got {counts[0]}, {counts[1]} and {counts[2]} frames",
                expected="one for each of those named, none for the others",
                look_at=stage.place("sender"),
            )


def _facts(stage: Stage) -> dict[str, Any]:
    return stage.harness.facts_of(stage.server.process) or {}

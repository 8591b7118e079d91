"""Step 3: each socket belongs to a known user and gets that user's notifications."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from checks.errors import NotYet, Place
from checks.explain import (
    closing_line,
    dispatching_line,
    is_imported,
    kept_on_self,
    method_of,
    place_of_bare_accept,
    place_of_routing,
)
from checks.harness import diagnosis
from checks.harness.causes import misplaced
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.people import Person, altered, expired, forged
from checks.harness.stage import (
    WHOAMI,
    Listeners,
    Stage,
    frames_of,
    people,
    said,
    sample_message,
    stage_of,
)
from checks.harness.subprotocols import expect_name_chosen
from checks.items import Checklist
from course.contract import GREETING, NOT_AUTHENTICATED, SOCKET_PATH, is_greeting

checklist = Checklist(
    __name__,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

_ROUTES = "websocket_urlpatterns"  # as the pages call it
_KIND = "new_message"  # of what send_notification() is given here
_WINDOWS = 6  # of each of two people, opened at one moment
# What no client may call, in the words of Channels and of Python.
_METHODS = ("disconnect", "websocket.disconnect", "websocket_disconnect")
_RETURN = (
    "end connect() there with `return`: close() does not end it, and the lines below run for a "
    "stranger too"
)
_SEND_FIRST = f"send nothing after close(), and {_RETURN}"
_OWN_CODES = 4000  # the close codes from here on are the application's
# Where frames of a client say what they want; an event has only its type.
_STEERING = ("type", "action", "method", "command")
_RECORDING_LAYER = {"BACKEND": "check_recording_layer.RecordingLayer"}


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
    if part is None and (cause := misplaced("notifications", harness.project)):
        raise NotYet(
            cause.found,
            expected='an app "notifications", beside manage.py',
            look_at=cause.look_at,
            todo=cause.todo,
        )
    if part is None and not package.is_file():
        raise NotYet(
            "there is no notifications/__init__.py beside manage.py, and no consumer anywhere",
            expected='an app "notifications": a folder with __init__.py and apps.py, listed in '
            "INSTALLED_APPS",
            todo="create the app as in Change 1 of the page",
        )
    what = stage.found[part]["name"] if part else "the folder notifications"
    raise NotYet(
        f"{what} is not in an installed app",
        expected='the app that holds it, "notifications", is in INSTALLED_APPS',
        look_at=Place(settings, symbol="INSTALLED_APPS"),
    )


# The route


@item("routing.path", needs=["notifications.installed"])
def path_leads_to_consumer(harness: Harness) -> str:
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
    return _remark_on_name(stage)


def _remark_on_name(stage: Stage) -> str:
    """What to say of a list that no other file imports by the name that it has."""
    place = stage.place("routes")
    if (
        place is None
        or place.symbol == _ROUTES
        or is_imported(stage.harness.project, place)
    ):
        return ""
    return (
        f"{place.file}:{place.line} calls the list {place.symbol}, and nothing imports it by "
        f"that name; the pages import {_ROUTES} from this file"
    )


def expect_route(stage: Stage) -> None:
    """The project has a consumer, and patterns that lead to one."""
    if not stage.found["consumer"]:
        elsewhere = misplaced("notifications.consumers", stage.harness.project)
        raise NotYet(
            "no module of the project defines a Channels consumer"
            + (f"; {elsewhere.found}" if elsewhere else ""),
            expected="a class NotificationConsumer, in notifications/consumers.py",
            look_at=elsewhere.look_at if elsewhere else None,
            todo=elsewhere.todo if elsewhere else "write it as in part 1 of the step",
        )
    if not stage.found["routes"]:
        place = place_of_routing(stage.harness.project)
        raise NotYet(
            "no module of the project has URL patterns that lead to a consumer"
            + (f"; {place.file} {place.symbol}" if place else ""),
            expected="a list websocket_urlpatterns, in notifications/routing.py",
            look_at=place and Place(place.file, place.line),
            todo="write it as in part 1 of the step",
        )


# The middleware: who is let in, and as which user


@item("middleware.valid-token", needs=["notifications.installed"])
def valid_token_is_its_user(harness: Harness) -> None:
    """A valid access token identifies the connection's user."""
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


def expect_shut_out(stage: Stage, token: str, what: str) -> None:
    """The same for a user who has changed since; not looking it up again fails once.

    A token that outlives its user is one cause for a deleted and for a deactivated one.
    """
    with stage.open(token, path=WHOAMI) as socket:
        try:
            judge_anonymous(stage, socket, what)
        except NotYet as error:
            news = error
            if said(socket).get("authenticated"):
                raise stage.harness.once(
                    "a token outlives its user", lambda: news
                ) from None
            raise


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
    """A token signed with another key leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    key = "another-key-than-the-server-has-0123456789"
    if token := forged(alice, _facts(stage), key=key):
        expect_anonymous(
            stage, token, "with a token for alice that is signed with another key"
        )


@item("middleware.refresh-token", needs=["middleware.valid-token"])
def refresh_token_is_anonymous(harness: Harness) -> None:
    """A refresh token in place of an access token leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    expect_anonymous(stage, alice.refresh, "with alice's refresh token")


@item("middleware.deleted-user", needs=["middleware.valid-token"])
def deleted_user_is_anonymous(harness: Harness) -> None:
    """The token of a user who has since been deleted leaves the connection anonymous."""
    stage = stage_of(harness)
    [gone] = people(stage, "gone")
    expect_user(stage, gone, "before the user is deleted")
    stage.control("change", id=gone.id)
    expect_shut_out(stage, gone.access, "with the token of a user who was deleted")


@item("middleware.inactive-user", needs=["middleware.valid-token"])
def inactive_user_is_anonymous(harness: Harness) -> None:
    """The token of a user who has since been deactivated leaves the connection anonymous."""
    stage = stage_of(harness)
    [idle] = people(stage, "idle")
    expect_user(stage, idle, "before the user is deactivated")
    stage.control("change", id=idle.id, is_active=False)
    expect_shut_out(stage, idle.access, "with the token of a user whose is_active is False")


@item("middleware.concurrent", needs=["middleware.valid-token"])
def sockets_at_once_are_their_own(harness: Harness) -> None:
    """Sockets that connect at the same time each get their own user."""
    stage = stage_of(harness)
    crowd = people(stage, "alice", "bob") * _WINDOWS
    with stage.open_many(crowd, path=WHOAMI) as arrived:
        wrong = [a for a in arrived if said(a.socket).get("id") != a.person.id]
    if not wrong:
        return
    # Somebody else's user says more than a socket that only got no answer.
    worst = min(wrong, key=lambda a: "user" not in said(a.socket))
    place = stage.place("middleware")
    raise stage.news(
        f"{len(wrong)} of {len(crowd)} sockets that connected at the same moment did not get "
        f"their own user; with {worst.person.username}'s token: {worst.socket}",
        expected=f'scope["user"] is {worst.person.username}, id {worst.person.id}',
        part="middleware",
        socket=worst.socket,
        place=kept_on_self(harness.project, place),
        todo="one middleware object serves all sockets: keep the token and the user in local "
        "variables and in a copy of the scope, never in self or in a global",
    )


# The consumer


@item("consumer.greets", needs=["routing.path"], until="limits")
def client_is_greeted(harness: Harness) -> None:
    """A client that connects is accepted and gets connection_established."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    with stage.open(alice.access, user=alice) as socket:
        if not is_greeting(socket.receive()):
            raise stage.news(
                f"alice's socket: {socket}",
                expected=f'the consumer accepts it and sends {{"type": "{GREETING}", ...}}',
                part="consumer",
                socket=socket,
            )


@item("consumer.greets-user", needs=["consumer.greets", "middleware.valid-token"])
def user_is_greeted(harness: Harness) -> None:
    """A signed-in user is accepted and greeted by name."""
    stage = stage_of(harness)
    for person in people(stage, "alice", "bob"):
        with stage.greeted(person):
            pass


@item("consumer.concurrent", needs=["consumer.greets-user", "middleware.concurrent"])
def sockets_at_once_are_greeted(harness: Harness) -> None:
    """Sockets that open at the same time are all greeted, each as its own user."""
    stage = stage_of(harness)
    crowd = people(stage, "alice", "bob") * _WINDOWS
    with stage.slow_groups(), stage.open_many(crowd) as arrived:
        wrong = [a for a in arrived if not a.greeted]
    if not wrong:
        return
    worst = min(wrong, key=lambda a: a.frame is None)
    raise stage.news(
        f"{len(wrong)} of {len(crowd)} sockets that opened at the same moment were not greeted as "
        f"their own user; {worst.person.username}'s: {worst.socket}",
        expected=f"all are greeted while the others are open, this one as "
        f"{worst.person.username}, user_id {worst.person.id}",
        part="consumer",
        socket=worst.socket,
        todo="every socket has a consumer of its own: keep what belongs to it in self, never in "
        "the class or in a global"
        if worst.frame is not None
        else "no socket may wait until another one closes",
    )


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
                "every path that begins with it",
            )


@item("consumer.subprotocol", needs=["consumer.greets-user"])
def name_is_the_chosen_subprotocol(harness: Harness) -> None:
    """The server chooses the subprotocol `access_token`, never the token itself."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    with stage.greeted(alice) as socket:
        expect_name_chosen(socket, lambda: stage.place("consumer"))


@item(
    "consumer.refuses-anonymous", needs=["consumer.greets-user", "middleware.missing-token"]
)
def anonymous_gets_no_greeting(harness: Harness) -> None:
    """An anonymous client gets no greeting, and nothing in `connect()` runs after `close()`."""
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
    stage.settled(0)
    if deeds := stage.control("socket", number=stage.number_of(socket))["afterwards"]:
        raise NotYet(
            f"without a token: {socket}; after its close() the consumer went on: it "
            + ", then ".join(deeds),
            expected="no greeting, and connect() ends when it has closed the socket",
            look_at=closing_line(stage.harness.project, stage.place("consumer")),
            todo=_SEND_FIRST if deeds[0].startswith("sent") else _RETURN,
        )


@item(
    "consumer.close-code",
    needs=[
        "consumer.refuses-anonymous",
        "consumer.subprotocol",
        "middleware.wrong-signature",
    ],
    close_codes=[NOT_AUTHENTICATED],
    until="limits",
)
def refusal_can_be_read(harness: Harness) -> None:
    """A refused client can read why: its socket is accepted, then closed with 4401."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    expect_readable(stage, None, "without a token")
    # As a browser sends it: its offer has to be answered, or it never sees the code.
    expect_readable(stage, altered(alice.access), "with a token that is not valid")


def expect_readable(stage: Stage, token: str | None, who: str) -> None:
    """Connect with that token: the close code tells a browser that it has to log in."""
    with stage.open(token) as socket:
        for _ in frames_of(socket):
            pass
    if socket.close_code == NOT_AUTHENTICATED:
        expect_name_chosen(
            socket,
            lambda: place_of_bare_accept(stage.harness.project) or stage.place("consumer"),
            who=who,
        )
        return
    early = socket.refused == 403
    raise stage.news(
        f"{who}: {socket}",
        expected="accepted, then closed with 4401"
        + (": a close before accept() reaches a browser as 1006" if early else ""),
        part="consumer",
        socket=socket,
        todo="await self.accept() first, then await self.close(code=4401)" if early else "",
    )


@item("notify.arrives", needs=["consumer.greets-user"])
def notification_arrives(harness: Harness) -> None:
    """What `send_notification()` sends arrives on its user's socket, as `type` and `data`."""
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
                "as given",
                part="sender" if frame is None else "consumer",
            )


def _is_other(frame: Any) -> bool:
    """A frame of another type: what else a project has to say is no fault."""
    kind = frame.get("type") if isinstance(frame, dict) else None
    return isinstance(kind, str) and kind != _KIND


def _count(frames: list[Any]) -> int:
    return sum(not _is_other(frame) for frame in frames)


@item(
    "notify.from-command",
    needs=["notify.arrives"],
    prefetch=[lambda harness: _command(harness)],
)
def command_can_send(harness: Harness) -> None:
    """`send_notification()` also works in a management command, where no event loop runs."""
    told = _command(harness)
    if told["sent"] and not told["error"]:
        return
    stage = stage_of(harness)
    found = "the command ended, and nothing was sent to any group"
    place, todo = stage.place("sender"), ""
    if trace := told["error"]:
        found = f"it stopped with {stage.last_words(trace)}"
        place = harness.place_in(trace) or place
    elif cause := diagnosis.unfinished(stage, told["unfinished"], told["journal"]):
        found, place, todo = f"{found}\n{cause.text}", cause.place, cause.todo
    raise NotYet(
        f"send_notification() called in a management command: {found}",
        expected="the event has been sent by the time send_notification() returns",
        look_at=place,
        todo=todo,
    )


def _command(harness: Harness) -> Any:
    """What became of a call from plain code, in a process of its own."""
    return harness.once("a management command", lambda: _run_command(harness))


def _run_command(harness: Harness) -> Any:
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    arguments = {"user_ids": [alice.id], "kind": _KIND, "data": sample_message(11)}
    variables = {"DJANGO_SETTINGS_MODULE": harness.project.settings_module}
    return harness.probe(
        "check_command",
        SOCKET_PATH,
        json.dumps(arguments),
        layer=_RECORDING_LAYER,
        variables=variables,
    )


@item("consumer.all-sockets", needs=["notify.arrives", "consumer.concurrent"])
def all_sockets_of_one_user(harness: Harness) -> None:
    """A notification reaches all sockets of its user and nobody else's."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.listening(alice, alice, bob) as listeners:
        stage.notify([alice.id], _KIND, sample_message(8))
        first, second, others = map(_count, listeners.received())
    if (first, second, others) != (1, 1, 0):
        raise NotYet(
            f"one notification for alice: her first socket got {first}, her second {second}, "
            f"bob's {others}",
            expected="1, 1 and 0",
            look_at=stage.place("consumer"),
        )


@item("consumer.leaves-group", needs=["consumer.all-sockets", "consumer.refuses-anonymous"])
def membership_ends_at_disconnect(harness: Harness) -> None:
    """A closed socket leaves its group, others stay, and `disconnect()` raises nothing."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    stage.settled(0)
    before = _members(stage)
    with stage.greeted(alice) as socket:
        its_own = _members(stage).keys() - before.keys()
        with stage.listening(alice, bob) as others:
            socket.close()
            stage.settled(len(others.sockets))
            expect_gone(stage, socket, its_own)
            expect_still_heard(stage, others)
    stage.settled(0)
    stage.notify([alice.id], _KIND, sample_message(9))
    expect_refused_leaves_quietly(stage)


def _members(stage: Stage) -> dict[str, list[str]]:
    """The groups of each channel that is in any."""
    groups = stage.control("state")["groups"]
    channels = {channel for members in groups.values() for channel in members}
    return {c: [name for name, members in groups.items() if c in members] for c in channels}


def expect_gone(stage: Stage, socket: Socket, channels: Iterable[str]) -> None:
    """No group holds these channels, and the consumer of that socket ended without an error."""
    members = _members(stage)
    left = [name for channel in channels for name in members.get(channel, ())]
    if left or stage.errors_of(socket):
        names = ", ".join(left) or "none"
        raise stage.news(
            f"alice's socket has closed; groups that still hold it: {names}",
            expected="no group holds it, and disconnect() ends without an error",
            part="consumer",
            socket=socket,
        )


def expect_still_heard(stage: Stage, others: Listeners) -> None:
    """The sockets that are still open get the next notification."""
    try:
        others.received()
    except NotYet as news:
        consumer = stage.place("consumer")
        leaving = ("disconnect", "websocket_disconnect")
        raise NotYet(
            f"alice closed one of two windows; after that {news.found}",
            expected="her other socket and the sockets of other users stay in their groups",
            look_at=method_of(stage.harness.project, consumer, *leaving),
            todo="remove only this socket from its group: "
            "await self.channel_layer.group_discard(group, self.channel_name)",
        ) from news


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


@item("consumer.text-not-json", needs=["consumer.all-sockets"])
def text_that_is_not_json(harness: Harness) -> None:
    """Text that is not JSON is answered, and the socket stays open."""
    expect_reply(harness, ["hello", '{"type": ', ""])


@item("consumer.binary-frame", needs=["consumer.text-not-json"])
def binary_frame(harness: Harness) -> None:
    """A binary frame is answered, and the socket stays open."""
    expect_reply(harness, [b"\x00\xff\xfe", b'{"type": "ping"}'])


@item("consumer.own-methods", needs=["consumer.binary-frame"])
def clients_call_no_methods(harness: Harness) -> None:
    """A client's frames cannot call the consumer's own methods."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    data = sample_message(12)
    sent = stage.notify([alice.id], _KIND, data).messages
    # Events as the consumer gets them from its group, and what else it can be called by.
    events = [message for message in sent if isinstance(message, dict)][:1]
    events += [
        event | {"type": str(event.get("type")).replace(".", "_")} for event in events
    ]
    calls = [{**dict.fromkeys(_STEERING, event.get("type")), **event} for event in events]
    calls += [dict.fromkeys(_STEERING, name) for name in _METHODS]
    for call in calls:
        expect_not_called(stage, alice, call, {"type": _KIND, "data": data})


def expect_not_called(
    stage: Stage, person: Person, call: dict[str, Any], made: dict[str, Any]
) -> None:
    """Send that frame: the event that it would make does not come, the next real one does."""
    with stage.listening(person) as listeners:
        [(_, socket)] = listeners.sockets
        socket.send(call)
        try:
            got = (
                "an event made from its own frame"
                if made in listeners.received()[0]
                else ""
            )
        except NotYet:
            got = "no further notification"
        # What a project refuses with a code of its own is not called either.
        if not got or (socket.close_code or 0) >= _OWN_CODES:
            return
    consumer = stage.place("consumer")
    raise stage.news(
        f'after a client had sent {{"type": "{call["type"]}", ...}}, it got {got}: {socket}',
        expected="such a frame calls nothing, and the next notification arrives",
        part="consumer",
        socket=socket,
        place=dispatching_line(stage.harness.project, consumer),
        todo='compare the "type" in a client\'s frame with the ones that you know; text from a '
        "client must never choose a method",
    )


@item("notify.only-named", needs=["consumer.all-sockets"])
def only_the_named_users(harness: Harness) -> None:
    """`send_notification()` reaches exactly the users it is given, even when there are none."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    for named in ((alice, carol), (bob, carol), ()):
        with stage.listening(alice, bob, carol) as listeners:
            stage.notify([p.id for p in named], _KIND, sample_message(10))
            counts = [_count(frames) for frames in listeners.received()]
        if counts != [int(person in named) for person in (alice, bob, carol)]:
            raise NotYet(
                f"sent to {', '.join(p.username for p in named) or 'nobody'}: alice, bob and carol "
                f"got {counts[0]}, {counts[1]} and {counts[2]} frames",
                expected="one for each of those named, none for the others",
                look_at=stage.place("sender"),
            )


def _facts(stage: Stage) -> dict[str, Any]:
    return stage.harness.facts_of(stage.server.process) or {}

"""Step 3: a socket knows whose it is, and gets that user's notifications."""

from __future__ import annotations

from checks.errors import NotYet, Place
from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.people import Person, expired, forged
from checks.harness.stage import WHOAMI, Stage, people, said, sample_message, stage_of
from checks.items import Checklist
from course.contract import GREETING, NOT_AUTHENTICATED, SOCKET_PATH

checklist = Checklist(
    3,
    prefetch=[
        lambda harness: stage_of(harness),
        lambda harness: harness.database(),
        lambda harness: people(stage_of(harness), "alice", "bob"),
    ],
)
item = checklist.item

_MIDDLEWARE = "backend/notifications/middleware.py::JWTAuthMiddleware"
_USER_OF = "backend/notifications/middleware.py::user_of"
_ROUTES = "backend/notifications/routing.py::websocket_urlpatterns"
_CONNECT = "backend/notifications/consumers.py::NotificationConsumer.connect"
_RECEIVE = "backend/notifications/consumers.py::NotificationConsumer.receive"
_SENDER = "backend/notifications/services.py::send_notification"


@item("notifications.installed")
def app_is_installed(harness: Harness) -> None:
    """The notifications app is installed, has a consumer, and its modules import."""
    stage = stage_of(harness)
    settings = Place(
        harness.project.relative(harness.project.settings_file), symbol="INSTALLED_APPS"
    )
    if not stage.found["consumer"]:
        raise NotYet(
            "no module of the project has a Channels consumer",
            expected="an app `notifications` with a consumer in consumers.py",
            todo="make the app: python manage.py startapp notifications",
        )
    if not stage.found["app"]:
        raise NotYet(
            f"{stage.found['consumer']['name']} is in no installed app",
            expected='the app that holds it, "notifications", is in INSTALLED_APPS',
            look_at=settings,
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
        if seen := stage.learn_way(person):
            raise stage.news(
                "\n".join(seen),
                expected=f'scope["user"] is {person.username}, id {person.id}; the token is the '
                'second of the subprotocols ["access_token", TOKEN]',
                part="middleware",
            )


def expect_anonymous(stage: Stage, token: str | None, what: str) -> None:
    """Connect with that token: nobody is let in, and nothing breaks."""
    with stage.open(token, path=WHOAMI) as socket:
        judge_anonymous(stage, socket, what)


def judge_anonymous(stage: Stage, socket: Socket, what: str) -> None:
    """An AnonymousUser is in the scope, or the middleware itself closes with 4401."""
    while "user" not in said(socket) and socket.receive() is not None:
        pass
    user = said(socket)
    if user.get("user") and not user.get("authenticated"):
        return
    if socket.close_code == NOT_AUTHENTICATED and "user" not in user:
        return
    raise stage.news(
        f"{what}: {socket}", expected='an AnonymousUser in scope["user"]', part="middleware"
    )


def expect_user(stage: Stage, person: Person, what: str) -> None:
    """Connect with that person's token: it is theirs still."""
    with stage.open(person.access, path=WHOAMI) as socket:
        socket.receive()
    if said(socket).get("id") != person.id:
        expected = f'scope["user"] is {person.username}'
        raise stage.news(f"{what}: {socket}", expected=expected, part="middleware")


@item("middleware.missing-token", needs=["middleware.valid-token"])
def no_token_is_anonymous(harness: Harness) -> None:
    """A connection without a token is anonymous."""
    stage = stage_of(harness)
    expect_anonymous(stage, None, "without a token")
    with stage.open(None, path=WHOAMI, subprotocols=["access_token"]) as socket:
        judge_anonymous(stage, socket, 'with the subprotocol "access_token" and no token')


@item("middleware.malformed-token", needs=["middleware.valid-token"])
def malformed_token_is_anonymous(harness: Harness) -> None:
    """Text that is no token at all leaves the connection anonymous."""
    for token in ("not-a-token", "a.b.c", "1"):
        expect_anonymous(stage_of(harness), token, f"with the token `{token}`")


@item("middleware.expired-token", needs=["middleware.valid-token"])
def expired_token_is_anonymous(harness: Harness) -> None:
    """An expired token leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    expect_anonymous(stage, expired(alice, _facts(stage)), "with an expired token")


@item("middleware.wrong-signature", needs=["middleware.valid-token"])
def forged_token_is_anonymous(harness: Harness) -> None:
    """A token that somebody else has signed leaves the connection anonymous."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    token = forged(alice, _facts(stage), key="another-key-than-the-server-has-0123456789")
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
    """`/ws/notifications` leads to the consumer, with and without a slash at its end."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    opened = False
    for path in (SOCKET_PATH, SOCKET_PATH.rstrip("/")):
        with stage.open(alice.access, path=path) as socket:
            unrouted = socket.receive() == {"check": "no route"}
            if unrouted or (opened and not socket.opened):
                raise NotYet(
                    f"{path}: " + ("no pattern takes it" if unrouted else str(socket)),
                    expected=f"{path} leads to the consumer",
                    look_at=stage.place("routes"),
                )
            opened = socket.opened


# The consumer


@item("consumer.greets-user", needs=["routing.path"])
def user_is_greeted(harness: Harness) -> None:
    """A signed-in user is accepted and greeted by name."""
    stage = stage_of(harness)
    for person in people(stage, "alice", "bob"):
        with stage.greeted(person) as socket:
            if socket.offered and socket.subprotocol not in socket.offered:
                raise NotYet(
                    "the socket was opened with none of the subprotocols that the client offered",
                    expected='accept(subprotocol="access_token"): a browser gives up when its '
                    "offer is not taken",
                    look_at=stage.place("consumer"),
                )


@item(
    "consumer.refuses-anonymous",
    needs=["consumer.greets-user", "middleware.missing-token"],
    close_codes=[NOT_AUTHENTICATED],
)
def anonymous_is_refused(harness: Harness) -> None:
    """An anonymous client gets no greeting and is told why: accepted, closed with 4401."""
    stage = stage_of(harness)
    stage.settled(0)  # what earlier sockets end with is not news of this one
    with stage.open(None) as socket:
        code = socket.until_closed(patience=5)
    kinds = [frame.get("type") for frame in socket.frames if isinstance(frame, dict)]
    stage.settled(0)
    if code != NOT_AUTHENTICATED or GREETING in kinds or stage.new_errors():
        raise stage.news(
            f"without a token: {socket}",
            expected="accepted, then closed with 4401, without a greeting and without an error",
            part="consumer",
        )


@item("notify.arrives", needs=["consumer.greets-user"])
def notification_arrives(harness: Harness) -> None:
    """What send_notification() sends arrives in its user's socket, as type and data."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    data = sample_message(7)
    with stage.greeted(alice) as socket:
        stage.notify([alice.id], "new_message", data)
        frame = socket.receive(patience=5)
        if frame != {"type": "new_message", "data": data}:
            raise stage.news(
                f"{socket}",
                expected='after the greeting {"type": "new_message", "data": {...}}, the data '
                "as they were given",
                part="sender",
            )


@item("consumer.all-sockets", needs=["notify.arrives"])
def all_sockets_of_one_user(harness: Harness) -> None:
    """A notification reaches all sockets of its user and nobody else's."""
    stage = stage_of(harness)
    alice, bob = people(stage, "alice", "bob")
    with stage.listening(alice, alice, bob) as listeners:
        stage.notify([alice.id], "new_message", sample_message(8))
        first, second, others = (len(frames) for frames in listeners.received())
    if (first, second, others) != (1, 1, 0):
        raise NotYet(
            f"alice's first socket got {first}, her second {second}, bob's {others} of one "
            "notification for alice",
            expected="1, 1 and 0",
            look_at=stage.place("consumer"),
        )


@item("consumer.leaves-group", needs=["consumer.all-sockets"])
def membership_ends_at_disconnect(harness: Harness) -> None:
    """A socket that closes leaves its group, without an error."""
    stage = stage_of(harness)
    [alice] = people(stage, "alice")
    stage.settled(0)
    before = stage.control("state")["groups"]
    with stage.greeted(alice):
        pass
    stage.settled(0)
    left = {n: c for n, c in stage.control("state")["groups"].items() if c != before.get(n)}
    if left or stage.new_errors():
        names = ", ".join(left) or "none"
        raise stage.news(
            f"alice's socket has closed; groups that still hold it: {names}",
            expected="no group holds it, and disconnect() ends without an error",
            part="consumer",
        )
    stage.notify([alice.id], "new_message", sample_message(9))


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
    """send_notification() reaches all the users it names and nobody else; none is fine too."""
    stage = stage_of(harness)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    for named in ((alice, carol), (bob, carol), ()):
        with stage.listening(alice, bob, carol) as listeners:
            stage.notify([p.id for p in named], "new_message", sample_message(10))
            counts = [len(frames) for frames in listeners.received()]
        if counts != [int(person in named) for person in (alice, bob, carol)]:
            raise NotYet(
                f"for {', '.join(p.username for p in named) or 'nobody'}: alice, bob and carol "
                f"got {counts[0]}, {counts[1]} and {counts[2]} frames",
                expected="one for each of those named, none for the others",
                look_at=stage.place("sender"),
            )


def _facts(stage: Stage) -> dict:
    return stage.harness.facts_of(stage.server.process) or {}

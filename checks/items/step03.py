"""Step 3: a socket knows whose it is, and gets that user's notifications."""

from __future__ import annotations

from checks.bench import SOCKET_PATH, Bench, Person, expired, forged
from checks.client import Socket
from checks.errors import NotYet, Place
from checks.items import Checklist, Hints
from checks.realtime import WHOAMI, Stage, people, said, sample_message, stage_of

checklist = Checklist(
    3,
    early=[
        lambda bench: stage_of(bench),
        lambda bench: bench.database,
        lambda bench: people(stage_of(bench), "alice", "bob"),
    ],
)
item = checklist.item

_MIDDLEWARE = "backend/notifications/middleware.py::JWTAuthMiddleware"
_USER_OF = "backend/notifications/middleware.py::user_of"
_ROUTES = "backend/notifications/routing.py::websocket_urlpatterns"
_CONNECT = "backend/notifications/consumers.py::NotificationConsumer.connect"
_RECEIVE = "backend/notifications/consumers.py::NotificationConsumer.receive"
_SENDER = "backend/notifications/services.py::send_notification"


@item(
    "notifications.installed",
    docs="change-1",
    hints=Hints(
        think="Django only knows the apps that it is told about. Who tells it?",
        look="INSTALLED_APPS in settings.py, and the folder that `startapp` made.",
        code="backend/numeneon/settings.py::INSTALLED_APPS",
    ),
)
def app_is_installed(bench: Bench) -> None:
    """The notifications app is installed, has a consumer, and its modules import."""
    stage = stage_of(bench)
    settings = Place(
        bench.project.relative(bench.project.settings_file), symbol="INSTALLED_APPS"
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


@item(
    "middleware.valid-token",
    docs="change-2",
    needs=["notifications.installed"],
    hints=Hints(
        think="A WebSocket begins as an HTTP request. Where in its scope does the token travel?",
        look="The middleware's __call__: it puts a user into the scope, then calls the inner "
        "application.",
        code=_MIDDLEWARE,
    ),
)
def valid_token_is_its_user(bench: Bench) -> None:
    """A valid access token makes the connection its user's."""
    stage = stage_of(bench)
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
    if socket.close_code == 4401 and "user" not in user:
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


@item(
    "middleware.missing-token",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="Who is a visitor that says nothing about themselves? Django has a class for it.",
        look="The middleware's __call__, for a scope without any token.",
        code=_MIDDLEWARE,
    ),
)
def no_token_is_anonymous(bench: Bench) -> None:
    """A connection without a token is anonymous."""
    stage = stage_of(bench)
    expect_anonymous(stage, None, "without a token")
    with stage.open(None, path=WHOAMI, subprotocols=["access_token"]) as socket:
        judge_anonymous(stage, socket, 'with the subprotocol "access_token" and no token')


@item(
    "middleware.malformed-token",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="A client can send any text. Which exception does the library raise at nonsense?",
        look="The function that turns a token into a user, and what it catches.",
        code=_USER_OF,
    ),
)
def malformed_token_is_anonymous(bench: Bench) -> None:
    """Text that is no token at all leaves the connection anonymous."""
    for token in ("not-a-token", "a.b.c", "1"):
        expect_anonymous(stage_of(bench), token, f"with the token `{token}`")


@item(
    "middleware.expired-token",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="A token that ended an hour ago has a good signature. Who looks at its end?",
        look="The function that turns a token into a user: it must let the library verify.",
        code=_USER_OF,
    ),
)
def expired_token_is_anonymous(bench: Bench) -> None:
    """An expired token leaves the connection anonymous."""
    stage = stage_of(bench)
    [alice] = people(stage, "alice")
    expect_anonymous(stage, expired(alice, _facts(stage)), "with an expired token")


@item(
    "middleware.wrong-signature",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="Anyone can write a token. What makes one yours?",
        look="The function that turns a token into a user: it must check the signature.",
        code=_USER_OF,
    ),
)
def forged_token_is_anonymous(bench: Bench) -> None:
    """A token that somebody else has signed leaves the connection anonymous."""
    stage = stage_of(bench)
    [alice] = people(stage, "alice")
    token = forged(alice, _facts(stage), key="another-key-than-the-server-has-0123456789")
    expect_anonymous(stage, token, "with alice's token signed by somebody else")


@item(
    "middleware.refresh-token",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="A refresh token lives for days and buys access tokens. Should it open a socket?",
        look='The claim "token_type", and the class with which you verify the token.',
        code=_USER_OF,
    ),
)
def refresh_token_is_anonymous(bench: Bench) -> None:
    """A refresh token in place of an access token leaves the connection anonymous."""
    stage = stage_of(bench)
    [alice] = people(stage, "alice")
    expect_anonymous(stage, alice.refresh, "with alice's refresh token")


@item(
    "middleware.deleted-user",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="A token outlives the account. What does the database answer then?",
        look="The query for the user, and what happens when it finds nobody.",
        code=_USER_OF,
    ),
)
def deleted_user_is_anonymous(bench: Bench) -> None:
    """The token of a user who was deleted since leaves the connection anonymous."""
    stage = stage_of(bench)
    [gone] = people(stage, "gone")
    expect_user(stage, gone, "before the user is deleted")
    stage.control("change", id=gone.id)
    expect_anonymous(stage, gone.access, "with the token of a user who was deleted")


@item(
    "middleware.inactive-user",
    docs="change-2",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="Accounts are switched off without being deleted. Which field says so?",
        look="is_active, in the function that turns a token into a user.",
        code=_USER_OF,
    ),
)
def inactive_user_is_anonymous(bench: Bench) -> None:
    """The token of a user who was deactivated since leaves the connection anonymous."""
    stage = stage_of(bench)
    [idle] = people(stage, "idle")
    expect_user(stage, idle, "before the user is deactivated")
    stage.control("change", id=idle.id, is_active=False)
    expect_anonymous(stage, idle.access, "with the token of a user whose is_active is off")


# The route


@item(
    "routing.path",
    docs="change-3",
    needs=["middleware.valid-token"],
    hints=Hints(
        think="A browser cannot be redirected to the address with the slash. What can the "
        "pattern do?",
        look="websocket_urlpatterns: the router strips the first slash, not the last.",
        code=_ROUTES,
    ),
)
def path_leads_to_consumer(bench: Bench) -> None:
    """`/ws/notifications` leads to the consumer, with and without a slash at its end."""
    stage = stage_of(bench)
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


@item(
    "consumer.greets-user",
    docs="change-3",
    needs=["routing.path"],
    hints=Hints(
        think="What must the consumer say before the client believes that it is connected?",
        look="The consumer's connect(): accept, then one JSON frame.",
        code=_CONNECT,
    ),
)
def user_is_greeted(bench: Bench) -> None:
    """A signed-in user is accepted and greeted by name."""
    stage = stage_of(bench)
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
    docs="change-3",
    needs=["consumer.greets-user", "middleware.missing-token"],
    hints=Hints(
        think="A close before accept() reaches a browser as a bare 1006. How does it learn why?",
        look="The consumer's connect(), for a user who is not authenticated; and its "
        "disconnect() after that.",
        code=_CONNECT,
    ),
)
def anonymous_is_refused(bench: Bench) -> None:
    """An anonymous client gets no greeting and is told why: accepted, closed with 4401."""
    stage = stage_of(bench)
    stage.settled(0)  # what earlier sockets end with is not news of this one
    with stage.open(None) as socket:
        code = socket.until_closed(patience=5)
    kinds = [frame.get("type") for frame in socket.frames if isinstance(frame, dict)]
    stage.settled(0)
    if code != 4401 or "connection_established" in kinds or stage.new_errors():
        raise stage.news(
            f"without a token: {socket}",
            expected="accepted, then closed with 4401, without a greeting and without an error",
            part="consumer",
        )


@item(
    "notify.arrives",
    docs="change-4",
    needs=["consumer.greets-user"],
    hints=Hints(
        think="The consumer is in a group, the event is sent to a group. Are they the same, and "
        "does the event's type name a method of the consumer?",
        look="send_notification(), the consumer's group_add and its handler.",
        code=_SENDER,
    ),
)
def notification_arrives(bench: Bench) -> None:
    """What send_notification() sends arrives in its user's socket, as type and data."""
    stage = stage_of(bench)
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


@item(
    "consumer.all-sockets",
    docs="change-4",
    needs=["notify.arrives"],
    hints=Hints(
        think="Alice has a laptop and a phone. What do her sockets share, and bob's not?",
        look="The name of the group that connect() joins.",
        code="backend/notifications/services.py::user_group",
    ),
)
def all_sockets_of_one_user(bench: Bench) -> None:
    """A notification reaches all sockets of its user and nobody else's."""
    stage = stage_of(bench)
    alice, bob = people(stage, "alice", "bob")
    with stage.listening(alice, alice, bob) as ears:
        stage.notify([alice.id], "new_message", sample_message(8))
        first, second, others = (len(frames) for frames in ears.heard())
    if (first, second, others) != (1, 1, 0):
        raise NotYet(
            f"alice's first socket got {first}, her second {second}, bob's {others} of one "
            "notification for alice",
            expected="1, 1 and 0",
            look_at=stage.place("consumer"),
        )


@item(
    "consumer.leaves-group",
    docs="change-4",
    needs=["consumer.all-sockets"],
    hints=Hints(
        think="Who tells the channel layer that a socket has gone?",
        look="The consumer's disconnect(): it undoes what connect() did.",
        code="backend/notifications/consumers.py::NotificationConsumer.disconnect",
    ),
)
def membership_ends_at_disconnect(bench: Bench) -> None:
    """A socket that closes leaves its group, without an error."""
    stage = stage_of(bench)
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


def expect_reply(bench: Bench, frames: list[str | bytes]) -> None:
    """Send each frame: it is answered, and a later notification still arrives."""
    stage = stage_of(bench)
    [alice] = people(stage, "alice")
    for sent in frames:
        with stage.listening(alice) as ears:
            [(_, socket)] = ears.sockets
            socket.send(sent)
            # The answer may be behind the marker, though hardly ever is.
            answered = ears.heard()[0] or socket.receive(patience=2)
            if not answered:
                raise stage.news(
                    f"the frame {sent!r} got no answer: {socket}",
                    expected='any frame, such as {"type": "error", "message": ...}',
                    part="consumer",
                )


@item(
    "consumer.text-not-json",
    docs="change-3",
    needs=["notify.arrives"],
    hints=Hints(
        think="An exception that leaves the consumer closes the socket. What raises one here?",
        look="The consumer's receive(), and what decodes the JSON.",
        code=_RECEIVE,
    ),
)
def text_that_is_not_json(bench: Bench) -> None:
    """Text that is not JSON is answered, and the socket stays open."""
    expect_reply(bench, ["hello", '{"type": ', ""])


@item(
    "consumer.binary-frame",
    docs="change-3",
    needs=["consumer.text-not-json"],
    hints=Hints(
        think="A frame is text or bytes. Which argument does each come in?",
        look="The consumer's receive() with bytes_data, and no text_data.",
        code=_RECEIVE,
    ),
)
def binary_frame(bench: Bench) -> None:
    """A binary frame is answered, and the socket stays open."""
    expect_reply(bench, [b"\x00\xff\xfe", b'{"type": "ping"}'])


@item(
    "notify.only-named",
    docs="change-4",
    needs=["consumer.all-sockets"],
    hints=Hints(
        think="The function gets many ids. Is each of them served, and nobody besides?",
        look="The loop over user_ids in send_notification().",
        code=_SENDER,
    ),
)
def only_the_named_users(bench: Bench) -> None:
    """send_notification() reaches all the users it names and nobody else; none is fine too."""
    stage = stage_of(bench)
    alice, bob, carol = people(stage, "alice", "bob", "carol")
    for named in ((alice, carol), (bob, carol), ()):
        with stage.listening(alice, bob, carol) as ears:
            stage.notify([p.id for p in named], "new_message", sample_message(10))
            counts = [len(frames) for frames in ears.heard()]
        if counts != [int(person in named) for person in (alice, bob, carol)]:
            raise NotYet(
                f"for {', '.join(p.username for p in named) or 'nobody'}: alice, bob and carol "
                f"got {counts[0]}, {counts[1]} and {counts[2]} frames",
                expected="one for each of those named, none for the others",
                look_at=stage.place("sender"),
            )


def _facts(stage: Stage) -> dict:
    return stage.bench.facts_of(stage.server.process) or {}

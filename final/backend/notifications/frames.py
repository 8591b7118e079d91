"""Every frame that goes over the socket, as a type. The AsyncAPI document is made of these."""

from typing import Literal, NewType, NotRequired, TypedDict

Moment = NewType("Moment", str)


# Parts of frames


class Brief(TypedDict):
    """Just enough to name somebody."""

    id: int
    username: str


class Person(Brief):
    """Somebody, with their full name."""

    first_name: str
    last_name: str


class FriendRequestData(TypedDict):
    """A request that waits for an answer."""

    request_id: int
    from_user: Person
    created_at: Moment


class FriendAcceptedData(TypedDict):
    """The one who accepted."""

    friend: Person


class NewMessageData(TypedDict):
    """A message."""

    id: int
    sender: Brief
    content: str
    created_at: Moment


class NewPostData(TypedDict):
    """A post."""

    id: int
    author: Brief
    content: str
    created_at: Moment


class OrderStatusData(TypedDict):
    """An order as it is now; the total is an amount of money, as text."""

    order_id: int
    status: str
    version: int
    total: str
    updated_at: Moment


class AnnouncementData(TypedDict):
    """An announcement."""

    id: int
    text: str
    created_at: Moment


class AnnouncementsReadData(TypedDict):
    """Up to which announcement the user has read, and how many are left."""

    up_to: int
    unread: int


class PresenceData(TypedDict):
    """A user, and whether they are online now."""

    user_id: int
    online: bool


class ReadData(TypedDict):
    """What was read: these, or all up to one; and how many are left."""

    ids: NotRequired[list[int]]
    up_to: NotRequired[int]
    unread: int


# What the server sends


class Stored(TypedDict):
    """A notification, with the id of its row and its number among the user's."""

    id: int
    seq: int


class FriendRequest(Stored):
    """Somebody sends the user a friend request."""

    type: Literal["friend_request"]
    data: FriendRequestData


class FriendAccepted(Stored):
    """Somebody accepts the user's friend request."""

    type: Literal["friend_accepted"]
    data: FriendAcceptedData


class NewMessage(Stored):
    """Somebody writes to the user."""

    type: Literal["new_message"]
    data: NewMessageData


class NewPost(Stored):
    """A friend publishes a post."""

    type: Literal["new_post"]
    data: NewPostData


class OrderStatus(Stored):
    """An order of the user has another status."""

    type: Literal["order_status"]
    data: OrderStatusData


class Announcement(TypedDict):
    """Staff tell everybody something. Its number counts announcements only."""

    type: Literal["announcement"]
    data: AnnouncementData
    announcement: int


class Presence(TypedDict):
    """A friend comes or goes."""

    type: Literal["presence"]
    data: PresenceData


class AnnouncementsRead(TypedDict):
    """The user has read announcements, perhaps on another device."""

    type: Literal["announcements_read"]
    data: AnnouncementsReadData


class NotificationsRead(TypedDict):
    """The user has read notifications, perhaps on another device."""

    type: Literal["notifications_read"]
    data: ReadData


class ConnectionEstablished(TypedDict):
    """The first frame, when it is known whose socket this is."""

    type: Literal["connection_established"]
    message: str
    user_id: int
    epoch: str
    last_seq: int
    last_announcement: NotRequired[int]
    expires_in: int


class Authenticated(TypedDict):
    """The session was renewed, for so many seconds."""

    type: Literal["authenticated"]
    expires_in: int


class Pong(TypedDict):
    """The answer to a ping: the server's time in milliseconds, and the last numbers."""

    type: Literal["pong"]
    sent: NotRequired[float]
    time: int
    last_seq: int
    last_announcement: NotRequired[int]


class Resumed(TypedDict):
    """The end of the answer to resume. Not recovered: request the addresses in refetch."""

    type: Literal["resumed"]
    recovered: bool
    last_seq: int
    last_announcement: NotRequired[int]
    epoch: NotRequired[str]
    refetch: NotRequired[list[str]]


class Error(TypedDict):
    """The client's last frame made no sense."""

    type: Literal["error"]
    message: str


# What a client sends


class Auth(TypedDict):
    """Sign in, or renew the session, with an access token."""

    type: Literal["auth"]
    token: str


class Ping(TypedDict):
    """Ask whether the server is still there. It sends the number in `sent` back."""

    type: Literal["ping"]
    sent: NotRequired[float]


class Resume(TypedDict):
    """Ask for what was missed since the notification with this number."""

    type: Literal["resume"]
    epoch: str
    seq: int
    announcement: NotRequired[int]


SENT = [
    FriendRequest,
    FriendAccepted,
    NewMessage,
    NewPost,
    OrderStatus,
    Announcement,
    Presence,
    NotificationsRead,
    AnnouncementsRead,
    ConnectionEstablished,
    Authenticated,
    Pong,
    Resumed,
    Error,
]
RECEIVED = [Auth, Ping, Resume]

# What a stream over HTTP has of these: what is stored, and where it begins.
STREAMED = [
    FriendRequest,
    FriendAccepted,
    NewMessage,
    NewPost,
    OrderStatus,
    Announcement,
    ConnectionEstablished,
    Resumed,
]

CLOSE_CODES = {
    4400: "A frame is too large, or makes no sense once too often.",
    4401: "Not signed in (any more): get a new access token.",
    4403: "The token, or the address, is another user's.",
    4408: "Too late: request another ticket, and connect again.",
    4429: "Too many frames in a minute, or too many open sockets.",
    4503: "The database fails: connect again later, and resume.",
}

"""Projects that prove the items of step 9."""

import course
from course.source import extract
from tests.variants import Edit, broken, correct

_FOLDER = course.step("resume").folder
_BEFORE = course.step("stored-notifications").folder

MODELS = "backend/notifications/models.py"
NUMBERING = "backend/notifications/numbering.py"
CONSUMER = "backend/notifications/consumers.py"
MODULE = "backend/client/static/client/notifications.js"
EVENTS = "backend/notifications/events.py"
SETTINGS = "backend/numeneon/settings.py"

NUMBER = '"seq": self.seq}'
COUNTING = """\
    # Always in the same order: two transactions cannot each wait for the other.
    ids = sorted(set(user_ids))
    if not ids:
        return {}
    rows = ", ".join(["(%s, %s, 1)"] * len(ids))
    values = [value for pk in ids for value in (pk, new_epoch())]
    with connection.cursor() as cursor:
        cursor.execute(NEXT_NUMBERS.format(rows=rows), values)
        return dict(cursor.fetchall())
"""
IN_THE_CACHE = """\
    from django.core.cache import cache

    numbers = {}
    for pk in set(user_ids):
        cache.add(f"last-{pk}", 0, timeout=None)
        numbers[pk] = cache.incr(f"last-{pk}")
        Inbox.objects.update_or_create(user_id=pk, defaults={"last_seq": numbers[pk]})
    return numbers
"""
GREATEST = """\
    from django.db.models import Max

    numbers = {}
    for pk in sorted(set(user_ids)):
        theirs = Notification.objects.filter(recipient=pk)
        numbers[pk] = (theirs.aggregate(last=Max("seq"))["last"] or 0) + 1
        Inbox.objects.update_or_create(user_id=pk, defaults={"last_seq": numbers[pk]})
    return numbers
"""
UNLOCKED = """\
    numbers = {}
    for pk in sorted(set(user_ids)):
        inbox, _ = Inbox.objects.get_or_create(user_id=pk)
        numbers[pk] = inbox.last_seq + 1
        Inbox.objects.filter(user_id=pk).update(last_seq=numbers[pk])
    return numbers
"""
ONE_BY_ONE = """\
    numbers = {}
    for pk in ORDER(user_ids):
        Inbox.objects.get_or_create(user_id=pk)
        inbox = Inbox.objects.select_for_update().get(user_id=pk)
        inbox.last_seq += 1
        inbox.save(update_fields=["last_seq"])
        numbers[pk] = inbox.last_seq
    return numbers
"""
TURNS = """\
import itertools

_turns = itertools.cycle([True, False])


def in_turns(user_ids):
    return sorted(set(user_ids), reverse=next(_turns))


def next_numbers"""
LOCKED = """\
    from django.db.models import F

    ids = sorted(set(user_ids))
    Inbox.objects.bulk_create([Inbox(user_id=pk) for pk in ids], ignore_conflicts=True)
    inboxes = Inbox.objects.filter(user_id__in=ids)
    list(inboxes.select_for_update().order_by("user_id"))
    inboxes.update(last_seq=F("last_seq") + 1)
    return dict(inboxes.values_list("user_id", "last_seq"))
"""
PONG = '{"type": "pong", "last_seq": inbox.last_seq}'
HEALING_PING = """\
            inbox = await inbox_of(self.scope["user"].pk)
            await self.send_json({"type": "pong", "last_seq": inbox.last_seq})
"""
PUSHING_PING = """\
            await self.catch_up(0)
            await self.send_json({"type": "pong", "last_seq": self.sent})
"""
FORWARD_MISSED = "                await self.forward(notification.frame())\n"
GAP = """\
        elif seq > self.sent and not await self.catch_up(seq):
            await self.start_over()
"""
WHEN_RESUMED = """\
        \"""Send what the client has missed, or tell it that this is not possible.\"""
"""
ANSWERED = """\
                await self.send_json({"type": "resumed", **answer})
                return
"""
OF_THE_USER = """\
        inbox = await inbox_of(self.scope["user"].pk)
        if numbering.can_resume(inbox, epoch, seq):
"""
WHOLE = """\
                if notification.seq != self.sent + 1:
                    return False
"""
SEND = "    transaction.on_commit(send, robust=True)\n"
CAREFULLY = """\
    def try_to_send():
        try:
            send()
        except Exception:
            import logging

            logging.getLogger(__name__).exception("not sent")

    transaction.on_commit(try_to_send)
"""
PAGE = "PAGE_SIZE = 100\n"
PUBSUB = '"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"'
CORE = '"BACKEND": "channels_redis.core.RedisChannelLayer"'

KIND = """\
        kind = content.get("type") if isinstance(content, dict) else None
"""
# The same as a class, which keeps what comes too early until it is next.
KEEPER = """\
class Notifications {
  #options; #socket; #timer; #failures = 0; #epoch; #seen = 0; #early = new Map();

  constructor(options) { this.#options = options; }

  close() {
    this.#stop();
    this.#options.onState("closed");
  }

  async connect() {
    this.#stop();
    this.#options.onState("connecting");
    const mine = this.#after(10_000, () => this.#again());
    const protocols = await this.#options.protocols().catch(() => undefined);
    if (mine !== this.#timer) return;
    if (protocols === null) return this.#refused(4401);
    if (!protocols) return this.#again();
    const url = new URL("/ws/notifications/", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = this.#socket = new WebSocket(url, protocols);
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.#socket) this.#take(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket !== this.#socket) return;
      if ([4400, 4401, 4403].includes(code)) this.#refused(code);
      else this.#again(code);
    });
  }

  #take(frame) {
    this.#after(20_000, () => {
      this.#say({ type: "ping" });
      this.#after(10_000, () => this.#again());
    });
    if (frame.type !== "connection_established") this.#failures = 0;
    else this.#options.onState("open");
    if ("epoch" in frame && frame.epoch !== this.#epoch) {
      this.#epoch = frame.epoch;
      this.#seen = frame.last_seq;
      this.#early.clear();
      this.#options.onGap?.();
    } else if (frame.recovered === false) {
      this.#seen = frame.last_seq;
      this.#options.onGap?.();
    } else if (frame.type === "connection_established" || frame.last_seq > this.#seen) {
      this.#say({ type: "resume", epoch: this.#epoch, seq: this.#seen });
    } else if (frame.seq === undefined) {
      if (frame.data) this.#options.onEvent(frame);
    } else {
      this.#keep(frame);
    }
  }

  #keep(frame) {
    if (frame.seq > this.#seen) this.#early.set(frame.seq, frame);
    while (this.#early.has(this.#seen + 1)) {
      this.#seen += 1;
      this.#options.onEvent(this.#early.get(this.#seen));
      this.#early.delete(this.#seen);
    }
    if (this.#early.size) this.#say({ type: "resume", epoch: this.#epoch, seq: this.#seen });
  }

  #say(message) {
    if (this.#socket.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #after(delay, action) {
    clearTimeout(this.#timer);
    return (this.#timer = setTimeout(action, delay));
  }

  #again(code) {
    this.#stop();
    const delay = Math.random() * Math.min(30_000, 1_000 * 2 ** this.#failures++);
    this.#options.onState("waiting", { code, delay });
    this.#after(delay, () => this.connect());
  }

  #refused(code) {
    this.#stop();
    this.#options.onState("refused", { code });
  }

  #stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}

export const notificationSocket = (options) => new Notifications(options);
"""
POSITION = "    sent = 0  # the number of the last notification that was sent\n"
SHARED_POSITION = """\
    positions = {}

    @property
    def sent(self):
        return self.positions.get(self.scope["user"].pk, 0)

    @sent.setter
    def sent(self, number):
        self.positions[self.scope["user"].pk] = number
"""
FAILURES = "except (DatabaseError, InterfaceError):"
IN_DISPATCH = extract(_FOLDER / CONSUMER, "NotificationConsumer.dispatch") + "\n"
WHERE_IT_QUERIES = """\
        try:
            await self.answer(content)
        except (DatabaseError, InterfaceError):
            await self.close(code=4503)

    async def answer(self, content):
"""
START_AGAIN = "    if (!frame.recovered) startAt(connection, frame);\n"
ON_PONG = "    if (frame.last_seq > connection.seen) resume(connection);\n"
SEEN = "  } else if (!(event.seq <= connection.seen)) {"

VARIANTS = [
    broken("resume.numbers", "no number", Edit(MODELS, f", {NUMBER}", "}")),
    broken(
        "resume.numbers",
        "one position for all devices of a user",
        Edit(CONSUMER, POSITION, SHARED_POSITION),
    ),
    broken("resume.numbers", "the id of the row", Edit(MODELS, NUMBER, '"seq": self.pk}')),
    correct(
        "resume.numbers",
        "numbers begin at a hundred",
        Edit(NUMBERING, "(%s, %s, 1)", "(%s, %s, 100)"),
        Edit(
            MODELS,
            "last_seq = models.PositiveBigIntegerField(default=0)",
            "last_seq = models.PositiveBigIntegerField(default=99)",
        ),
    ),
    broken(
        "resume.no-hole", "counted in the cache", Edit(NUMBERING, COUNTING, IN_THE_CACHE)
    ),
    correct(
        "resume.no-hole",
        "one inbox after the other",
        Edit(
            NUMBERING,
            COUNTING,
            ONE_BY_ONE.replace("ORDER(user_ids)", "sorted(set(user_ids))"),
        ),
    ),
    broken(
        "resume.pruned",
        "the greatest number that is left and one",
        Edit(NUMBERING, COUNTING, GREATEST),
    ),
    correct(
        "resume.pruned",
        "one inbox after the other",
        Edit(
            NUMBERING,
            COUNTING,
            ONE_BY_ONE.replace("ORDER(user_ids)", "sorted(set(user_ids))"),
        ),
    ),
    broken(
        "resume.processes",
        "an epoch for each start of a server",
        Edit(NUMBERING, PAGE, PAGE + "EPOCH = new_epoch()\n"),
        Edit(
            NUMBERING, "    return inbox\n", "    inbox.epoch = EPOCH\n    return inbox\n"
        ),
    ),
    correct(
        "resume.processes",
        "one epoch for all users",
        Edit(
            NUMBERING,
            "    return inbox\n",
            '    inbox.epoch = Inbox.objects.earliest("pk").epoch\n    return inbox\n',
        ),
    ),
    correct(
        "resume.forged",
        "one epoch for all users",
        Edit(
            NUMBERING,
            "    return inbox\n",
            '    inbox.epoch = Inbox.objects.earliest("pk").epoch\n    return inbox\n',
        ),
    ),
    broken(
        "resume.writers",
        "the last number is read without a lock",
        Edit(NUMBERING, COUNTING, UNLOCKED),
    ),
    broken(
        "resume.writers",
        "inboxes are locked in either order",
        Edit(NUMBERING, COUNTING, ONE_BY_ONE.replace("ORDER", "in_turns")),
        Edit(NUMBERING, "def next_numbers", TURNS),
    ),
    correct(
        "resume.writers",
        "locked with SELECT FOR UPDATE",
        Edit(NUMBERING, COUNTING, LOCKED),
    ),
    broken("resume.position", "a pong as before", Edit(CONSUMER, PONG, '{"type": "pong"}')),
    broken(
        "resume.position",
        "no epoch in the greeting",
        Edit(
            CONSUMER,
            '                "epoch": inbox.epoch,\n                "last_seq"',
            '                "last_seq"',
        ),
    ),
    broken(
        "resume.position",
        "an epoch for each socket",
        Edit(
            CONSUMER,
            '                "epoch": inbox.epoch,\n                "last_seq"',
            '                "epoch": self.channel_name,\n                "last_seq"',
        ),
    ),
    correct(
        "resume.position",
        "another kind of epoch",
        Edit(MODELS, "secrets.token_hex(8)", "secrets.token_urlsafe(9)"),
    ),
    broken(
        "resume.missed",
        "the newest first",
        Edit(NUMBERING, 'order_by("seq")', 'order_by("-seq")'),
        Edit(CONSUMER, WHOLE, ""),
    ),
    broken(
        "resume.missed",
        "events without their id",
        Edit(
            CONSUMER,
            FORWARD_MISSED,
            "                frame = notification.frame()\n"
            '                del frame["id"]\n'
            "                await self.forward(frame)\n",
        ),
    ),
    broken(
        "resume.missed",
        "no end",
        Edit(
            CONSUMER,
            ANSWERED,
            "                return\n",
        ),
    ),
    correct(
        "resume.missed",
        "small pages and a longer answer",
        Edit(NUMBERING, "PAGE_SIZE = 100", "PAGE_SIZE = 7"),
        Edit(
            CONSUMER,
            '"last_seq": self.sent}',
            '"last_seq": self.sent, "epoch": inbox.epoch}',
        ),
    ),
    broken(
        "resume.gap",
        "what does not follow is dropped, and a socket resumes once",
        Edit(CONSUMER, GAP, ""),
        Edit(
            CONSUMER,
            WHEN_RESUMED,
            f"{WHEN_RESUMED}        if self.resumed:\n            return\n"
            "        self.resumed = True\n",
        ),
        Edit(CONSUMER, "    group = None\n", "    group = None\n    resumed = False\n"),
    ),
    broken(
        "resume.gap",
        "a pong says what was sent",
        Edit(CONSUMER, PONG, '{"type": "pong", "last_seq": self.sent}'),
    ),
    correct(
        "resume.gap",
        "the client asks for what it lacks",
        Edit(
            CONSUMER,
            GAP,
            "        elif seq > self.sent:\n            await self.forward(frame)\n",
        ),
    ),
    correct(
        "resume.gap",
        "a ping brings what is missing",
        Edit(CONSUMER, HEALING_PING, PUSHING_PING),
    ),
    broken(
        "resume.burst",
        "the first page only",
        Edit(CONSUMER, "while page := await", "if page := await"),
        Edit(CONSUMER, "return self.sent >= last_seq", "return True"),
    ),
    correct(
        "resume.burst",
        "all at once",
        Edit(NUMBERING, "PAGE_SIZE = 100", "PAGE_SIZE = 10_000"),
    ),
    broken(
        "resume.database",
        "an exception ends the consumer",
        Edit(CONSUMER, FAILURES, "except ZeroDivisionError:"),
    ),
    broken(
        "resume.database",
        "a lost connection is no DatabaseError",
        Edit(CONSUMER, FAILURES, "except DatabaseError:"),
    ),
    correct(
        "resume.database",
        "caught where a frame is answered",
        Edit(CONSUMER, IN_DISPATCH, ""),
        Edit(CONSUMER, KIND, WHERE_IT_QUERIES + KIND),
    ),
    broken(
        "resume.page",
        "the module of the step before",
        Edit(MODULE, "", (_BEFORE / MODULE).read_text("utf-8")),
    ),
    broken(
        "resume.page",
        "it stays where it was after recovered: false",
        Edit(MODULE, START_AGAIN, "    if (!frame.recovered) connection.onGap?.();\n"),
    ),
    broken("resume.page", "a pong is not looked at", Edit(MODULE, ON_PONG, "")),
    broken(
        "resume.page",
        "what was shown is shown again",
        Edit(MODULE, SEEN, "  } else {"),
    ),
    correct(
        "resume.page",
        "a class that keeps what comes too early",
        Edit(MODULE, "", KEEPER),
    ),
    broken(
        "resume.redis",
        "a request fails with its event",
        Edit(EVENTS, SEND, "    transaction.on_commit(send)\n"),
    ),
    correct("resume.redis", "caught by hand", Edit(EVENTS, SEND, CAREFULLY)),
    correct(
        "resume.redis",
        "the core layer",
        Edit(SETTINGS, PUBSUB, CORE),
        Edit(SETTINGS, '"socket_timeout": 1', '"socket_timeout": None'),
    ),
    broken(
        "resume.forged",
        "the inbox that has this epoch",
        Edit(
            CONSUMER,
            OF_THE_USER,
            "        inbox = await inbox_with(epoch) or await inbox_of(self.scope['user'].pk)\n"
            "        if numbering.can_resume(inbox, epoch, seq):\n"
            "            self.user_id = inbox.user_id\n",
        ),
        Edit(
            CONSUMER,
            'page_after(self.scope["user"].pk, self.sent)',
            'page_after(getattr(self, "user_id", self.scope["user"].pk), self.sent)',
        ),
        Edit(
            CONSUMER,
            "inbox_of = database_sync_to_async(numbering.inbox_of)\n",
            "inbox_of = database_sync_to_async(numbering.inbox_of)\n"
            "inbox_with = database_sync_to_async(\n"
            "    lambda epoch: numbering.Inbox.objects.filter(epoch=str(epoch)).first()\n)\n",
        ),
    ),
    broken(
        "resume.forged",
        "any epoch will do",
        Edit(NUMBERING, "epoch != inbox.epoch or not isinstance", "not isinstance"),
    ),
    broken(
        "resume.forged",
        "a number may be anything",
        Edit(NUMBERING, "not isinstance(seq, int) or seq < 0", "seq < 0"),
    ),
    broken(
        "resume.forged",
        "the future is fine",
        Edit(NUMBERING, "return 0 <= inbox.last_seq", "return inbox.last_seq"),
    ),
    correct(
        "resume.forged",
        "an error for what is no position",
        Edit(
            CONSUMER,
            WHEN_RESUMED,
            f"{WHEN_RESUMED}        if not isinstance(epoch, str) or not isinstance(seq, int):\n"
            '            error = {"type": "error", "message": "That is no position."}\n'
            "            await self.send_json(error)\n"
            "            return\n",
        ),
    ),
    broken(
        "resume.too-old",
        "what is left is sent as if it were all",
        Edit(CONSUMER, WHOLE, ""),
    ),
    broken(
        "resume.too-old",
        "nothing to request",
        Edit(CONSUMER, ', "refetch": REFETCH}', "}"),
    ),
    correct(
        "resume.too-old",
        "the list is enough",
        Edit(
            CONSUMER,
            '    "/api/messages/",\n    "/api/posts/",\n    "/api/friends/",\n'
            '    "/api/friends/requests/",\n',
            "",
        ),
    ),
]

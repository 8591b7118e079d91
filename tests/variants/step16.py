"""Projects that prove the items of step 16."""

from tests.variants import Edit, broken, correct

LIMITS = "backend/notifications/limits.py"
HUB = "backend/notifications/hub.py"
OUTBOX = "backend/notifications/outbox.py"
FAREWELLS = "backend/notifications/farewells.py"
DRAINING = "backend/notifications/draining.py"
SIGNED_IN = "backend/notifications/signed_in.py"
OBSERVED = "backend/notifications/observed.py"
HEALTH = "backend/numeneon/health.py"
RENDER = "render.yaml"
SETTINGS = "backend/numeneon/settings.py"

FULL = """\
            dropped = [each for each in (*self.events, event) if each is not CATCH_UP]
            metrics.DROPPED.labels("outbox").inc(len(dropped))
            self.events.clear()
            event = CATCH_UP
"""
WAIT = """\
        while not self.events:
            self.waiting"""
TURN = "close_after(seconds * number / len(sockets), socket)"
LEFT = 'min(self.claims["exp"], self.ends_at)'
MIGRATE = "    preDeployCommand: cd backend && python manage.py migrate --no-input\n"
START = "    startCommand: cd backend && exec"
STARTS = f"{START} python manage.py runasgi --host 0.0.0.0 --port $PORT\n"
PUBLISH = "        pipe = self.publisher.pipeline(transaction=False)\n"
ONE_BY_ONE = """\
        for group, numbers in groups.items():
            self.publisher.publish(PREFIX + group, encode(event, {group: numbers}))
        groups = {}
"""
CONFIRM = """\
            for channel in self.groups[group]:
                channel.outbox.put(CATCH_UP)
"""

VARIANTS = [
    broken(
        "delivery.thread",
        "old connections are looked for before every event",
        Edit(
            LIMITS,
            "        await handler(message)\n",
            "        await aclose_old_connections()\n        await handler(message)\n",
        ),
        Edit(
            LIMITS,
            "from channels.exceptions",
            "from channels.db import aclose_old_connections\nfrom channels.exceptions",
        ),
    ),
    correct(
        "delivery.thread",
        "only what comes from a group goes past Channels' dispatch()",
        Edit(
            LIMITS,
            "        await handler(message)\n",
            '        if message["type"] == "notify":\n'
            "            await handler(message)\n"
            "        else:\n"
            "            await super().dispatch(message)\n",
        ),
    ),
    broken(
        "hub.pipelined",
        "each group's event waits for the one before",
        Edit(HUB, PUBLISH, ONE_BY_ONE + PUBLISH),
    ),
    correct(
        "hub.pipelined",
        "an event of its own for each group, however many there are",
        Edit(HUB, "FEW = 20\n", "FEW = 1_000_000\n"),
    ),
    broken(
        "hub.back",
        "the sockets are subscribed again, and nobody looks for what was missed",
        Edit(HUB, CONFIRM, "            pass\n"),
    ),
    correct(
        "hub.back",
        "all sockets catch up when the connection is made",
        Edit(HUB, CONFIRM, "            pass\n"),
        Edit(
            HUB,
            "        asked = False\n        while True:\n",
            "        asked = False\n"
            "        for members in self.groups.values():\n"
            "            for channel in members:\n"
            "                channel.outbox.put(CATCH_UP)\n"
            "        while True:\n",
        ),
    ),
    broken(
        "behind.caught-up",
        "what does not fit into the outbox is dropped",
        Edit(OUTBOX, FULL, "            return\n"),
    ),
    correct(
        "behind.caught-up",
        "the events that wait are sent, and then the socket catches up",
        Edit(
            OUTBOX,
            FULL,
            "            self.behind = True\n            return\n",
        ),
        Edit(
            OUTBOX,
            WAIT,
            "        while not self.events:\n"
            "            if self.behind:\n"
            "                self.behind = False\n"
            "                return CATCH_UP\n"
            "            self.waiting",
        ),
        Edit(
            OUTBOX,
            "        self.waiting = None\n",
            "        self.waiting = None\n        self.behind = False\n",
        ),
    ),
    broken(
        "leaving.spread",
        "all sockets are closed at once",
        Edit(DRAINING, TURN, "close_after(0, socket)"),
    ),
    broken(
        "leaving.spread",
        "they are closed with another code",
        Edit(DRAINING, "code=1012", "code=1001"),
    ),
    correct(
        "leaving.spread",
        "they are closed two at a time",
        Edit(
            DRAINING,
            TURN,
            "close_after(seconds * (number // 2 * 2) / len(sockets), socket)",
        ),
    ),
    broken(
        "leaving.health",
        "the health check does not know of it",
        Edit(HEALTH, " and not leaving.is_set()\n", "\n"),
    ),
    broken(
        "leaving.health",
        "new sockets are let in",
        Edit(OBSERVED, "        if leaving.is_set():\n", "        if False:\n"),
    ),
    correct(
        "leaving.health",
        "the state has another name",
        Edit(HEALTH, 'state = "draining"', 'state = "unavailable"'),
    ),
    broken(
        "leaving.traces",
        "a socket that has ended stays open in the database",
        Edit(
            FAREWELLS,
            "        if await end(channel):\n",
            "        if False:\n",
        ),
    ),
    correct(
        "leaving.traces",
        "the process ends a moment after its last socket",
        Edit(
            DRAINING,
            "    servers_handler(signal.SIGTERM, None)\n\n\nasync def close_after",
            "    await asyncio.sleep(0.5)\n"
            "    servers_handler(signal.SIGTERM, None)\n\n\nasync def close_after",
        ),
    ),
    broken(
        "lifetime.closed",
        "a socket lives as long as its token",
        Edit(SIGNED_IN, LEFT, 'self.claims["exp"]'),
    ),
    correct(
        "lifetime.closed",
        "it is closed with 1012, which only Daphne cannot send",
        Edit(SIGNED_IN, "<= time.time() else 4503", "<= time.time() else 1012"),
    ),
    broken(
        "pool.bounded",
        "each thread has a connection",
        Edit(
            SETTINGS,
            'if DATABASES["default"]["ENGINE"] ==',
            'if False and DATABASES["default"]["ENGINE"] ==',
        ),
    ),
    correct(
        "pool.bounded",
        "a larger pool that nobody can change",
        Edit(SETTINGS, 'int(os.environ.get("DATABASE_CONNECTIONS") or 10)', "16"),
    ),
    broken(
        "deploy.instances",
        "there is one instance",
        Edit(RENDER, "    numInstances: 2\n", ""),
    ),
    broken(
        "deploy.instances",
        "two free ones",
        Edit(RENDER, "    plan: starter  #", "    plan: free  #"),
    ),
    broken(
        "deploy.instances",
        "each instance migrates",
        Edit(RENDER, MIGRATE, ""),
        Edit(
            RENDER,
            START,
            "    startCommand: cd backend && python manage.py migrate --no-input && exec",
        ),
    ),
    broken(
        "deploy.instances",
        "a script that starts each instance migrates",
        Edit(RENDER, MIGRATE, ""),
        Edit(RENDER, STARTS, "    startCommand: bash start.sh\n"),
        Edit(
            "start.sh",
            "",
            "cd backend\npython manage.py migrate --no-input\n"
            "exec python manage.py runasgi --host 0.0.0.0 --port $PORT\n",
        ),
    ),
    correct(
        "deploy.instances",
        "as many as the load needs, and never less than two",
        Edit(RENDER, "    plan: starter  #", "    plan: standard  #"),
        Edit(
            RENDER,
            "    numInstances: 2\n",
            "    scaling:\n      minInstances: 2\n      maxInstances: 5\n"
            "      targetCPUPercent: 60\n",
        ),
    ),
    correct(
        "deploy.instances",
        "three larger ones",
        Edit(RENDER, "    numInstances: 2\n", "    numInstances: 3\n"),
        Edit(RENDER, "    plan: starter  #", "    plan: standard  #"),
    ),
]

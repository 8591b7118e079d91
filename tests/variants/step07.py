"""Projects that prove the items of step 7."""

from tests.variants import Edit, broken, correct
from tests.variants.step06 import HEADER

SETTINGS = "backend/numeneon/settings.py"
URLS = "backend/numeneon/urls.py"
STORAGE = "backend/numeneon/storage.py"
CONSUMERS = "backend/notifications/consumers.py"
APP = "backend/client/static/client/app.js"
MODULE = "backend/client/static/client/notifications.js"

SCHEME = 'const scheme = location.protocol === "https:" ? "wss:" : "ws:";'
BY_URL = """\
export function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}
"""
SOCKET = "new WebSocket(connection.url, protocols);"
RANDOM = "return Math.random() * limit;"
REFUSALS = "const REFUSALS = new Set([4400, 4401, 4403]);"
RESET = "  connection.failures = 0;\n"
OPEN_STATE = '    connection.onState("open");\n'
RETRY = "  const delay = delayAfter(connection.failures);\n"
PING = "  wait(connection, SILENCE, () => ping(connection));\n"
NO_ANSWER = "wait(connection, ANSWERS_WITHIN, () => retry(connection));"
HANDLERS = """\
    connection.socket.onmessage = null;
    connection.socket.onclose = null;
"""
KEY = 'SECRET_KEY = os.environ["SECRET_KEY"]\n'
FLAG = "support_js_module_import_aggregation = True"
MODULES = "numeneon.storage.ModuleStorage"
RECEIVED = "        else:\n            await self.receive_json(content)\n"
IS_PING = 'if isinstance(content, dict) and content.get("type") == "ping":'
EVENT = 'if (frame.type !== "pong")'

# The same in one closure: it pings at intervals, and half of each delay is sure.
_ANOTHER = """\
export function notificationSocket(options) {
  let socket, heard, pinging, waiting, failures = 0, run = 0;

  function stop() {
    run += 1;
    clearInterval(pinging);
    clearTimeout(waiting);
    socket?.close();
    socket = undefined;
  }

  function again(code) {
    stop();
    const most = Math.min(20, 1.6 ** failures++);
    const delay = 1000 * most * (0.5 + Math.random() / 2);
    options.onState("waiting", { code, delay });
    waiting = setTimeout(connect, delay);
  }

  async function connect() {
    stop();
    const mine = run;
    const current = (action) => (event) => mine === run && action(event);
    options.onState("connecting");
    const protocols = await options.protocols().catch(() => undefined);
    if (mine !== run) return;
    if (protocols === undefined) return again();
    heard = Date.now();
    const url = location.origin.replace("http", "ws") + "/ws/notifications/";
    socket = new WebSocket(url, protocols);
    socket.addEventListener("message", current(({ data }) => {
      heard = Date.now();
      const frame = JSON.parse(data);
      if (!frame.user_id) failures = 0;
      if (frame.data) options.onEvent(frame);
      else if (frame.user_id) options.onState("open");
    }));
    socket.addEventListener("close", current(({ code }) => {
      if (code < 4400 || code > 4403) return again(code);
      stop();
      options.onState("refused", { code });
    }));
    pinging = setInterval(() => {
      if (Date.now() - heard > 25000) again();
      else if (socket.readyState === 1) socket.send('{"type":"ping"}');
    }, 10000);
  }

  return { connect, close: () => { stop(); options.onState("closed"); } };
}
"""

another = Edit(MODULE, "", _ANOTHER)


def module(old: str, new: str) -> Edit:
    return Edit(MODULE, old, new)


VARIANTS = [
    broken(
        "client.page", "the app is not installed", Edit(SETTINGS, '    "client",\n', "")
    ),
    broken("client.page", "the module is not there", Edit(MODULE, None, None)),
    broken(
        "client.page",
        "the module exports another name",
        module("export function notificationSocket", "export function notifications"),
    ),
    correct(
        "client.page",
        "another pattern, and the console is used",
        Edit(URLS, 'path("app/", T', 'path("app/", view=T'),
        Edit(APP, "let unread = 0;\n", 'let unread = 0;\nconsole.log("here");\n'),
    ),
    broken("client.connects", "ws for every page", module(SCHEME, 'const scheme = "ws:";')),
    broken(
        "client.connects",
        "wss for every host but one's own machine",
        module(
            SCHEME,
            'const scheme = location.hostname === "127.0.0.1" ? "ws:" : "wss:";',
        ),
    ),
    broken(
        "client.connects",
        "the token in the URL",
        module(SOCKET, "new WebSocket(`${connection.url}?token=${protocols[1]}`);"),
    ),
    broken(
        "client.connects",
        "two sockets",
        module(SOCKET, f"{SOCKET}\n    new WebSocket(connection.url, protocols);"),
    ),
    correct(
        "client.connects",
        "made by URL()",
        module(
            "export function socketUrl(path) {\n"
            f"  {SCHEME}\n"
            "  return `${scheme}//${location.host}${path}`;\n}\n",
            BY_URL,
        ),
    ),
    broken(
        "client.comes-back",
        "never",
        module("    retry(connection, code);\n", "    close(connection);\n"),
    ),
    broken(
        "client.comes-back",
        "gives up after five attempts",
        module(RETRY, f"  if (connection.failures === 5) return;\n{RETRY}"),
    ),
    broken(
        "client.comes-back",
        "the token of the first attempt for ever",
        module(
            "const protocols = await connection.protocols();",
            "const protocols = (connection.offered ??= await connection.protocols());",
        ),
    ),
    correct("client.comes-back", "one closure, and pings at intervals", another),
    broken("client.backoff", "every second", module(RANDOM, "return 1000;")),
    broken("client.backoff", "at once", module(RANDOM, "return 0;")),
    broken("client.backoff", "growing, and not random", module(RANDOM, "return limit;")),
    broken("client.backoff", "the delays stay long", module(RESET, "")),
    broken(
        "client.backoff",
        "a socket that opens counts as a success",
        module(RESET, ""),
        module(
            "  socket.onclose =",
            "  socket.onopen = () => { connection.failures = 0; };\n  socket.onclose =",
        ),
    ),
    broken(
        "client.backoff",
        "after a clean close it waits until it would ping",
        module(
            "(event) => closed(connection, event.code);",
            "(event) =>\n    event.wasClean && !REFUSALS.has(event.code)"
            " || closed(connection, event.code);",
        ),
    ),
    correct(
        "client.backoff",
        "half of each delay is sure",
        module(RANDOM, "return limit * (0.5 + Math.random() / 2);"),
    ),
    broken(
        "client.refused",
        "all are tried again",
        module(REFUSALS, "const REFUSALS = new Set();"),
    ),
    broken(
        "client.refused",
        "only 4401 is final",
        module(REFUSALS, "const REFUSALS = new Set([4401]);"),
    ),
    broken(
        "client.refused",
        "signing out leaves the socket open",
        module(
            '  leave(connection);\n  connection.onState("closed");',
            '  connection.onState("closed");',
        ),
    ),
    correct(
        "client.refused",
        "modules imported with await",
        Edit(
            APP,
            'import * as api from "./api.js";\n'
            'import { notificationSocket } from "./notifications.js";\n',
            'const api = await import("./api.js");\n'
            'const { notificationSocket } = await import("./notifications.js");\n',
        ),
    ),
    correct("client.refused", "one closure, and pings at intervals", another),
    broken(
        "client.restart",
        "another secret key at each start",
        Edit(SETTINGS, KEY, "SECRET_KEY = get_random_secret_key()\n"),
    ),
    correct("client.restart", "one closure, and pings at intervals", another),
    broken("client.ping", "nothing is answered", Edit(CONSUMERS, RECEIVED, "")),
    broken(
        "client.ping",
        "only with a space behind the colon",
        Edit(
            CONSUMERS,
            RECEIVED,
            '        else:\n            if text_data == \'{"type": "ping"}\':\n'
            '                await self.send_json({"type": "pong"})\n',
        ),
    ),
    broken("client.ping", "everything is answered", Edit(CONSUMERS, IS_PING, "if True:")),
    correct(
        "client.ping",
        "answered where it is received",
        Edit(
            CONSUMERS,
            RECEIVED,
            '        else:\n            if content == {"type": "ping"}:\n'
            '                await self.send(text_data=\'{"type": "pong"}\')\n',
        ),
    ),
    broken(
        "client.dead-peer", "no ping", module(PING, "  clearTimeout(connection.timer);\n")
    ),
    broken(
        "client.dead-peer",
        "a minute of silence",
        module("SILENCE = 25_000", "SILENCE = 60_000"),
    ),
    broken(
        "client.dead-peer",
        "waits for the close event of a dead peer",
        module(
            NO_ANSWER, "wait(connection, ANSWERS_WITHIN, () => connection.socket.close());"
        ),
    ),
    broken(
        "client.dead-peer",
        "silence alone ends the connection",
        module('  send(connection, { type: "ping" });\n', ""),
    ),
    broken(
        "client.dead-peer",
        "a handshake may take forever",
        module("  wait(connection, CONNECTS_WITHIN, () => retry(connection));\n", ""),
    ),
    broken(
        "client.dead-peer",
        "hears of a dead socket that closes at last",
        module(HANDLERS, ""),
    ),
    correct("client.dead-peer", "one closure, and pings at intervals", another),
    broken(
        "client.one-socket",
        "an attempt that was given up opens its socket",
        module("    if (attempt === connection.attempt) open(", "    open("),
    ),
    correct("client.one-socket", "one closure, and pings at intervals", another),
    broken(
        "client.failing",
        "the greeting counts as a success",
        module(RESET, ""),
        module(OPEN_STATE, f"  {RESET}{OPEN_STATE}"),
    ),
    correct(
        "client.failing",
        "ten seconds with a connection count as a success",
        module(RESET, ""),
        module(
            OPEN_STATE,
            f"{OPEN_STATE}"
            "    const { attempt } = connection;\n"
            "    setTimeout(() => {\n"
            "      if (attempt === connection.attempt) connection.failures = 0;\n"
            "    }, 10_000);\n",
        ),
    ),
    broken(
        "client.production",
        "imports keep their plain names",
        Edit(STORAGE, FLAG, "support_js_module_import_aggregation = False"),
    ),
    broken(
        "client.production",
        "an import in a comment, of a file that is not there",
        Edit(
            APP,
            "// The connection\n",
            '// import * as old from "./old.js";\n\n// The connection\n',
        ),
    ),
    correct(
        "client.production",
        "uvicorn reads the proxy's headers",
        Edit(SETTINGS, HEADER, ""),
    ),
    correct(
        "client.production",
        "plain names that are always asked for again",
        Edit(SETTINGS, MODULES, "whitenoise.storage.CompressedStaticFilesStorage"),
        Edit(
            SETTINGS, "    STORAGES = {\n", "    WHITENOISE_MAX_AGE = 0\n    STORAGES = {\n"
        ),
    ),
    broken(
        "client.events",
        "posts are left out",
        module(EVENT, 'if (!["pong", "new_post"].includes(frame.type))'),
    ),
    broken(
        "client.events",
        "texts are read as HTML",
        Edit(APP, "words.textContent = text;", "words.innerHTML = text;"),
    ),
    broken(
        "client.events",
        "the announcement is read as HTML",
        Edit(
            APP,
            'element("announcement").textContent = text;',
            'element("announcement").innerHTML = text;',
        ),
    ),
    correct("client.events", "one closure, and pings at intervals", another),
    broken(
        "client.no-token",
        "the module logs what it offers",
        module(SOCKET, f"{SOCKET}\n    console.log(protocols);"),
    ),
    broken(
        "client.no-token",
        "the server prints what is offered",
        Edit(
            CONSUMERS,
            '        user = self.scope["user"]\n',
            '        user = self.scope["user"]\n        print(self.scope["subprotocols"])\n',
        ),
    ),
    correct(
        "client.no-token",
        "the module logs its states",
        module(
            '  connection.onState("connecting");\n',
            '  connection.onState("connecting");\n  console.log("connecting");\n',
        ),
    ),
]

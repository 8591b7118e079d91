// Notifications over one WebSocket, which comes back by itself.

// Times are in milliseconds.
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const CONNECTS_WITHIN = 10_000;
const SILENCE = 25_000;
const ANSWERS_WITHIN = 10_000;

// Bad message, not authenticated, not allowed: the same attempt would be refused again.
const REFUSALS = new Set([4400, 4401, 4403]);

/** Return the URL of a socket at this page's own server: ws:, or wss: under https. */
export function socketUrl(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${path}`;
}

/** Return a random delay; its limit doubles with each failure. */
export function delayAfter(failures) {
  const limit = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
  return Math.random() * limit;
}

/**
 * Return a connection. It calls the functions that you pass:
 * protocols()             before each attempt: a promise of the subprotocols to offer,
 *                         or of null when nobody is signed in
 * onEvent(event)          for each event, once and in order
 * onGap()                 when events may have been missed: read everything again
 * onState(name, details)  connecting, open, waiting, refused, closed
 */
export function notificationSocket(options) {
  const connection = {
    url: socketUrl("/ws/notifications/"),
    ...options,
    attempt: 0,
    failures: 0,
    epoch: null, // known from the first greeting on
    seen: 0, // the number of the last event that was shown
    resuming: false,
  };
  return {
    connect: () => connect(connection),
    send: (message) => send(connection, message),
    close: () => close(connection),
  };
}

async function connect(connection) {
  leave(connection);
  const { attempt } = connection;
  connection.onState("connecting");
  wait(connection, CONNECTS_WITHIN, () => retry(connection));
  try {
    const protocols = await connection.protocols();
    if (attempt === connection.attempt) open(connection, protocols);
  } catch {
    if (attempt === connection.attempt) retry(connection);
  }
}

function open(connection, protocols) {
  if (!protocols) {
    refuse(connection, 4401);
    return;
  }
  const socket = new WebSocket(connection.url, protocols);
  socket.onmessage = (event) => receive(connection, JSON.parse(event.data));
  socket.onclose = (event) => closed(connection, event.code);
  connection.socket = socket;
}

function receive(connection, frame) {
  wait(connection, SILENCE, () => ping(connection));
  if (frame.type === "connection_established") {
    connection.onState("open");
    connection.resuming = false;
    if (!connection.epoch) startAt(connection, frame);
    else resume(connection);
    return;
  }
  connection.failures = 0;
  if (frame.type === "pong") {
    if (frame.last_seq > connection.seen) resume(connection);
  } else if (frame.type === "resumed") {
    connection.resuming = false;
    if (!frame.recovered) startAt(connection, frame);
  } else {
    show(connection, frame);
  }
}

function startAt(connection, { epoch, last_seq }) {
  connection.epoch = epoch;
  connection.seen = last_seq;
  connection.onGap?.();
}

function resume(connection) {
  if (connection.resuming) return;
  connection.resuming = true;
  const { epoch, seen } = connection;
  send(connection, { type: "resume", epoch, seq: seen });
}

function show(connection, event) {
  // Only the next number is shown; an event that is not stored has none.
  if (event.seq > connection.seen + 1) {
    resume(connection);
  } else if (!(event.seq <= connection.seen)) {
    connection.seen = event.seq ?? connection.seen;
    connection.onEvent(event);
  }
}

function ping(connection) {
  send(connection, { type: "ping" });
  wait(connection, ANSWERS_WITHIN, () => retry(connection));
}

function send(connection, message) {
  if (connection.socket?.readyState === WebSocket.OPEN) {
    connection.socket.send(JSON.stringify(message));
  }
}

function closed(connection, code) {
  if (REFUSALS.has(code)) {
    refuse(connection, code);
  } else {
    retry(connection, code);
  }
}

function refuse(connection, code) {
  leave(connection);
  connection.onState("refused", { code });
}

function retry(connection, code) {
  leave(connection);
  const delay = delayAfter(connection.failures);
  connection.failures += 1;
  connection.onState("waiting", { code, delay });
  wait(connection, delay, () => connect(connection));
}

function close(connection) {
  leave(connection);
  connection.onState("closed");
}

function wait(connection, delay, action) {
  // A connection waits for one thing at a time.
  clearTimeout(connection.timer);
  connection.timer = setTimeout(action, delay);
}

function leave(connection) {
  // Nothing more is heard from the attempt before, not even that its socket closes.
  connection.attempt += 1;
  clearTimeout(connection.timer);
  if (connection.socket) {
    connection.socket.onmessage = null;
    connection.socket.onclose = null;
    connection.socket.close();
    connection.socket = null;
  }
}

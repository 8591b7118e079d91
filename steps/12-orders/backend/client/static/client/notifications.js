// Notifications over one WebSocket, which comes back by itself.

// Times are in milliseconds.
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const CONNECTS_WITHIN = 10_000;
const SILENCE = 25_000;
const ANSWERS_WITHIN = 10_000;
const RENEWED_BEFORE = 25_000;
const RENEWED_AGAIN = 5_000;

// The server ends a connection that takes 1 MiB without a word from the client.
const CONFIRMED_AFTER = 250_000;

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
 * token()                 before the session expires: a promise of a new access token
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
    greeted: false,
    unconfirmed: 0,
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
  socket.onmessage = (event) => {
    confirm(connection, event.data.length);
    receive(connection, JSON.parse(event.data));
  };
  socket.onclose = (event) => closed(connection, event.code);
  connection.socket = socket;
}

function receive(connection, frame) {
  wait(connection, SILENCE, () => ping(connection));
  if (frame.type === "connection_established") {
    connection.onState("open");
    connection.greeted = true;
    connection.resuming = false;
    renewWithin(connection, frame.expires_in);
    if (!connection.epoch) startAt(connection, frame);
    else resume(connection);
    return;
  }
  connection.failures = 0;
  if (frame.type === "pong") {
    if (frame.last_seq > connection.seen) resume(connection);
  } else if (frame.type === "authenticated") {
    renewWithin(connection, frame.expires_in);
  } else if (frame.type === "resumed") {
    connection.resuming = false;
    if (!frame.recovered) startAt(connection, frame);
  } else {
    show(connection, frame);
  }
}

function confirm(connection, length) {
  connection.unconfirmed += length;
  if (connection.unconfirmed > CONFIRMED_AFTER) {
    connection.unconfirmed = 0;
    send(connection, { type: "ping" });
  }
}

function renewWithin(connection, seconds) {
  if (!seconds) return;
  const left = 1_000 * seconds;
  renewAfter(connection, Math.max(left - RENEWED_BEFORE, left / 2));
}

function renewAfter(connection, delay) {
  clearTimeout(connection.renewal);
  connection.renewal = setTimeout(() => renew(connection), delay);
}

async function renew(connection) {
  const { attempt } = connection;
  // The server answers with "authenticated"; if it does not, the next attempt does.
  renewAfter(connection, RENEWED_AGAIN);
  const token = await connection.token?.().catch(() => null);
  if (token && attempt === connection.attempt) send(connection, { type: "auth", token });
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
  // Expired, perhaps while the computer was asleep: the next attempt has a new token.
  const expired = code === 4401 && connection.greeted;
  if (REFUSALS.has(code) && !expired) {
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
  clearTimeout(connection.renewal);
  connection.greeted = false;
  connection.unconfirmed = 0;
  if (connection.socket) {
    connection.socket.onmessage = null;
    connection.socket.onclose = null;
    connection.socket.close();
    connection.socket = null;
  }
}

// Notifications over one WebSocket, which comes back by itself; over HTTP where sockets fail.

import { readStream } from "./stream.js";

// Times are in milliseconds.
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const CONNECTS_WITHIN = 10_000;
const SILENCE = 25_000;
const ANSWERS_WITHIN = 10_000;
const RENEWED_BEFORE = 25_000;
const RENEWED_AGAIN = 5_000;
const SOCKET_AGAIN = 60_000;

// So many attempts in a row without a greeting: something on the way lets no socket through.
const SOCKETS_TRIED = 3;

// The server ends a connection that takes 1 MiB without a word from the client.
const CONFIRMED_AFTER = 250_000;

// The names of the numbers in frames: of the user's own events, and of announcements. The
// server sends the last one of each as last_seq and last_announcement.
const NUMBERS = ["seq", "announcement"];

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
 * token()                 before the session expires, and for each stream: a promise of an
 *                         access token
 * onEvent(event)          for each event, once and in order
 * onGap()                 when events may have been missed: read everything again
 * onState(name, details)  connecting, open, waiting, refused, closed; open has details.stream:
 *                         whether events come over HTTP, as a stream
 * onLatency(time)         how many milliseconds a ping and its answer took
 */
export function notificationSocket(options) {
  const connection = {
    url: socketUrl("/ws/notifications/"),
    streamPath: "/api/v1/notifications/stream/",
    ...options,
    attempt: 0,
    failures: 0,
    ungreeted: 0, // how many sockets in a row were not greeted
    epoch: null, // known from the first greeting on
    seen: {}, // the last number of each kind that was shown
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
  wait(connection, CONNECTS_WITHIN, () => failed(connection));
  try {
    const protocols = await connection.protocols();
    if (attempt === connection.attempt) open(connection, protocols);
  } catch (error) {
    if (attempt !== connection.attempt) return;
    // There are no tickets: this server has no sockets.
    if (error.status === 404) connection.ungreeted = SOCKETS_TRIED;
    failed(connection);
  }
}

function open(connection, protocols) {
  if (!protocols) {
    refuse(connection, 4401);
    return;
  }
  use(connection, new WebSocket(connection.url, protocols));
}

function use(connection, socket) {
  socket.onmessage = (event) => {
    confirm(connection, event.data.length);
    receive(connection, JSON.parse(event.data));
  };
  socket.onclose = (event) => closed(connection, event.code);
  connection.socket = socket;
}

function receive(connection, frame) {
  listen(connection);
  if (frame.type === "connection_established") {
    greet(connection, frame);
    return;
  }
  connection.failures = 0;
  if (frame.type === "pong") {
    if ("sent" in frame) connection.onLatency?.(now() - frame.sent);
    if (NUMBERS.some((name) => frame[`last_${name}`] > connection.seen[name])) {
      resume(connection);
    }
  } else if (frame.type === "authenticated") {
    renewWithin(connection, frame.expires_in);
  } else if (frame.type === "resumed") {
    connection.resuming = false;
    if (!frame.recovered) startAt(connection, frame);
  } else {
    show(connection, frame);
  }
}

function greet(connection, frame) {
  const stream = Boolean(connection.stream);
  connection.onState("open", { stream });
  connection.greeted = true;
  connection.resuming = false;
  if (!connection.epoch) startAt(connection, frame);
  // After a stream's greeting comes what was missed, without being asked for.
  else if (!stream) resume(connection);
  if (stream) {
    trySocketLater(connection);
  } else {
    connection.ungreeted = 0;
    renewWithin(connection, frame.expires_in);
    measure(connection);
  }
}

function listen(connection) {
  // A stream cannot be pinged; its server says every 15 seconds that it is still there.
  if (connection.stream) wait(connection, SILENCE + ANSWERS_WITHIN, () => retry(connection));
  else wait(connection, SILENCE, () => ping(connection));
}

function confirm(connection, length) {
  connection.unconfirmed += length;
  if (connection.unconfirmed > CONFIRMED_AFTER) {
    connection.unconfirmed = 0;
    measure(connection);
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

function startAt(connection, frame) {
  connection.epoch = frame.epoch;
  for (const name of NUMBERS) connection.seen[name] = frame[`last_${name}`];
  connection.onGap?.();
}

function resume(connection) {
  if (connection.resuming) return;
  connection.resuming = true;
  if (connection.stream) {
    // It is resumed by the next request.
    retry(connection);
    return;
  }
  const { epoch, seen } = connection;
  send(connection, { type: "resume", epoch, ...seen });
}

function show(connection, event) {
  // Only the next number is shown; an event that is not stored has none.
  const name = NUMBERS.find((name) => name in event);
  const seen = connection.seen[name];
  if (event[name] > seen + 1) {
    resume(connection);
  } else if (!(event[name] <= seen)) {
    if (name) connection.seen[name] = event[name];
    connection.onEvent(event);
  }
}

function ping(connection) {
  measure(connection);
  wait(connection, ANSWERS_WITHIN, () => retry(connection));
}

function measure(connection) {
  // The server sends our own time back: its clock and ours need not agree.
  send(connection, { type: "ping", sent: now() });
}

function now() {
  return Math.round(performance.now());
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
    failed(connection, code);
  }
}

function failed(connection, code) {
  if (!connection.greeted) connection.ungreeted += 1;
  if (connection.ungreeted < SOCKETS_TRIED) retry(connection, code);
  else stream(connection);
}

async function stream(connection) {
  leave(connection);
  const { attempt, epoch, seen } = connection;
  const controller = new AbortController();
  connection.stream = controller;
  wait(connection, CONNECTS_WITHIN, () => retry(connection));
  try {
    const token = await connection.token();
    if (attempt !== connection.attempt) return;
    if (!token) {
      refuse(connection, 4401);
      return;
    }
    await readStream(connection.streamPath, {
      token,
      place: epoch && [epoch, ...NUMBERS.map((name) => seen[name])].join(":"),
      signal: controller.signal,
      onData: () => listen(connection),
      onFrame: (frame) => receive(connection, frame),
    });
    // It has ended with its token, or with so much text: the next request continues there.
    if (attempt === connection.attempt) retry(connection);
  } catch (error) {
    if (attempt !== connection.attempt) return;
    if (error.status === 401) refuse(connection, 4401);
    else retry(connection);
  }
}

function trySocketLater(connection) {
  clearTimeout(connection.trial);
  connection.trial = setTimeout(() => trySocket(connection), SOCKET_AGAIN);
}

async function trySocket(connection) {
  trySocketLater(connection);
  const { attempt } = connection;
  const protocols = await connection.protocols().catch(() => null);
  if (!protocols || attempt !== connection.attempt) return;
  drop(connection.candidate);
  const socket = new WebSocket(connection.url, protocols);
  connection.candidate = socket;
  // The stream goes on until the socket's greeting. Then one number says for both what was
  // shown: the socket resumes after it, so nothing is lost, and nothing comes twice.
  socket.onmessage = (event) => {
    connection.candidate = null;
    leave(connection);
    use(connection, socket);
    socket.onmessage(event);
  };
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
  clearTimeout(connection.trial);
  drop(connection.candidate);
  drop(connection.socket);
  connection.stream?.abort();
  connection.candidate = connection.socket = connection.stream = null;
}

function drop(socket) {
  if (!socket) return;
  socket.onmessage = null;
  socket.onclose = null;
  socket.close();
}

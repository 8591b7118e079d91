// Runs in the learner's page before its own scripts: a clock that the check moves on, and for
// the sockets a server that the check plays. `GREETING`, `PING`, `PONG` and `STREAM` come from the
// contract.
((GREETING, PING, PONG, STREAM, playServer) => {
  const real = {
    setTimeout: window.setTimeout.bind(window),
    fetch: window.fetch.bind(window),
    Date: window.Date,
  };
  const SLOW_CLOSE = 60_000; // a browser waits that long for the other side's close frame
  const MOST_ATTEMPTS = 400; // a page that makes more is not answered: it would never end
  const MOST_TIMERS = 5_000; // likewise
  const BEAT = 10_000; // the server of a stream shows so often that it is there

  // The clock

  let now = real.Date.now();
  let started = now;
  let numbers = 0;
  const timers = new Map();

  function later(action, delay, given, every) {
    numbers += 1;
    const wait = Math.max(0, Number(delay) || 0);
    timers.set(numbers, { due: now + wait, action, given, every: every ? wait || 1 : 0 });
    return numbers;
  }
  window.setTimeout = (action, delay, ...given) => later(action, delay, given, false);
  window.setInterval = (action, delay, ...given) => later(action, delay, given, true);
  window.clearTimeout = window.clearInterval = (number) => timers.delete(number);
  window.Date = class extends real.Date {
    constructor(...given) {
      if (given.length) super(...given);
      else super(now);
    }
    static now() {
      return now;
    }
  };
  performance.now = () => now - started;

  // What goes on by itself: requests, and what the other end of a socket is about to do.

  let pending = 0;
  let lateness = 0;

  // The body is read here: what follows the answer needs no more time of the machine's.
  window.fetch = async (...given) => {
    const { pathname } = new URL(given[0].url ?? given[0], location.href);
    const isStream = pathname === STREAM;
    // A page whose sockets we play gets no streams: what it does without sockets is then what it
    // does without a server.
    if (isStream && playServer) throw new TypeError("Failed to fetch");
    if (isStream) return streamed(...given);
    if (lateness) await new Promise((resolve) => later(resolve, lateness, [], false));
    pending += 1;
    try {
      const answer = await real.fetch(...given);
      const body = await answer.arrayBuffer();
      const { status, statusText, headers } = answer;
      return new Response(body.byteLength ? body : null, { status, statusText, headers });
    } finally {
      soon(() => {});
      pending -= 1;
    }
  };

  // A stream goes on: what is waited for is its beginning. Its server shows that it is there,
  // which it does on a clock of its own, on that of the page.
  async function streamed(...given) {
    let begun = false;
    const begin = () => {
      if (!begun) soon(() => {});
      if (!begun) pending -= 1;
      begun = true;
    };
    pending += 1;
    try {
      const answer = await real.fetch(...given);
      const { ok, status, statusText, headers } = answer;
      if (!ok || !answer.body) return answer;
      const beats = new TransformStream({
        start(controller) {
          const beat = () => {
            try {
              controller.enqueue(new TextEncoder().encode(": still here\n\n"));
              later(beat, BEAT, [], false);
            } catch {} // it has ended
          };
          later(beat, BEAT, [], false);
        },
        transform(chunk, controller) {
          controller.enqueue(chunk);
          begin();
        },
      });
      const body = answer.body.pipeThrough(beats);
      real.setTimeout(begin, 1_000); // it may have nothing to say
      return new Response(body, { status, statusText, headers });
    } catch (error) {
      begin();
      throw error;
    }
  }

  function soon(action) {
    pending += 1;
    moment().then(() => {
      pending -= 1;
      action();
    });
  }

  // A turn of the event loop; a timer of the browser's would take at least four milliseconds.
  function moment() {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(null);
    });
  }

  async function settled() {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      if (pending) {
        quiet = -1;
        await new Promise((resolve) => real.setTimeout(resolve, 1));
      }
      await moment();
    }
  }

  async function advance(milliseconds) {
    await settled();
    const end = now + milliseconds;
    for (let fired = 0; fired < MOST_TIMERS; fired += 1) {
      const [number, timer] =
        [...timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due)[0] ??
        [];
      if (!timer) break;
      now = Math.max(now, timer.due);
      if (timer.every) timer.due = now + timer.every;
      else timers.delete(number);
      if (typeof timer.action === "function") timer.action(...timer.given);
      await settled();
    }
    now = end;
  }

  // The other end of the sockets: `server` says how it behaves.

  const attempts = [];
  const open = new Set();
  let server = "up";

  class PlayedSocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    CONNECTING = 0;
    OPEN = 1;
    CLOSING = 2;
    CLOSED = 3;
    readyState = 0;
    bufferedAmount = 0;
    extensions = "";
    binaryType = "blob";
    protocol = "";
    onopen = null;
    onmessage = null;
    onerror = null;
    onclose = null;

    constructor(url, protocols = []) {
      super();
      const offered = [protocols].flat();
      this.url = new URL(url, location.href).href.replace(/^http/, "ws");
      this.attempt = { at: now - started, url: this.url, protocols: offered, sent: [], left: false };
      attempts.push(this.attempt);
      soon(() => this.answer(offered));
    }

    answer(offered) {
      if (this.readyState !== 0 || server === "hanging") return;
      if (attempts.length > MOST_ATTEMPTS) return;
      if (server === "down") {
        this.end(1006, false);
        return;
      }
      this.readyState = 1;
      this.protocol = offered[0] ?? "";
      open.add(this);
      this.tell(new Event("open"));
      if (typeof server === "number") this.end(server, true);
      else soon(() => this.greet());
    }

    greet() {
      this.say(GREETING);
      if (server === "failing") soon(() => this.end(1011, true));
    }

    send(text) {
      if (this.readyState === 0) {
        throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
      }
      if (this.readyState !== 1) return;
      this.attempt.sent.push({ at: now - started, text: String(text) });
      if (server === "up" && read(text)?.type === PING) soon(() => this.say({ type: PONG }));
    }

    close(code = 1000) {
      this.attempt.left = true;
      if (this.readyState > 1) return;
      const answered = this.readyState === 1 && server === "up";
      this.readyState = 2;
      if (answered) soon(() => this.end(code, true));
      else later(() => this.end(1006, false), SLOW_CLOSE, [], false);
    }

    say(message) {
      if (this.readyState !== 1) return;
      this.tell(new MessageEvent("message", { data: JSON.stringify(message) }));
    }

    end(code, wasClean) {
      if (this.readyState === 3) return;
      this.attempt.left = true;
      this.readyState = 3;
      open.delete(this);
      if (!wasClean) this.tell(new Event("error"));
      this.tell(new CloseEvent("close", { code, wasClean, reason: "" }));
    }

    tell(event) {
      this.dispatchEvent(event);
      this[`on${event.type}`]?.call(this, event);
    }
  }

  function read(text) {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  }

  if (playServer) window.WebSocket = PlayedSocket;

  window.numeneonStage = {
    attempts,
    advance,
    settled,
    // The machine sleeps: time passes, and no timer fires before it is awake again.
    sleep(milliseconds) {
      now += milliseconds;
    },
    answersAfter(milliseconds) {
      lateness = milliseconds;
    },
    serverIs(behaviour) {
      server = behaviour;
    },
    drop(code) {
      for (const socket of [...open]) socket.end(code, code !== 1006);
    },
    say(message) {
      for (const socket of open) socket.say(message);
    },
  };
})

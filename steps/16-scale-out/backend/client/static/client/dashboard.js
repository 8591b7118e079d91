// The dashboard: reads /metrics every two seconds, and draws what has changed.

import * as api from "./api.js";

const EVERY = 2_000; // milliseconds
const MOST_POINTS = 60;
const DELAY = "numeneon_publish_to_send_seconds_bucket";

const element = (id) => document.getElementById(id);

// What is drawn: a number that is made from two readings, the earlier and the later one.
const CHARTS = {
  "Open sockets": (before, now) => sum(now, "numeneon_sockets_open"),
  "Open streams": (before, now) => sum(now, "numeneon_streams_open"),
  "Connects per second": rateOf("numeneon_socket_connects_total"),
  "Frames sent per second": rateOf("numeneon_frames_sent_total"),
  "Milliseconds to send 95 % of events": slowest,
  "HTTP requests per second": rateOf("django_http_responses_total_by_status_total"),
  "Database queries per second": rateOf("django_db_execute_total"),
};

// What is counted in a table, by a label.
const COUNTS = {
  numeneon_socket_closes_total: ({ code }) => `Sockets closed with ${code}`,
  numeneon_resumes_total: ({ outcome }) => `Clients that came back: ${outcome}`,
  numeneon_events_dropped_total: ({ reason }) => `Events lost: ${reason}`,
};

// Reading

/** Return the samples in Prometheus' text: the name, the labels and the value of each. */
export function parse(text) {
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return lines.map((line) => {
    const [, name, labels = "", value] = line.match(/^(\w+)(?:{(.*)})? (\S+)/);
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    return {
      name,
      labels: Object.fromEntries(pairs.map(([, key, label]) => [key, label])),
      value: Number(value.replace("+Inf", "Infinity")),
    };
  });
}

async function read() {
  const headers = { Authorization: `Bearer ${await api.accessToken()}` };
  const response = await fetch("/metrics", { headers });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new api.Refusal(response.status, answer);
  }
  return { at: performance.now(), samples: parse(await response.text()) };
}

// Calculating

function sum({ samples }, name) {
  return samples.reduce((total, each) => total + (each.name === name ? each.value : 0), 0);
}

// A counter that has become smaller has started again at 0, with its process.
function grown(before, now) {
  return now < before ? now : now - before;
}

function rateOf(name) {
  return (before, now) =>
    (1_000 * grown(sum(before, name), sum(now, name))) / (now.at - before.at);
}

// The limit of the first bucket that has 95 % of what arrived between the two readings.
function slowest(before, now) {
  const limits = now.samples.filter(({ name }) => name === DELAY);
  const counts = limits.map(({ labels: { le }, value }) => {
    const old = before.samples.find(({ name, labels }) => name === DELAY && labels.le === le);
    return { limit: Number(le.replace("+Inf", "Infinity")), count: grown(old?.value ?? 0, value) };
  });
  const all = counts.at(-1)?.count;
  return all ? 1_000 * counts.find(({ count }) => count >= 0.95 * all).limit : 0;
}

// Drawing

const SVG = "http://www.w3.org/2000/svg";

function chart(title) {
  const card = document.createElement("section");
  const heading = document.createElement("h2");
  const number = document.createElement("output");
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  heading.textContent = title;
  card.className = "chart";
  svg.setAttribute("viewBox", `0 0 ${MOST_POINTS - 1} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  card.append(heading, number, svg);
  element("charts").append(card);
  return { number, line, points: [] };
}

function draw({ number, line, points }, value) {
  points.push(value);
  if (points.length > MOST_POINTS) points.shift();
  const top = Math.max(1, ...points.filter(Number.isFinite));
  const height = (point) => 98 - (96 * Math.min(point, top)) / top;
  const first = MOST_POINTS - points.length;
  const places = points.map((each, index) => `${first + index},${height(each)}`);
  line.setAttribute("points", places.join(" "));
  number.textContent = value.toLocaleString("en", { maximumFractionDigits: 1 });
}

function fill(id, rows) {
  element(id).replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
}

function time(text) {
  return new Date(text).toLocaleTimeString();
}

// The page

let charts = {};
let before = null;
let timer = null;

async function update() {
  const [now, connections] = await Promise.all([read(), api.get("/api/v1/connections/")]);
  show(true);
  before ??= now;
  for (const [title, value] of Object.entries(CHARTS)) {
    charts[title] ??= chart(title);
    draw(charts[title], now === before ? 0 : value(before, now));
  }
  before = now;
  const counted = now.samples.filter(({ name }) => name in COUNTS);
  fill("counts", counted.map(({ name, labels, value }) => [COUNTS[name](labels), value]));
  element("connected").textContent = connections.count;
  fill("connections", connections.results.map(({ user, opened_at, seen_at }) =>
    [user.username, time(opened_at), time(seen_at)]));
}

async function run() {
  clearTimeout(timer);
  try {
    await update();
    element("problem").textContent = "";
  } catch (error) {
    element("problem").textContent = error.message;
    // Signed out, or not staff. Anything else may be over soon: a restart, for example.
    if ([401, 403].includes(error.status) || !api.isSignedIn()) {
      stop();
      return;
    }
  }
  timer = setTimeout(run, EVERY);
}

function stop() {
  clearTimeout(timer);
  charts = {};
  before = null;
  element("charts").replaceChildren();
  show(false);
}

function show(signedIn) {
  element("sign-in").hidden = signedIn;
  element("board").hidden = !signedIn;
  element("account").hidden = !signedIn;
}

element("sign-in").onsubmit = async (event) => {
  event.preventDefault();
  const { email, password } = event.target;
  try {
    await api.signIn(email.value, password.value);
    password.value = "";
  } catch (error) {
    element("problem").textContent = error.message;
    return;
  }
  await run();
};

element("sign-out").onclick = () => {
  api.signOut();
  stop();
};

if (api.isSignedIn()) run();

// The page: what it shows, and what its buttons do.

import * as api from "./api.js";
import { notificationSocket } from "./notifications.js";

const element = (id) => document.getElementById(id);

// What the connection's state is called on the page.
const STATES = {
  connecting: () => "Connecting …",
  open: () => "Connected",
  waiting: ({ delay }) => `Not connected, next try in ${(delay / 1_000).toFixed(1)} s`,
  refused: ({ code }) => `Refused with ${code}, please sign in again`,
  closed: () => "Not connected",
};

// What the bell says about an event, and the list that has changed.
const EVENTS = {
  friend_request: {
    says: (data) => `${data.from_user.username} wants to be your friend`,
    shows: showRequests,
  },
  friend_accepted: {
    says: (data) => `${data.friend.username} accepted your friend request`,
    shows: showFriends,
  },
  new_message: {
    says: (data) => `${data.sender.username} wrote: ${data.content}`,
    shows: showMessages,
  },
  new_post: {
    says: (data) => `${data.author.username} posted: ${data.content}`,
    shows: showPosts,
  },
  order_status: {
    says: (data) => `Order ${data.order_id} is ${data.status}`,
    shows: showOrders,
  },
  announcement: {
    says: (data) => `Announcement: ${data.text}`,
    shows: showAnnouncements,
  },
};

// The name of the button that gives an order this status.
const ORDER_ACTIONS = {
  paid: "Mark as paid",
  shipped: "Mark as shipped",
  delivered: "Mark as delivered",
  cancelled: "Cancel",
};

// The connection

const notifications = notificationSocket({
  protocols: async () => {
    const ticket = await api.socketTicket();
    return ticket && ["ticket", ticket];
  },
  token: api.accessToken,
  onState: attempt(async (state, details) => {
    element("connection").dataset.state = state;
    element("connection").textContent = STATES[state](details);
    element("latency").textContent = "";
    if (state === "refused") signOut();
    if (state === "open") {
      showProblem("");
      // What has no number is not sent again: what was read, and who is online.
      await Promise.all([showNotifications, showAnnouncements, showFriends].map(refresh));
    }
  }),
  onLatency: (time) => {
    element("latency").textContent = `${time} ms`;
  },
  // Events may have been missed: fetch all lists.
  onGap: attempt(() => showHome()),
  onEvent: attempt(async ({ type, data }) => {
    if (type === "notifications_read") showUnread("notifications", data.unread);
    if (type === "announcements_read") showUnread("announcements", data.unread);
    if (type === "presence") await refresh(showFriends);
    const event = EVENTS[type];
    if (!event) return;
    element("announcement").textContent = event.says(data);
    const lists = event.shows === showAnnouncements ? [] : [showNotifications];
    await Promise.all([...lists, event.shows].map(refresh));
  }),
});

// The bell

// Of each list in the bell: where it is, the newest id on the page, how many are unread.
const BELL = {
  notifications: { path: "/api/notifications/", newest: 0, unread: 0 },
  announcements: { path: "/api/v1/announcements/", newest: 0, unread: 0 },
};

async function showNotifications() {
  await showInBell("notifications", "notification-list", ({ type, data }) =>
    EVENTS[type]?.says(data) ?? type);
}

async function showAnnouncements() {
  await showInBell("announcements", "announcement-list", ({ text }) => text);
}

async function showInBell(name, list, says) {
  const { path } = BELL[name];
  const { results } = await api.get(path);
  BELL[name].newest = results[0]?.id ?? 0;
  fill(list, results, (row) => item(says(row)));
  if (!element("notifications").hidden) return markRead(name);
  showUnread(name, (await api.get(`${path}unread-count/`)).unread);
}

// What arrives while this request is under way has a larger id, and stays unread.
async function markRead(name) {
  const { path, newest } = BELL[name];
  if (!newest) return;
  const answer = await api.post(`${path}read/`, { up_to: newest });
  showUnread(name, answer.unread);
}

function showUnread(name, number) {
  BELL[name].unread = number;
  const count = BELL.notifications.unread + BELL.announcements.unread;
  element("unread").textContent = count;
  element("unread").classList.toggle("none", count === 0);
  document.title = count ? `(${count}) Numeneon` : "Numeneon";
}

async function openBell(open) {
  element("notifications").hidden = !open;
  element("bell").setAttribute("aria-expanded", open);
  if (open) await Promise.all(Object.keys(BELL).map(markRead));
}

// Signing in and out

async function enter() {
  const me = await api.get("/api/auth/me/");
  element("who").textContent = me.username;
  show(true);
  await notifications.connect();
}

function leave() {
  api.signOut();
  notifications.close();
  show(false);
}

// Called when the server refuses us: the connection's state stays on the page.
function signOut() {
  api.forget();
  show(false);
}

function show(signedIn) {
  element("sign-in").hidden = signedIn;
  element("home").hidden = !signedIn;
  element("account").hidden = !signedIn;
  element("notification-list").replaceChildren();
  element("announcement-list").replaceChildren();
  openBell(false);
  for (const name of Object.keys(BELL)) showUnread(name, 0);
  if (!signedIn) element("sign-in").email.focus();
}

// The lists

const running = new Map();
const waiting = new Map();

// Load a list. If it is being loaded, it is loaded once more afterwards, however often this
// is called until then: a burst of events costs two requests, not one for each of them.
function refresh(load) {
  if (!waiting.has(load)) {
    if (!running.has(load)) return start(load);
    const again = () => start(load);
    waiting.set(load, running.get(load).then(again, again));
  }
  return waiting.get(load);
}

function start(load) {
  waiting.delete(load);
  const run = load().finally(() => running.delete(load));
  running.set(load, run);
  return run;
}

async function showHome() {
  const lists = [
    showAnnouncements, showPosts, showMessages, showOrders, showFriends, showRequests,
  ];
  await Promise.all([showNotifications, ...lists].map(refresh));
}

async function showPosts() {
  const { results } = await api.get("/api/posts/");
  fill("posts", results, (post) => item(`${post.author.username}: ${post.content}`));
}

async function showMessages() {
  const { results } = await api.get("/api/messages/");
  fill("messages", results, ({ sender, receiver, content }) =>
    item(`${sender.username} to ${receiver.username}: ${content}`));
}

// Your own; those of all customers if you are staff. The server says what you can do.
async function showOrders() {
  const { results } = await api.get("/api/v1/orders/");
  fill("orders", results, ({ id, status, allowed, version, total, items }) => {
    const things = items.map(({ quantity, name }) => `${quantity} × ${name}`).join(", ");
    const buttons = allowed.map((wanted) => button(ORDER_ACTIONS[wanted], `order ${id}`, () =>
      changeOrder(id, { status: wanted, version })));
    return item(`Order ${id} is ${status}: ${things}, ${total}`, ...buttons);
  });
}

async function changeOrder(id, change) {
  try {
    await api.patch(`/api/v1/orders/${id}/`, change);
  } finally {
    // If somebody was faster, the list shows what they did.
    await showOrders();
  }
}

async function showFriends() {
  const { results } = await api.get("/api/friends/");
  // Without an answer the friends are listed all the same.
  const { online } = await api.get("/api/v1/presence/").catch(() => ({ online: [] }));
  fill("friends", results, (friend) => {
    const text = online.includes(friend.id) ? `${friend.username} (online)` : friend.username;
    return item(text, button("Remove", friend.username, async () => {
      await api.remove(`/api/friends/remove/${friend.id}/`);
      await showFriends();
    }));
  });
  const receiver = element("receiver");
  const chosen = receiver.value;
  receiver.replaceChildren(...results.map(({ username, id }) => new Option(username, id)));
  if (results.some(({ id }) => String(id) === chosen)) receiver.value = chosen;
}

async function showRequests() {
  const { results } = await api.get("/api/friends/requests/");
  fill("requests", results, ({ id, from_user: { username } }) => {
    const answer = (name) => button(name, username, async () => {
      await api.post(`/api/friends/${name.toLowerCase()}/${id}/`);
      await Promise.all([showRequests(), showFriends()]);
    });
    return item(username, answer("Accept"), answer("Decline"));
  });
}

async function showPeople(name) {
  const { results } = await api.get(`/api/auth/search/?q=${encodeURIComponent(name)}`);
  fill("people", results, ({ id, username }) =>
    item(username, button("Add friend", username, async (pressed) => {
      await api.post(`/api/friends/request/${id}/`);
      pressed.replaceWith("Request sent");
    })));
}

function fill(id, rows, draw) {
  element(id).replaceChildren(...rows.map(draw));
}

// textContent and append() never parse text as HTML, whoever wrote it.
function item(text, ...buttons) {
  const made = document.createElement("li");
  const words = document.createElement("span");
  words.textContent = text;
  made.append(words, ...buttons);
  return made;
}

function button(text, whom, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", `${text} ${whom}`);
  made.onclick = attempt(async () => {
    showProblem("");
    await action(made);
  });
  return made;
}

// What people do

function onSubmit(id, action) {
  element(id).onsubmit = attempt(async (event) => {
    event.preventDefault();
    showProblem("");
    await action(event.target);
  });
}

onSubmit("sign-in", async ({ email, password }) => {
  await api.signIn(email.value, password.value);
  password.value = "";
  await enter();
});

onSubmit("post", async (form) => {
  await api.post("/api/posts/", { content: form.content.value });
  form.reset();
  await showPosts();
});

onSubmit("message", async ({ receiver, content }) => {
  const message = { receiver_id: receiver.value, content: content.value };
  await api.post("/api/messages/", message);
  content.value = "";
  await showMessages();
});

onSubmit("search", (form) => showPeople(form.q.value));

element("bell").onclick = attempt(() => openBell(element("notifications").hidden));
element("sign-out").onclick = leave;

function showProblem(text) {
  element("problem").textContent = text;
}

// Returns a function that does the same, and shows on the page what goes wrong.
function attempt(action) {
  return async (...given) => {
    try {
      await action(...given);
    } catch (error) {
      if (!api.isSignedIn()) show(false);
      showProblem(error.message);
    }
  };
}

if (api.isSignedIn()) attempt(enter)();

// Requests to the REST API, and the tokens that they carry.

// In sessionStorage: a reload keeps you signed in, another tab may be somebody else, and
// closing the tab signs you out. A script in this page could read them wherever they are.
const KEY = "numeneon.tokens";
const MARGIN = 30_000; // milliseconds: a token is replaced that long before it expires

let tokens = JSON.parse(sessionStorage.getItem(KEY));
let refreshing = null;

/** An error response; `status` is its HTTP status. */
export class Refusal extends Error {
  constructor(status, answer) {
    const reasons = answer.detail ?? Object.values(answer).flat().join(" ");
    super(reasons || `The server answered ${status}.`);
    this.status = status;
  }
}

export function isSignedIn() {
  return tokens !== null;
}

export async function signIn(email, password) {
  keep(await send("POST", "/api/auth/login/", { body: { email, password } }));
}

/** End this login on the server, and all sockets that were opened with it. */
export async function signOut() {
  const refresh = tokens?.refresh;
  forget();
  // Without an answer the tokens are forgotten here, and expire there.
  if (refresh) await send("POST", "/api/auth/logout/", { body: { refresh } }).catch(() => {});
}

/** Forget tokens that the server does not accept any more. */
export function forget() {
  keep(null);
}

/** Return an access token that is not about to expire, or null if nobody is signed in. */
export async function accessToken() {
  if (tokens && Date.now() > tokens.freshUntil) {
    // Several callers at once wait for the same request.
    refreshing ??= refresh().finally(() => {
      refreshing = null;
    });
    await refreshing;
  }
  return tokens?.access ?? null;
}

/** Return a ticket for one socket, or null if nobody is signed in. */
export async function socketTicket() {
  try {
    return (await post("/api/v1/ws/ticket/")).ticket;
  } catch (error) {
    if (tokens) throw error;
    return null;
  }
}

export async function get(path) {
  return request("GET", path);
}

export async function post(path, body) {
  return request("POST", path, body);
}

export async function patch(path, body) {
  return request("PATCH", path, body);
}

export async function remove(path) {
  return request("DELETE", path);
}

async function request(method, path, body) {
  const token = await accessToken();
  try {
    return await send(method, path, { body, token });
  } catch (error) {
    if (error.status === 401) forget();
    throw error;
  }
}

async function refresh() {
  try {
    const body = { refresh: tokens.refresh };
    const { access } = await send("POST", "/api/auth/token/refresh/", { body });
    if (tokens) keep({ ...tokens, access });
  } catch (error) {
    // Without a status the server was not reached: the token may still be good.
    if (error.status !== 401) throw error;
    forget();
  }
}

async function send(method, path, { body, token }) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: JSON.stringify(body) });
  if (response.status === 204) return null;
  // An error page is not JSON.
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

function keep(found) {
  tokens = found && { ...found, freshUntil: freshUntil(found.access) };
  if (tokens) {
    sessionStorage.setItem(KEY, JSON.stringify(tokens));
  } else {
    sessionStorage.removeItem(KEY);
  }
}

// exp and iat come from the server's clock, and ours may differ: only the time between
// them is used, counted from now.
function freshUntil(access) {
  const claims = access.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const { exp, iat } = JSON.parse(atob(claims));
  return Date.now() + 1_000 * (exp - iat) - MARGIN;
}

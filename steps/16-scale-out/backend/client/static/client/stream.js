// Server-Sent Events over fetch(): EventSource, which browsers have for them, cannot send an
// access token in a header, and in the URL it would be logged.

/** An answer that is not a stream; `status` is its HTTP status. */
export class NoStream extends Error {
  constructor(status) {
    super(`The server answered ${status}.`);
    this.status = status;
  }
}

/**
 * Read a stream until it ends.
 * token        an access token
 * place        the id of the last event that was read, or nothing
 * signal       of an AbortController: nothing is heard after it was aborted
 * onData()     for each piece that arrives, also a comment
 * onFrame()    each event's frame
 */
export async function readStream(path, { token, place, signal, onData, onFrame }) {
  const headers = { Authorization: `Bearer ${token}` };
  if (place) headers["Last-Event-ID"] = place;
  const response = await fetch(path, { headers, signal, cache: "no-store" });
  const type = response.headers.get("Content-Type") ?? "";
  if (!response.ok || !type.startsWith("text/event-stream")) throw new NoStream(response.status);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    onData();
    // What comes in one piece may be several events, or a part of one.
    const events = (unread + value).split("\n\n");
    unread = events.pop();
    for (const event of events) {
      const data = dataOf(event);
      if (data && !signal.aborted) onFrame(JSON.parse(data));
    }
  }
}

// An event has lines such as "id: 1" and "data: {}"; a comment begins with a colon.
function dataOf(event) {
  const line = event.split("\n").find((line) => line.startsWith("data: "));
  return line?.slice("data: ".length);
}

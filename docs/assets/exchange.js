/* What went over the wire while an item was judged, as a sequence of messages.

   The tool sends it with the state of a step once a run has ended (live.js passes that on as
   the event "checklist"). It is drawn below the finding of an item that failed, else in the
   item's own line. The picture is a list: the lanes and arrows are the style sheet's, and a
   screen reader hears each message with its sender. All of it is text, never markup: it
   comes from a project. */
(() => {
  "use strict";

  /** Make an element with a class and children, which are texts or elements. */
  function make(tag, name, ...children) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children);
    return element;
  }

  /** Words for screen readers alone: the arrow says the same to those who see it. */
  const unseen = (text) => make("span", "exchange-unseen", text);

  /** Who takes part: client, server and layer, or two servers, and what needs its number. */
  class Lanes {
    constructor(events) {
      const numbers = (key) => [...new Set(events.map((event) => event[key]).filter(Boolean))];
      const servers = numbers("server").sort();
      const layered = events.some((event) => event.to === "layer" || event.from === "layer");
      const two = servers.length === 2 && !layered;
      this.names = two ? ["client", ...servers.map((number) => `server ${number}`)]
        : ["client", "server", "layer"].slice(0, layered ? 3 : 2);
      this.numbered = [];
      if (numbers("socket").length > 1) this.numbered.push("socket");
      if (servers.length > 1 && !two) this.numbered.push("server");
    }

    /** The name of a sender or receiver. */
    name(party, event) {
      return this.names.includes(party) ? party : `${party} ${event.server}`;
    }

    /** `socket 2, server 1`, as far as there are several that have no lane. */
    label(event) {
      return this.numbered.filter((key) => event[key])
        .map((key) => `${key} ${event[key]}`).join(", ");
    }
  }

  /** One message: when, what, its headers, and an arrow from lane to lane. */
  function message(event, lanes) {
    const line = make("li", "exchange-message");
    const names = [event.from, event.to].map((party) => lanes.name(party, event));
    const [start, end] = names.map((name) => lanes.names.indexOf(name));
    line.dataset.kind = event.kind;
    line.dataset.between = `${Math.min(start, end)}-${Math.max(start, end)}`;
    line.dataset.way = start < end ? "right" : "left";
    line.append(make("span", "exchange-time", `${event.ms} ms`), " ");
    line.append(unseen(`${names[0]} to ${names[1]}: `));
    const label = lanes.label(event);
    if (label) line.append(make("b", "", label), " ");
    line.append(make("code", "", event.text));
    for (const [name, value] of Object.entries(event.headers || {})) {
      line.append(make("code", "exchange-header", `${name}: ${value}`));
    }
    return line;
  }

  /** Where it left the expected path, in words. */
  function departure(told) {
    const line = make("li", "exchange-departure", make("b", "", "Here it left the expected path."));
    for (const [name, text] of [["expected", told.expected], ["seen", told.seen]]) {
      if (text) line.append(make("span", "", `${name}: `, make("code", "", text)));
    }
    return line;
  }

  /** The picture of an exchange. */
  function drawn(told) {
    const list = make("ol", "exchange-messages");
    const lanes = new Lanes(told.events);
    told.events.forEach((event, index) => {
      list.append(message(event, lanes));
      if (told.left_out && index === told.left_after) {
        list.append(make("li", "exchange-gap", `... ${told.left_out} more are left out`));
      }
      if (told.departure && index === told.departure.after) list.append(departure(told.departure));
    });
    const names = lanes.names.map((name) => make("span", "", name));
    const heading = make("div", "exchange-lanes", ...names);
    heading.setAttribute("aria-hidden", "true"); // each message says whose it is
    const picture = make("div", "exchange-picture", heading, list);
    picture.dataset.lanes = lanes.names.length;
    return picture;
  }

  /** The exchange of one item, folded until somebody wants it. */
  class Exchange {
    constructor(id) {
      this.summary = make("summary");
      this.element = make("details", "exchange", this.summary);
      this.element.dataset.of = id;
      this.element.addEventListener("toggle", () => this.draw());
    }

    /** Take what was recorded last; drawn when it is looked at. */
    take(told) {
      const text = JSON.stringify(told);
      if (text === this.text) return;
      this.text = text;
      this.told = told;
      const count = told.events.length + (told.left_out || 0);
      this.summary.textContent = `On the wire: ${count} ${count === 1 ? "message" : "messages"}`;
      if (this.picture) this.picture.remove();
      this.picture = null;
      this.draw();
    }

    draw() {
      if (!this.element.open || this.picture) return;
      this.picture = drawn(this.told);
      this.element.append(this.picture);
    }

    /** Be in that place: below a finding, or in front of an item's hints. */
    move(place, before) {
      if (this.element.parentNode !== place) place.insertBefore(this.element, before);
    }
  }

  const exchanges = new Map(); // of each item that has one

  /** Bring all exchanges of a checklist up to date. */
  function show(state, box) {
    if (state.running || !state.exchanges) return; // what is shown belongs to the last run
    const failed = state.items.find((item) => item.status === "failed");
    for (const line of box.querySelectorAll("li[data-item]")) {
      const id = line.dataset.item;
      const told = state.exchanges[id];
      if (!told) {
        if (exchanges.has(id)) exchanges.get(id).element.remove();
        exchanges.delete(id);
        continue;
      }
      const finding = box.querySelector(`.checklist-failure[data-item="${CSS.escape(id)}"]`);
      const known = exchanges.get(id) || new Exchange(id);
      if (Boolean(finding) !== Boolean(known.failed)) {
        known.failed = Boolean(finding); // news: from now on it is as somebody leaves it
        known.element.open = Boolean(finding && failed && failed.id === id);
      }
      exchanges.set(id, known);
      known.take(told);
      if (finding) known.move(finding, null);
      else known.move(line, line.querySelector("details.hints"));
    }
  }

  document.addEventListener("checklist", (event) => show(event.detail.state, event.detail.box));
})();

/* The checklists of the step pages.

   Served by `python3 tutorial.py`, a page holds a token (<html data-live="...">) and is
   connected to the tool by WebSocket: at each save its checklist shows what the checks
   found. Anywhere else the checklist is a plain one, and its ticks are remembered in this
   browser. Whatever the tool sends is shown as text, never as markup. */
(() => {
  "use strict";

  const FIRST_WAIT = 500;
  const LONGEST_WAIT = 10000;
  const NOT_OURS = 4403;
  const MARKS = {
    passed: "passed",
    failed: "failed",
    blocked: "blocked",
    environment: "not judged",
    manual: "by hand",
    unknown: "not checked",
    running: "checking",
  };
  const COMMAND = "python3 tutorial.py";

  /** Make an element with a class and text. */
  function make(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text) element.textContent = text;
    return element;
  }

  /** Change a text only if it is another one, so that nothing is announced twice. */
  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** The hints of one item, one level at a time: each click shows the next.

      The page holds all of them in a list, which stays whole where no script runs. */
  class Hints {
    constructor(levels) {
      this.levels = levels;
      this.given = 1;
      this.lists = new Map(); // each list that shows them, and what brings it up to date
    }

    /** Show what was given of a list of the levels, and a button for the next one. */
    dose(list) {
      const shown = [...list.children];
      const next = make("button", "checklist-next", "Next hint");
      next.type = "button";
      const show = () => {
        shown.forEach((level, index) => { level.hidden = index >= this.given; });
        next.hidden = this.given >= shown.length;
      };
      next.addEventListener("click", () => {
        this.given += 1;
        for (const [other, update] of this.lists) {
          if (other.isConnected) update();
          else this.lists.delete(other); // a panel that was drawn anew since
        }
        const level = shown[this.given - 1];
        level.tabIndex = -1; // the reader goes on here, whether or not the button is still there
        level.focus();
      });
      list.after(next);
      this.lists.set(list, show);
      show();
    }

    /** A copy of the list for another place on the page. */
    copy() {
      const list = make("ol");
      list.append(...this.levels.map((level) => level.cloneNode(true)));
      return list;
    }
  }

  /** One item of a checklist: its line on the page and the mark at its end. */
  class Item {
    constructor(line) {
      this.line = line;
      this.id = line.dataset.item;
      this.box = line.querySelector("input[type=checkbox]");
      const label = line.querySelector("label");
      this.sentence = (label || line).textContent.trim().replace(/\s+/g, " ");
      this.mark = make("span", "checklist-mark");
      (label || line).after(this.mark);
      const list = line.querySelector("details.hints > ol");
      this.hints = new Hints(list ? [...list.children].map((one) => one.cloneNode(true)) : []);
      if (list) this.hints.dose(list);
    }

    /** A box that the checks tick cannot be ticked by hand, but can be read and reached. */
    lock(locked) {
      if (!this.box) return;
      if (locked) this.box.setAttribute("aria-readonly", "true");
      else this.box.removeAttribute("aria-readonly");
    }

    show(told) {
      const status = told.running ? "running" : told.status;
      this.line.dataset.status = told.status in MARKS ? told.status : "unknown";
      this.line.toggleAttribute("data-running", Boolean(told.running));
      put(this.mark, MARKS[status] || MARKS.unknown);
      if (this.box && told.status !== "manual") this.box.checked = told.status === "passed";
      this.lock(told.status !== "manual");
    }
  }

  /** What a plain checklist remembers: the ids that are ticked, in this browser. */
  class Memory {
    constructor(step) {
      this.key = `numeneon.checklist.${step}`;
    }

    read() {
      try {
        const ids = JSON.parse(localStorage.getItem(this.key) || "[]");
        return new Set(Array.isArray(ids) ? ids : []);
      } catch {
        return new Set();
      }
    }

    write(ids) {
      try {
        localStorage.setItem(this.key, JSON.stringify([...ids]));
      } catch {
        // A browser that keeps nothing: the ticks last as long as the page.
      }
    }
  }

  /** A checklist on the page, with the panel below it, whose room the style sheet keeps. */
  class Checklist {
    constructor(list, connected) {
      this.list = list;
      this.step = Number(list.dataset.step);
      this.items = [...list.querySelectorAll("li[data-item]")].map((line) => new Item(line));
      this.sentences = new Map(this.items.map((item) => [item.id, item.sentence]));
      this.memory = new Memory(this.step);
      this.box = make("div", "checklist-box");
      list.before(this.box);
      this.panel = make("div", "checklist-panel");
      this.words = make("p", "checklist-words");
      this.box.append(list, this.panel);
      this.panel.append(this.words);
      this.remember();
      if (connected) this.expect();
      else put(this.words, `Your ticks stay in this browser. With ${COMMAND} running, the ` +
        "page is ticked by the checks.");
    }

    /** Restore the ticks of a person, and keep those to come. */
    remember() {
      const ticked = this.memory.read();
      for (const item of this.items) {
        if (!item.box) continue;
        item.box.checked = ticked.has(item.id);
        item.box.addEventListener("click", (event) => {
          if (item.box.getAttribute("aria-readonly")) event.preventDefault();
        });
        item.box.addEventListener("change", () => {
          const ids = this.memory.read();
          if (item.box.checked) ids.add(item.id);
          else ids.delete(item.id);
          this.memory.write(ids);
        });
      }
    }

    /** Make room for what the tool will say. */
    expect() {
      this.words.setAttribute("role", "status");
      this.button = make("button", "checklist-ask md-button", "Check now");
      this.button.type = "button";
      this.button.disabled = true;
      this.button.addEventListener("click", () => this.ask && this.ask());
      const top = make("div", "checklist-top");
      top.append(this.words, this.button);
      this.found = make("div", "checklist-found");
      this.found.tabIndex = 0;
      this.found.setAttribute("role", "region");
      this.found.setAttribute("aria-label", `What the checks of step ${this.step} found`);
      this.panel.append(top, this.found);
      put(this.words, "Connecting to the tool ...");
    }

    /** Show the state that the tool sent. */
    show(state, ask) {
      if (state.step !== this.step) return;
      if (this.list.dataset.part) {
        // The page of one part of a step: the tool tells of the whole step.
        state = { ...state, items: state.items.filter((item) => this.sentences.has(item.id)) };
      }
      const told = new Map(state.items.map((item) => [item.id, item]));
      for (const item of this.items) {
        if (told.has(item.id)) item.show(told.get(item.id));
      }
      this.ask = ask;
      this.panel.dataset.state = state.running ? "running" : "still";
      this.button.disabled = !state.may_ask || state.running;
      put(this.words, this.summary(state));
      const found = JSON.stringify(state.items.map((item) => ({ ...item, running: false })));
      if (!state.running && found !== this.shown) {
        this.shown = found;
        this.explain(state.items);
      }
      const detail = { state, box: this.box };
      document.dispatchEvent(new CustomEvent("checklist", { detail })); // to exchange.js
    }

    summary(state) {
      if (state.running) return "Checking ...";
      const count = (status) => state.items.filter((item) => item.status === status).length;
      const watched = state.watched === this.step
        ? "Checked at each save."
        : `The tool watches step ${state.watched}.`;
      if (count("unknown") === state.items.length) return `Not checked yet. ${watched}`;
      const good = count("passed") + count("manual");
      const rest = ["failed", "blocked", "environment"]
        .filter((status) => count(status))
        .map((status) => `${count(status)} ${MARKS[status]}`);
      const all = [`${good} of ${state.items.length} passed`, ...rest].join(", ");
      return `${all}. ${watched}`;
    }

    /** Fill the panel: each failure with its hint and its place, and who waits for what. */
    explain(items) {
      this.found.replaceChildren();
      this.found.scrollTop = 0;
      for (const told of items) {
        if (told.status === "failed" || told.status === "environment") {
          this.found.append(this.failure(told));
        }
      }
      for (const told of items) {
        if (told.status === "blocked") this.found.append(this.blocked(told));
      }
      for (const told of items.filter((item) => item.remark)) {
        this.found.append(make("p", "", `Remark on “${this.sentenceOf(told.id)}” ${told.remark}`));
      }
      if (!this.found.childElementCount && items.some((item) => item.status === "passed")) {
        const all = items.every((item) => ["passed", "manual"].includes(item.status));
        if (all) this.found.append(make("p", "", "All passed. Nothing is left to do here."));
      }
    }

    failure(told) {
      const part = make("div", "checklist-failure");
      part.dataset.status = told.status;
      part.dataset.item = told.id;
      const name = told.status === "failed" ? "Failed" : "Not your fault, but in the way";
      part.append(make("p", "checklist-title", `${name}: ${this.sentenceOf(told.id)}`));
      if (told.message) part.append(make("pre", "checklist-message", told.message));
      if (told.file) part.append(this.place(told));
      if (told.hint) {
        const hint = make("details", "checklist-hint");
        hint.open = true;
        hint.append(make("summary", "", "Hint"), make("p", "", told.hint));
        part.append(hint);
        const item = this.items.find((one) => one.id === told.id);
        if (item && item.hints.levels.length > 1) {
          const list = item.hints.copy();
          hint.lastChild.replaceWith(list);
          item.hints.dose(list);
        }
      }
      return part;
    }

    place(told) {
      const spot = told.line ? `${told.file}:${told.line}` : told.file;
      const line = make("p", "checklist-place");
      line.append(make("code", "", spot));
      if (typeof told.open === "string" && told.open.startsWith("vscode://file/")) {
        const link = make("a", "", "open in VS Code");
        link.href = told.open;
        link.setAttribute("aria-label", `open ${spot} in VS Code`);
        line.append(" ", link);
      }
      return line;
    }

    blocked(told) {
      const by = told.blocked_by ? this.sentenceOf(told.blocked_by) : "another item";
      return make("p", "checklist-blocked", `Blocked: ${this.sentenceOf(told.id)} ` +
        `It is judged once this holds: ${by}`);
    }

    sentenceOf(id) {
      return this.sentences.get(id) || id;
    }

    /** The tool has gone. What it found stays to be read. */
    lose() {
      this.ask = null;
      this.button.disabled = true;
      this.panel.dataset.state = "lost";
      for (const item of this.items) {
        if (item.line.hasAttribute("data-running")) item.show(item.line.dataset);
      }
      put(this.words, `Not connected. Is ${COMMAND} running? Trying again by itself.`);
    }
  }

  /** The connection to the tool; it comes back by itself. */
  class Connection {
    constructor(lists, token) {
      this.lists = lists;
      this.token = token;
      this.failures = 0;
      this.timer = 0;
      this.ended = false;
      addEventListener("pagehide", () => this.end());
      addEventListener("pageshow", (event) => event.persisted && this.resume());
      addEventListener("online", () => this.hurry());
      document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
      this.open();
    }

    open() {
      clearTimeout(this.timer);
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      const socket = new WebSocket(`${scheme}://${location.host}/live`);
      this.socket = socket;
      socket.addEventListener("open", () => {
        const step = this.lists.length ? this.lists[0].step : null;
        socket.send(JSON.stringify({ token: this.token, step }));
      });
      socket.addEventListener("message", (event) => this.hear(event.data));
      socket.addEventListener("close", (event) => this.lost(socket, event.code));
    }

    hear(text) {
      let state;
      try {
        state = JSON.parse(text);
      } catch {
        return;
      }
      if (state.type !== "state" || state.schema !== 1) return;
      this.failures = 0;
      if (state.site && state.site !== document.documentElement.dataset.site) {
        location.reload(); // the pages were built anew
        return;
      }
      const ask = () => this.socket.send(JSON.stringify({ type: "check" }));
      for (const list of this.lists) list.show(state, ask);
      showProgress(state.steps);
    }

    lost(socket, code) {
      if (socket !== this.socket || this.ended) return;
      for (const list of this.lists) list.lose();
      this.failures += 1;
      const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.failures - 1));
      const wait = most * (0.5 + Math.random() / 2);
      this.timer = setTimeout(() => (code === NOT_OURS ? this.renew() : this.open()), wait);
    }

    /** The tool was started again: take the token of the page as it is served now. */
    async renew() {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        this.token = page.documentElement.dataset.live || this.token;
      } catch {
        // Not there at this moment: the next try says so.
      }
      this.open();
    }

    hurry() {
      if (!this.ended && this.socket.readyState === WebSocket.CLOSED) this.open();
    }

    end() {
      this.ended = true;
      clearTimeout(this.timer);
      this.socket.close();
    }

    resume() {
      this.ended = false;
      this.open();
    }
  }

  /** Mark the links to finished steps in the navigation. */
  function showProgress(steps) {
    for (const step of steps) {
      for (const link of document.querySelectorAll(`nav a[href*="${CSS.escape(step.slug)}"]`)) {
        if (step.finished) link.dataset.finished = "";
        else delete link.dataset.finished;
      }
    }
  }

  /** Mend what the theme leaves out of reach: a dialog without a name, wide tables that
      cannot be scrolled by keyboard, a landmark without a name for each button that copies. */
  function mend() {
    const search = document.querySelector(".md-search[role=dialog]:not([aria-label])");
    if (search) search.setAttribute("aria-label", "Search");
    const reach = () => {
      for (const wide of document.querySelectorAll(".md-typeset__scrollwrap")) {
        if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
        else wide.removeAttribute("tabindex");
      }
      for (const copy of document.querySelectorAll(".md-code__nav")) copy.setAttribute("role", "none");
    };
    reach();
    addEventListener("load", reach);
    addEventListener("resize", reach);
    const text = document.querySelector("article");
    if (text) new MutationObserver(reach).observe(text, { childList: true, subtree: true });
  }

  function begin() {
    mend();
    const token = document.documentElement.dataset.live;
    const lists = [...document.querySelectorAll("ol.checklist[data-step]")]
      .filter((list) => !list.closest(".checklist-box"))
      .map((list) => new Checklist(list, Boolean(token)));
    if (token) new Connection(lists, token);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();

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

  /** Text with what stands between backticks as code. */
  function prose(text) {
    return text.split(/`([^`\n]+)`/).map((part, index) => (index % 2 ? make("code", "", part) : part));
  }

  /** Change a list, and let what is below it glide to its new place, where eyes can follow. */
  function glide(box, change) {
    const below = [...box.querySelectorAll("li[data-item], li[data-item] > details, .checklist-panel")];
    for (let next = box.nextElementSibling; next; next = next.nextElementSibling) below.push(next);
    below.push(...document.querySelectorAll(".md-footer"));
    const top = (each) => each.getBoundingClientRect().top;
    const before = new Map(below.map((each) => [each, top(each)]));
    change();
    for (const each of below) each.getAnimations().forEach((under) => under.cancel());
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const moved = new Map(below.map((each) => [each, before.get(each) - top(each)]));
    // As the window shows them: what browsers scroll, so that a change above moves nothing, is in
    // it. A place told from another's would be wrong when a glide before this one is under way.
    for (const [each, whole] of moved) {
      const by = whole - (moved.get(each.parentElement) ?? 0); // its line takes it along
      if (by) each.animate({ transform: [`translateY(${by}px)`, "none"] }, { duration: 200, easing: "ease-out" });
    }
  }

  /** Show the hints of a list one at a time: each click gives the next. */
  function dose(list) {
    const levels = [...list.children];
    const next = make("button", "checklist-next", "Next hint");
    let given = 1;
    const show = () => {
      levels.forEach((level, index) => { level.hidden = index >= given; });
      next.hidden = given >= levels.length;
    };
    next.type = "button";
    next.addEventListener("click", () => {
      given += 1;
      show();
      levels[given - 1].tabIndex = -1; // the reader goes on here, with or without the button
      levels[given - 1].focus();
    });
    list.after(next);
    show();
  }

  /** One item of a checklist: its line, the mark at its end, and what was found below it. */
  class Item {
    constructor(line) {
      this.line = line;
      this.id = line.dataset.item;
      this.box = line.querySelector("input[type=checkbox]");
      const label = line.querySelector("label");
      this.sentence = (label || line).textContent.trim().replace(/\s+/g, " ");
      this.mark = make("span", "checklist-mark");
      this.found = make("div", "checklist-found");
      (label || line).after(this.mark, this.found);
      this.hints = line.querySelector("details.hints");
      if (this.hints) dose(this.hints.querySelector("ol"));
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

    /** Say below the line what the check found; `blocker` is the sentence that has to hold first. */
    explain(told, blocker) {
      const parts = [];
      if (told.status === "environment") {
        parts.push(make("p", "checklist-title", "Could not be checked here, which is not a mistake of yours"));
      }
      if (told.status === "failed" || told.status === "environment") {
        const failure = make("div", "checklist-failure");
        failure.dataset.item = this.id;
        failure.append(this.finding(told));
        parts.push(failure);
      }
      if (told.status === "blocked") parts.push(make("p", "", `Checked once this item passes: ${blocker}`));
      if (told.status === "manual" && told.message) parts.push(make("p", "", told.message));
      if (told.remark) parts.push(make("p", "", `Remark: ${told.remark}`));
      this.found.replaceChildren(...parts);
      const failed = told.status === "failed";
      if (this.hints && failed && !this.failed) this.hints.open = Boolean(told.hint);
      this.failed = failed;
    }

    /** The lines of a message under their labels; the place can be opened in an editor. */
    finding(told) {
      const list = make("dl", "checklist-message");
      const lines = (told.message || "").split("\n");
      const place = told.line ? `${told.file}:${told.line}` : told.file;
      if (told.file && !lines.some((line) => line.startsWith("look at"))) lines.push(`look at  ${place}`);
      let text = null;
      for (const line of lines) {
        const [, label, rest] = /^(expected|found|look at|next) +(.*)$/.exec(line) ?? [];
        if (label || !text) {
          text = make("dd");
          list.append(make("dt", "", label || "found"), text);
          text.dataset.says = label || "found";
        } else text.append("\n");
        text.append(...prose(label ? rest : line.replace(/^ {9}/, "")));
      }
      const link = this.editor(told, place);
      if (link) list.querySelector("dd[data-says='look at']").append(" ", link);
      return list;
    }

    editor(told, place) {
      if (typeof told.open !== "string" || !told.open.startsWith("vscode://file/")) return null;
      const link = make("a", "", "open in VS Code");
      link.href = told.open;
      link.setAttribute("aria-label", `open ${place} in VS Code`);
      return link;
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
        "checks tick this page.");
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
      this.panel.append(top);
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
      if (!state.running) {
        glide(this.box, () => {
          if (found !== this.shown) this.explain(told);
          this.shown = found;
          this.announce(state);
        });
      }
      this.counted = {
        all: state.items.length,
        good: state.items.filter((item) => ["passed", "manual"].includes(item.status)).length,
        failed: this.items.find((item) => told.get(item.id)?.status === "failed"),
        running: state.running,
      };
    }

    /** Let other scripts add to the items what they know of them. */
    announce(state) {
      document.dispatchEvent(new CustomEvent("checklist", { detail: { state, box: this.box } }));
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

    explain(told) {
      for (const item of this.items) {
        const mine = told.get(item.id);
        if (mine) item.explain(mine, this.sentences.get(mine.blocked_by) || "another item");
      }
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
      this.badge = new Badge();
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
      this.badge.show(state.steps, this.lists[0]);
    }

    lost(socket, code) {
      if (socket !== this.socket || this.ended) return;
      for (const list of this.lists) list.lose();
      this.badge.frame.dataset.state = "lost";
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

  /** Mark finished pages in the navigation, and fill the table of steps on the front page. */
  function showProgress(steps) {
    const finished = new Map(steps.flatMap((step) => step.pages).map((page) => [`/${page.address}`, page.finished]));
    for (const link of document.querySelectorAll(".md-nav--primary a.md-nav__link")) {
      const here = !link.hash && link.host === location.host;
      link.toggleAttribute("data-finished", Boolean(here && finished.get(link.pathname)));
    }
    for (const step of steps) {
      const place = document.querySelector(`.steps-table [data-step="${step.number}"]`);
      if (place) put(place, step.finished ? "all" : `${step.done} of ${step.total}`);
    }
  }

  /** How far one is, at the edge of the window wherever one reads, and the way on. */
  class Badge {
    constructor() {
      this.frame = make("nav", "progress-badge");
      this.frame.setAttribute("aria-label", "Your progress");
      this.link = make("a");
      this.frame.append(this.link);
    }

    show(steps, list) {
      const to = list && list.counted ? this.onStep(list.counted) : this.elsewhere(steps);
      this.frame.dataset.state = to.state;
      put(this.link, to.text);
      this.link.href = to.href;
      if (!this.frame.isConnected) document.body.append(this.frame);
    }

    onStep({ all, good, failed, running }) {
      const count = `${good} of ${all}`;
      const next = document.querySelector("a.md-footer__link--next");
      const to = failed ? `#${failed.line.id}` : "#check";
      if (running) return { state: "running", text: `${count}, checking`, href: to };
      if (failed) return { state: "failed", text: `${count}: first failure`, href: to };
      if (good < all || !next) return { state: "open", text: count, href: to };
      const title = next.querySelector(".md-ellipsis")?.textContent.trim() || "next page";
      return { state: "passed", text: `${count}. Next: ${title}`, href: next.href };
    }

    elsewhere(steps) {
      const step = steps.find((each) => !each.finished);
      if (!step) return { state: "passed", text: "All steps are finished", href: "/" };
      const count = step.state === "not started" ? "" : `: ${step.done} of ${step.total}`;
      return { state: "open", text: `Continue with step ${step.number}${count}`, href: `/${step.pages[0].address}` };
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

// The page that compares the steps. It holds the diffs of neighbours, those of tests compressed;
// this draws the difference of the two steps that are chosen, unified or side by side. The choice is in the address
// (?view=side#3-5), so that a link shows what its sender saw; behind a slash the address may
// name a file (#3-5/backend/numeneon/asgi.py).
(() => {
  "use strict";

  const CONTEXT = 3;
  const MINUS = "\u2212";

  const make = (name, text = "", kind = "") => {
    const element = document.createElement(name);
    element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };

  // Versions

  // The lines that a file has after the hunks of a unified diff.
  const patched = (lines, diff) => {
    const made = [];
    let place = 0;
    for (const line of diff) {
      const start = /^@@ -(\d+)(?:,(\d+))?/.exec(line);
      if (start) {
        // Lines are counted from 1; where none goes, the number is the line before.
        const first = Number(start[1]) - (start[2] === "0" ? 0 : 1);
        made.push(...lines.slice(place, first));
        place = first;
      } else {
        if (line[0] !== "+") place++;
        if (line[0] !== "-") made.push(line.slice(1));
      }
    }
    return made.concat(lines.slice(place));
  };

  // The files of all steps: {path, isTest, versions}. A version is [step, lines] for each step
  // that changes the file; the lines are null where there is no such file.
  const filesOf = (page, data) => {
    const first = data.steps[0][0];
    const files = new Map(data.files.map(([path, isTest, lines]) =>
      [path, { path, isTest, versions: [[first, lines]] }]));
    for (const pair of page.querySelectorAll(".pair")) {
      const step = Number(pair.id.split("-")[1]);
      const blocks = [...pair.querySelectorAll("pre code")].map((block) => block.textContent);
      for (const text of [...blocks, ...data.tests[pair.id]]) {
        const [old, now, ...diff] = text.replace(/\n$/, "").split("\n");
        const deleted = now === "+++ /dev/null";
        const { versions } = files.get((deleted ? old : now).slice("+++ b/".length));
        const lines = versions.at(-1)[1] ?? [];
        versions.push([step, deleted ? null : patched(lines, diff)]);
      }
    }
    return [...files.values()];
  };

  const linesAt = (versions, step) =>
    versions.findLast(([since]) => since <= step)[1];

  // Differences

  // What turns `old` into `now`: [" ", line], ["-", line] and ["+", line], by their longest
  // common subsequence. What both begin and end with is left out of the table.
  const scriptOf = (old, now) => {
    let start = 0;
    while (start < old.length && start < now.length && old[start] === now[start]) start++;
    let end = 0;
    while (
      end < old.length - start && end < now.length - start &&
      old[old.length - 1 - end] === now[now.length - 1 - end]
    ) end++;
    const a = old.slice(start, old.length - end), b = now.slice(start, now.length - end);
    const width = b.length + 1;
    const longest = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        longest[i * width + j] = a[i] === b[j]
          ? longest[(i + 1) * width + j + 1] + 1
          : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    const script = old.slice(0, start).map((line) => [" ", line]);
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) {
        script.push([" ", a[i++]]);
        j++;
      } else if (j === b.length ||
          (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1]))
        script.push(["-", a[i++]]);
      else script.push(["+", b[j++]]);
    }
    return script.concat(old.slice(old.length - end).map((line) => [" ", line]));
  };

  const rangeOf = (first, count) =>
    count === 1 ? `${first + 1}` : `${count ? first + 1 : first},${count}`;

  // A script as the hunks of a unified diff: the lines, each hunk after its heading.
  const unifiedOf = (script) => {
    const near = script.map(() => false);
    script.forEach(([sign], place) => {
      if (sign !== " ")
        near.fill(true, Math.max(0, place - CONTEXT), place + CONTEXT + 1);
    });
    const lines = [];
    let old = 0, now = 0, place = 0;
    while (place < script.length) {
      if (!near[place]) {
        old++, now++, place++;
        continue;
      }
      const [oldFirst, nowFirst] = [old, now];
      const hunk = [];
      for (; place < script.length && near[place]; place++) {
        const [sign, line] = script[place];
        hunk.push(sign + line);
        if (sign !== "+") old++;
        if (sign !== "-") now++;
      }
      const ranges = [rangeOf(oldFirst, old - oldFirst), rangeOf(nowFirst, now - nowFirst)];
      lines.push(`@@ -${ranges[0]} +${ranges[1]} @@`, ...hunk);
    }
    return lines;
  };

  // The files that differ between two steps: {path, isTest, kind, added, removed, lines}.
  const changesOf = (files, a, b) => {
    const found = [];
    for (const { path, isTest, versions } of files) {
      const [old, now] = [linesAt(versions, a), linesAt(versions, b)];
      if (old === now || (old && now && old.join("\n") === now.join("\n"))) continue;
      const script = scriptOf(old ?? [], now ?? []);
      const count = (sign) => script.filter((entry) => entry[0] === sign).length;
      found.push({
        path, isTest,
        kind: !old ? "new" : !now ? "deleted" : "",
        added: count("+"), removed: count("-"),
        lines: [
          `--- ${old ? `a/${path}` : "/dev/null"}`, `+++ ${now ? `b/${path}` : "/dev/null"}`,
          ...unifiedOf(script),
        ],
      });
    }
    return found;
  };

  // Drawing

  const sizeOf = (change) => `+${change.added} ${MINUS}${change.removed}`;

  // Lines of a unified diff as rows of [old number, old line, new number, new line].
  const rowsOf = (lines) => {
    const rows = [];
    let old = 0, now = 0, gone = [], come = [];
    const flush = () => {
      for (let i = 0; i < Math.max(gone.length, come.length); i++)
        rows.push([...(gone[i] ?? [null, null]), ...(come[i] ?? [null, null])]);
      gone = [];
      come = [];
    };
    for (const line of lines) {
      const start = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(line);
      if (line[0] === "-") gone.push([old++, line]);
      else if (line[0] === "+") come.push([now++, line]);
      else {
        flush();
        if (start) {
          [old, now] = [Number(start[1]), Number(start[2])];
          rows.push([line]);
        } else rows.push([old++, line, now++, line]);
      }
    }
    flush();
    return rows;
  };

  const cellsOf = (number, line, kind) => {
    const changed = line !== null && line[0] !== " ";
    const text = make("td", "", line === null ? "none" : changed ? kind : "");
    if (line !== null) text.append(make("code", line));
    return [make("td", number ?? "", "number"), text];
  };

  const sideOf = (change) => {
    const body = make("tbody");
    for (const row of rowsOf(change.lines.slice(2))) {
      const line = make("tr");
      if (row.length === 1) {
        const place = make("td", row[0], "place");
        place.colSpan = 4;
        line.append(place);
      } else {
        line.append(...cellsOf(row[0], row[1], "gone"), ...cellsOf(row[2], row[3], "come"));
      }
      body.append(line);
    }
    const table = make("table");
    table.append(body);
    const box = make("div", "", "side");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `${change.path}, side by side`);
    box.append(table);
    return box;
  };

  const unifiedBlockOf = (change) => {
    const kinds = { "+": "gi", "-": "gd", "@": "gu" };
    const code = make("code");
    change.lines.forEach((line, number) => {
      const kind = number < 2 ? "gh" : kinds[line[0]];
      code.append(kind ? make("span", line, kind) : line, "\n");
    });
    const block = make("pre");
    block.tabIndex = 0;
    block.append(code);
    const box = make("div", "", "highlight");
    box.append(block);
    return box;
  };

  const fileOf = (change, view) => {
    const file = make("details", "", "file");
    file.dataset.path = change.path;
    file.open = !change.isTest;
    const summary = make("summary");
    const size = (change.kind && `${change.kind}, `) + sizeOf(change);
    summary.append(make("code", change.path), " ", make("small", size));
    file.append(summary, unifiedBlockOf(change));
    if (view === "side") file.append(sideOf(change));
    return file;
  };

  // The files below their folders, with counts, each a link to its part of the page.
  const treeOf = (changes, pair) => {
    const tree = make("ul", "", "tree");
    let folder = null, list = null;
    for (const change of changes) {
      const cut = change.path.lastIndexOf("/");
      const above = change.path.slice(0, Math.max(0, cut));
      if (above !== folder) {
        folder = above;
        list = make("ul");
        const entry = make("li");
        entry.append(make("span", above || "the project itself"), list);
        tree.append(entry);
      }
      const entry = make("li");
      const link = make("a", change.path.slice(cut + 1));
      link.href = `#${pair}/${change.path}`;
      entry.append(link, " ", make("small", sizeOf(change)));
      list.append(entry);
    }
    return tree;
  };

  // The way to the neighbours: what was before the first step, and what comes after the last.
  const wayOf = (numbers, [a, b]) => {
    const way = make("p", "", "way");
    const lead = (words, one, other) => {
      if (one === undefined || other === undefined) return;
      const link = make("a", `${words}: ${one} to ${other}`);
      link.href = `#${one}-${other}`;
      way.append(link, " ");
    };
    lead("Before", numbers[numbers.indexOf(a) - 1], a);
    lead("After", b, numbers[numbers.indexOf(b) + 1]);
    return way;
  };

  // The choice

  const chooserOf = (name, words, steps, chosen, changed) => {
    const label = make("label", `${words} `);
    const choice = make("select");
    choice.name = name;
    for (const [number, title] of steps) {
      const option = make("option", `${number} ${title}`);
      option.value = number;
      option.selected = number === chosen;
      choice.append(option);
    }
    choice.addEventListener("change", () => changed(Number(choice.value)));
    label.append(choice);
    return label;
  };

  const viewsOf = (view, changed) => {
    const choice = make("fieldset", "", "view");
    choice.append(make("legend", "View"));
    for (const [name, words] of [["unified", "unified"], ["side", "side by side"]]) {
      const label = make("label");
      const button = make("input");
      Object.assign(button, { type: "radio", name: "view", checked: name === view });
      button.addEventListener("change", () => changed(name));
      label.append(button, ` ${words}`);
      choice.append(label);
    }
    return choice;
  };

  class Comparison {
    constructor(page, data) {
      this.page = page;
      this.steps = data.steps;
      this.numbers = data.steps.map(([number]) => number);
      this.files = filesOf(page, data);
      this.view = new URL(location.href).searchParams.get("view") === "side" ? "side" : "unified";
      this.choice = make("div", "", "choice");
      this.drawn = make("div", "", "drawn");
      page.querySelector(".neighbours").replaceWith(this.choice, this.drawn);
      this.follow();
      addEventListener("hashchange", () => this.follow());
    }

    // Show what the address says; without a word from it, the last step beside the one before.
    follow() {
      const [, a, b, path] = /^#(\d+)-(\d+)(?:\/(.*))?$/.exec(location.hash) ?? [];
      const known = [a, b].every((each) => this.numbers.includes(Number(each)));
      const pair = known && Number(a) < Number(b) ? [Number(a), Number(b)] : this.numbers.slice(-2);
      if (String(pair) !== String(this.pair)) {
        this.pair = pair;
        this.draw();
      }
      if (path) this.open(decodeURIComponent(path));
    }

    open(path) {
      const file = [...this.drawn.children].find((each) => each.dataset.path === path);
      if (!file) return;
      file.open = true;
      file.scrollIntoView();
      file.querySelector("summary").focus({ preventScroll: true });
    }

    // Choose another step on one side; the other side gives way where they would meet.
    choose(side, number) {
      let [a, b] = side ? [this.pair[0], number] : [number, this.pair[1]];
      const place = this.numbers.indexOf(number);
      if (a >= b) [a, b] = side ? [this.numbers[place - 1], number] : [number, this.numbers[place + 1]];
      location.hash = `${a}-${b}`;
    }

    look(view) {
      this.view = view;
      const address = new URL(location.href);
      if (view === "side") address.searchParams.set("view", "side");
      else address.searchParams.delete("view");
      history.replaceState(null, "", address);
      this.draw();
      this.choice.querySelector("input:checked").focus();
    }

    draw() {
      const [a, b] = this.pair;
      const changes = changesOf(this.files, a, b);
      const steps = this.steps;
      const focused = document.activeElement?.name;
      this.choice.replaceChildren(
        chooserOf("from", "From step", steps.slice(0, -1), a, (number) => this.choose(0, number)),
        chooserOf("to", "to step", steps.slice(1), b, (number) => this.choose(1, number)),
        viewsOf(this.view, (view) => this.look(view)),
      );
      this.choice.querySelector(`select[name="${focused}"]`)?.focus();
      const total = (key) => changes.reduce((sum, change) => sum + change[key], 0);
      const files = changes.length === 1 ? "1 file" : `${changes.length} files`;
      const size = sizeOf({ added: total("added"), removed: total("removed") });
      const words = `${files}, ${size}. READMEs are left out, tests come last. The same in a terminal: `;
      const summary = make("p", words);
      summary.setAttribute("role", "status");
      summary.append(make("code", `python3 tutorial.py diff ${a} ${b}`));
      this.page.dataset.view = this.view;
      this.drawn.replaceChildren(
        summary, treeOf(changes, `${a}-${b}`), ...changes.map((change) => fileOf(change, this.view)),
        wayOf(this.numbers, this.pair),
      );
    }
  }

  const unpacked = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const unzipped = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(unzipped).json();
  };

  const page = document.querySelector(".compare");
  // A browser that cannot do this shows the neighbours.
  if (page) {
    unpacked(page.querySelector("script").textContent)
      .then((data) => new Comparison(page, data));
  }
})();

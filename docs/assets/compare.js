// The pages that compare two steps: a switch between unified and side by side. The choice is
// in the address (?view=side), so that a link shows what its sender saw.
(() => {
  "use strict";

  const make = (name, text = "", kind = "") => {
    const element = document.createElement(name);
    element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };

  // Lines of a unified diff as rows of [old number, old line, new number, new line].
  const rowsOf = (diff) => {
    const rows = [];
    let old = 0, now = 0, gone = [], come = [];
    const flush = () => {
      for (let i = 0; i < Math.max(gone.length, come.length); i++)
        rows.push([...(gone[i] ?? [null, null]), ...(come[i] ?? [null, null])]);
      gone = [];
      come = [];
    };
    for (const line of diff.split("\n").slice(2, -1)) {
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

  const tableOf = (diff) => {
    const body = make("tbody");
    for (const row of rowsOf(diff)) {
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
    return table;
  };

  const sideOf = (file) => {
    const box = make("div", "", "side");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", file.querySelector("summary code").textContent + ", side by side");
    box.append(tableOf(file.querySelector("pre code").textContent));
    file.append(box);
  };

  const show = (page, view) => {
    if (view === "side" && !page.querySelector(".side"))
      page.querySelectorAll("details.file").forEach(sideOf);
    page.dataset.view = view;
    const address = new URL(location.href);
    if (view === "side") address.searchParams.set("view", "side");
    else address.searchParams.delete("view");
    history.replaceState(null, "", address);
  };

  const start = (page) => {
    const chosen = new URL(location.href).searchParams.get("view") === "side" ? "side" : "unified";
    const choice = make("fieldset", "", "view");
    choice.append(make("legend", "View"));
    for (const [view, words] of [["unified", "unified"], ["side", "side by side"]]) {
      const label = make("label");
      const button = make("input");
      Object.assign(button, { type: "radio", name: "view", checked: view === chosen });
      button.addEventListener("change", () => show(page, view));
      label.append(button, ` ${words}`);
      choice.append(label);
    }
    page.querySelector(".tree").before(choice);
    show(page, chosen);
  };

  const openTarget = () => {
    const file = location.hash && document.getElementById(location.hash.slice(1));
    if (file instanceof HTMLDetailsElement) {
      file.open = true;
      file.scrollIntoView();
    }
  };

  const page = document.querySelector(".compare");
  if (!page) return;
  start(page);
  openTarget();
  addEventListener("hashchange", openTarget);
})();

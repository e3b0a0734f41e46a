"use strict";
// The page: tabs, filter, keys, and news from a server that still runs.

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const model = new Model(data);
  const live = data.live ? new Live(data.live) : null;
  const details = new Details(model, { go, fetchLog: live && ((task, names) => live.logs(task, names)) });
  const entries = new VirtualList(byId("entries"), {
    draw: drawEntry,
    chosen: (row) => details.show(entryItem(row.entry)),
    role: "option",
    key: (row) => row.entry.number,
  });
  const timeline = new Timeline(model, {
    chosen: (row, entered) => {
      if (row.kind === "calls" && entered) select("events");
      else details.show(row);
    },
    callChosen: (entry) => details.show(entryItem(entry)),
  });

  function drawEntry({ entry }) {
    const failed = entryFailed(entry);
    const took = entry.kind === "call" ? `${entry.milliseconds.toFixed(1)} ms` : "";
    return element("div", {
      class: `row entry ${failed ? "failed" : ""}`,
      "aria-label": `${model.offset(entry.wall)} ${entry.kind} ${entryWhat(entry)} ${entryRest(entry)} ${took}`,
    },
    element("span", { class: "at" }, model.offset(entry.wall)),
    element("span", { class: "kind" }, entry.kind),
    element("span", { class: "what" }, entryWhat(entry)),
    element("span", { class: "rest" }, entryRest(entry)),
    element("span", { class: "took wide" }, took));
  }

  function go(key) {
    select("timeline");
    if (timeline.list.chooseKey(key)) return;
    byId("search").value = "";
    byId("failed").checked = false;
    filter();
    timeline.list.chooseKey(key);
  }

  function select(name) {
    for (const each of ["timeline", "events"]) {
      const tab = byId(`tab-${each}`);
      tab.setAttribute("aria-selected", String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
      byId(each).hidden = each !== name;
    }
    byId("zoom").hidden = name !== "timeline";
    if (name === "timeline") timeline.update();
    else entries.render();
  }

  function filter() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const failedOnly = byId("failed").checked;
    const has = (text) => words.every((word) => text.includes(word));
    timeline.failedOnly = failedOnly;
    timeline.filter = words.length ? (thing) => has(searchText(thing)) : () => true;
    timeline.refresh();
    const shown = model.sorted.filter((entry) => (!failedOnly || entryFailed(entry)) && (!words.length || has(`${entry.kind} ${entryWhat(entry)} ${entry.subject || ""} ${entry.text} ${entryRest(entry)}`.toLowerCase())));
    entries.show(shown.map((entry) => ({ entry, height: 25 })));
  }

  function searchText(thing) {
    const parts = [thing.id, thing.name, thing.arn, thing.definition, thing.group, thing.status, thing.stopCode, thing.stoppedReason];
    for (const item of thing.containers || []) parts.push(item.name, item.image, item.reason, item.exitCode == null ? "" : `exit ${item.exitCode}`);
    return parts.join(" ").toLowerCase();
  }

  function describe() {
    const { test, realm } = model;
    const name = test ? test.nodeid : realm.name;
    byId("title").textContent = name;
    const chip = byId("outcome");
    chip.textContent = test ? test.outcome : "";
    chip.className = `chip ${test ? test.outcome : ""}`;
    const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
    byId("facts").textContent = [
      `engine ${realm.engine}`, count(model.tasks.length, "task"), count(model.services.length, "service"),
      count(model.calls.length, "call"), duration(model.finish - model.begin),
      test && test.attempt > 1 ? `attempt ${test.attempt}` : "",
    ].filter(Boolean).join(" · ");
  }

  function refresh() {
    describe();
    filter();
    details.refresh();
  }

  for (const name of ["timeline", "events"]) {
    byId(`tab-${name}`).addEventListener("click", () => select(name));
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = name === "timeline" ? "events" : "timeline";
      select(other);
      byId(`tab-${other}`).focus();
    });
  }
  byId("search").addEventListener("input", filter);
  byId("failed").addEventListener("change", filter);
  byId("zoom-in").addEventListener("click", () => timeline.zoom(0.5));
  byId("zoom-out").addEventListener("click", () => timeline.zoom(2));
  byId("zoom-fit").addEventListener("click", () => timeline.fit());
  byId("keys").addEventListener("click", help);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => timeline.update());

  function help() {
    const shown = byId("help").hidden;
    byId("help").hidden = !shown;
    byId("keys").setAttribute("aria-expanded", String(shown));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select")) {
      if (event.key === "Escape") byId("rows").focus();
      return;
    }
    if (event.shiftKey && event.key === "ArrowLeft") timeline.pan(-0.2);
    else if (event.shiftKey && event.key === "ArrowRight") timeline.pan(0.2);
    else if (event.key === "+" || event.key === "=") timeline.zoom(0.5);
    else if (event.key === "-") timeline.zoom(2);
    else if (event.key === "0") timeline.fit();
    else if (event.key === "/") byId("search").focus();
    else if (event.key === "?") help();
    else return;
    event.preventDefault();
  });

  refresh();
  const first = model.tasks.find(taskFailed);
  if (first && model.tasks.filter(taskFailed).length === 1) timeline.list.chooseKey(first.id);
  else details.show({ kind: "overview", key: "overview" });
  if (live) live.follow(model, refresh);
})();

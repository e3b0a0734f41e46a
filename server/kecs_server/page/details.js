"use strict";
// What is known of the thing that is chosen.

class Details {
  constructor(model, { go, fetchLog }) {
    this.model = model;
    this.go = go;
    this.fetchLog = fetchLog;
    this.place = document.getElementById("details");
    this.shown = null;
    this.fillLog = null;
  }

  show(what) {
    this.shown = what;
    this.said = this._saying();
    this.fillLog = null;
    this.place.replaceChildren(...this[`_${what.kind}`](what).filter((part) => part));
    this.place.scrollTop = 0;
  }

  // The model has news: show what is new of the chosen thing, and leave alone what is read.
  refresh() {
    if (!this.shown) return;
    const { shown, model } = this;
    const task = shown.task && model.taskById.get(shown.task.id);
    const service = shown.service && model.services.find((each) => each.arn === shown.service.arn);
    if (task) shown.task = task;
    if (service) shown.service = service;
    if (this._saying() === this.said) {
      if (this.fillLog) this.fillLog();
      return;
    }
    const top = this.place.scrollTop;
    const open = [...this.place.querySelectorAll("details")].map((each) => each.open);
    const scrolled = [...this.place.querySelectorAll("pre")].map((each) => each.scrollTop);
    const had = this.place.contains(document.activeElement);
    this.show(shown);
    this.place.querySelectorAll("details").forEach((each, index) => { each.open = open[index]; });
    this.place.querySelectorAll("pre").forEach((each, index) => { each.scrollTop = scrolled[index]; });
    this.place.scrollTop = top;
    if (had) this.place.focus({ preventScroll: true });
  }

  // Equal as long as there is nothing new to show.
  _saying() {
    const { shown, model } = this;
    const thing = shown.task || shown.service;
    if (!thing) return shown.kind === "entry" ? "" : `${model.entries.length}`;
    return JSON.stringify([thing, (model.marksOf.get(thing.arn) || []).length]);
  }

  _overview() {
    const { model } = this;
    const failed = model.tasks.filter(taskFailed);
    const calls = model.calls.filter(callFailed);
    const parts = [element("h2", {}, "Overview")];
    if (model.test && model.test.message) parts.push(element("pre", {}, model.test.message));
    parts.push(
      heading(`Tasks that failed (${failed.length})`, failed.length),
      this._links(failed, (task) => this.go(task.id), (task) => `${definitionName(task.definition)} ${task.id.slice(0, 8)}: ${taskOutcome(task)}`, (task) => task.stoppedReason),
      heading(`Calls with an error (${calls.length})`, calls.length),
      this._links(calls, (call) => this.show(entryItem(call)), (call) => `${model.offset(call.wall)} ${call.operation}`, callError),
    );
    if (!failed.length && !calls.length) parts.push(element("p", {}, "No task failed, and no call had an error."));
    if (model.dropped) parts.push(element("p", {}, `${model.dropped} older calls and changes were not kept.`));
    parts.push(element("p", {}, element("small", {}, "Choose a row to see its log and all that is known of it.")));
    return parts;
  }

  _links(things, onclick, text, more) {
    if (!things.length) return null;
    const shown = things.slice(0, 50);
    const rows = shown.map((thing) => element("li", {},
      element("button", { type: "button", class: "link", onclick: () => onclick(thing) }, text(thing)), " ",
      element("small", {}, more(thing) || "")));
    if (things.length > shown.length) rows.push(element("li", {}, `and ${things.length - shown.length} more`));
    return element("ul", {}, ...rows);
  }

  _calls() {
    const byName = new Map();
    for (const call of this.model.calls) {
      const row = byName.get(call.operation) || { count: 0, errors: 0, most: 0 };
      row.count += 1;
      row.errors += callFailed(call) ? 1 : 0;
      row.most = Math.max(row.most, call.milliseconds);
      byName.set(call.operation, row);
    }
    const rows = [...byName].sort((a, b) => b[1].count - a[1].count).map(([name, row]) => [name, row.count, row.errors || "", `${row.most.toFixed(1)} ms`]);
    return [element("h2", {}, "API calls"), table(["operation", "calls", "errors", "longest"], rows)];
  }

  _service({ service }) {
    const { model } = this;
    const parts = [
      element("h2", {}, `Service ${service.name}`),
      facts([["status", service.status], ["cluster", service.cluster], ["desired", service.desired], ["created", model.offset(model.wall(service.created))]]),
    ];
    for (const way of service.deployments.slice().reverse()) {
      parts.push(
        heading(`Deployment to ${definitionName(way.definition)}`, true),
        facts([["strategy", way.strategy], ["status", way.status], ["began", model.offset(model.wall(way.started ?? way.created))], ["took", way.finished == null ? "goes on" : duration(model.wall(way.finished) - model.wall(way.started ?? way.created))]]),
        way.reason ? element("p", { class: "reason" }, way.reason) : null,
        way.stages.length ? table(["at", "stage", "traffic", "test"], way.stages.map(([at, stage, weight, test]) => [model.offset(model.wall(at)), stage, way.sideBySide ? `${weight} %` : "", way.sideBySide ? `${test} %` : ""])) : null,
      );
    }
    const tasks = model.tasks.filter((task) => task.service === service.name && task.cluster === service.cluster);
    parts.push(
      heading(`Tasks (${tasks.length})`, tasks.length),
      this._links(tasks, (task) => this.go(task.id), (task) => `${definitionName(task.definition)} ${task.id.slice(0, 8)}: ${taskOutcome(task)}`, () => ""),
      heading("Events", service.events.length),
      table([], service.events.slice().reverse().map((event) => [model.offset(model.wall(event.at)), event.message])),
    );
    return parts;
  }

  _task({ task }) {
    const { model } = this;
    return [
      element("h2", {}, `Task ${definitionName(task.definition)} `, element("small", {}, task.id.slice(0, 8))),
      task.stoppedReason ? element("p", { class: "reason" }, `${task.stopCode || ""}: ${task.stoppedReason}`) : null,
      facts([
        ["status", task.status], ["desired", task.desired === task.status ? null : task.desired],
        ["health", task.health === "UNKNOWN" ? null : task.health], ["cluster", task.cluster], ["group", task.group],
        ["started by", task.startedBy], ["runs on", task.capacityProvider || task.launchType],
        ["created", model.offset(model.wall(task.created))],
        ["start took", task.started == null ? null : duration(model.wall(task.started) - model.wall(task.created))],
        ["ran", task.started == null ? null : duration(model.end(task.stopping ?? task.stopped) - model.wall(task.started))],
        ["stop took", task.stopped == null || task.stopping == null ? null : duration(model.wall(task.stopped) - model.wall(task.stopping))],
      ]),
      heading("Containers", true),
      table(["name", "state", "image"], task.containers.map((item) => [item.name, `${outcome(item)}${item.restarts ? `, ${item.restarts} restarts` : ""}${item.health === "UNKNOWN" ? "" : `, ${item.health}`}`, item.image])),
      ...task.containers.filter((item) => item.reason).map((item) => element("p", { class: "reason" }, `${item.name}: ${item.reason}`)),
      heading("Log", true),
      this._log(task, task.containers.map((item) => item.name)),
      heading("What happened", true),
      table([], (model.marksOf.get(task.arn) || []).map((entry) => [model.offset(entry.wall), entry.text])),
      folded("Task definition", model.realm.definitions[task.definition]),
      Object.keys(task.overrides || {}).length ? folded("Overrides", task.overrides) : null,
      element("p", {}, element("small", {}, task.arn)),
    ];
  }

  _container({ task, container }) {
    const current = task.containers.find((each) => each.name === container.name) || container;
    const { model } = this;
    const marks = (model.marksOf.get(task.arn) || []).filter((entry) => entry.text.startsWith(`container ${current.name} `));
    const definition = model.realm.definitions[task.definition];
    const own = definition && definition.containerDefinitions.find((each) => each.name === current.name);
    return [
      element("h2", {}, `Container ${current.name} `, element("small", {}, `of ${definitionName(task.definition)} ${task.id.slice(0, 8)}`)),
      current.reason ? element("p", { class: "reason" }, current.reason) : null,
      facts([
        ["state", outcome(current)], ["health", current.health === "UNKNOWN" ? null : current.health], ["image", current.image],
        ["essential", current.essential ? "yes" : "no"], ["restarts", current.restarts || null],
        ["started", current.started == null ? null : model.offset(model.wall(current.started))],
        ["ended", current.finished == null ? null : model.offset(model.wall(current.finished))],
      ]),
      heading("Log", true),
      this._log(task, [current.name]),
      heading("What happened", marks.length),
      table([], marks.map((entry) => [model.offset(entry.wall), entry.text])),
      folded("Container definition", own),
    ];
  }

  // The ends of the containers' logs, in the order of time.
  _log(task, names) {
    const place = element("pre", { tabindex: "0", "aria-label": "Log" });
    const fill = (logs) => {
      const lines = [];
      let skipped = 0;
      for (const name of names) {
        const log = logs[name];
        if (!log) continue;
        skipped += log.skipped || 0;
        for (const [at, stream, text] of log.lines) lines.push({ at, name, stream, text });
      }
      lines.sort((a, b) => a.at - b.at);
      // Lines have real time, which the axis has too.
      const { begin } = this.model;
      const made = lines.map((line) => element("span", { class: line.stream },
        element("span", { class: "when" }, `+${duration(line.at - begin)} `.padStart(11)),
        names.length > 1 ? element("span", { class: "of" }, `${line.name} `) : null,
        `${line.text}\n`));
      if (skipped) made.unshift(element("span", { class: "when" }, `${skipped} bytes came before this\n`));
      if (!made.length) made.push(element("span", { class: "when" }, "Nothing was written."));
      const { scrollTop } = place;
      const atEnd = scrollTop > 0 && scrollTop + place.clientHeight >= place.scrollHeight - 4;
      place.replaceChildren(...made);
      place.scrollTop = atEnd ? place.scrollHeight : scrollTop;
    };
    fill(this.model.logs[task.id] || {});
    if (this.fetchLog) {
      this.fillLog = () => this.fetchLog(task, names).then((logs) => {
        this.model.logs[task.id] = { ...this.model.logs[task.id], ...logs };
        fill(logs);
      }, () => {});
      this.fillLog();
    }
    return place;
  }

  _entry({ entry }) {
    const { model } = this;
    if (entry.kind !== "call") {
      const task = model.taskById.get(lastPart(entry.subject));
      return [
        element("h2", {}, entryWhat(entry)),
        facts([["at", model.offset(entry.wall)], ["kind", entry.kind], ["of", entry.subject]]),
        element("p", {}, entry.text),
        task ? element("button", { type: "button", class: "link", onclick: () => this.go(task.id) }, "Show the task") : null,
      ];
    }
    const error = callError(entry);
    return [
      element("h2", {}, entry.operation),
      error ? element("p", { class: "reason" }, error) : null,
      facts([["at", model.offset(entry.wall)], ["took", `${entry.milliseconds.toFixed(1)} ms`], ["account", entry.account], ["region", entry.region]]),
      heading("Input", true), body(entry, "input"),
      heading(error ? "Error" : "Result", true), body(entry, error ? "error" : "result"),
    ];
  }
}

function entryItem(entry) {
  return { kind: "entry", key: `entry ${entry.number}`, entry };
}

function heading(text, isShown) {
  return isShown ? element("h3", {}, text) : null;
}

function facts(pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element("table", { class: "facts" }, element("tbody", {}, ...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, String(value))))));
}

function table(names, rows) {
  if (!rows.length) return null;
  const head = names.length ? element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))) : null;
  return element("table", {}, head, element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", { class: /^\+[\d.]+ m?s$/.test(cell) ? "when" : null }, cell === null || cell === undefined ? "" : String(cell)))))));
}

function folded(title, value) {
  if (!value) return null;
  const made = element("details", {}, element("summary", {}, title));
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) made.append(json(value));
  });
  return made;
}

function json(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

function body(entry, name) {
  if (entry[name] !== undefined) return json(entry[name]);
  const size = entry[`${name}_size`];
  const text = entry[`${name}_text`];
  if (text === undefined) return element("p", {}, element("small", {}, `Not kept any more (${size} bytes).`));
  return element("div", {}, element("pre", { tabindex: "0" }, text), element("small", {}, `The beginning of ${size} bytes.`));
}

"use strict";
// Rows with bars and marks on one axis of time.

const HEIGHTS = { calls: 40, service: 36, task: 26, container: 23 };
const FEW_TASKS = 25;
const END_ROOM = 110;

class Timeline {
  constructor(model, { chosen, callChosen }) {
    this.model = model;
    this.opened = new Map();
    this.filter = () => true;
    this.failedOnly = false;
    this.axis = document.getElementById("axis");
    this.place = document.getElementById("rows");
    this.list = new VirtualList(this.place, {
      draw: (row) => this._draw(row),
      chosen: (row, event, entered) => {
        const entry = row.kind === "calls" && event && event.type === "click" ? this._callAt(event) : null;
        if (entry) callChosen(entry);
        else chosen(row, entered);
      },
      role: "treeitem",
      key: (row) => row.key,
      toggle: (row, open) => this._toggle(row, open),
    });
    this._listen();
    this.fit();
  }

  fit() {
    this.fitted = true;
    // Room for what is written behind the last bars.
    const room = Math.min(END_ROOM, this._width() / 4);
    const pixel = (this.model.finish - this.model.begin) / Math.max(60, this._width() - room - 8);
    this.from = this.model.begin - pixel * 8;
    this.to = this.model.finish + pixel * room;
    this.update();
  }

  update() {
    this.ticks = this._ticks();
    this.list.show(this._rows());
    this._drawAxis();
  }

  // The model has new things: what shows all goes on showing all.
  refresh() {
    if (this.fitted) this.fit();
    else this.update();
  }

  zoom(factor, at) {
    const center = at === undefined ? (this.from + this.to) / 2 : at;
    const least = 0.002;
    const most = (this.model.finish - this.model.begin) * 4 + 1;
    const length = Math.min(most, Math.max(least, (this.to - this.from) * factor));
    const share = (center - this.from) / (this.to - this.from);
    this.from = center - length * share;
    this.to = this.from + length;
    this.fitted = false;
    this.update();
  }

  pan(share) {
    const by = (this.to - this.from) * share;
    this.from += by;
    this.to += by;
    this.fitted = false;
    this.update();
  }

  _listen() {
    this.place.addEventListener("wheel", (event) => {
      if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this._timeAt(event.clientX));
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.pan((event.deltaX || event.deltaY) / 1500);
      } else return;
      event.preventDefault();
    }, { passive: false });
    let from = null;
    this.place.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.target.closest(".track")) from = event.clientX;
    });
    window.addEventListener("pointermove", (event) => {
      if (from === null || Math.abs(event.clientX - from) < 4) return;
      this.pan((from - event.clientX) / this._width());
      from = event.clientX;
    });
    window.addEventListener("pointerup", () => { from = null; });
    new ResizeObserver(() => {
      this.width = 0;
      this.refresh();
    }).observe(this.axis);
  }

  _rows() {
    const { model } = this;
    const rows = [];
    if (model.calls.length && !this.failedOnly) rows.push({ kind: "calls", key: "calls", height: HEIGHTS.calls });
    for (const service of model.services) {
      const failed = service.deployments.some((way) => FAILED_DEPLOYMENTS.includes(way.status));
      if ((this.failedOnly && !failed) || !this.filter(service)) continue;
      rows.push({ kind: "service", key: service.arn, service, failed, height: HEIGHTS.service });
    }
    for (const task of model.tasks) {
      const failed = taskFailed(task);
      if ((this.failedOnly && !failed) || !this.filter(task)) continue;
      const open = this._isOpen(task);
      rows.push({ kind: "task", key: task.id, task, failed, open, height: HEIGHTS.task });
      if (!open) continue;
      task.containers.forEach((container, index) => rows.push({
        kind: "container", key: `${task.id}/${container.name}`, task, container,
        failed: containerFailed(container, task), height: HEIGHTS.container,
        position: index + 1, setsize: task.containers.length,
      }));
    }
    const top = rows.filter((row) => row.kind !== "container");
    top.forEach((row, index) => { row.position = index + 1; row.setsize = top.length; });
    return rows;
  }

  _isOpen(task) {
    const said = this.opened.get(task.id);
    return said === undefined ? this.model.tasks.length <= FEW_TASKS && task.containers.length > 1 : said;
  }

  _toggle(row, open) {
    if (row.kind === "container" && open === false) {
      this.list.chooseKey(row.task.id);
      return;
    }
    if (row.kind !== "task") return;
    this.opened.set(row.task.id, open === undefined ? !row.open : open);
    this.update();
  }

  // Asked for once each size: to ask costs a layout.
  _width() {
    if (!this.width) this.width = Math.max(1, this.axis.clientWidth);
    return this.width;
  }

  _timeAt(clientX) {
    const left = this.axis.getBoundingClientRect().left;
    return this.from + ((clientX - left) / this._width()) * (this.to - this.from);
  }

  // Percent of the track at which a moment is.
  _x(wall) {
    return (100 * (wall - this.from)) / (this.to - this.from);
  }

  _ticks() {
    const length = this.to - this.from;
    const wanted = length / Math.max(2, this._width() / 110);
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = power * [1, 2, 5, 10].find((each) => each * power >= wanted);
    const ticks = [];
    const first = Math.ceil((this.from - this.model.begin) / step) * step;
    for (let at = first; at <= this.to - this.model.begin; at += step) {
      if (at > -step / 2) ticks.push({ wall: this.model.begin + at, text: axisText(at, step) });
    }
    return ticks;
  }

  _drawAxis() {
    const marks = this.ticks.map(({ wall, text }) => this._placed("span", {}, wall, text));
    let free = -Infinity;
    for (const [before, seconds] of this.model.advances) {
      const wall = this.model.wall(before);
      const left = (this._x(wall) / 100) * this._width();
      const text = left < free ? "" : `clock +${duration(seconds)}`;
      if (text) free = left + text.length * 7 + 12;
      marks.push(this._placed("span", { class: "advance", title: `the clock was put forward by ${duration(seconds)}` }, wall, text));
    }
    this.axis.replaceChildren(...marks);
  }

  _placed(tag, attributes, wall, ...children) {
    const made = element(tag, attributes, ...children);
    made.style.left = `${this._x(wall)}%`;
    return made;
  }

  _draw(row) {
    const track = element("div", { class: "track" });
    for (const { wall } of this.ticks) track.append(this._placed("div", { class: "tick" }, wall));
    for (const [before] of this.model.advances) {
      track.append(this._placed("div", { class: "advance" }, this.model.wall(before)));
    }
    const { label, text } = this[`_${row.kind}`](row, track);
    const made = element("div", {
      class: `row ${row.kind}`, title: text, "aria-label": text,
      "aria-level": row.kind === "container" ? 2 : 1,
      "aria-expanded": row.kind === "task" ? String(row.open) : null,
    }, element("div", { class: "label" }, ...label), track);
    return made;
  }

  _calls(row, track) {
    const { calls } = this.model;
    const failed = calls.filter(callFailed).length;
    const canvas = element("canvas", { "aria-hidden": "true" });
    track.append(canvas);
    requestAnimationFrame(() => this._paintCalls(canvas));
    const errors = failed ? `, ${failed} with an error` : "";
    return {
      label: [element("span", { class: "twist" }, "⌁"), element("b", {}, "API calls"), element("small", {}, `${calls.length}`)],
      text: `${calls.length} API calls${errors}. Enter lists them.`,
    };
  }

  _paintCalls(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const paint = canvas.getContext("2d");
    paint.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    for (const isFailed of [false, true]) {
      paint.fillStyle = style.getPropertyValue(isFailed ? "--failed" : "--mark");
      paint.globalAlpha = isFailed ? 1 : 0.65;
      for (const entry of this.model.calls) {
        if (callFailed(entry) !== isFailed) continue;
        const left = (this._x(entry.wall) / 100) * width;
        const long = (entry.milliseconds / 1000 / (this.to - this.from)) * width;
        if (left > width || left + long < 0) continue;
        const top = isFailed ? 5 : isRead(entry) ? 20 : 8;
        paint.fillRect(left, top, Math.max(2, long), isFailed ? height - 10 : isRead(entry) ? 10 : 22);
      }
    }
  }

  _callAt(event) {
    if (!event.target.closest(".track")) return null;
    const time = this._timeAt(event.clientX);
    const near = (8 * (this.to - this.from)) / this._width();
    let best = null;
    let least = near;
    for (const entry of this.model.calls) {
      const end = entry.wall + entry.milliseconds / 1000;
      const distance = time < entry.wall ? entry.wall - time : Math.max(0, time - end);
      if (distance < least || (distance === least && distance === 0)) [best, least] = [entry, distance];
    }
    return best;
  }

  _service(row, track) {
    const { service } = row;
    service.deployments.forEach((way, index) => {
      const bar = this._deployment(way);
      bar.classList.toggle("last", index === service.deployments.length - 1);
      track.append(bar);
    });
    for (const entry of this.model.marksOf.get(service.arn) || []) {
      const made = this._placed("div", { class: entryFailed(entry) ? "mark failed" : "mark", title: `${this.model.offset(entry.wall)} ${entry.text}` }, entry.wall);
      track.append(made);
    }
    const last = service.deployments[service.deployments.length - 1];
    const state = last ? `${last.strategy} deployment ${last.status}` : "no deployment";
    return {
      label: [element("span", { class: "twist" }, "◆"), element("b", {}, service.name), row.failed ? element("span", { class: "bad" }, "✕") : null, element("small", {}, `${service.desired}×`)],
      text: `service ${service.name}, ${service.status}, desired ${service.desired}, ${state}`,
    };
  }

  _deployment(way) {
    const begin = this.model.wall(way.started ?? way.created);
    const end = this.model.end(way.finished);
    const failed = FAILED_DEPLOYMENTS.includes(way.status);
    const bar = this._bar(`deployment${failed ? " failed" : ""}${way.finished == null ? " open" : ""}`, begin, end);
    const shifts = way.sideBySide;
    const steps = shifts && way.stages.length ? way.stages : [[way.created, "", 100, 0]];
    const length = Math.max(end - begin, 1e-6);
    const fills = element("span", { class: "fills" });
    bar.append(fills);
    steps.forEach(([at, , weight], index) => {
      const from = Math.max(0, this.model.wall(at) - begin);
      const next = index + 1 < steps.length ? this.model.wall(steps[index + 1][0]) - begin : length;
      const fill = element("i");
      fill.style.left = `${(100 * from) / length}%`;
      fill.style.width = `${(100 * Math.max(0, next - from)) / length}%`;
      fill.style.height = `${weight}%`;
      fills.append(fill);
    });
    const traffic = shifts ? `, ${steps[steps.length - 1][2]} % of the traffic` : "";
    bar.append(element("em", {}, `${definitionName(way.definition)} ${way.strategy} ${way.status}${traffic}`));
    return bar;
  }

  _task(row, track) {
    const { task } = row;
    const { model } = this;
    const wall = (at) => model.wall(at);
    const goingOn = task.stopped == null;
    const name = definitionName(task.definition);
    const running = task.started ?? task.stopping ?? task.stopped ?? model.realm.now;
    track.append(this._bar("waiting", wall(task.created), wall(running)));
    if (task.started != null) {
      const until = task.stopping ?? task.stopped;
      const kind = row.failed ? "failed" : task.status === "STOPPED" ? "done" : "running";
      track.append(this._bar(kind + (until == null ? " open" : ""), wall(task.started), model.end(until), `${duration(model.end(until) - wall(task.started))}`));
    }
    if (task.stopping != null) {
      track.append(this._bar("stopping", wall(task.stopping), model.end(task.stopped)));
    }
    const end = model.end(task.stopped);
    const said = taskOutcome(task);
    track.append(this._placed("span", { class: row.failed ? "end failed" : "end" }, end, `${row.failed ? "✕ " : ""}${said}`));
    const many = task.containers.length > 0;
    return {
      label: [
        element("span", { class: "twist" }, many ? (row.open ? "▾" : "▸") : ""),
        element("b", {}, name), row.failed ? element("span", { class: "bad" }, "✕") : null,
        element("small", {}, task.id.slice(0, 8)),
      ],
      text: `task ${task.id.slice(0, 8)} of ${name}, ${said}${task.stoppedReason ? `, ${task.stoppedReason}` : ""}, from ${model.offset(wall(task.created))}${goingOn ? "" : ` to ${model.offset(end)}`}`,
    };
  }

  _container(row, track) {
    const { container, task } = row;
    const { model } = this;
    for (const life of model.lives(task, container)) {
      const kind = life.failed ? "failed" : life.end === null ? "running open" : "done";
      track.append(this._bar(kind, life.begin, life.end ?? model.now));
    }
    if (container.started != null) {
      const end = container.status === "STOPPED" ? container.finished : task.stopped;
      track.append(this._placed("span", { class: row.failed ? "end failed" : "end" }, model.end(end), outcome(container)));
    }
    for (const entry of model.marksOf.get(task.arn) || []) {
      if (!entry.text.startsWith(`container ${container.name} `)) continue;
      if (/RUNNING$|STOPPED| exited /.test(entry.text)) continue;
      track.append(this._placed("div", { class: entryFailed(entry) ? "mark failed" : "mark", title: entry.text }, entry.wall));
    }
    return {
      label: [element("b", {}, container.name), row.failed ? element("span", { class: "bad" }, "✕") : null],
      text: `container ${container.name}, ${outcome(container)}${container.reason ? `, ${container.reason}` : ""}`,
    };
  }

  _bar(kind, begin, end, text) {
    const made = element("div", { class: `bar ${kind}` }, text ? element("em", {}, text) : null);
    made.style.left = `${this._x(begin)}%`;
    made.style.width = `${Math.max(0, this._x(end) - this._x(begin))}%`;
    return made;
  }
}

function isRead(entry) {
  return /^(Describe|List|Get)/.test(entry.operation);
}

function definitionName(arn) {
  return lastPart(arn);
}

function axisText(at, step) {
  if (step < 0.9 && at < 10) return `${Math.round(at * 1000)} ms`;
  if (at < 120) return `${+at.toFixed(step < 1 ? 1 : 0)} s`;
  return duration(at);
}

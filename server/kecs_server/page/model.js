"use strict";
// The recording as rows: times on one axis, what failed, what belongs to what.

const FAILED_DEPLOYMENTS = ["STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED", "ROLLBACK_IN_PROGRESS"];

class Model {
  constructor(data) {
    this.test = data.test || null;
    this.logs = data.logs || {};
    this.entries = [];
    this.take(data.recording);
  }

  // A newer state of the realm; its entries come after those that are known.
  take(recording) {
    this.realm = recording;
    this.advances = recording.advances || [];
    const dropped = recording.dropped || 0;
    this.dropped = (this.dropped || 0) + dropped;
    for (const entry of recording.entries) {
      entry.wall = this.wall(entry.at);
      entry.number = this.entries.length;
      this.entries.push(entry);
    }
    this.sorted = this.entries.slice().sort((a, b) => a.wall - b.wall || a.number - b.number);
    this.calls = this.sorted.filter((entry) => entry.kind === "call");
    this.tasks = recording.tasks.slice().sort((a, b) => a.created - b.created);
    this.services = recording.services;
    this.taskById = new Map(this.tasks.map((task) => [task.id, task]));
    this.marksOf = this._marks();
    this._span();
  }

  // Where a moment of the realm's clock is on the axis: without what the clock was put forward by.
  wall(at) {
    let taken = 0;
    for (const [before, seconds] of this.advances) {
      if (at <= before) break;
      taken += Math.min(seconds, at - before);
    }
    return at - taken;
  }

  _span() {
    const now = this.wall(this.realm.now);
    let first = now;
    for (const entry of this.sorted.slice(0, 1)) first = Math.min(first, entry.wall);
    for (const task of this.tasks) first = Math.min(first, this.wall(task.created));
    this.begin = first;
    this.now = now;
    let last = first;
    for (const entry of this.sorted) {
      last = Math.max(last, entry.wall + (entry.milliseconds || 0) / 1000);
    }
    for (const task of this.tasks) last = Math.max(last, this.end(task.stopped));
    for (const service of this.services) {
      for (const way of service.deployments) last = Math.max(last, this.end(way.finished));
    }
    this.finish = Math.max(last, first + 0.001);
  }

  // Of something that may go on: its end on the axis.
  end(at) {
    return at == null ? this.now : this.wall(at);
  }

  // From each start of a container to the end that followed; of those that are not kept any more,
  // the last is known.
  lives(task, container) {
    const found = [];
    for (const entry of this.marksOf.get(task.arn) || []) {
      if (!entry.text.startsWith(`container ${container.name} `)) continue;
      const last = found[found.length - 1];
      if (entry.text.endsWith(" RUNNING")) found.push({ begin: entry.wall, end: null, failed: false });
      else if (last && last.end === null && / STOPPED| exited with /.test(entry.text)) {
        last.end = entry.wall;
        last.failed = / exited with (?!0,)/.test(entry.text);
      }
    }
    if (!found.length && container.started != null) {
      found.push({ begin: this.wall(container.started), end: null, failed: false });
    }
    const last = found[found.length - 1];
    if (last && container.status === "STOPPED") {
      last.end ??= this.end(container.finished ?? task.stopped);
      last.failed = containerFailed(container, task);
    }
    return found;
  }

  _marks() {
    const marks = new Map();
    for (const entry of this.sorted) {
      if (entry.kind === "call" || !entry.subject) continue;
      const known = marks.get(entry.subject);
      if (known) known.push(entry);
      else marks.set(entry.subject, [entry]);
    }
    return marks;
  }

  offset(wall) {
    return "+" + duration(wall - this.begin);
  }
}

function duration(seconds) {
  const size = Math.abs(seconds);
  if (size < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (size < 10) return `${seconds.toFixed(2)} s`;
  if (size < 120) return `${+seconds.toFixed(1)} s`;
  if (size < 7200) {
    const rest = Math.round(seconds % 60);
    return `${Math.floor(seconds / 60)} min${rest ? ` ${rest} s` : ""}`;
  }
  return `${(seconds / 3600).toFixed(1)} h`;
}

function lastPart(arn) {
  return String(arn || "").split("/").pop();
}

// A start that failed, a container that was never healthy or ended badly of itself.
function taskFailed(task) {
  if (task.stopCode === "TaskFailedToStart" || task.health === "UNHEALTHY") return true;
  return task.containers.some((container) => containerFailed(container, task));
}

// What ends a container that is being stopped is not its failure, unless it had to be killed.
function containerFailed(container, task) {
  if (container.health === "UNHEALTHY") return true;
  if (container.exitCode == null) return Boolean(container.reason);
  const isStopped = task.stopping != null && container.finished > task.stopping;
  return container.exitCode !== 0 && !(isStopped && [137, 143].includes(container.exitCode));
}

function outcome(container) {
  if (container.exitCode != null) return `exit ${container.exitCode}`;
  if (container.reason) return container.reason.split(":")[0];
  return container.status.toLowerCase();
}

function taskOutcome(task) {
  if (task.status !== "STOPPED") {
    return (task.health === "UNKNOWN" ? task.status : `${task.status}, ${task.health}`).toLowerCase();
  }
  if (task.stopCode === "TaskFailedToStart") return "failed to start";
  const failed = task.containers.find((container) => containerFailed(container, task));
  if (failed) return outcome(failed);
  return task.stopCode === "EssentialContainerExited" ? "exit 0" : "stopped";
}

// A call's input in one line: its plain members, and how many the others have.
function summary(input) {
  if (!input || typeof input !== "object") return "";
  const parts = [];
  for (const [name, value] of Object.entries(input)) {
    if (value === null || value === "" || name === "clientToken") continue;
    if (Array.isArray(value)) {
      const plain = value.length === 1 && typeof value[0] !== "object";
      parts.push(`${name}=${plain ? lastPart(value[0]) : `[${value.length}]`}`);
    } else if (typeof value === "object") parts.push(`${name}={…}`);
    else parts.push(`${name}=${lastPart(value)}`);
  }
  return parts.join(" ").slice(0, 300);
}

function entryWhat(entry) {
  if (entry.kind === "call") return entry.operation;
  if (entry.kind === "clock") return "clock";
  const part = lastPart(entry.subject);
  return part.length === 32 ? part.slice(0, 8) : part;
}

function entryRest(entry) {
  if (entry.kind !== "call") return entry.text;
  const error = callError(entry);
  return error ? `${error} ${summary(entry.input)}` : summary(entry.input);
}

function callFailed(entry) {
  return entry.error !== undefined || entry.error_size !== undefined;
}

function callError(entry) {
  if (!callFailed(entry)) return "";
  return entry.text.replace(/^\S+ [\d.]+ ms ?/, "") || "error";
}

function entryFailed(entry) {
  if (entry.kind === "call") return callFailed(entry);
  if (/exit(ed with)? [1-9]|TaskFailedToStart|UNHEALTHY|deployment failed|unable to/.test(entry.text)) return true;
  return entry.text.startsWith("lost:");
}

"use strict";

// The run: its hosts, tasks and results, and what follows from them.

const NO_TIME = -2147483648;
const RANKS = { unreachable: 0, failed: 1, changed: 2, ok: 3 };
/** The order of hosts by the worst that happened to them. */

class Run {
  constructor({ head, columns }, blocks) {
    Object.assign(this, head, columns);
    this.blocks = blocks;
    this.size = this.task.length;
    this.begins = head.began ? new Date(head.began) : null;
    this.kind = Object.fromEntries(this.outcomes.map((name, code) => [name, code]));
    this.totals = new Array(this.outcomes.length).fill(0);
    for (const code of this.outcome) this.totals[code]++;
    this.hosted = group(this.host, this.hosts.length);
    this.done = group(this.task, this.tasks.length);
    this.timed = this.start.some((start, result) => start !== NO_TIME && this.took[result] >= 0);
    this.stats = this.tasks.map((_, task) => this.#statsOf(task));
    this.busy = this.hosts.map((_, host) => this.hosted(host).reduce((sum, result) => sum + Math.max(0, this.took[result]), 0));
    this.#countTroubles();
  }

  /** Return whether a result has a mark. */
  has(result, mark) {
    return (this.marks_[result] & this.marks[mark]) !== 0;
  }

  outcomeOf(result) {
    return this.outcomes[this.outcome[result]];
  }

  taskOf(result) {
    const [name, action, place, play] = this.tasks[this.task[result]];
    return { name, action, place, play: this.plays[play] };
  }

  hostOf(result) {
    return this.hosts[this.host[result]];
  }

  bodyOf(result) {
    return this.blocks.body(this.block[result], this.slot[result]);
  }

  /** Return the numbers of the results for which a function returns true. */
  find(wanted) {
    const found = new Int32Array(this.size);
    let count = 0;
    for (let result = 0; result < this.size; result++) if (wanted(result)) found[count++] = result;
    return found.subarray(0, count);
  }

  /** Return what is known of a task on all its hosts. */
  #statsOf(task) {
    const results = this.done(task);
    const counts = new Array(this.outcomes.length).fill(0);
    const times = [];
    let first = Infinity;
    let end = -Infinity;
    let last = -1;
    for (const result of results) {
      counts[this.outcome[result]]++;
      if (this.has(result, "LAST")) last = result;
      if (this.start[result] === NO_TIME || this.took[result] < 0) continue;
      times.push(this.took[result]);
      first = Math.min(first, this.start[result]);
      end = Math.max(end, this.start[result] + this.took[result]);
    }
    times.sort((one, other) => one - other);
    const usual = times.length ? times[times.length >> 1] : -1;
    return { counts, hosts: results.length, first, end, elapsed: times.length ? end - first : -1, last, usual };
  }

  /** Count the hosts by the worst that happened to them. */
  #countTroubles() {
    const { failed, unreachable, changed } = this.kind;
    this.worst = this.hosts.map((_, host) => {
      const counts = this.counts[host];
      if (counts) return counts[3] ? "unreachable" : counts[2] ? "failed" : counts[1] ? "changed" : "ok";
      const found = new Set(this.hosted(host).map((result) => this.outcome[result]));
      return found.has(unreachable) ? "unreachable" : found.has(failed) ? "failed" : found.has(changed) ? "changed" : "ok";
    });
    this.hostTotals = { failed: 0, unreachable: 0, changed: 0, ok: 0 };
    for (const worst of this.worst) this.hostTotals[worst]++;
  }
}

/**
 * Return a function from a key to the numbers that have it, in their order.
 * @param {Int32Array} keys
 * @param {number} count number of different keys
 */
function group(keys, count) {
  const ends = new Int32Array(count + 1);
  for (const key of keys) ends[key + 1]++;
  for (let key = 0; key < count; key++) ends[key + 1] += ends[key];
  const next = ends.slice();
  const members = new Int32Array(keys.length);
  keys.forEach((key, item) => {
    members[next[key]++] = item;
  });
  return (key) => members.subarray(ends[key], ends[key + 1]);
}

/** Open the run that is in the page. */
async function openRun() {
  const data = await readColumns();
  data.columns.marks_ = data.columns.marks;
  delete data.columns.marks;
  return new Run(data, new Blocks());
}

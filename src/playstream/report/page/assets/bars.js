"use strict";

// The bars of the timeline: paths for uPlot, as those of its timeline demo, and finding the bar at a point.

const BAR_KINDS = ["skipped", "ok", "changed", "ignored", "rescued", "slow", "failed", "unreachable"];
/** From the first drawn to the last: what matters covers what does not. */
const STANDING_OUT = 3;
/** Pixels that failures and slow results have at least, however short they are. */

/** Return the colours of the page, as they are in its light or dark form. */
function colours() {
  const probe = make("span", { hidden: true });
  document.body.append(probe);
  const value = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(["text", "faint", "line", "path", "fill", "accent"].map((name) => [name, value(name)]));
  for (const kind of BAR_KINDS) found[kind] = value(`bar-${kind}`);
  probe.remove();
  return found;
}

/** The results as bars in rows, in the order of their start. */
class Bars {
  constructor(run, rows) {
    this.run = run;
    this.results = run.find((result) => run.start[result] !== NO_TIME && run.took[result] >= 0).sort((one, other) => run.start[one] - run.start[other]);
    this.row = new Int32Array(run.hosts.length);
    rows.forEach((host, row) => { this.row[host] = row; });
    this.rows = rows;
    this.kind = Uint8Array.from(this.results, (result) => BAR_KINDS.indexOf(this.#kindOf(result)));
    this.begins = Float64Array.from(this.results, (result) => run.start[result] / 1000);
    this.ends = Float64Array.from(this.results, (result) => (run.start[result] + run.took[result]) / 1000);
    this.end = this.ends.reduce((most, end) => Math.max(most, end), 0.001);
    this.first = this.begins.length ? Math.min(0, this.begins[0]) : 0;
  }

  #kindOf(result) {
    const outcome = this.run.outcomeOf(result);
    return this.run.has(result, "SLOW") && ["ok", "changed", "skipped"].includes(outcome) ? "slow" : outcome;
  }

  /** Return the data for uPlot: the starts, and for each bar its row if the run waited for it. The last is the end. */
  data() {
    const rows = Array.from(this.results, (result) => (this.run.has(result, "LAST") ? this.row[this.run.host[result]] : null));
    const last = rows.findLast((row) => row !== null) ?? null;
    const times = [...this.begins, this.end];
    return [times, times, this.run.hosts.length > 1 ? [...rows, last] : times.map(() => null)];
  }

  /** Draw the bars that are in view; uPlot calls it as the path of a series. */
  draw(u, colour) {
    const { left, top, width, height } = u.bbox;
    const [from, to] = [u.scales.x.min, u.scales.x.max];
    const [low, high] = [u.scales.y.min, u.scales.y.max];
    const wide = width / (to - from);
    const tall = height / (high - low);
    const thick = Math.max(1, tall * (tall > 8 ? 0.78 : 1));
    const paths = BAR_KINDS.map(() => new Path2D());
    for (let at = 0; at < this.results.length; at++) {
      const row = this.row[this.run.host[this.results[at]]];
      if (this.begins[at] > to || this.ends[at] < from || row < low - 1 || row > high + 1) continue;
      const kind = this.kind[at];
      const least = kind >= 5 ? STANDING_OUT * devicePixelRatio : 1;
      const x = left + (this.begins[at] - from) * wide;
      const length = Math.max(least, (this.ends[at] - this.begins[at]) * wide - (wide > 40 ? 1 : 0));
      const y = top + (row - low) * tall;
      const depth = Math.max(thick, kind >= 5 ? 2 : 1);
      paths[kind].rect(x, y - depth / 2, length, depth);
    }
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    paths.forEach((path, kind) => {
      u.ctx.fillStyle = colour[BAR_KINDS[kind]];
      u.ctx.fill(path);
    });
    u.ctx.restore();
    return null;
  }

  /** Return the result at a time and in a row; -1 if there is none within some seconds. */
  at(seconds, row, near) {
    const host = this.rows[Math.round(row)];
    if (host === undefined) return -1;
    let found = -1;
    let least = near;
    for (const result of this.run.hosted(host)) {
      if (this.run.start[result] === NO_TIME || this.run.took[result] < 0) continue;
      const begin = this.run.start[result] / 1000;
      const away = Math.max(begin - seconds, seconds - begin - this.run.took[result] / 1000, 0);
      if (away < least || (away === 0 && found < 0)) [found, least] = [result, away];
    }
    return found;
  }
}

"use strict";

// The timeline: time from left to right, a row for each host, and the path of the hosts that the run waited for.

const ROW = 22;
const MOST_HEIGHT = 520;
const LABELLED_ROW = 13;
const ZOOM = 0.6;
const LEGEND = [["ok", "ok"], ["changed", "changed"], ["skipped", "skipped"], ["ignored", "ignored"], ["rescued", "rescued"], ["slow", "slow"], ["failed", "failed"], ["unreachable", "unreachable"]];

/** Show the timeline, the forks in use, and the table that says the same. */
function showTimeline(run) {
  if (!run.timed) return;
  const place = section("timeline", "Timeline", null);
  const chart = new Timeline(run);
  place.append(chart.element, tableOfTasks(run));
  chart.draw();
}

class Timeline {
  constructor(run) {
    this.run = run;
    const names = new Intl.Collator("en", { numeric: true });
    const rank = (host) => Math.min(RANKS[run.worst[host]], RANKS.changed);
    const order = run.hosts.map((_, host) => host).filter((host) => run.hosted(host).length);
    order.sort((one, other) => rank(one) - rank(other) || names.compare(run.hosts[one], run.hosts[other]));
    this.bars = new Bars(run, order);
    this.rows = order;
    this.tip = make("div.tip", { hidden: true });
    this.plot = make("div.plot", { tabindex: 0, role: "application", "aria-label": this.#describe(), onkeydown: (event) => this.#key(event) });
    this.forks = make("div.plot");
    const tools = make("div.tools", {}, button(".plain", "Zoom in", () => this.zoom(ZOOM)), button(".plain", "Zoom out", () => this.zoom(1 / ZOOM)), button(".plain", "Show all", () => this.reset()), make("span.hint", {}, "Drag over a part to enlarge it. Keys: arrows, +, −, 0."));
    const kinds = new Set(Array.from(new Set(this.bars.kind), (kind) => BAR_KINDS[kind]));
    const legend = make("ul.legend", {}, ...LEGEND.filter(([kind]) => kinds.has(kind)).map(([kind, title]) => make("li", {}, make(`span.dot.bar-${kind}`), title)), run.hosts.length > 1 ? make("li", {}, make("span.dash"), "critical path: the host that each task waited for") : "");
    this.element = make("div.timeline", {}, tools, legend, make("div.frame", {}, this.plot, this.tip), make("h3", {}, "Forks in use"), this.forks);
    new ResizeObserver(() => this.#resize()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  #describe() {
    return `Timeline of ${counted(this.rows.length, "host")} over ${span(this.bars.end * 1000)}. The table below says the same. Arrow keys move, plus and minus zoom, 0 shows all.`;
  }

  /** Draw, or draw again in other colours. */
  draw() {
    this.chart?.destroy();
    this.below?.destroy();
    const colour = colours();
    this.chart = new uPlot(this.#options(colour), this.bars.data(), this.plot);
    this.below = showForks(this.run, this.bars, this.forks, colour, () => this.chart.width);
    this.plot.querySelector("canvas").setAttribute("aria-hidden", "true");
    this.reset();
  }

  get #wide() {
    return this.plot.clientWidth > 600;
  }

  #options(colour) {
    const bars = this.bars;
    const count = this.rows.length;
    const font = "12px system-ui, sans-serif";
    return {
      width: Math.max(200, this.plot.clientWidth),
      height: Math.min(MOST_HEIGHT, Math.max(110, count * ROW)) + 40,
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: count > 1, uni: 30 }, points: { show: false }, bind: { dblclick: () => () => this.reset() }, sync: { key: "time", setSeries: false } },
      scales: { x: { time: false, auto: false, range: (_, low, high) => [low, high] }, y: { auto: false, dir: -1, range: (_, low, high) => [low, high] } },
      axes: [
        { stroke: colour.faint, font, grid: { stroke: colour.line, width: 1 }, ticks: { stroke: colour.line, width: 1 }, values: (_, splits) => splits.map((at) => axisTime(at, splits)) },
        { stroke: colour.text, font, size: this.#wide ? 150 : 84, gap: 6, grid: { show: false }, ticks: { show: false }, splits: (u) => this.#labels(u), values: (_, splits) => splits.map((row) => this.#short(this.run.hosts[this.rows[row]] ?? "")) },
      ],
      series: [
        {},
        { scale: "y", points: { show: false }, paths: (u) => bars.draw(u, colour) },
        { scale: "y", points: { show: false }, stroke: colour.path, width: count > 60 ? 1 : 1.6, alpha: count > 60 ? 0.65 : 1, spanGaps: true, paths: uPlot.paths.stepped({ align: 1 }) },
      ],
      hooks: { ready: [(u) => this.#listen(u)], setCursor: [(u) => this.#point(u)], setScale: [(_, key) => key === "x" && this.#follow()] },
    };
  }

  /** Return the rows that have a label: as many as there is space for. */
  #labels(u) {
    const { min, max } = u.scales.y;
    const tall = u.bbox.height / devicePixelRatio / (max - min);
    const step = Math.max(1, Math.ceil(LABELLED_ROW / tall));
    const found = [];
    for (let row = Math.ceil(Math.max(0, min) / step) * step; row <= Math.min(this.rows.length - 1, max); row += step) found.push(row);
    return found;
  }

  #short(name) {
    const most = this.#wide ? 21 : 11;
    return name.length > most ? `${name.slice(0, most - 1)}…` : name;
  }

  #follow() {
    const { min, max } = this.chart?.scales.x ?? {};
    if (!this.below || min === undefined || min === null) return;
    this.below.setScale("x", { min, max });
    Object.assign(this.plot.dataset, { from: min.toFixed(2), to: max.toFixed(2) });
  }

  /** Show the whole run. */
  reset() {
    this.#set([this.bars.first, this.bars.end], [-0.5, this.rows.length - 0.5]);
  }

  /** Show a larger or smaller part around the middle. */
  zoom(factor) {
    const part = ({ min, max }) => {
      const half = ((max - min) / 2) * factor;
      return [(min + max) / 2 - half, (min + max) / 2 + half];
    };
    this.#set(part(this.chart.scales.x), this.rows.length > 30 ? part(this.chart.scales.y) : [this.chart.scales.y.min, this.chart.scales.y.max]);
  }

  #set([left, right], [low, high]) {
    const rows = this.rows.length - 0.5;
    const size = Math.min(Math.max(right - left, 0.01), this.bars.end - this.bars.first);
    const from = Math.max(this.bars.first, Math.min(left, this.bars.end - size));
    const tall = Math.min(Math.max(high - low, 1), rows + 0.5);
    const upper = Math.max(-0.5, Math.min(low, rows - tall));
    this.chart.batch(() => {
      this.chart.setScale("x", { min: from, max: from + size });
      this.chart.setScale("y", { min: upper, max: upper + tall });
    });
  }

  #key(event) {
    const { x, y } = this.chart.scales;
    const wide = (x.max - x.min) / 5;
    const tall = (y.max - y.min) / 5;
    const moves = { ArrowLeft: [-wide, 0], ArrowRight: [wide, 0], ArrowUp: [0, -tall], ArrowDown: [0, tall] };
    const move = moves[event.key];
    if (move) this.#set([x.min + move[0], x.max + move[0]], [y.min + move[1], y.max + move[1]]);
    else if (event.key === "+" || event.key === "=") this.zoom(ZOOM);
    else if (event.key === "-") this.zoom(1 / ZOOM);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
  }

  #found(u) {
    const { left, top } = u.cursor;
    if (left === null || left < 0 || top < 0) return -1;
    const near = (u.posToVal(4, "x") - u.posToVal(0, "x")) || 0;
    return this.bars.at(u.posToVal(left, "x"), u.posToVal(top, "y"), near);
  }

  #point(u) {
    const result = this.#found(u);
    this.tip.hidden = result < 0;
    if (result < 0) return;
    const run = this.run;
    const marks = [run.has(result, "SLOW") ? "slow" : "", run.has(result, "LAST") && this.rows.length > 1 ? "the run waited for it" : ""].filter(Boolean);
    this.tip.replaceChildren(make("strong", {}, run.taskOf(result).name), make("span", {}, `${run.hostOf(result)} · ${span(run.took[result])}${marks.length ? ` · ${marks.join(", ")}` : ""}`), pill(run.outcomeOf(result)));
    const { offsetLeft, offsetTop } = u.over;
    const x = offsetLeft + u.cursor.left;
    const flipped = x > this.plot.clientWidth - 260;
    this.tip.style.left = `${Math.max(0, flipped ? x - this.tip.offsetWidth - 12 : x + 12)}px`;
    this.tip.style.top = `${offsetTop + u.cursor.top + 14}px`;
  }

  /** Open the result that somebody clicks on; the click that ends a drag opens none. */
  #listen(u) {
    let from = [0, 0];
    u.over.addEventListener("mousedown", (event) => { from = [event.clientX, event.clientY]; });
    u.over.addEventListener("click", (event) => {
      const dragged = Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 3;
      const result = dragged ? -1 : this.#found(u);
      if (result >= 0) location.hash = address.with({ result });
    });
  }

  #resize() {
    const width = this.plot.clientWidth;
    if (!this.chart || !width || width === this.chart.width) return;
    this.chart.setSize({ width, height: this.chart.height });
    this.below.setSize({ width, height: this.below.height });
  }
}

/** Return a time on an axis, with tenths if the axis needs them. */
function axisTime(seconds, splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : 1;
  return step < 1 ? `${seconds.toFixed(step < 0.1 ? 2 : 1)} s` : clock(seconds);
}

/** Return the table of tasks, which tells what the timeline shows. */
function tableOfTasks(run) {
  const stats = (task) => run.stats[task];
  const kind = run.kind;
  const count = (names) => (task) => number(names.reduce((sum, name) => sum + stats(task).counts[kind[name]], 0));
  const columns = [
    { title: "Task", width: "minmax(10rem, 3fr)", narrow: "minmax(0, 1fr)", cell: (task) => run.tasks[task][0] },
    { title: "Started", width: "5.5rem", kind: "figure wide", cell: (task) => (stats(task).elapsed < 0 ? "–" : clock(stats(task).first / 1000)) },
    { title: "Took", width: "6rem", narrow: "5rem", kind: "figure", cell: (task) => span(stats(task).elapsed) },
    { title: "Usual", width: "6rem", kind: "figure wide", cell: (task) => span(stats(task).usual) },
    { title: "Waited for", width: "minmax(8rem, 1.5fr)", kind: "second", cell: (task) => (stats(task).last < 0 ? "–" : run.hostOf(stats(task).last)) },
    { title: "Hosts", width: "4.5rem", kind: "figure wide", cell: (task) => number(stats(task).hosts) },
    { title: "Failed", width: "4.5rem", narrow: "3.5rem", kind: "figure", cell: count(["failed", "unreachable"]) },
  ];
  const table = new VirtualTable({ label: "Timeline", columns, link: (task) => address.make({ task: run.tasks[task][0], sort: "start" }), empty: "" });
  table.element.classList.add("low");
  const held = make("details.same", { ontoggle: () => {
    if (held.open && !table.rows.length) {
      table.mount();
      table.show(run.tasks.map((_, task) => task));
    }
  } }, make("summary", {}, "The timeline as a table"), make("p.hint", {}, "A task leads to its results on each host, in the order of their start."), table.frame);
  return held;
}

"use strict";

// All results: search, filters and order, which the address has too.

const SORTS = ["order", "task", "host", "outcome", "start", "took"];
const MARKS = { slow: ["SLOW", "slow"], last: ["LAST", "waited for"], diff: ["DIFF", "with a diff"] };

class Results {
  constructor(run) {
    this.run = run;
    this.place = section("results", "Results", run.size);
    this.inputs = {};
    this.table = new VirtualTable({
      label: "Results",
      lead: 1,
      columns: this.#columns(),
      link: (result) => address.with({ result }),
      empty: "No result is like that.",
      sort: (key) => this.#sortBy(key),
    });
    this.found = make("p.found", { role: "status" });
    this.place.append(this.#filters(), this.found, this.table.frame);
    this.table.mount();
    this.shown = null;
  }

  /** Show what the address asks for. */
  follow() {
    const values = address.read();
    const wanted = ["text", "host", "task", "outcome", "mark", "sort"].map((name) => values[name] ?? "").join("\n");
    if (this.shown === wanted) return false;
    this.shown = wanted;
    for (const name of ["text", "host", "task"]) if (this.inputs[name].value !== (values[name] ?? "")) this.inputs[name].value = values[name] ?? "";
    const chosen = { outcome: (values.outcome ?? "").split(","), mark: (values.mark ?? "").split(",") };
    for (const box of this.boxes) box.checked = chosen[box.name].includes(box.value);
    this.#show(values);
    return true;
  }

  #columns() {
    const run = this.run;
    const columns = [
      { title: "Outcome", width: "8rem", key: "outcome", kind: "second end", cell: (result) => pill(run.outcomeOf(result)) },
      { title: "Task", width: "minmax(10rem, 3fr)", narrow: "minmax(0, 1fr)", key: "task", cell: (result) => run.taskOf(result).name },
      { title: "Host", width: "minmax(8rem, 1.6fr)", key: "host", kind: "second", cell: (result) => run.hostOf(result) },
      { title: "Module", width: "minmax(6rem, 1fr)", kind: "wide faint", cell: (result) => run.taskOf(result).action.replace(/^ansible\.(builtin|legacy)\./, "") },
    ];
    if (!run.timed) return columns;
    return [
      ...columns,
      { title: "Started", width: "5.5rem", key: "start", kind: "figure wide", cell: (result) => (run.start[result] === NO_TIME ? "–" : clock(run.start[result] / 1000)) },
      { title: "Took", width: "6.5rem", narrow: "5.2rem", key: "took", kind: "figure", cell: (result) => this.#took(result) },
      { title: "Last", width: "5.5rem", kind: "wide faint", cell: (result) => (run.has(result, "LAST") && run.stats[run.task[result]].hosts > 1 ? "last" : "") },
    ];
  }

  #took(result) {
    const slow = this.run.has(result, "SLOW");
    return make(slow ? "span.strong.slow" : "span", { title: slow ? "slow" : null }, span(this.run.took[result]), slow ? make("span.hidden", {}, " slow") : "");
  }

  #filters() {
    const field = (name, title) => {
      this.inputs[name] = make("input", { type: "search", id: `find-${name}`, autocomplete: "off", spellcheck: "false", oninput: () => this.#changed() });
      return make("div.field", {}, make("label", { for: `find-${name}` }, title), this.inputs[name]);
    };
    this.boxes = [];
    const box = (name, value, title, count) => {
      const input = make("input", { type: "checkbox", name, value, onchange: () => this.#changed() });
      this.boxes.push(input);
      return make(`label.chip.${value}`, {}, input, title, count === null ? null : make("span.count", {}, number(count)));
    };
    const run = this.run;
    const outcomes = run.outcomes.map((name, code) => (run.totals[code] ? box("outcome", name, name, run.totals[code]) : ""));
    const marks = Object.entries(MARKS).map(([value, [mark, title]]) => (run.marks_.some((marks) => marks & run.marks[mark]) ? box("mark", value, title, null) : ""));
    return make(
      "form.filters",
      { role: "search", onsubmit: (event) => event.preventDefault() },
      make("div.fields", {}, field("text", "Search host, task, module"), field("host", "Host"), field("task", "Task")),
      make("fieldset", {}, make("legend.hidden", {}, "Outcome"), ...outcomes),
      make("fieldset", {}, make("legend.hidden", {}, "Also"), ...marks, button(".plain", "Clear", () => this.#clear())),
    );
  }

  #values() {
    const chosen = (name) => this.boxes.filter((box) => box.name === name && box.checked).map((box) => box.value).join(",");
    const { text, host, task } = this.inputs;
    return { text: text.value, host: host.value, task: task.value, outcome: chosen("outcome"), mark: chosen("mark") };
  }

  #changed() {
    address.replace(this.#values());
    this.follow();
  }

  #clear() {
    for (const input of Object.values(this.inputs)) input.value = "";
    for (const box of this.boxes) box.checked = false;
    address.replace({ sort: "" });
    this.#changed();
  }

  #sortBy(key) {
    const { sort } = address.read();
    address.replace({ sort: sort === key ? `-${key}` : key });
    this.follow();
  }

  #show(values) {
    const results = this.run.find(this.#test(values));
    const descending = (values.sort ?? "").startsWith("-");
    const key = (values.sort ?? "").replace("-", "");
    this.#order(results, SORTS.includes(key) ? key : "order", descending);
    this.table.sorted(key, descending);
    this.table.show(results);
    this.found.textContent = results.length === this.run.size ? `All ${counted(results.length, "result")}` : `${number(results.length)} of ${counted(this.run.size, "result")}`;
  }

  /** Return a function that tells whether a result is wanted. */
  #test(values) {
    const run = this.run;
    const has = (text, part) => text.toLowerCase().includes(part);
    const part = (name) => (values[name] ?? "").trim().toLowerCase();
    const words = part("text").split(/\s+/).filter(Boolean);
    const hosts = run.hosts.map((name) => has(name, part("host")));
    const tasks = run.tasks.map(([name]) => has(name, part("task")));
    const hostWords = run.hosts.map((name) => words.map((word) => has(name, word)));
    const taskWords = run.tasks.map(([name, action]) => words.map((word) => has(name, word) || has(action, word)));
    const outcomes = (values.outcome ?? "").split(",").filter((name) => name in run.kind).map((name) => run.kind[name]);
    const marks = (values.mark ?? "").split(",").reduce((sum, name) => sum | (name in MARKS ? run.marks[MARKS[name][0]] : 0), 0);
    return (result) => {
      const host = run.host[result];
      const task = run.task[result];
      if (!hosts[host] || !tasks[task] || (run.marks_[result] & marks) !== marks) return false;
      if (outcomes.length && !outcomes.includes(run.outcome[result])) return false;
      return words.every((_, at) => hostWords[host][at] || taskWords[task][at]);
    };
  }

  #order(results, key, descending) {
    const run = this.run;
    if (key !== "order") {
      const names = (list) => {
        const order = list.map((_, at) => at).sort((one, other) => list[one].localeCompare(list[other], "en", { numeric: true }));
        const ranks = new Int32Array(list.length);
        order.forEach((item, rank) => { ranks[item] = rank; });
        return ranks;
      };
      const keys = { outcome: () => run.outcome, start: () => run.start, took: () => run.took };
      let of;
      if (key === "host") {
        const ranks = names(run.hosts);
        of = (result) => ranks[run.host[result]];
      } else if (key === "task") {
        of = (result) => run.task[result];
      } else {
        const column = keys[key]();
        of = (result) => column[result];
      }
      results.sort((one, other) => of(one) - of(other) || one - other);
    }
    if (descending) results.reverse();
  }
}

"use strict";

// One result: what happened, where, and what the module returned.

const MESSAGES = ["msg", "reason", "censored", "stderr", "module_stderr", "stdout", "module_stdout"];
const SHOWN_MESSAGES = 3;

/** Shows results in a dialog, as the fragment of the address says. */
class Detail {
  constructor(run) {
    this.run = run;
    this.dialog = document.getElementById("detail");
    this.result = -1;
    this.dialog.addEventListener("close", () => this.#closed());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  /** Show the result that the address names; close the dialog if it names none. */
  follow() {
    const { result } = address.read();
    const known = /^\d{1,9}$/.test(result ?? "") && Number(result) < this.run.size;
    if (known) this.#open(Number(result));
    else if (this.dialog.open) this.dialog.close();
  }

  #closed() {
    this.result = -1;
    if (address.read().result !== undefined) address.replace({ result: "" });
  }

  async #open(result) {
    if (this.result === result) return;
    this.result = result;
    const run = this.run;
    const { name, action, place, play } = run.taskOf(result);
    const body = make("div.body", {}, make("p.note", {}, "Opening …"));
    const head = make("header", {}, pill(run.outcomeOf(result)), make("h2", { id: "detail-title" }, name), button(".close", "Close", () => this.dialog.close()));
    this.dialog.replaceChildren(head, this.#facts(result, { action, place, play }), this.#links(result), body);
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    const opened = await run.bodyOf(result);
    if (this.result === result) body.replaceChildren(...this.#parts(result, opened));
  }

  #facts(result, { action, place, play }) {
    const run = this.run;
    const stats = run.stats[run.task[result]];
    const rows = [["Host", run.hostOf(result)], ["Module", action], ["Place", place], ["Play", play]];
    if (run.start[result] !== NO_TIME) rows.push(["Started", `${clock(run.start[result] / 1000)} after the run began`]);
    if (run.took[result] >= 0) rows.push(["Took", this.#took(result, stats)]);
    const list = make("dl.facts");
    for (const [title, value] of rows) if (value) list.append(make("div", {}, make("dt", {}, title), make("dd", {}, value)));
    return list;
  }

  #took(result, stats) {
    const run = this.run;
    const words = [span(run.took[result])];
    if (stats.hosts > 2) words.push(`usual for this task: ${span(stats.usual)}`);
    if (run.has(result, "LAST") && stats.hosts > 1) words.push("the last host to finish it");
    return words.join("; ");
  }

  #links(result) {
    const copied = make("span", { role: "status" });
    const copy = async () => {
      const link = address.link(result);
      try {
        await navigator.clipboard.writeText(link);
        copied.textContent = "copied";
      } catch {
        copied.textContent = link;
      }
    };
    const run = this.run;
    const steps = [[-1, "Previous of this host"], [1, "Next of this host"]].map(([step, title]) => {
      const results = run.hosted(run.host[result]);
      const other = results[results.indexOf(result) + step];
      return other === undefined ? null : make("a", { href: address.with({ result: other }) }, title);
    });
    return make("p.links", {}, ...steps, button(".plain", "Copy a link to this result", copy), copied);
  }

  #parts(result, opened) {
    const parts = [];
    if (this.run.has(result, "CUT")) parts.push(make("p.note", {}, opened ? "Not all of this result is in the page." : "This result is not in the page: it would be too long."));
    if (!opened) return parts.length ? parts : [make("p.note", {}, "The module returned nothing that is in this source.")];
    const messages = MESSAGES.filter((name) => typeof opened.result[name] === "string" && opened.result[name].trim()).slice(0, SHOWN_MESSAGES);
    for (const name of messages) parts.push(make("h3", {}, name), make("pre.text", { tabindex: 0 }, opened.result[name]));
    if (opened.diffs.length) parts.push(make("h3", {}, "What changed"), ...opened.diffs.map(([name, text]) => diff(name, text)));
    parts.push(make("h3", {}, "Result"), tree(opened.result));
    return parts;
  }
}

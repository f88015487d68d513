"use strict";

// What changed: the tasks that changed something, and the diffs of a run in diff mode.

const FIRST_CHANGES = 12;
const FIRST_DIFFS = 5;

/** Show the changes. */
function showChanges(run) {
  const changed = run.kind.changed;
  const list = make("ul.changes");
  const tasks = run.stats.map((stats, task) => ({ task, count: stats.counts[changed] })).filter(({ count }) => count);
  const place = section("changed", "What changed", run.totals[changed]);
  if (!tasks.length) {
    place.append(make("p.none", {}, "Nothing changed."));
    return;
  }
  place.append(list);
  function add(from) {
    list.append(...tasks.slice(from, from + FIRST_CHANGES).map((row) => change(run, row)));
    const left = tasks.length - from - FIRST_CHANGES;
    if (left <= 0) return;
    const more = make("li", {}, button(".more", `show ${counted(Math.min(left, FIRST_CHANGES), "more task")} of ${number(left)}`, () => {
      more.remove();
      add(from + FIRST_CHANGES);
    }));
    list.append(more);
  }
  add(0);
}

function change(run, { task, count }) {
  const [name, action] = run.tasks[task];
  const results = run.done(task).filter((result) => run.outcome[result] === run.kind.changed);
  const diffs = results.filter((result) => run.has(result, "DIFF"));
  const where = address.make({ task: name, outcome: "changed" });
  const all = make("a", { href: where }, count === 1 ? run.hostOf(results[0]) : counted(count, "host"));
  const head = make("div.change", {}, make("span.name", {}, name), make("span.module", {}, action), all);
  if (!diffs.length) return make("li", {}, head);
  const held = make("details", { ontoggle: open }, make("summary", {}, counted(diffs.length, "diff")));
  let shown = 0;
  async function open() {
    if (held.open && !shown) await more();
  }
  async function more() {
    const next = diffs.slice(shown, shown + FIRST_DIFFS);
    shown += next.length;
    for (const result of next) {
      const opened = await run.bodyOf(result);
      held.append(make("h3", {}, make("a", { href: address.make({ result }) }, run.hostOf(result))), ...opened.diffs.slice(0, FIRST_DIFFS).map(([title, text]) => diff(title, text)));
    }
    if (shown < diffs.length) {
      const next = button(".more", `show ${counted(Math.min(FIRST_DIFFS, diffs.length - shown), "more diff")} of ${number(diffs.length - shown)}`, () => {
        next.remove();
        more();
      });
      held.append(next);
    }
  }
  return make("li", {}, head, held);
}

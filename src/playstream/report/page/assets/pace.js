"use strict";

// What was slow: tasks by the time the run spent in them, hosts by the time they were busy, single results.

const SLOWEST = 8;

/** Show what was slow. */
function showPace(run) {
  if (!run.timed) return;
  const place = section("slow", "What was slow", null);
  const parts = make("div.columns", {}, slowTasks(run), slowHosts(run), slowResults(run));
  place.append(make("p.hint", {}, "With the linear strategy, which is Ansible's default, every task waits for the host that finishes it last."), parts);
}

/** Return a list with a bar for each row. */
function ranking(title, rows, most) {
  const list = make("ol.ranking");
  for (const { name, link, value, note, kind } of rows) {
    list.append(make("li", {}, make("span.line", {}, make("a", { href: link }, name), make("span.figure", {}, span(value))), bar(most ? value / most : 0, kind), note ? make("span.side", {}, note) : ""));
  }
  return make("div", {}, make("h3", {}, title), list);
}

function slowTasks(run) {
  const rows = run.stats
    .map((stats, task) => ({ stats, task }))
    .filter(({ stats }) => stats.elapsed >= 0)
    .sort((one, other) => other.stats.elapsed - one.stats.elapsed)
    .slice(0, SLOWEST)
    .map(({ stats, task }) => ({
      name: run.tasks[task][0],
      link: address.make({ task: run.tasks[task][0], sort: "-took" }),
      value: stats.elapsed,
      note: [stats.hosts > 1 ? `waited for ${run.hostOf(stats.last)}` : "", stats.hosts > 2 ? `usual ${span(stats.usual)}` : ""].filter(Boolean).join(", "),
    }));
  return ranking("Tasks, from the first host to the last", rows, rows[0]?.value);
}

function slowHosts(run) {
  const rows = run.busy
    .map((value, host) => ({ value, host }))
    .sort((one, other) => other.value - one.value)
    .slice(0, SLOWEST)
    .map(({ value, host }) => {
      const last = run.hosted(host).filter((result) => run.has(result, "LAST")).length;
      return { name: run.hosts[host], link: address.make({ host: run.hosts[host], sort: "-took" }), value, note: last && run.hosts.length > 1 ? `the last of ${counted(last, "task")}` : "" };
    });
  return ranking("Hosts, all their tasks together", rows, rows[0]?.value);
}

function slowResults(run) {
  const order = run.find((result) => run.took[result] >= 0).sort((one, other) => run.took[other] - run.took[one]);
  const rows = [...order.subarray(0, SLOWEST)].map((result) => ({
    name: run.taskOf(result).name,
    link: address.make({ result }),
    value: run.took[result],
    note: run.hostOf(result),
    kind: run.has(result, "SLOW") ? "slow" : "",
  }));
  return ranking("Single results", rows, rows[0]?.value);
}

"use strict";

// The head of the page: did it work, and in numbers.

const WORDS = { failed: "failed", unreachable: "not reached", changed: "changed", ok: "without a change" };

/** Show the head. */
function showSummary(run) {
  const state = run.successful ? "good" : "bad";
  document.getElementById("top").append(
    make("div.title", {}, make(`span.state.${state}`, {}, run.status), make("h1", {}, run.title)),
    make("p.verdict", {}, verdict(run)),
    run.explanation ? make("p.explanation", {}, run.explanation) : "",
    hostBar(run),
    figures(run),
    ...run.notes.map((note) => make("p.note", {}, note)),
  );
  document.getElementById("bottom").append(`Written by ${run.program}. This file needs no network.`);
}

/** Return in a sentence how it went. */
function verdict(run) {
  const { failed, unreachable, changed } = run.hostTotals;
  const all = run.hosts.length;
  if (!all) return run.successful ? "Nothing was done: no host took part." : "It ended before a task ran on a host.";
  const parts = [];
  if (failed) parts.push(`${number(failed)} of ${counted(all, "host")} failed`);
  if (unreachable) parts.push(`${number(unreachable)} ${unreachable === 1 ? "was" : "were"} not reached`);
  if (!parts.length) parts.push(`${counted(all, "host")}, no failures`);
  const changes = run.totals[run.kind.changed];
  parts.push(changes ? `${counted(changes, "result")} changed something on ${counted(run.hosts.filter((_, host) => hasChanged(run, host)).length, "host")}` : "nothing changed");
  return `${parts.join(", ")}.`;
}

function hasChanged(run, host) {
  return run.hosted(host).some((result) => run.outcome[result] === run.kind.changed);
}

/** Return a bar of the hosts by the worst that happened to them. */
function hostBar(run) {
  const all = run.hosts.length;
  if (!all) return "";
  const parts = make("div.hostbar", { "aria-hidden": "true" });
  const legend = make("ul.legend", { "aria-label": "Hosts" });
  for (const [kind, count] of Object.entries(run.hostTotals)) {
    if (!count) continue;
    const part = make(`span.part.${kind}`);
    part.style.flexGrow = count;
    parts.append(part);
    legend.append(make("li", {}, make(`span.dot.${kind}`), `${counted(count, "host")} ${WORDS[kind]}`));
  }
  return make("div", {}, parts, legend);
}

function figures(run) {
  const rows = [
    ["Began", run.begins ? run.begins.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" }) : null],
    ["Took", run.seconds === null ? null : span(run.seconds * 1000)],
    ["Hosts", number(run.hosts.length)],
    ["Tasks", number(run.tasks.length)],
    ["Results", number(run.size)],
    ["Return code", run.rc],
    ["Run", run.ident],
  ];
  const list = make("dl.figures");
  for (const [title, value] of rows) if (value !== null && value !== "") list.append(make("div", {}, make("dt", {}, title), make("dd", {}, value)));
  return list;
}

"use strict";

// What failed and why: failures that are the same on several hosts are told once.

const FIRST_FAILURES = 10;
const FIRST_HOSTS = 8;
const SHOWN_DETAILS = /msg$|stderr$|stdout$/;
/** What is told of a failure at once: its message, and what a command has printed. */

/** Show the failures. */
function showFailures(run) {
  const results = run.totals[run.kind.failed] + run.totals[run.kind.unreachable];
  const list = make("div.failures");
  const place = section("failed", "What failed", results, list);
  if (!results) {
    list.append(make("p.none", {}, run.successful ? "Nothing failed." : "No task failed."));
    return;
  }
  const groups = [...run.failures].sort((one, other) => other.results.length - one.results.length);
  function add(from) {
    list.append(...groups.slice(from, from + FIRST_FAILURES).map((found) => failure(run, found)));
    const left = groups.length - from - FIRST_FAILURES;
    if (left <= 0) return;
    const more = button(".more", `show ${counted(Math.min(left, FIRST_FAILURES), "more failure")} of ${number(left)}`, () => {
      more.remove();
      add(from + FIRST_FAILURES);
    });
    list.append(more);
  }
  add(0);
  const told = groups.reduce((sum, found) => sum + found.results.length, 0);
  const rest = results - told;
  place.append(make("p.links", {}, make("a", { href: address.make({ outcome: "failed,unreachable" }) }, results === 1 ? "In the table of results" : `All ${number(results)} in the table of results`), rest > 0 ? ` (${number(rest)} are only there)` : ""));
}

function failure(run, { details, results }) {
  const first = results[0];
  const { name, action, place } = run.taskOf(first);
  const told = details.filter(([title]) => SHOWN_DETAILS.test(title));
  const rest = details.filter(([title]) => !SHOWN_DETAILS.test(title));
  const hosts = make("p.hosts", {}, counted(results.length, "host"), ": ");
  function addHosts(from) {
    results.slice(from, from + (from ? 200 : FIRST_HOSTS)).forEach((result, at) => hosts.append(at || from ? ", " : "", make("a", { href: address.make({ result }) }, run.hostOf(result))));
    const shown = from + (from ? 200 : FIRST_HOSTS);
    if (results.length <= shown) return;
    const more = button(".more", `and ${number(results.length - shown)} more`, () => {
      more.remove();
      addHosts(shown);
    });
    hosts.append(" ", more);
  }
  addHosts(0);
  return make(
    `article.failure.${run.outcomeOf(first)}`,
    {},
    make("header", {}, pill(run.outcomeOf(first)), make("h3", {}, make("a", { href: address.make({ result: first }) }, name))),
    make("p.place", {}, [action, place].filter(Boolean).join(" · ")),
    ...told.map(([, text]) => make("pre.text", { tabindex: 0 }, text)),
    hosts,
    rest.length ? make("details", {}, make("summary", {}, rest.map(([title]) => title).join(", ")), ...rest.flatMap(([title, text]) => [make("h4", {}, title), make("pre.text", { tabindex: 0 }, text)])) : "",
  );
}

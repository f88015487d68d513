"use strict";

// The recap: each host with Ansible's counts.

const COUNT_TITLES = { ok: "OK", changed: "Changed", failures: "Failed", unreachable: "Not reached", skipped: "Skipped", rescued: "Rescued", ignored: "Ignored" };
const COUNT_KINDS = { failures: "failed", unreachable: "unreachable", changed: "changed" };

/** Show the hosts. */
function showHosts(run) {
  const place = section("hosts", "Hosts", run.hosts.length);
  const order = { key: "", descending: false };
  const figure = (host, at) => {
    const value = run.counts[host]?.[at];
    const kind = COUNT_KINDS[run.countNames[at]];
    return value ? make(`span${kind ? `.strong.${kind}` : ""}`, {}, number(value)) : make("span.zero", {}, value === 0 ? "0" : "–");
  };
  const columns = [
    { title: "Host", width: "minmax(9rem, 2fr)", narrow: "minmax(0, 1fr)", key: "host", cell: (host) => run.hosts[host] },
    ...run.countNames.map((name, at) => ({ title: COUNT_TITLES[name], width: "minmax(4.6rem, 1fr)", narrow: name === "unreachable" ? "5.6rem" : "4rem", key: name, kind: name in COUNT_KINDS ? "figure" : "figure wide", cell: (host) => figure(host, at) })),
  ];
  if (run.timed) columns.push({ title: "Busy", width: "minmax(5.5rem, 1fr)", key: "busy", kind: "figure wide", cell: (host) => span(run.busy[host]) });
  const table = new VirtualTable({ label: "Hosts", columns, link: (host) => address.make({ host: run.hosts[host] }), empty: "No host took part.", sort: choose });
  const value = { host: (host) => run.hosts[host], busy: (host) => -run.busy[host], "": (host) => RANKS[run.worst[host]] };
  run.countNames.forEach((name, at) => { value[name] = (host) => -(run.counts[host]?.[at] ?? 0); });
  function choose(key) {
    order.descending = order.key === key && !order.descending;
    order.key = key;
    show();
  }
  function show() {
    const rows = run.hosts.map((_, host) => host);
    const of = value[order.key];
    rows.sort((one, other) => (of(one) < of(other) ? -1 : of(one) > of(other) ? 1 : one - other));
    if (order.descending) rows.reverse();
    table.sorted(order.key, order.key === "host" ? order.descending : !order.descending);
    table.show(rows);
  }
  place.append(table.frame);
  table.element.classList.add("low");
  table.mount();
  show();
}

"use strict";

// A value as a tree that opens level by level, and diffs.

const MOST_CHILDREN = 200;
const SHORT_TEXT = 160;

/** Return a value as a tree. */
function tree(value, depth = 0) {
  if (value === null || typeof value !== "object") return leaf(value);
  const entries = Array.isArray(value) ? value.map((each, place) => [place, each]) : Object.entries(value);
  if (!entries.length) return make("span.leaf.void", {}, Array.isArray(value) ? "[]" : "{}");
  const list = make("ul.tree");
  addEntries(list, entries, 0, depth);
  return list;
}

function addEntries(list, entries, from, depth) {
  for (const [name, value] of entries.slice(from, from + MOST_CHILDREN)) list.append(make("li", {}, ...branch(name, value, depth)));
  const left = entries.length - from - MOST_CHILDREN;
  if (left <= 0) return;
  const more = make("li", {}, button(".more", `show ${number(Math.min(left, MOST_CHILDREN))} more`, () => {
    more.remove();
    addEntries(list, entries, from + MOST_CHILDREN, depth);
  }));
  list.append(more);
}

/** Return what a line of the tree consists of. What is below it is made when it is opened. */
function branch(name, value, depth) {
  const label = make("span.key", {}, `${name}`);
  const inner = value !== null && typeof value === "object" ? Object.keys(value).length : 0;
  if (!inner) return [label, ": ", tree(value)];
  const what = Array.isArray(value) ? counted(inner, "item") : counted(inner, "value");
  const held = make("details", { ontoggle: open }, make("summary", {}, label, make("span.size", {}, ` ${what}`)));
  function open() {
    if (held.open && held.childElementCount === 1) held.append(tree(value, depth + 1));
  }
  if (depth === 0 && inner <= 12 && name !== "invocation") {
    held.open = true;
    open();
  }
  return [held];
}

function leaf(value) {
  if (typeof value !== "string") return make("span.leaf.plain", {}, String(value));
  if (value === "") return make("span.leaf.void", {}, "empty");
  const whole = value.includes("\n") || value.length > SHORT_TEXT;
  return whole ? make("pre.text", { tabindex: 0 }, value) : make("span.leaf", {}, value);
}

/** Return a diff with its lines coloured. */
function diff(name, text) {
  const lines = text.replace(/\n$/, "").split("\n");
  const block = make("code");
  const kinds = { "+": "add", "-": "del", "@": "hunk" };
  function add(from) {
    const part = document.createDocumentFragment();
    for (const line of lines.slice(from, from + 300)) part.append(make(`span.line${kinds[line[0]] ? `.${kinds[line[0]]}` : ""}`, {}, `${line}\n`));
    block.append(part);
    const left = lines.length - from - 300;
    if (left <= 0) return;
    const more = button(".more", `show ${counted(Math.min(left, 300), "more line")}`, () => {
      more.remove();
      add(from + 300);
    });
    block.append(more);
  }
  add(0);
  const count = (sign) => lines.filter((line) => line[0] === sign).length;
  const head = make("figcaption", {}, make("span.name", {}, name || "change"), make("span.added", {}, `+${count("+")}`), make("span.removed", {}, `−${count("-")}`));
  return make("figure.diff", {}, head, make("pre", { tabindex: 0 }, block));
}

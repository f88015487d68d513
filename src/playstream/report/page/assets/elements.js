"use strict";

// Making elements. Text of a run only ever becomes the text of a node or the value of an attribute made here.

/**
 * Return a new element.
 * @param {string} name its tag, with classes after dots: `span.pill.failed`
 * @param {Record<string, any>} [values] attributes; those that begin with `on` are listeners
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {HTMLElement}
 */
function make(name, values = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false && child !== "") made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

/** Return a button. */
function button(name, text, click, values = {}) {
  return make(`button${name}`, { type: "button", onclick: click, ...values }, text);
}

/** Return a section with a heading, and put it into the page and its list of sections. */
function section(id, title, count, ...children) {
  const shown = count === null ? "" : ` ${number(count)}`;
  document.getElementById("sections").append(make("a", { href: `#${id}` }, title, count === null ? null : make("span.count", {}, number(count))));
  const made = make("section", { id, "aria-labelledby": `${id}-title`, tabindex: -1 }, make("h2", { id: `${id}-title` }, title, count === null ? null : make("span.count", {}, shown)), ...children);
  document.getElementById("main").append(made);
  return made;
}

const NUMBERS = new Intl.NumberFormat("en");

/** Return a number with separators. */
function number(value) {
  return NUMBERS.format(value);
}

/** Return a number and what it counts. */
function counted(value, word) {
  return `${number(value)} ${word}${value === 1 ? "" : "s"}`;
}

/** Return a time span for people: `0.35 s`, `12.4 s`, `3:05 min`, `2:10:00 h`. */
function span(milliseconds) {
  if (milliseconds === null || milliseconds < 0) return "–";
  const seconds = milliseconds / 1000;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${clock(seconds)} min` : `${clock(seconds)} h`;
}

/** Return seconds as on a clock: `0:05`, `1:00:05`. */
function clock(seconds) {
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Return how a task ended, as a coloured word. */
function pill(outcome) {
  return make(`span.pill.${outcome}`, {}, outcome);
}

/** Return a bar that shows a part of the longest one; it repeats a number that is beside it. */
function bar(part, kind = "") {
  const filled = make(`span.fill${kind && `.${kind}`}`);
  filled.style.width = `${Math.max(1, Math.min(100, part * 100))}%`;
  return make("span.bar", { "aria-hidden": "true" }, filled);
}

"use strict";

// Tables of any length: only the rows in view are in the page. virtual-core computes which these are.

const NARROW = matchMedia("(max-width: 700px)");

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {string} width as in grid-template-columns
 * @property {(row: number) => (Node|string)} cell
 * @property {string} [kind] a class of its cells: `figure`, `wide` (left out on a narrow screen), `second` (below, there)
 * @property {string} [key] what rows are sorted by; without it they cannot be by this column
 */

class VirtualTable {
  /**
   * @param {object} options
   * @param {string} options.label what a screen reader calls it
   * @param {Column[]} options.columns
   * @param {(row: number) => string} options.link where a row leads
   * @param {number} [options.lead] the column that has the link
   * @param {string} options.empty what is shown without rows
   * @param {(key: string) => void} [options.sort] called when somebody chooses a column to sort by
   */
  constructor(options) {
    this.options = options;
    this.rows = [];
    this.shown = new Map();
    this.active = 0;
    this.body = make("div.rows", { role: "rowgroup" });
    this.scroller = make("div.scroller", { onkeydown: (event) => this.#move(event) }, this.body);
    this.heads = options.columns.map((column) => this.#head(column));
    const head = make("div.head", { role: "rowgroup" }, make("div.row", { role: "row" }, ...this.heads));
    this.none = make("p.none", { hidden: true }, options.empty);
    this.element = make("div.table", { role: "grid", "aria-label": options.label, "aria-colcount": options.columns.length }, head, this.scroller);
    this.element.style.setProperty("--columns", options.columns.map((column) => column.width).join(" "));
    const narrow = options.columns.filter((column) => !/wide|second/.test(column.kind ?? ""));
    this.element.style.setProperty("--narrow-columns", narrow.map((column) => column.narrow ?? column.width).join(" "));
    this.second = options.columns.some((column) => /second/.test(column.kind ?? ""));
    this.element.classList.toggle("two-lines", this.second);
    this.frame = make("div", {}, this.element, this.none);
    this.virtualizer = new VirtualCore.Virtualizer(this.#settings());
    NARROW.addEventListener("change", () => this.show(this.rows));
  }

  /** Take a place in the page. */
  mount() {
    this.virtualizer._didMount();
    this.virtualizer._willUpdate();
  }

  /** Show rows; their numbers are passed to the columns. */
  show(rows) {
    this.rows = rows;
    this.active = 0;
    for (const row of this.shown.values()) row.remove();
    this.shown.clear();
    this.none.hidden = rows.length > 0;
    this.element.hidden = rows.length === 0;
    this.element.setAttribute("aria-rowcount", rows.length + 1);
    this.scroller.scrollTop = 0;
    this.virtualizer.setOptions(this.#settings());
    this.virtualizer.measure();
    this.virtualizer._willUpdate();
    this.#render();
  }

  /** Tell by which column the rows are sorted. */
  sorted(key, descending) {
    this.options.columns.forEach((column, place) => {
      if (column.key) this.heads[place].setAttribute("aria-sort", column.key !== key ? "none" : descending ? "descending" : "ascending");
    });
  }

  #settings() {
    const height = NARROW.matches && this.second ? 56 : 36;
    return {
      count: this.rows.length,
      getScrollElement: () => this.scroller,
      estimateSize: () => height,
      overscan: 6,
      observeElementRect: VirtualCore.observeElementRect,
      observeElementOffset: VirtualCore.observeElementOffset,
      scrollToFn: VirtualCore.elementScroll,
      onChange: () => this.#render(),
    };
  }

  #head(column) {
    const values = { role: "columnheader", "aria-sort": column.key ? "none" : null };
    const content = column.key ? button(".sort", column.title, () => this.options.sort(column.key)) : column.title;
    return make(`div.cell${column.kind ? `.${column.kind.replaceAll(" ", ".")}` : ""}`, values, content);
  }

  #render() {
    const items = this.virtualizer.getVirtualItems();
    const wanted = new Set(items.map((item) => item.index));
    this.body.style.height = `${this.virtualizer.getTotalSize()}px`;
    for (const [index, row] of this.shown) {
      if (!wanted.has(index)) {
        row.remove();
        this.shown.delete(index);
      }
    }
    for (const item of items) {
      if (this.shown.has(item.index)) continue;
      const row = this.#row(item.index);
      row.style.transform = `translateY(${item.start}px)`;
      row.style.height = `${item.size}px`;
      this.shown.set(item.index, row);
      const after = [...this.shown.entries()].filter(([index]) => index > item.index).sort(([one], [other]) => one - other)[0];
      this.body.insertBefore(row, after ? after[1] : null);
    }
    this.#letOneBeReached();
  }

  /** Let the Tab key reach one row: the active one if it is in view. */
  #letOneBeReached() {
    const reached = this.shown.has(this.active) ? this.active : Math.min(...this.shown.keys());
    for (const [index, row] of this.shown) row.querySelector("a").tabIndex = index === reached ? 0 : -1;
  }

  #row(index) {
    const id = this.rows[index];
    const lead = this.options.lead ?? 0;
    const cells = this.options.columns.map((column, place) => {
      const content = column.cell(id);
      const held = place === lead ? make("a", { href: this.options.link(id), onfocus: () => { this.active = index; } }, content) : content;
      return make(`div.cell${column.kind ? `.${column.kind.replaceAll(" ", ".")}` : ""}`, { role: "gridcell" }, held);
    });
    return make("div.row", { role: "row", "aria-rowindex": index + 2 }, ...cells);
  }

  #move(event) {
    const page = Math.max(1, this.shown.size - 12);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.rows.length, End: this.rows.length };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.active = Math.max(0, Math.min(this.rows.length - 1, this.active + step));
    this.virtualizer.scrollToIndex(this.active);
    const focus = (left) => {
      const row = this.shown.get(this.active);
      if (row) {
        this.#letOneBeReached();
        row.querySelector("a").focus({ preventScroll: true });
      } else if (left) requestAnimationFrame(() => focus(left - 1));
    };
    focus(10);
  }
}

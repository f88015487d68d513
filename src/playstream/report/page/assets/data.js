"use strict";

// The data in the page: the columns of all results, and blocks with what modules have returned.

/** Return the bytes of a base64 text. */
function decode(text) {
  return Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** Return the decompressed bytes of a base64 text. */
async function unpack(text) {
  const stream = new Blob([decode(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const ARRAYS = { i: Int32Array, H: Uint16Array, B: Uint8Array };

/** Return the head of the data, and its columns as typed arrays: see columns.py. */
async function readColumns() {
  const node = document.getElementById("data");
  const buffer = await unpack(node.textContent);
  node.remove();
  const size = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  const columns = {};
  for (const [name, [type, at, count]] of Object.entries(head.columns)) {
    columns[name] = new ARRAYS[type](buffer, 4 + size + at, count);
  }
  return { head, columns };
}

/** Opens the blocks; the last ones stay open. */
class Blocks {
  constructor() {
    const node = document.getElementById("blocks");
    this.texts = node.textContent.trim().split("\n");
    node.remove();
    this.opened = new Map();
  }

  /** Return what a module has returned and its diffs; null if the page does not have it. */
  async body(block, slot) {
    if (block < 0) return null;
    let opened = this.opened.get(block);
    if (!opened) {
      opened = unpack(this.texts[block]).then((buffer) => JSON.parse(new TextDecoder().decode(buffer)));
      if (this.opened.size >= 8) this.opened.delete(this.opened.keys().next().value);
      this.opened.set(block, opened);
    }
    const [result, diffs] = (await opened)[slot];
    return { result, diffs };
  }
}

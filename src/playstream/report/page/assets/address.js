"use strict";

// What is shown, as the fragment of the page's address: a link can be sent to somebody who has the same file.

const address = {
  /** Return the values in the fragment. */
  read() {
    const text = location.hash.slice(1);
    return text.includes("=") ? Object.fromEntries(new URLSearchParams(text)) : {};
  },

  /** Return the fragment for values; those that are empty are left out. */
  make(values) {
    const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return `#${new URLSearchParams(kept)}`;
  },

  /** Return the fragment with some values changed. */
  with(values) {
    return address.make({ ...address.read(), ...values });
  },

  /** Change the fragment without a step in the history. */
  replace(values) {
    const fragment = address.with(values);
    history.replaceState(null, "", fragment === "#" ? location.href.split("#")[0] : fragment);
  },

  /** Return the whole link to a result. */
  link(result) {
    return `${location.href.split("#")[0]}${address.make({ result })}`;
  },
};

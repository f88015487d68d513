"use strict";

// Opens the run, and shows what its address asks for.

/** Show a part of the page. One that the browser cannot show leaves a notice, and the others as they are. */
function attempt(show, run) {
  try {
    show(run);
  } catch (error) {
    console.error(error);
    document.getElementById("main").append(make("p.note.bad", { role: "status" }, `This browser cannot show all of the part above: ${error.message}`));
  }
}

async function main() {
  const loading = document.getElementById("loading");
  let run;
  try {
    run = await openRun();
  } catch (error) {
    loading.textContent = `This file is damaged, or the browser is too old to open it: ${error.message}`;
    loading.classList.add("bad");
    throw error;
  }
  loading.remove();
  for (const show of [showSummary, showFailures, showChanges, showPace, showTimeline, showHosts]) attempt(show, run);
  const results = new Results(run);
  const detail = new Detail(run);
  const follow = (event) => {
    if (event && location.hash.length > 1 && !location.hash.includes("=")) return; // a place in the page
    const changed = results.follow();
    detail.follow();
    if (changed && event && address.read().result === undefined) results.place.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  follow(null);
  const { result, ...others } = address.read();
  if (result === undefined && Object.keys(others).length) results.place.scrollIntoView();
  else if (location.hash && !location.hash.includes("=")) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  document.documentElement.dataset.ready = "yes";
}

main();

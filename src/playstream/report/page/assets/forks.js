"use strict";

// How many tasks were at work at the same time.

/** Return the times at which the number of tasks at work changes, and the numbers. */
function concurrency(bars) {
  const ends = bars.ends.slice().sort();
  const times = [];
  const counts = [];
  let [begun, ended] = [0, 0];
  while (ended < ends.length) {
    const time = begun < bars.begins.length && bars.begins[begun] <= ends[ended] ? bars.begins[begun] : ends[ended];
    while (begun < bars.begins.length && bars.begins[begun] === time) begun++;
    while (ended < ends.length && ends[ended] === time) ended++;
    times.push(time);
    counts.push(begun - ended);
  }
  return [times, counts];
}

/** Draw the forks in use; return the chart. */
function showForks(run, bars, place, colour, width) {
  const data = concurrency(bars);
  const most = data[1].reduce((high, count) => Math.max(high, count), 0);
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `Tasks at work at the same time: at most ${number(most)}.`);
  const font = "12px system-ui, sans-serif";
  return new uPlot(
    {
      width: Math.max(200, width()),
      height: 120,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: "time", setSeries: false } },
      scales: { x: { time: false, auto: false, range: (_, low, high) => [low, high] }, y: { range: [0, Math.max(1, most * 1.1)] } },
      axes: [
        { stroke: colour.faint, font, grid: { stroke: colour.line, width: 1 }, ticks: { show: false }, values: (_, splits) => splits.map((at) => axisTime(at, splits)) },
        { stroke: colour.faint, font, size: place.clientWidth > 600 ? 150 : 84, gap: 6, grid: { stroke: colour.line, width: 1 }, ticks: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      ],
      series: [{}, { stroke: colour.accent, fill: colour.fill, width: 1.4, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) }],
    },
    data,
    place,
  );
}

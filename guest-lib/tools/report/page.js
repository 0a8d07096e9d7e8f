// SPDX-License-Identifier: MIT
// Draws the report from the runs that are embedded in the page. No network, no state beyond the page.
'use strict';

const documentData = JSON.parse(document.getElementById('data').textContent);
const runs = documentData.runs;

// One colour a policy in every plot; told apart in greys, too, by their order of lightness.
const COLOURS = {
  'lru': '#8a8f98', 'arc': '#2f7ed8', 'hepc': '#d9822b', 'next-use-alone': '#0aa2c0', 'next-use': '#1f9d6b', 'next-use+ends': '#c2372e',
  'min': '#b07cd6', 'min+queue': '#8e4ec6', 'min+perfect': '#d6409f',
};
const SPARE_COLOURS = ['#7a6f00', '#5b5bd6', '#a0522d', '#2f4f4f'];
const LABELS = {
  fast: 'fast', slow: 'slow', recomputed: 'recomputed', stall_ns_total: 'stall_ns_total, s',
  stall_ns_mean: 'stall_ns_mean, ms', stall_ns_p99: 'stall_ns_p99, ms', ttft_ns_mean: 'ttft_ns_mean, ms',
  ttft_ns_p99: 'ttft_ns_p99, ms', blocks_in: 'blocks_in', blocks_out: 'blocks_out',
};
const SMALLER_IS_BETTER = ['stall_ns_total', 'stall_ns_mean', 'stall_ns_p99', 'ttft_ns_mean', 'ttft_ns_p99', 'recomputed'];
const charts = [];

const isBound = (run) => Boolean(run.bound);
// What ran in the virtual machine, through driver and device, is not what the simulator did.
const nameOf = (run) => run.policy + (run.oracle && !isBound(run) ? ' (oracle hints)' : '') + (run.machine === 'device' ? ' (VM)' : '');
const isAblated = (run) => (run.without || []).length > 0;
const unique = (values) => [...new Set(values)];
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (value, digits = 0) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

function colourOf(name) {
  const known = COLOURS[name.replace(/ \(.*/, '')];
  if (known) return known;
  const names = unique(runs.map(nameOf)).filter((other) => !COLOURS[other]);
  return SPARE_COLOURS[names.indexOf(name) % SPARE_COLOURS.length];
}

/* -- Choices ---------------------------------------------------------------- */

const CHOICES = [
  { key: 'trace', label: 'trace', text: (value) => value },
  { key: 'scale', label: 'scale', text: (value) => value },
  { key: 'fast_blocks', label: 'fast tier', text: (value) => `${number(value)} blocks` },
  { key: 'slow', label: 'slow tier', text: (value) => value },
];
const chosen = {};

const slowOf = (run) => (run.everything ? 'everything' : `${number(run.slow_blocks)} blocks`);
const choiceValue = (run, key) => (key === 'slow' ? slowOf(run) : key === 'trace' ? run.trace || documentData.parameters.trace || 'trace' : run[key]);

function mostRuns(key) {
  const values = unique(runs.map((run) => choiceValue(run, key)));
  const count = (value) => runs.filter((run) => choiceValue(run, key) === value).length;
  return values.reduce((best, value) => (count(value) > count(best) ? value : best), values[0]);
}

function makeChoices() {
  const form = document.getElementById('choices');
  for (const { key, label, text } of CHOICES) {
    const values = unique(runs.map((run) => choiceValue(run, key))).sort((a, b) => (typeof a === 'number' ? a - b : String(a).localeCompare(String(b))));
    chosen[key] = mostRuns(key);
    const select = document.createElement('select');
    for (const value of values) select.add(new Option(text(value), String(value), false, value === chosen[key]));
    select.addEventListener('change', () => {
      chosen[key] = values[select.selectedIndex];
      draw();
    });
    const wrapper = document.createElement('label');
    wrapper.append(label, select);
    form.append(wrapper);
  }
}

/* The runs of the chosen values, but for the keys in `free`. */
function selected(free = [], ablated = false) {
  return runs.filter((run) => isAblated(run) === ablated &&
    CHOICES.every(({ key }) => free.includes(key) || choiceValue(run, key) === chosen[key]));
}

function groups(list, key) {
  const found = new Map();
  for (const run of list) {
    const value = key(run);
    if (!found.has(value)) found.set(value, []);
    found.get(value).push(run);
  }
  return found;
}

/* -- Tables and plots ------------------------------------------------------- */

function table(head, rows) {
  const element = document.createElement('table');
  const line = element.createTHead().insertRow();
  for (const text of head) {
    const cell = document.createElement('th');
    cell.textContent = text;
    line.append(cell);
  }
  const body = element.createTBody();
  for (const { cells, className, colour } of rows) {
    const row = body.insertRow();
    row.className = className || '';
    cells.forEach((cell, index) => {
      const place = row.insertCell();
      place.textContent = cell.text === undefined ? cell : cell.text;
      place.className = cell.className || '';
      if (index === 0 && colour) {
        const swatch = document.createElement('span');
        swatch.className = 'swatch';
        swatch.style.background = colour;
        place.prepend(swatch);
      }
    });
  }
  return element;
}

function replace(id, child) {
  document.getElementById(id).replaceChildren(child);
}

/* A plot in its figure, and its numbers below it. Series: {name, points: [[x, y]], dashed}. */
function plot(id, type, series, axes) {
  const figure = document.getElementById(id);
  for (const old of figure.querySelectorAll('.canvas, details, .empty')) old.remove();
  if (!series.length || series.every((one) => one.points.length === 0)) {
    const nothing = document.createElement('div');
    nothing.className = 'empty';
    nothing.textContent = axes.empty || 'These runs have no such figures.';
    figure.append(nothing);
    return;
  }
  axes.xs = unique(series.flatMap((one) => one.points.map(([x]) => x)));
  const box = document.createElement('div');
  box.className = 'canvas';
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', figure.querySelector('figcaption').textContent);
  box.append(canvas);
  figure.append(box, numbers(series, axes));
  charts.push(new Chart(canvas, { type, data: dataOf(type, series, axes), options: optionsOf(type, axes) }));
}

function numbers(series, axes) {
  const details = document.createElement('details');
  const summary = document.createElement('summary');
  summary.textContent = 'Numbers';
  const scroll = document.createElement('div');
  scroll.className = 'scroll';
  const xs = [...axes.xs];
  if (xs.every((x) => typeof x === 'number')) xs.sort((a, b) => a - b);
  scroll.append(table([axes.x, ...series.map((one) => one.name)], xs.map((x) => ({
    cells: [x, ...series.map((one) => {
      const point = one.points.find(([at]) => at === x);
      return point ? number(point[1], axes.digits || 0) : '';
    })].map(String),
  }))));
  details.append(summary, scroll);
  return details;
}

function dataOf(type, series, axes) {
  const datasets = series.map((one) => ({
    label: one.name,
    data: type === 'bar' ? axes.xs.map((x) => one.points.find(([at]) => at === x)?.[1] ?? null) : one.points.map(([x, y]) => ({ x, y })),
    borderColor: one.colour,
    backgroundColor: one.colour + (axes.stacked ? 'cc' : type === 'bar' ? 'cc' : ''),
    borderDash: one.dashed ? [5, 4] : [],
    borderWidth: axes.stacked ? 0 : 2,
    pointRadius: axes.points ? 3 : 0,
    fill: Boolean(axes.stacked),
    stepped: axes.stepped || false,
    hidden: one.hidden || false,
  }));
  return type === 'bar' ? { labels: axes.xs, datasets } : { datasets };
}

function optionsOf(type, axes) {
  /* A size's ticks are the sizes there are. */
  const sizes = axes.log ? { afterBuildTicks: (axis) => { axis.ticks = axes.xs.map((value) => ({ value })); } } : {};
  const labels = axes.log ? { callback: (value) => number(value) } : {};
  const scale = (title, more) => ({
    title: { display: true, text: title, color: css('--faint') },
    ticks: { color: css('--faint'), maxRotation: 0 }, grid: { color: css('--rule') }, ...more,
  });
  return {
    animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
    interaction: { mode: axes.stacked ? 'index' : 'nearest', intersect: false },
    plugins: { legend: { labels: { color: css('--ink'), boxWidth: 14, boxHeight: 2 } } },
    scales: {
      x: scale(axes.x, type === 'bar' ? {} : {
        type: axes.log ? 'logarithmic' : 'linear', min: axes.xMin, max: axes.xMax, ...sizes,
        ticks: { color: css('--faint'), maxRotation: 0, ...labels },
      }),
      y: scale(axes.y, { stacked: Boolean(axes.stacked), beginAtZero: true, max: axes.yMax }),
    },
  };
}

/* One line a policy over a size: the mean over seeds of `value`. */
function linesOver(list, x, value) {
  return [...groups(list, nameOf)].map(([name, members]) => ({
    name, colour: colourOf(name), dashed: isBound(members[0]),
    points: [...groups(members, x)].map(([at, seeds]) => [at, mean(seeds.map(value))])
      .filter(([, y]) => Number.isFinite(y)).sort((a, b) => a[0] - b[0]),
  }));
}

/* The value relative to lru's of the same sizes and seed. */
function relativeToLru(key) {
  return (run) => {
    const lru = runs.find((other) => other.policy === 'lru' && !isAblated(other) && other.seed === run.seed &&
      (other.machine || '') === (run.machine || '') &&
      CHOICES.every(({ key: choice }) => choiceValue(other, choice) === choiceValue(run, choice)));
    return lru && lru[key] > 0 ? run[key] / lru[key] : NaN;
  };
}

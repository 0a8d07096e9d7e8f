// SPDX-License-Identifier: MIT
// The report's sections, from top to bottom.
'use strict';

function summary() {
  const list = [...groups(selected(), nameOf)].sort(([, a], [, b]) => isBound(a[0]) - isBound(b[0]));
  const value = (members, key) => mean(members.map((run) => run[key]));
  const best = (key) => Math.min(...list.filter(([, members]) => !isBound(members[0])).map(([, members]) => value(members, key)));
  const shown = (members, key) => {
    const figure = value(members, key);
    const uses = value(members, 'block_uses');
    if (key === 'stall_ns_total') return number(figure / 1e9, 2);
    if (key.includes('_ns_')) return number(figure / 1e6, 1);
    return ['fast', 'slow', 'recomputed'].includes(key) ? `${number(figure)} (${number(figure / uses, 4)})` : number(figure);
  };
  const rows = list.map(([name, members]) => ({
    className: isBound(members[0]) ? 'bound' : '', colour: colourOf(name),
    cells: [name, ...Object.keys(LABELS).map((key) => ({
      text: shown(members, key),
      className: SMALLER_IS_BETTER.includes(key) && !isBound(members[0]) && value(members, key) === best(key) ? 'best' : '',
    })), String(members.reduce((sum, run) => sum + run.verification_failures, 0)), String(members.length),
    members[0].hints.join(' ') || 'none'],
  }));
  replace('summary', table(['policy', ...Object.values(LABELS), 'verification_failures', 'seeds', 'hints'], rows));
}

function sizes() {
  const bySize = selected(['fast_blocks']);
  const slowAxis = (run) => run.slow_blocks;
  const bySlow = selected(['slow']);
  const several = (list, key) => unique(list.map(key)).length > 1;
  const one = 'These runs have one size alone: nothing to draw.';
  plot('fast-by-size', 'line', linesOver(bySize, (run) => run.fast_blocks, (run) => run.fast / run.block_uses),
    { x: 'fast tier, blocks', y: 'fraction', log: several(bySize, (run) => run.fast_blocks), points: true, digits: 4 });
  plot('stall-by-size', 'line', linesOver(bySize, (run) => run.fast_blocks, relativeToLru('stall_ns_total')),
    { x: 'fast tier, blocks', y: 'stall / lru', log: several(bySize, (run) => run.fast_blocks), points: true, digits: 3 });
  const slow = several(bySlow, slowAxis);
  plot('slow-by-size', 'line', slow ? linesOver(bySlow, slowAxis, (run) => run.recomputed / run.block_uses) : [],
    { x: 'slow tier, blocks', y: 'fraction', log: true, points: true, digits: 4, empty: one });
  plot('ttft-by-size', 'line', slow ? linesOver(bySlow, slowAxis, relativeToLru('ttft_ns_mean')) : [],
    { x: 'slow tier, blocks', y: 'ttft / lru', log: true, points: true, digits: 3, empty: one });
}

/* Quantiles of the first seed of each policy, as a distribution: x time, y share. */
function distribution(id, key) {
  const series = [...groups(selected(), nameOf)].filter(([, members]) => members[0][key]?.length).map(([name, members]) => ({
    name, colour: colourOf(name), dashed: isBound(members[0]),
    points: members[0][key].map((ns, index, all) => [ns / 1e6, (100 * index) / (all.length - 1)]),
  }));
  plot(id, 'line', series, { x: 'ms', y: '% of requests', yMax: 100, digits: 0, xMin: 0 });
}

const firstSeeds = () => [...groups(selected(), nameOf)].map(([name, members]) => [name, members[0]]).filter(([, run]) => run.timeline);

/* Of many lines over time, those that are shown at first: the baseline, what is proposed, its bound. */
const isShownFirst = (run) => ['lru', 'next-use', 'min+queue'].includes(run.policy) || firstSeeds().length <= 4;

function hits() {
  const series = firstSeeds().filter(([, run]) => run.timeline.fast).map(([name, run]) => {
    const { fast, slow, recomputed, interval_ns: interval } = run.timeline;
    return {
      name, colour: colourOf(name), dashed: isBound(run), hidden: !isShownFirst(run),
      points: fast.map((count, index) => [(index * interval) / 1e9, count / (count + slow[index] + recomputed[index])]).filter(([, y]) => Number.isFinite(y)),
    };
  });
  plot('hits', 'line', series, { x: 's', y: 'fraction', digits: 4 });
}

function traffic() {
  const series = firstSeeds().flatMap(([name, run]) => ['blocks_in', 'blocks_out'].map((key) => ({
    name: `${name} ${key === 'blocks_in' ? 'in' : 'out'}`, colour: colourOf(name), dashed: key === 'blocks_out', hidden: !isShownFirst(run),
    points: run.timeline[key].map((count, index) => [(index * run.timeline.interval_ns) / 1e9, count]),
  })));
  plot('traffic', 'line', series, { x: 's', y: 'blocks per interval' });
}

const RESIDENCY_COLOURS = ['#1f9d6b', '#d9822b', '#2f7ed8', '#8e4ec6', '#c2372e', '#0aa2c0', '#8a8f98', '#d6409f'];

function residency() {
  const candidates = firstSeeds().filter(([, run]) => run.timeline.residency);
  const [name, run] = candidates.find(([policy]) => policy === chosen.residency) || candidates.find(([, one]) => one.policy === 'next-use') || candidates[0] || [];
  const place = document.getElementById('residency-policy');
  place.replaceChildren();
  if (candidates.length > 1) {
    const select = document.createElement('select');
    select.setAttribute('aria-label', 'Policy');
    for (const [policy] of candidates) select.add(new Option(policy, policy, false, policy === name));
    select.addEventListener('change', () => {
      chosen.residency = select.value;
      draw();
    });
    place.append('Under ', select);
  }
  residencyPlot('residency', run, (kind) => !['slow', 'scrubbing', 'free'].includes(kind));
  residencyPlot('residency-slow', run, (kind) => kind !== 'free');
}

function residencyPlot(id, run, isWanted) {
  const kinds = run ? Object.keys(run.timeline.residency) : [];
  const shown = kinds.filter((kind) => isWanted(kind) && run.timeline.residency[kind].some((count) => count > 0));
  const series = shown.map((kind) => ({
    name: kind, colour: RESIDENCY_COLOURS[kinds.indexOf(kind) % RESIDENCY_COLOURS.length],
    points: run.timeline.residency[kind].map((count, at) => [((at + 1) * run.timeline.interval_ns) / 1e9, count]),
  }));
  plot(id, 'line', series, { x: 's', y: 'blocks', stacked: true });
}

function ablation() {
  const series = [...groups(selected([], true), nameOf)].map(([name, members]) => {
    const whole = selected().filter((run) => nameOf(run) === name);
    return {
      name, colour: colourOf(name),
      points: [...groups(members, (run) => `without ${run.without.join(', ')}`)].map(([kind, seeds]) => [kind, mean(seeds.map((run) => {
        const same = whole.find((other) => other.seed === run.seed);
        return same && same.stall_ns_total > 0 ? run.stall_ns_total / same.stall_ns_total : NaN;
      }))]),
    };
  });
  plot('ablation', 'bar', series, { x: '', y: 'stall / with all hints', digits: 3, empty: 'No run here leaves out a kind of hint: --ablation makes some.' });
}

function losses() {
  const rows = [];
  for (const run of runs.filter((one) => !isBound(one) && !isAblated(one) && one.hints.length > 0)) {
    for (const key of [...SMALLER_IS_BETTER, 'blocks_in', 'blocks_out']) {
      const ratio = relativeToLru(key)(run);
      if (ratio > 1.01) {
        rows.push({ colour: colourOf(nameOf(run)), ratio, cells: [nameOf(run), 'all', number(run.fast_blocks), slowOf(run), String(run.scale), String(run.seed), `${key} / lru`, number(ratio, 3)] });
      }
    }
  }
  for (const run of runs.filter((one) => !isBound(one) && isAblated(one))) {
    const whole = runs.find((other) => nameOf(other) === nameOf(run) && !isAblated(other) && other.seed === run.seed &&
      CHOICES.every(({ key }) => choiceValue(other, key) === choiceValue(run, key)));
    const ratio = whole && run.stall_ns_total > 0 ? whole.stall_ns_total / run.stall_ns_total : NaN;
    if (ratio > 1.01) {
      rows.push({ colour: colourOf(nameOf(run)), ratio, cells: [nameOf(run), `with ${run.without.join(', ')}`, number(run.fast_blocks), slowOf(run), String(run.scale), String(run.seed), 'stall_ns_total, with / without', number(ratio, 3)] });
    }
  }
  rows.sort((a, b) => b.ratio - a.ratio);
  if (rows.length === 0) {
    const nothing = document.createElement('div');
    nothing.className = 'empty';
    nothing.textContent = 'In none of these runs.';
    replace('losses', nothing);
    return;
  }
  replace('losses', table(['policy', 'hints', 'fast_blocks', 'slow_blocks', 'scale', 'seed', 'figure', 'ratio'], rows));
}

function facts() {
  const list = document.getElementById('parameters');
  const add = (term, description) => {
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    dt.textContent = term;
    dd.textContent = typeof description === 'object' ? JSON.stringify(description) : String(description);
    list.append(dt, dd);
  };
  for (const part of ['parameters', 'versions', 'host']) {
    for (const [name, value] of Object.entries(documentData[part] || {})) add(name, value);
  }
  document.getElementById('subtitle').textContent =
    `${runs.length} runs: ${unique(runs.map(nameOf)).join(', ')}; ${number(runs[0].requests)} requests, ${number(runs[0].block_uses)} block uses each.`;
  document.getElementById('raw').textContent = JSON.stringify(runs, null, 1);
}

function draw() {
  while (charts.length) charts.pop().destroy();
  summary();
  sizes();
  distribution('stall-distribution', 'stall_quantiles_ns');
  distribution('waiting-distribution', 'stall_waiting_quantiles_ns');
  distribution('ttft-distribution', 'ttft_quantiles_ns');
  hits();
  traffic();
  residency();
  ablation();
}

makeChoices();
facts();
losses();
draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

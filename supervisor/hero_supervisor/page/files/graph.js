// The jobs that a job waits for and those that wait for it, as a picture whose boxes are links.

import {svg} from './vendor/lit-html/lit-html.js';
import {STATUSES, html} from './parts.js';
import {firstLine} from './format.js';
import {address} from './router.js';

const MOST_JOBS = 40;
const MOST_LEVELS = 3;
const WIDTH = 190;
const HEIGHT = 44;
const STEP_X = 240;
const STEP_Y = 56;

/**
 * Find the jobs around a job: up to three levels before it, and those behind it.
 *
 * A job names those before it. Those behind it are found among its dependents, the blocked jobs and its batch.
 */
export async function jobsAround(rpc, job) {
  const jobs = new Map([[job.id, {level: 0, job}]]);
  let left = 0;
  const read = async (ids, level) => {
    const next = ids.filter((id) => !jobs.has(id));
    const room = MOST_JOBS - jobs.size;
    left += Math.max(next.length - room, 0);
    const found = await Promise.all(next.slice(0, Math.max(room, 0)).map((id) => rpc.call('get_job', {job_id: id}).catch((error) => ({id, gone: error.message}))));
    for (const one of found) jobs.set(one.id, {level, job: one});
    return found;
  };
  let before = job.prerequisites;
  for (let level = -1; before.length && level >= -MOST_LEVELS; level -= 1)
    before = [...new Set((await read(before, level)).flatMap((one) => one.prerequisites ?? []))];
  const others = await rpc.call('list_blocked', {count: 200});
  const batch = job.batch ? (await rpc.call('list_jobs', {batch: job.batch, count: 200})).jobs : [];
  const known = [...others.jobs, ...batch];
  let behind = [job];
  for (let level = 1; behind.length && level <= MOST_LEVELS; level += 1) {
    const ids = new Set(behind.map((one) => one.id));
    const named = behind.flatMap((one) => one.dependents ?? []);
    behind = await read([...new Set([...named, ...known.filter((one) => one.prerequisites?.some((id) => ids.has(id))).map((one) => one.id)])], level);
  }
  return {jobs: [...jobs.values()], left};
}

/** Draw them: an arrow goes from each job to the jobs that wait for it. */
export function graph({jobs, left}) {
  const levels = [...new Set(jobs.map(({level}) => level))].sort((a, b) => a - b);
  const places = new Map();
  for (const [column, level] of levels.entries())
    for (const [row, {job}] of jobs.filter((one) => one.level === level).entries()) places.set(job.id, {x: 1 + column * STEP_X, y: 1 + row * STEP_Y});
  const rows = Math.max(...levels.map((level) => jobs.filter((one) => one.level === level).length));
  const edges = jobs.flatMap(({job}) => [
    ...(job.prerequisites ?? []).map((id) => [id, job.id]),
    ...(job.dependents ?? []).map((id) => [job.id, id]),
  ]);
  const drawn = new Map(edges.filter(([from, to]) => places.has(from) && places.has(to)).map((edge) => [edge.join(' '), edge]));
  const [width, height] = [(levels.length - 1) * STEP_X + WIDTH + 2, (rows - 1) * STEP_Y + HEIGHT + 2];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Jobs before and behind this one">
    <svg class="graph" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="group" aria-label=${`${jobs.length} jobs`}>
      ${[...drawn.values()].map(([from, to]) => arrow(places.get(from), places.get(to)))}
      ${jobs.map(({job, level}) => box(job, level, places.get(job.id)))}
    </svg></div>
    ${left ? html`<p class="quiet">${left} more are not drawn.</p>` : ''}`;
}

const arrow = (from, to) => {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const middle = (x1 + x2) / 2;
  return svg`<path class="edge" d=${`M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2 - 6} ${y2}`}></path>
    <path class="tip" d=${`M${x2 - 7} ${y2 - 4} L${x2 - 1} ${y2} L${x2 - 7} ${y2 + 4} Z`}></path>`;
};

const box = (job, level, {x, y}) => {
  const status = job.gone ? 'gone' : job.status;
  return svg`<a href=${address('job', [job.id])} class=${level === 0 ? 'node this' : 'node'}>
    <title>${job.id}</title>
    <rect x=${x} y=${y} width=${WIDTH} height=${HEIGHT} rx="5"></rect>
    <text x=${x + 9} y=${y + 18} class="status" data-status=${status}>${STATUSES[status] ?? '?'} ${status.replaceAll('_', ' ')}</text>
    <text x=${x + 9} y=${y + 35} class="script">${firstLine(job.script ?? job.id, 24)}</text>
  </a>`;
};

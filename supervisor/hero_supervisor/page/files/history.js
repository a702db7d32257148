// What the deployment has counted, as `get_history` returns it: sums over types, rates, and times that were not exceeded.

/** The series of one script type, or the sum of all of them for ''. Gives `null` if nothing was counted. */
export function seriesOf(history, type = '') {
  const chosen = history.series.filter((one) => !type || one.script_type === type);
  if (!chosen.length) return null;
  const summed = (pick) => history.times_ms.map((_, i) => chosen.reduce((sum, one) => sum + (pick(one)[i] ?? 0), 0));
  const buckets = (name) => history.times_ms.map((_, i) => [...history.bounds_s, 0].map((__, b) => chosen.reduce((sum, one) => sum + (one[name].buckets[i]?.[b] ?? 0), 0)));
  const kinds = [...new Set(chosen.flatMap((one) => Object.keys(one.errors)))].sort();
  const numbers = Object.fromEntries(['started', 'finished', 'stopped', 'failed', 'retries', 'redeliveries', 'lost'].map((name) => [name, summed((one) => one[name])]));
  return {...numbers, errors: Object.fromEntries(kinds.map((kind) => [kind, summed((one) => one.errors[kind] ?? [])])), wait: buckets('wait'), run: buckets('run')};
}

export const total = (values) => values.reduce((sum, value) => sum + value, 0);

/** Add up the buckets of several periods. */
export const together = (periods) => periods.reduce((sum, one) => one.map((n, b) => n + (sum[b] ?? 0)), []);

/**
 * The time in seconds that a share of what was counted did not exceed, estimated within its bucket; null for nothing.
 *
 * The last bucket has no upper bound: then it is the bound below it.
 */
export function quantile(buckets, bounds, share) {
  const wanted = total(buckets) * share;
  if (!wanted) return null;
  let below = 0;
  for (const [b, n] of buckets.entries()) {
    if (n && below + n >= wanted) {
      const from = b ? bounds[b - 1] : 0;
      return b < bounds.length ? from + ((bounds[b] - from) * (wanted - below)) / n : from;
    }
    below += n;
  }
  return bounds.at(-1);
}

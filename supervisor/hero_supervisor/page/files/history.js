// What the deployment has counted, as `get_history` returns it: sums over types, rates, and times that were not exceeded.

const NUMBERS = ['started', 'finished', 'stopped', 'failed', 'retries', 'redeliveries', 'lost'];

/**
 * The series of one script type, or the sum of all of them for ''. Gives `null` if nothing was counted.
 *
 * Each is added up when it is first read, because a page may need few of them.
 */
export function seriesOf(history, type = '') {
  const chosen = history.series.filter((one) => !type || one.script_type === type);
  if (!chosen.length) return null;
  const summed = (pick) => {
    const sums = history.times_ms.map(() => 0);
    for (const one of chosen) for (const [i, n] of pick(one)?.entries() ?? []) sums[i] += n;
    return sums;
  };
  const buckets = (name) => history.times_ms.map((_, i) => {
    const sums = [...history.bounds_s, 0].fill(0);
    for (const one of chosen) for (const [b, n] of one[name].buckets[i]?.entries() ?? []) sums[b] += n;
    return sums;
  });
  const errors = () => {
    const kinds = [...new Set(chosen.flatMap((one) => Object.keys(one.errors)))].sort();
    return Object.fromEntries(kinds.map((kind) => [kind, summed((one) => one.errors[kind])]));
  };
  const series = {};
  const later = (name, make) => Object.defineProperty(series, name, {
    configurable: true,
    get() {
      const value = make();
      Object.defineProperty(series, name, {value});
      return value;
    },
  });
  for (const name of NUMBERS) later(name, () => summed((one) => one[name]));
  later('errors', errors);
  for (const name of ['wait', 'run']) later(name, () => buckets(name));
  return series;
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

// How values are written: times, durations, sizes, JSON, the first line of a script.

/** Seconds as people say them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return '';
  if (seconds < 0) seconds = 0;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = units.findIndex(([size]) => whole >= size);
  const [size, unit] = units[first];
  const rest = Math.floor((whole % size) / (units[first + 1]?.[0] ?? 1));
  return `${Math.floor(whole / size)} ${unit}${rest && units[first + 1] ? ` ${rest} ${units[first + 1][1]}` : ''}`;
}

/** Seconds between two ISO times; null if one is missing. Without `end`: until now. */
export function between(start, end = new Date().toISOString()) {
  if (!start || !end) return null;
  return (Date.parse(end) - Date.parse(start)) / 1000;
}

/** How long ago, or in how long: `12 s ago`, `in 3 min 20 s`. */
export function ago(iso) {
  if (!iso) return '';
  const seconds = between(iso);
  if (Math.abs(seconds) < 1) return 'just now';
  return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

/** A time in the zone of the browser, or in UTC, to the second. */
export function clock(iso, utc = false) {
  if (!iso) return '';
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  if (utc) return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const pad = (n) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function bytes(count) {
  if (!count) return '';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(count) / 3), units.length - 1);
  return `${(count / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** A number with commas. Not by `toLocaleString`, whose first call loads its tables, which takes a whole frame. */
export function count(number) {
  if (number === null || number === undefined) return '';
  const [whole, fraction] = String(number).split('.');
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (fraction ? `.${fraction}` : '');
}

/** A count with its noun: `1 job`, `3 jobs`. */
export function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** The first line of a script that says something, shortened. */
export function firstLine(script, longest = 80) {
  const line = script.split('\n').map((l) => l.trim()).find((l) => l && !l.startsWith('//')) ?? script.trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

/** The tokens of a JSON text, or null if it is none. They stay text, so that large numbers keep their digits. */
export function jsonTokens(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)].map(([token]) => token);
}

/** JSON text with line feeds and indentation. */
export function prettyJson(text) {
  const tokens = jsonTokens(text);
  if (tokens === null) return text;
  let out = '';
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [i, token] of tokens.entries()) {
    const opens = token === '{' || token === '[';
    const closes = token === '}' || token === ']';
    const empty = (opens && '}]'.includes(tokens[i + 1])) || (closes && '{['.includes(tokens[i - 1]));
    if (opens) {
      depth += 1;
      out += token + (empty ? '' : line());
    } else if (closes) {
      depth -= 1;
      out += (empty ? '' : line()) + token;
    } else if (token === ',') out += `,${line()}`;
    else out += token === ':' ? ': ' : token;
  }
  return out;
}

/** A message with its numbers and quoted parts replaced, so that equal failures can be grouped; i64 is a type. */
export function normalised(message) {
  return message
    .replace(/(["'`]).*?\1/g, '…')
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/gi, '…')
    .replace(/\b[iuf](?:8|16|32|64|128)\b|\d+/g, (found) => (/^\d/.test(found) ? 'N' : found));
}

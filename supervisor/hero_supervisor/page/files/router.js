// The address holds the whole state of the page: `#/jobs?status=error&type=SAL`.

/** The place that the address names: its page, the rest of its path, and its parameters. */
export function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...rest] = path.split('/').map(decodeURIComponent);
  return {page: page || 'overview', rest, params: Object.fromEntries(new URLSearchParams(query))};
}

/** The address of a place; empty parameters are left out. */
export function address(page, rest = [], params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  const query = new URLSearchParams(kept).toString();
  return `#/${[page, ...rest].map(encodeURIComponent).join('/')}${query ? `?${query}` : ''}`;
}

/** Go to a place; `replace` leaves no step in the history, as for a filter that is being typed. */
export function go(page, rest = [], params = {}, {replace = false} = {}) {
  const target = address(page, rest, params);
  if (replace) {
    history.replaceState(null, '', target);
    dispatchEvent(new HashChangeEvent('hashchange'));
  } else location.hash = target;
}

// Uses the client as a test asks. node calls.mjs CLIENT URL TOKEN MODE; says what happens as lines of JSON, and waits for
// a line of the test after each one that has `waits`.
import {createInterface} from 'node:readline';
import {pathToFileURL} from 'node:url';

const [client_file, url, token, mode] = process.argv.slice(2);
const {HeroClient, HeroError} = await import(pathToFileURL(client_file).href);
const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const heard = async (what) => {
  say({...what, waits: true});
  return (await lines.next()).value;
};

const client = new HeroClient(url, {token});
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

async function examples() {
  const calls = JSON.parse(await heard({ready: true}));
  for (const [method, params] of calls) {
    let answer;
    try {
      answer = {result: (await client[camel(method)](params)) ?? null};
    } catch (error) {
      if (!(error instanceof HeroError)) throw error;
      answer = {code: error.code, kind: error.kind};
    }
    say({method, ...answer});
  }
}

async function losses() {
  const caller = `caller-${Math.random()}`;
  const job = (script) => ({caller_id: caller, context_id: 'losses', script_type: 'SAL', script});
  const events = client.subscribe('jobs', {caller_id: caller, status: ['finished']});
  await events.next(); // `following`
  const outputs = [];
  for (let n = 0; n < 12; n += 1) {
    await heard({running: n});
    outputs.push(await client.runJob(job(`${n}`)));
  }
  const finished = new Set();
  for await (const event of events) {
    if (event.event === 'job') finished.add(event.job_id);
    if (finished.size === outputs.length) break;
  }
  say({outputs, finished: finished.size, jobs: (await client.listJobs({caller_id: caller})).jobs.length});
}

async function unrepeatable() {
  await client.whoami();
  await heard({playing: true});
  try {
    say({played: await client.play({script: '40 + 2', script_type: 'SAL'})});
  } catch (error) {
    say({kind: error.kind, code: error.code});
  }
}

async function refusals() {
  const told = async (act) => {
    try {
      return {result: await act()};
    } catch (error) {
      if (!(error instanceof HeroError)) throw error;
      return {code: error.code, kind: error.kind};
    }
  };
  const nowhere = `http://127.0.0.1:${await heard({port: true})}`;
  const stranger = new HeroClient(url, {token: 'of nobody'});
  say({
    stranger: await told(() => stranger.stats()),
    unknown: await told(() => client.getJob({job_id: 'nowhere'})),
    log: await told(() => client.subscribe('logs', {job_id: 'nowhere'}).next()),
    nowhere: await told(() => new HeroClient(nowhere, {patienceMs: 0}).version()),
    later: await told(() => stranger.authenticate({token})),
    scope: (await stranger.whoami()).scope,
  });
  const ends = new AbortController();
  const waiting = client.subscribe('jobs', {job_ids: ['nowhere']}, {signal: ends.signal});
  await waiting.next();
  ends.abort(new Error('enough'));
  say({aborted: await waiting.next().catch((error) => error.message)});
  const open = client.waitJobs({job_ids: ['nowhere'], timeout: 600});
  const other = client.subscribe('metrics', {interval_s: 3600});
  client.close();
  stranger.close();
  say({closed: [await told(() => open), await told(() => client.version()), await told(() => other.next())]});
}

await {examples, losses, unrepeatable, refusals}[mode]();
client.close();
process.exit(0);

// Runs jobs and follows them. Usage: node example.js URL [TOKEN], after `tsc`; CI does so against a real service.

import {HeroClient, HeroError, type JobFields, type JobStatus} from 'hero-client';

declare const process: {argv: string[]};

const [url = 'http://127.0.0.1:8652', token] = process.argv.slice(2);
const client = new HeroClient(url, token === undefined ? {} : {token});

const job = (script: string): JobFields => ({caller_id: 'example', context_id: 'example', script_type: 'SAL', script});

// Run a script and wait for its output. The client gives the job an id, so that a lost connection repeats nothing.
const output = await client.runJob({...job('40 + 2'), timeout: 30});
console.log(`output: ${output}`);

// A failed script is an error with a kind, a message and a line.
try {
  await client.runJob(job('let x = 1;\nthrow "no such report"'));
} catch (error) {
  if (!(error instanceof HeroError) || error.code !== 1004) throw error;
  console.log(`failed in line ${error.data.line}: ${error.message}`);
}

// Follow the log of a job while it runs; the iterator ends with the job.
const jobId = await client.submitJob(job('for n in 1..4 { print(`step ${n}`); }'));
for await (const event of client.subscribe('logs', {job_id: jobId})) {
  if (event.event === 'line') console.log(`log: ${event.text}`);
}
const status: JobStatus = await client.getJobStatus({job_id: jobId});
console.log(`status: ${status}`);

// Follow what happens to a job from its first event on, until it has ended.
for await (const event of client.subscribe('jobs', {job_ids: [jobId], after: ''})) {
  if (event.event === 'job') console.log(`event: ${event.status}`);
  if (event.event === 'job' && event.status === 'finished') break;
}
client.close();

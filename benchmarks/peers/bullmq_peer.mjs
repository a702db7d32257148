// BullMQ: the no-op as a job with a stored result; the commands of protocol.py, and `worker CONCURRENCY`.
import { Queue, QueueEvents, Worker } from "bullmq";

const url = new URL(process.env.BENCH_REDIS_URL ?? "redis://127.0.0.1:6379/0");
const connection = { host: url.hostname, port: Number(url.port || 6379), maxRetriesPerRequest: null };
const [command, ...args] = process.argv.slice(2);

async function timed(times, act) {
  const ms = [];
  for (let i = 0; i < times + 3; i++) {
    const start = performance.now();
    for (const result of await act()) {
      if (result !== 42) throw new Error(`expected 42, got ${result}`);
    }
    if (i >= 3) ms.push(performance.now() - start);
  }
  console.log(JSON.stringify({ ms }));
}

if (command === "worker") {
  const worker = new Worker("bench", async () => 40 + 2, { connection, concurrency: Number(args[0]) });
  process.on("SIGTERM", async () => {
    await worker.close();
    process.exit(0);
  });
} else {
  const queue = new Queue("bench", { connection });
  if (command === "submit") {
    await queue.add("answer", {});
    const start = performance.now();
    for (let i = 1; i < Number(args[0]); i++) await queue.add("answer", {});
    console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000 }));
  } else {
    const events = new QueueEvents("bench", { connection });
    await events.waitUntilReady();
    const roundTrip = async () => (await queue.add("answer", {})).waitUntilFinished(events, 20_000);
    if (command === "roundtrip") {
      await timed(Number(args[0]), async () => [await roundTrip()]);
    } else {
      await timed(Number(args[1]), () => Promise.all(Array.from({ length: Number(args[0]) }, roundTrip)));
    }
    await events.close();
  }
  await queue.close();
  process.exit(0);
}

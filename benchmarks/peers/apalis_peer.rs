//! apalis-redis: the no-op as a task with a stored result; the commands of protocol.py, and `worker BATCH`.

use std::env;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_core::backend::WaitForCompletion;
use apalis_core::backend::ext::BackendExt;
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use apalis_core::task::task_id::TaskId;
use apalis_redis::{Config, RedisStorage};
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// apalis-redis waits for a result by asking each 100 ms, so we ask by ourselves.
const ASK_EVERY: Duration = Duration::from_micros(200);
/// An empty queue is looked at so often; a plain storage looks only with its next heartbeat, each 30 s.
const POLL_EVERY: Duration = Duration::from_millis(1);

/// Wakes the worker in an interval, for certain. `poll_with_interval` begins a new delay when the old one is over and
/// does not poll it, so if a look at the queue takes longer than the delay, nothing wakes the worker any more.
struct Steady(tokio::time::Interval);

impl PollStrategy for Steady {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        while self.0.poll_tick(cx).is_ready() {}
        Poll::Pending
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |place: usize| arguments[place].parse::<usize>();
    // No locks, because no task outlasts a heartbeat, and no news of tasks, because nobody listens.
    let config = Config::default()
        .queue("bench")
        .lock_tasks(false)
        .emit_events(false);
    let connection = apalis_redis::connect(env::var("BENCH_REDIS_URL")?).await?;
    let storage = RedisStorage::<u32>::new(connection);
    match arguments[0].as_str() {
        "worker" => work(storage.with_config(config.batch_size(number(1)?))).await,
        "submit" => {
            let mut storage = storage.with_config(config);
            submit(&mut storage).await?;
            let began = Instant::now();
            for _ in 1..number(1)? {
                submit(&mut storage).await?;
            }
            println!("{{\"seconds\": {}}}", began.elapsed().as_secs_f64());
            Ok(())
        }
        "roundtrip" => timed(storage.with_config(config), 1, number(1)?).await,
        "burst" => timed(storage.with_config(config), number(1)?, number(2)?).await,
        unknown => Err(format!("unknown command {unknown:?}").into()),
    }
}

async fn answer(number: u32) -> Result<u32, BoxDynError> {
    Ok(number + 2)
}

async fn work(storage: RedisStorage<u32>) -> Result<(), Failure> {
    let mut ended = signal(SignalKind::terminate())?;
    let mut interval = tokio::time::interval(POLL_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let backend = storage.poll_with_strategy(Steady(interval));
    let worker = WorkerBuilder::new("bench").backend(backend).build(answer);
    tokio::select! {
        result = worker.run() => Ok(result?),
        _ = ended.recv() => Ok(()),
    }
}

/// Submit one task; it has an id of ours, because `push` tells none.
async fn submit(storage: &mut RedisStorage<u32>) -> Result<TaskId, Failure> {
    let id = TaskId::from_ulid(ulid::Ulid::generate());
    storage
        .push_task(TaskBuilder::new(40).task_id(id.clone()).build())
        .await?;
    Ok(id)
}

/// Submit `width` tasks and await all; `times` times, after three that do not count.
async fn timed(mut storage: RedisStorage<u32>, width: usize, times: usize) -> Result<(), Failure> {
    let mut ms = Vec::new();
    for n in 0..times + 3 {
        let began = Instant::now();
        let mut ids = Vec::new();
        for _ in 0..width {
            ids.push(submit(&mut storage).await?);
        }
        for id in ids {
            expect_result(&mut storage, id).await?;
        }
        if n >= 3 {
            ms.push((began.elapsed().as_secs_f64() * 1000.0).to_string());
        }
    }
    println!("{{\"ms\": [{}]}}", ms.join(", "));
    Ok(())
}

async fn expect_result(storage: &mut RedisStorage<u32>, id: TaskId) -> Result<(), Failure> {
    loop {
        let ended: Vec<TaskResult<u32>> = storage.check_status([id.clone()]).await?;
        match ended.first().map(|task| &task.result) {
            Some(Ok(42)) => return Ok(()),
            Some(other) => return Err(format!("expected 42, got {other:?}").into()),
            None => tokio::time::sleep(ASK_EVERY).await,
        }
    }
}

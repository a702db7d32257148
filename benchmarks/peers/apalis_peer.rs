//! apalis with apalis-redis: the no-op as a task with a kept result; the commands of protocol.py, and `worker CONCURRENCY`.

use std::env;
use std::future::Future;
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_core::backend::{TaskResult, TaskSink, WaitForCompletion};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_redis::{Config, RedisStorage};

type Storage = RedisStorage<u32>;

/// The library's own wait looks every 100 ms, so this program looks itself.
const ASK_EVERY: Duration = Duration::from_micros(200);

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize| arguments[index].parse::<usize>().expect("a number");
    let connection = apalis_redis::connect(env::var("BENCH_REDIS_URL")?).await?;
    let batch = if arguments[0] == "worker" { number(1) } else { 10 };
    let storage = RedisStorage::new(connection).with_config(Config::default().queue("bench").batch_size(batch));
    match arguments[0].as_str() {
        "worker" => work(storage, number(1)).await?,
        "submit" => {
            submit(&storage).await;
            let began = Instant::now();
            for _ in 1..number(1) {
                submit(&storage).await;
            }
            println!("{{\"seconds\": {}}}", began.elapsed().as_secs_f64());
        }
        "roundtrip" => {
            timed(number(1), || async {
                let id = submit(&storage).await;
                finish(&storage, id).await;
            })
            .await
        }
        "burst" => {
            let width = number(1);
            timed(number(2), || async {
                let mut ids = Vec::with_capacity(width);
                for _ in 0..width {
                    ids.push(submit(&storage).await);
                }
                for id in ids {
                    finish(&storage, id).await;
                }
            })
            .await
        }
        other => panic!("unknown command {other}"),
    }
    Ok(())
}

async fn work(storage: Storage, concurrency: usize) -> Result<(), BoxDynError> {
    async fn answer(number: u32) -> u32 {
        number + 2
    }
    WorkerBuilder::new("bench")
        .backend(storage)
        .concurrency(concurrency)
        .build(answer)
        .run()
        .await?;
    Ok(())
}

async fn submit(storage: &Storage) -> TaskId {
    let id = TaskId::from_ulid(ulid::Ulid::generate());
    let task = TaskBuilder::new(40u32).task_id(id.clone()).build();
    storage.clone().push_task(task).await.expect("the task is pushed");
    id
}

async fn finish(storage: &Storage, id: TaskId) {
    let mut storage = storage.clone();
    loop {
        let found: Vec<TaskResult<u32>> = storage.check_status([id.clone()]).await.expect("its status");
        if let Some(ended) = found.first() {
            assert_eq!(ended.result(), &Ok(42));
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn timed<F: Future<Output = ()>>(times: usize, act: impl Fn() -> F) {
    let mut ms = Vec::with_capacity(times);
    for n in 0..times + 3 {
        let began = Instant::now();
        act().await;
        if n >= 3 {
            ms.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    println!("{{\"ms\": {ms:?}}}");
}

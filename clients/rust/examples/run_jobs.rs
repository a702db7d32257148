//! Runs jobs and follows them: `cargo run --example run_jobs URL [TOKEN]`. CI runs it against a real service.

use hero_client::{Error, HeroClient, Result, api::*, codes, types::*};

fn job(script: &str) -> JobFields {
    JobFields::new("example", "example", script, ScriptType::Sal)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or("http://127.0.0.1:8652".to_owned());
    let client = HeroClient::builder().token(arguments.next().unwrap_or_default()).build(&url)?;

    // Run a script and wait for its output. The client gives the job an id, so that a lost connection repeats nothing.
    let output = client.run_job(&JobFields { timeout: Some(30.0), ..job("40 + 2") }).await?;
    println!("output: {output}");

    // A failed script is an error with a kind, a message and a line.
    match client.run_job(&job("let x = 1;\nthrow \"no such report\"")).await {
        Err(Error::Refused(failed)) if failed.code == codes::JOB_FAILED => {
            println!("failed in line {}: {}", failed.line().unwrap_or(0), failed.kind);
        }
        other => println!("not expected: {other:?}"),
    }

    // Submit a job now, and wait for its result later.
    let id = client.submit_job(&job("for n in 1..4 { print(`step ${n}`); } 6 * 7")).await?;
    println!("later: {}", client.job_output(&id).await?);

    // Read its log, and what has happened to it. HTTP has no subscriptions, so they open a socket beside it.
    let mut log = client.subscribe(LogWanted::new(&id)).await?;
    while let Some(message) = log.next().await {
        if let LogsMessage::LogEvent(line) = message? {
            println!("log: {}", line.text);
        }
    }
    let wanted = JobsWanted { job_ids: Some(vec![id]), after: Some(String::new()), ..Default::default() };
    let mut events = client.subscribe(wanted).await?;
    while let Some(message) = events.next().await {
        if let JobsMessage::JobEvent(event) = message? {
            println!("event: {:?}", event.status);
            if event.status == JobStatus::Finished {
                break;
            }
        }
    }
    Ok(())
}

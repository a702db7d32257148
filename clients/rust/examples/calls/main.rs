//! Uses the client as a test asks: `calls URL TOKEN MODE`. It says what happens as lines of JSON, and waits for a line of
//! the test after each one that has `waits`. An unknown mode is an error.

mod answers;

use std::collections::BTreeSet;
use std::time::Duration;

use hero_client::{Error, FamilyApi, HeroClient, Result, RunnerJob, api::*, types::*};
use jsonrpsee_core::client::ClientT;
use jsonrpsee_core::params::{BatchRequestBuilder, ObjectParams};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Stdin};

struct Talk(BufReader<Stdin>);

impl Talk {
    fn say(&self, what: Value) {
        println!("{what}");
    }

    async fn hear(&mut self, mut what: Value) -> String {
        what["waits"] = true.into();
        self.say(what);
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("the test is there");
        line.trim().to_owned()
    }
}

fn told<T: serde::Serialize>(answer: Result<T>) -> Value {
    match answer {
        Ok(result) => json!({"result": result}),
        Err(e) => json!({"code": e.code(), "kind": e.kind(), "text": e.to_string()}),
    }
}

fn job(caller: &str, script: &str) -> JobFields {
    JobFields::new(caller, "tests", script, ScriptType::Sal)
}

fn named(params: &Value) -> ObjectParams {
    let mut given = ObjectParams::new();
    for (name, value) in params.as_object().expect("parameters by name") {
        given.insert(name, value).expect("JSON");
    }
    given
}

/// Makes the calls that the test sends as JSON, and reads each answer also as the type that its method has.
async fn examples(client: &HeroClient, talk: &mut Talk) {
    let calls: Vec<(String, Value)> = serde_json::from_str(&talk.hear(json!({})).await).expect("calls");
    for (method, params) in calls {
        let mut answer = told(client.request::<Value, _>(&method, named(&params)).await.map_err(Error::from));
        if let Some(result) = answer.get("result") {
            answer["typed"] =
                told(answers::typed(&method, result.clone()).map_err(|e| Error::Unexpected(e.to_string())));
        }
        answer["method"] = method.into();
        talk.say(answer);
    }
}

/// Calls by the traits, so that the answers are read as their types.
async fn typed(client: &HeroClient, talk: &mut Talk) -> Result<()> {
    let id = client.submit_job(&job("typed", "print(`hello`); 6 * 7")).await?;
    talk.say(json!({"output": client.job_output(&id).await?}));
    let one = client.get_job(&id).await?;
    talk.say(json!({"status": one.status, "type": one.script_type, "variables": one.env_vars}));
    let log = client.get_job_logs(&id, None, Some(1)).await?;
    talk.say(json!({"log": log.lines[0].text}));
    let wanted = ListJobsOptions { caller_id: Some("typed".into()), count: Some(5), ..Default::default() };
    talk.say(json!({"listed": client.list_jobs(&wanted).await?.jobs.len()}));
    let made = client.create_jobs(&[job("typed", "1"), job("typed", "2")], None, None).await?;
    let wanted = WaitJobsOptions { job_ids: Some(made.job_ids), timeout: Some(300.0), ..Default::default() };
    talk.say(json!({"ended": client.wait_jobs(&wanted).await?.jobs.len()}));
    let counted = client.stats().await?.actors.alive;
    talk.say(json!({"alive": counted, "actors": client.list_actors().await?.len()}));
    talk.say(json!({"history": client.get_history(&GetHistoryOptions::default()).await?.bounds_s.len()}));
    let queue = client.pause_queue(ScriptType::V, Some("rust"), None).await?;
    talk.say(json!({"paused": queue.paused_since.is_some(), "group": queue.group}));
    client.resume_queue(ScriptType::V, Some("rust"), None).await?;
    let acts = StopJobsOptions { job_ids: Some(vec![id.clone()]), ..Default::default() };
    let act = client.stop_jobs("a test", &acts).await?;
    talk.say(json!({"act": client.get_act(&act.act_id).await?.kind}));
    let mut wanted = ListEventsOptions { job_ids: Some(vec![id]), ..Default::default() };
    let mut events = client.list_events(&wanted).await?;
    while events.events.is_empty() && events.more {
        wanted.after = Some(events.cursor);
        events = client.list_events(&wanted).await?;
    }
    talk.say(json!({"events": events.events.len()}));
    talk.say(json!({"deleted": told(client.delete_job("nowhere").await)}));

    let mut batch = BatchRequestBuilder::new();
    batch.insert("version", ObjectParams::new()).expect("no parameters");
    batch.insert("nowhere", ObjectParams::new()).expect("no parameters");
    let answers = client.batch_request::<Value>(batch).await?;
    talk.say(json!({"batch": [answers.num_successful_calls(), answers.num_failed_calls()]}));
    Ok(())
}

/// The methods of the newer Rust supervisor.
async fn family(client: &HeroClient, talk: &mut Talk) -> Result<()> {
    let made = |id: &str, payload: &str| RunnerJob {
        id: format!("{id}-{}", std::process::id()),
        caller_id: "family".into(),
        context_id: "family".into(),
        payload: payload.into(),
        runner: "sal".into(),
        executor: "sal".into(),
        timeout: 60.0,
        ..Default::default()
    };
    talk.say(json!({"ran": client.job_run(&made("good", "40 + 2")).await?}));
    talk.say(json!({"failed": client.job_run(&made("bad", "throw \"no\"")).await?}));
    let id = client.jobs_create(&made("later", "print(`hello`); 1")).await?;
    talk.say(json!({"created": client.job_status(&id).await?.status}));
    talk.say(json!({"early": told(client.job_result(&id).await)}));
    client.job_start(&id).await?;
    client.job_output(&id).await?;
    talk.say(json!({"result": client.job_result(&id).await?, "logs": client.job_logs(&id).await?.logs}));
    talk.say(json!({"listed": client.jobs_list().await?.iter().any(|job| job.id == id)}));
    client.job_stop(&id).await?;
    client.job_delete(&id).await?;
    talk.say(json!({"gone": told(client.job_status(&id).await)}));
    Ok(())
}

/// Runs jobs while the test loses answers, and follows them.
async fn losses(client: &HeroClient, talk: &mut Talk) -> Result<()> {
    let caller = format!("caller-{}", uuid::Uuid::new_v4());
    let wanted =
        JobsWanted { caller_id: Some(caller.clone()), status: Some(vec![JobStatus::Finished]), ..Default::default() };
    let mut events = client.subscribe(wanted).await?;
    events.next().await.expect("`following`")?;
    let mut outputs = Vec::new();
    for n in 0..12 {
        talk.hear(json!({"running": n})).await;
        outputs.push(client.run_job(&job(&caller, &n.to_string())).await?);
    }
    let mut finished = BTreeSet::new();
    while finished.len() < outputs.len() {
        if let JobsMessage::JobEvent(event) = events.next().await.expect("more events")? {
            finished.insert(event.job_id);
        }
    }
    let wanted = ListJobsOptions { caller_id: Some(caller), ..Default::default() };
    let jobs = client.list_jobs(&wanted).await?.jobs.len();
    talk.say(json!({"outputs": outputs, "finished": finished.len(), "jobs": jobs}));
    Ok(())
}

/// Calls a method that may not be repeated while the test loses its answer.
async fn unrepeatable(client: &HeroClient, talk: &mut Talk) -> Result<()> {
    client.whoami().await?;
    talk.hear(json!({"playing": true})).await;
    talk.say(told(client.play("40 + 2", Some(ScriptType::Sal)).await));
    Ok(())
}

async fn refusals(url: &str, token: &str, talk: &mut Talk) -> Result<()> {
    let client = HeroClient::builder().token(token).build(url)?;
    let nowhere = talk.hear(json!({"port": true})).await;
    let stranger = HeroClient::builder().token("of nobody").build(url)?;
    let deaf = HeroClient::builder().patience(Duration::ZERO).build(&nowhere)?;
    let small = HeroClient::builder().token(token).max_message_bytes(4000).build(url)?;
    talk.say(json!({
        "stranger": told(stranger.stats().await),
        "unknown": told(client.get_job("nowhere").await),
        "log": told(client.subscribe(LogWanted::new("nowhere")).await.map(|_| ())),
        "nowhere": told(deaf.version().await),
        "later": told(stranger.use_token(token).await),
        "scope": stranger.whoami().await?.scope,
        "answer": told(small.run_job(&job("small", "let x = \"\"; x.pad(5000, 'x'); x")).await),
        "request": told(small.run_job(&job("small", &"x".repeat(5000))).await),
        "after": told(small.run_job(&job("small", "1")).await),
        "scheme": told(HeroClient::new("ftp://127.0.0.1").map(|_| ())),
    }));
    Ok(())
}

/// Asks for whatever the test answers with, until it says `end`.
async fn asks(url: &str, token: &str, talk: &mut Talk) -> Result<()> {
    let client = HeroClient::builder().token(token).patience(Duration::from_secs(2)).build(url)?;
    while talk.hear(json!({})).await != "end" {
        talk.say(told(client.version().await));
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, token, mode] = arguments.as_slice() else { panic!("calls URL TOKEN MODE") };
    let client = HeroClient::builder().token(token).build(url)?;
    let mut talk = Talk(BufReader::new(tokio::io::stdin()));
    match mode.as_str() {
        "examples" => examples(&client, &mut talk).await,
        "typed" => typed(&client, &mut talk).await?,
        "family" => family(&client, &mut talk).await?,
        "losses" => losses(&client, &mut talk).await?,
        "unrepeatable" => unrepeatable(&client, &mut talk).await?,
        "refusals" => refusals(url, token, &mut talk).await?,
        "asks" => asks(url, token, &mut talk).await?,
        _ => panic!("no mode {mode}"),
    }
    Ok(())
}

// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// An actor has joined, left, or changed its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorEvent {
    pub event: String,
    pub cursor: String,
    pub at: String,
    pub name: String,
    pub script_type: Option<String>,
    pub host: Option<String>,
    pub incarnation: Option<String>,
    pub reason: Option<String>,
}

/// Selects events of actors; an absent field matches all. Without `after`, events from now on.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorsWanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_type: Option<ScriptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Cursor of a notification; "" for the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Somebody has changed something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub cursor: String,
    pub at: String,
    pub who: String,
    pub scope: String,
    pub by: String,
    pub peer: String,
    pub method: String,
    pub params: String,
    pub outcome: String,
    pub event: String,
}

/// Selects the record of changes; without `after`, changes from now on.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditWanted {
    /// Cursor of a notification; "" for the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A page of events; `more` follow after `cursor`; after a `gap` the store no longer has some before them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    pub events: Vec<JobEventOrActorEvent>,
    pub cursor: String,
    pub more: bool,
    pub gap: bool,
}

/// A job has changed its status; the fields of its record are null if the record has been deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEvent {
    pub event: String,
    pub cursor: String,
    pub at: String,
    pub job_id: String,
    pub status: JobStatus,
    pub caller_id: Option<String>,
    pub context_id: Option<String>,
    pub script_type: Option<String>,
}

/// Selects job events; an absent field matches all. Without `after`, events from now on.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobsWanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_type: Option<ScriptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Vec<JobStatus>>,
    /// Cursor of a notification; "" for the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The job has ended and all of its log has been sent; the subscription ends with this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEnd {
    pub event: String,
    pub cursor: String,
    pub job_id: String,
    pub status: Option<JobStatus>,
}

/// A script has printed a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEvent {
    pub event: String,
    pub cursor: String,
    pub at: String,
    pub level: String,
    pub text: String,
}

/// Selects the log of a job; without `after`, all lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogWanted {
    /// Id of a job.
    pub job_id: String,
    /// Cursor of a notification; "" for the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl LogWanted {
    /// Makes one with the fields that are required.
    pub fn new(job_id: impl Into<String>) -> Self {
        Self { job_id: job_id.into(), after: None }
    }
}

/// The figures that the method `stats` returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsEvent {
    pub event: String,
    pub at: String,
    pub stats: Stats,
}

/// Selects the interval of metrics, in seconds.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsWanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<f64>,
}

/// An event about the subscription itself. `following` comes first, with the cursor that the subscription begins
/// after. `interrupted`: the store cannot be reached; events are sent later. `resumed`: the store can be reached
/// again. `gap`: the store no longer has some events; call get_job or list_jobs for the current state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub event: String,
    pub cursor: Option<String>,
}

/// The optional parameters of `list_events`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListEventsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most entries to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<String>>,
}

/// One of 2 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobsMessage {
    JobEvent(JobEvent),
    Notice(Notice),
}

impl crate::Topic for JobsWanted {
    const NAME: &str = "jobs";
    type Message = JobsMessage;
}

/// One of 3 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LogsMessage {
    LogEvent(LogEvent),
    LogEnd(LogEnd),
    Notice(Notice),
}

impl crate::Topic for LogWanted {
    const NAME: &str = "logs";
    type Message = LogsMessage;
}

/// One of 2 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ActorsMessage {
    ActorEvent(ActorEvent),
    Notice(Notice),
}

impl crate::Topic for ActorsWanted {
    const NAME: &str = "actors";
    type Message = ActorsMessage;
}

/// One of 2 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricsMessage {
    MetricsEvent(MetricsEvent),
    Notice(Notice),
}

impl crate::Topic for MetricsWanted {
    const NAME: &str = "metrics";
    type Message = MetricsMessage;
}

/// One of 2 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AuditMessage {
    AuditEvent(AuditEvent),
    Notice(Notice),
}

impl crate::Topic for AuditWanted {
    const NAME: &str = "audit";
    type Message = AuditMessage;
}

/// One of 2 types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobEventOrActorEvent {
    JobEvent(JobEvent),
    ActorEvent(ActorEvent),
}

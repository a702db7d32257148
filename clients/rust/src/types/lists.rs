// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// A job that waits for others: for `prerequisites`, or in line for a place under `concurrency_key`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockedJob {
    pub id: String,
    pub status: JobStatus,
    pub script_type: ScriptType,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub priority: Priority,
    pub caller_id: String,
    pub context_id: String,
    pub batch: Option<String>,
    pub script: String,
    pub error: Option<String>,
    pub error_kind: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub attempt: i64,
    pub failures: i64,
    pub blocked_since: Option<String>,
    pub prerequisites: Vec<String>,
    pub concurrency_key: Option<String>,
}

/// One page of blocked jobs, the longest first; an empty cursor means that it is the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockedJobs {
    pub jobs: Vec<BlockedJob>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
}

/// A job that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelayedJob {
    pub id: String,
    pub status: JobStatus,
    pub script_type: ScriptType,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub priority: Priority,
    pub caller_id: String,
    pub context_id: String,
    pub batch: Option<String>,
    pub script: String,
    pub error: Option<String>,
    pub error_kind: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub attempt: i64,
    pub failures: i64,
    pub due_at: Option<String>,
}

/// One page of delayed jobs, the soonest first; an empty cursor means that it is the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelayedJobs {
    pub jobs: Vec<DelayedJob>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
}

/// One page of a search: `walked` of `total` keys were looked at; an empty cursor means that it has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundJobs {
    pub jobs: Vec<JobRow>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
    pub walked: i64,
    pub total: i64,
}

/// One page of jobs, the newest move first; an empty cursor means that it is the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    pub jobs: Vec<JobView>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
}

/// A job in a list; `script` and `error` have their first 200 characters, get_job has all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    pub id: String,
    pub status: JobStatus,
    pub script_type: ScriptType,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub priority: Priority,
    pub caller_id: String,
    pub context_id: String,
    pub batch: Option<String>,
    pub script: String,
    pub error: Option<String>,
    pub error_kind: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub attempt: i64,
    pub failures: i64,
}

/// A job that a lane has claimed; `incarnation` is the start of the actor, `actor` its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningJob {
    pub id: String,
    pub status: JobStatus,
    pub script_type: ScriptType,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub priority: Priority,
    pub caller_id: String,
    pub context_id: String,
    pub batch: Option<String>,
    pub script: String,
    pub error: Option<String>,
    pub error_kind: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub attempt: i64,
    pub failures: i64,
    pub incarnation: String,
    pub lane: i64,
    pub actor: Option<String>,
    pub host: Option<String>,
}

/// One page of running jobs; an empty cursor means that it is the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningJobs {
    pub jobs: Vec<RunningJob>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
}

/// A job in a queue; `place` counts the ids before it, from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingJob {
    pub id: String,
    pub status: JobStatus,
    pub script_type: ScriptType,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub priority: Priority,
    pub caller_id: String,
    pub context_id: String,
    pub batch: Option<String>,
    pub script: String,
    pub error: Option<String>,
    pub error_kind: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub attempt: i64,
    pub failures: i64,
    pub place: i64,
}

/// One page of jobs in queue order; an empty cursor means that it is the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingJobs {
    pub jobs: Vec<WaitingJob>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
}

/// The optional parameters of `list_jobs`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListJobsOptions {
    /// Cursor of the last page; "" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_type: Option<ScriptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    /// ISO 8601, with a time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<String>,
    /// ISO 8601, with a time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The optional parameters of `list_waiting`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListWaitingOptions {
    /// Cursor of the last page; "" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Script type of the queue; null for all queues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_type: Option<ScriptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
}

/// The optional parameters of `list_delayed`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListDelayedOptions {
    /// Cursor of the last page; "" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
}

/// The optional parameters of `list_blocked`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListBlockedOptions {
    /// Cursor of the last page; "" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
}

/// The optional parameters of `list_active`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListActiveOptions {
    /// Cursor of the last page; "" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
}

/// The optional parameters of `search_jobs`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchJobsOptions {
    /// Cursor of the last page; "" for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// About how many keys of the store to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
}

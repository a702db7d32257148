// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// What is done to each job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    Stop,
    Retry,
    Delete,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// Where an act on many jobs is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActState {
    Running,
    Done,
    Failed,
    Interrupted,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// An act on many jobs: `walked` of `total` ids or keys were looked at; `problems` has the first refusals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActView {
    pub act_id: String,
    pub kind: ActKind,
    pub reason: String,
    pub who: String,
    pub state: ActState,
    pub done: i64,
    pub refused: i64,
    pub problems: Vec<DamagedJob>,
    pub walked: i64,
    pub total: i64,
    pub started_at: String,
    pub updated_at: String,
}

/// Entries of the record of changes, the oldest first, and the cursor to continue with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditLog {
    pub entries: Vec<AuditView>,
    pub cursor: String,
}

/// Somebody has changed something; `params` is JSON without secrets and scripts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditView {
    pub cursor: String,
    pub at: String,
    pub who: String,
    pub scope: String,
    pub by: String,
    pub peer: String,
    pub method: String,
    pub params: String,
    pub outcome: String,
}

/// The optional parameters of `stop_jobs`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopJobsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_id: Option<String>,
}

/// The optional parameters of `retry_jobs`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryJobsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_id: Option<String>,
}

/// The optional parameters of `delete_jobs`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeleteJobsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<JobFilterParams>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_id: Option<String>,
}

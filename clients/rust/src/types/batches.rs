// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// A page of batches; `damaged` are those whose counts cannot be read, `cursor` is empty after the last page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchList {
    pub batches: Vec<BatchRow>,
    pub damaged: Vec<DamagedJob>,
    pub cursor: String,
}

/// A batch whose jobs were created, except those in `refused`; `batch_id` is null if all were refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchMade {
    pub batch_id: Option<String>,
    pub job_ids: Vec<String>,
    pub refused: Vec<RefusedJob>,
}

/// A batch of the list; `began_at` is when it was announced, `caller_id` null if it belongs to no caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchRow {
    pub batch_id: String,
    pub total: i64,
    pub open: i64,
    pub finished: i64,
    pub error: i64,
    pub stopped: i64,
    pub began_at: String,
    pub caller_id: Option<String>,
}

/// A batch after a wait; `done` is false if the time ran out before all jobs had ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchRun {
    pub batch_id: Option<String>,
    pub done: bool,
    pub jobs: Vec<JobEnd>,
    pub refused: Vec<RefusedJob>,
}

/// How many jobs of a batch are in which state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchView {
    pub batch_id: String,
    pub total: i64,
    pub open: i64,
    pub finished: i64,
    pub error: i64,
    pub stopped: i64,
}

/// How many jobs were deleted, and how many were kept because they run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cleared {
    pub deleted: i64,
    pub running: i64,
}

/// Some dead letters, newest first, and how many there are in total.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadList {
    pub dead: Vec<DeadView>,
    pub total: i64,
}

/// A job that has failed permanently; the fields of its record are null after the record has expired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadView {
    pub job_id: String,
    pub died_at: String,
    pub script_type: Option<ScriptType>,
    pub caller_id: Option<String>,
    pub error: Option<String>,
    pub error_kind: Option<String>,
}

/// An error inside a result, in the shape that it has in an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorView {
    pub code: i64,
    pub message: String,
    pub data: BTreeMap<String, Value>,
}

/// A job after a wait: `output` if it finished, `error` if it failed, both null while it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    pub job_id: String,
    pub status: Option<JobStatus>,
    pub output: Option<String>,
    pub error: Option<ErrorView>,
}

/// How many dead letters were deleted together with their jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Purged {
    pub purged: i64,
}

/// A job of a batch that was not created: its position in the call, its id (null if it had none), and the error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedJob {
    pub index: i64,
    pub id: Option<String>,
    pub error: ErrorView,
}

/// How many jobs were started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    pub retried: i64,
}

/// The result of a wait: `batch` if the call named a batch, else `jobs` in the order of the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waited {
    pub done: bool,
    pub jobs: Vec<JobEnd>,
    pub batch: Option<BatchView>,
}

/// The optional parameters of `wait_jobs`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitJobsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// Longest wait in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
}

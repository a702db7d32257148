// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// Actors of all hosts; the lanes of silent actors are not counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorCounts {
    pub alive: i64,
    pub silent: i64,
    pub lanes: i64,
    pub busy: i64,
}

/// A key in the store that cannot be read as a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DamagedJob {
    pub id: String,
    pub reason: String,
}

/// The fields of a job that a client sends. camelCase names are accepted too; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobFields {
    /// The submitter, usually a public key.
    pub caller_id: String,
    /// The context that it runs for, usually a public key.
    pub context_id: String,
    /// Source text.
    pub script: String,
    /// OSIS, SAL, V or Python, in any case.
    pub script_type: ScriptType,
    /// An id that you choose; the same job sent twice is then one job. Default: a new UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Longest run time in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Most memory that it may hold, in bytes. The limit of the actor stands if it is lower.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<i64>,
    /// How often a failed run is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// Kept for the Rust system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<bool>,
    /// File that printed lines are also written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_path: Option<String>,
    /// Variables that the script can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_vars: Option<BTreeMap<String, String>>,
    /// Arguments, which the script reads as `ARGS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_args: Option<Vec<String>>,
    /// Ids of jobs that must finish first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prerequisites: Option<Vec<String>>,
    /// Ids of jobs that wait for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependents: Option<Vec<String>>,
    /// Group of actors that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Actor of the group that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// high, normal or low: to the front of the queue, to its end, or after everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Run it even if a prerequisite has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_after_failure: Option<bool>,
    /// Earliest start, as ISO 8601 with a time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Earliest start, in seconds after start_job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_s: Option<f64>,
    /// It ends as expired if it has not started so many seconds after start_job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<f64>,
    /// While a job with this key has not ended, its id is returned instead of a new job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// The key holds for so many seconds instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_for_s: Option<f64>,
    /// At most concurrency_max jobs with this key run simultaneously; the others wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// See concurrency_key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<i64>,
    /// At most rate_max jobs with this key start in rate_window_s seconds; the others start later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
    /// See rate_key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_max: Option<i64>,
    /// See rate_key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_window_s: Option<f64>,
    /// The batch that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// The span of its submitter in a distributed trace, as W3C writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Its signatures: {public_key, signature} in hex, each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Vec<BTreeMap<String, String>>>,
}

impl JobFields {
    /// Makes one with the fields that are required.
    pub fn new(
        caller_id: impl Into<String>,
        context_id: impl Into<String>,
        script: impl Into<String>,
        script_type: ScriptType,
    ) -> Self {
        Self {
            caller_id: caller_id.into(),
            context_id: context_id.into(),
            script: script.into(),
            script_type,
            id: None,
            timeout: None,
            memory_bytes: None,
            retries: None,
            concurrent: None,
            log_path: None,
            env_vars: None,
            script_args: None,
            prerequisites: None,
            dependents: None,
            group: None,
            instance: None,
            priority: None,
            run_after_failure: None,
            not_before: None,
            delay_s: None,
            expires_s: None,
            unique_key: None,
            unique_for_s: None,
            concurrency_key: None,
            concurrency_max: None,
            rate_key: None,
            rate_max: None,
            rate_window_s: None,
            batch: None,
            traceparent: None,
            signatures: None,
        }
    }
}

/// Which jobs; fields that are left out match all jobs, and all fields that are given must match.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobFilterParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_type: Option<ScriptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<String>,
    /// What the id begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// What script or error contain; ASCII letters match in either case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Where a job is in its life. Redis and the wire carry these values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Created,
    WaitingForPrerequisites,
    Scheduled,
    Dispatched,
    Started,
    Stopping,
    Finished,
    Error,
    Stopped,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// A job with its status and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    pub id: String,
    pub caller_id: String,
    pub context_id: String,
    pub script: String,
    pub script_type: ScriptType,
    pub timeout: f64,
    pub memory_bytes: Option<i64>,
    pub retries: i64,
    pub concurrent: bool,
    pub log_path: Option<String>,
    pub env_vars: BTreeMap<String, String>,
    pub script_args: Vec<String>,
    pub prerequisites: Vec<String>,
    pub dependents: Vec<String>,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub priority: Priority,
    pub run_after_failure: bool,
    pub not_before: Option<String>,
    pub delay_s: f64,
    pub expires_s: Option<f64>,
    pub unique_key: Option<String>,
    pub unique_for_s: Option<f64>,
    pub concurrency_key: Option<String>,
    pub concurrency_max: i64,
    pub rate_key: Option<String>,
    pub rate_max: i64,
    pub rate_window_s: f64,
    pub batch: Option<String>,
    pub traceparent: Option<String>,
    pub signatures: Vec<SignatureView>,
    pub status: JobStatus,
    pub output: Option<String>,
    pub output_json: Option<String>,
    pub error: Option<String>,
    pub error_kind: Option<String>,
    pub error_line: Option<i64>,
    pub error_column: Option<i64>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub attempt: i64,
    pub redeliveries: i64,
    pub rerun_reason: Option<String>,
    pub failures: i64,
    pub owner: Option<String>,
    pub progress: Option<ProgressView>,
}

/// Where a child is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Waiting,
    Starting,
    Running,
    Draining,
    Ending,
    Killed,
    Failed,
    Ended,
    Stopped,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// Where in its queue a job goes: HIGH to the front, NORMAL to the end, LOW behind everything else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    Normal,
    Low,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// The progress that a script has reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressView {
    pub done: f64,
    pub total: f64,
    pub text: String,
}

/// The queue of a script type, of a group of its actors, or of one instance of the group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    pub script_type: ScriptType,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub waiting: i64,
    pub paused_since: Option<String>,
}

/// Which kind of actor runs a script. Written as in the Rust system's enum, read in any case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScriptType {
    #[serde(rename = "OSIS")]
    Osis,
    #[serde(rename = "SAL")]
    Sal,
    V,
    Python,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// A signature and the public key of secp256k1 that made it, both in hex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignatureView {
    pub public_key: String,
    pub signature: String,
}

/// Figures of the deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub queues: Vec<QueueView>,
    pub actors: ActorCounts,
    pub dead: i64,
    pub uptime_s: f64,
}

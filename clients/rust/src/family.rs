//! The methods that have the names of the newer Rust supervisor, with the shapes that they have there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::methods;

/// A job in the shape of the newer Rust supervisor; `executor` or `runner` names the script type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunnerJob {
    /// An id that you choose; the same job sent twice is one job.
    pub id: String,
    /// The submitter, usually a public key.
    pub caller_id: String,
    /// The context that it runs for, usually a public key.
    pub context_id: String,
    /// The script.
    pub payload: String,
    /// Where it runs.
    pub runner: String,
    /// What runs it.
    pub executor: String,
    /// Longest run time in seconds.
    pub timeout: f64,
    /// Variables that the script can read.
    pub env_vars: BTreeMap<String, String>,
    /// When it was created, as RFC 3339; the service sets it.
    #[serde(default)]
    pub created_at: String,
    /// When it last changed.
    #[serde(default)]
    pub updated_at: String,
}

/// How a job has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerJobResult {
    /// Its output.
    Success(String),
    /// The message of its failure.
    Error(String),
}

/// The status of a job and when it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerJobStatus {
    /// Id of the job.
    pub job_id: String,
    /// As `JobStatus`.
    pub status: String,
    /// When it was created.
    pub created_at: Option<String>,
    /// When it first ran.
    pub started_at: Option<String>,
    /// When it ended.
    pub completed_at: Option<String>,
}

/// The log of a job as one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerLogs {
    /// `None` if it has printed nothing.
    pub logs: Option<String>,
}

methods! {
    /// The job methods of the newer Rust supervisor. Its older methods are in [`HeroApi`](crate::api::HeroApi), which
    /// answers in shapes of its own.
    FamilyApi {
        /// Stores a job and returns its id.
        jobs_create as "jobs.create"(job: &RunnerJob) -> String;

        /// Returns the newest jobs, 10,000 at most.
        jobs_list as "jobs.list"() -> Vec<RunnerJob>;

        /// Deletes all jobs that are not running.
        jobs_clear as "jobs.clear"() -> ();

        /// Creates and starts a job, and waits until it has ended.
        job_run as "job.run"(job: &RunnerJob) -> RunnerJobResult;

        /// Puts a created job on its queue.
        job_start as "job.start"(job_id: &str) -> ();

        /// Returns the status of a job.
        job_status as "job.status"(job_id: &str) -> RunnerJobStatus;

        /// Returns how a job has ended; an error while it goes on.
        job_result as "job.result"(job_id: &str) -> RunnerJobResult;

        /// Returns the log of a job.
        job_logs as "job.logs"(job_id: &str) -> RunnerLogs;

        /// Stops a job.
        job_stop as "job.stop"(job_id: &str) -> ();

        /// Deletes a job that is not running.
        job_delete as "job.delete"(job_id: &str) -> ();
    }
}

// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// How an attempt ended: `failed` if the job was to be repeated, `interrupted` if its actor ended, `crashed` if it
/// ended the process that it ran in alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Finished,
    Error,
    Stopped,
    Failed,
    Interrupted,
    Crashed,
    Running,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// One attempt of a job; `ended_at` is null while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    pub attempt: i64,
    pub owner: String,
    pub started_at: String,
    pub ended_at: Option<String>,
    pub outcome: AttemptOutcome,
    pub error_kind: Option<String>,
    pub error: Option<String>,
}

/// A process of this supervisor that would serve the queue and does not run; `why` says how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldActor {
    pub slot: String,
    pub phase: Phase,
    pub why: String,
}

/// Why a job does not run: `text` in a sentence, `reason` as a word, the rest as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobExplanation {
    pub job_id: String,
    pub status: JobStatus,
    pub reason: WaitReason,
    pub text: String,
    pub queue: String,
    pub place: Option<i64>,
    pub waiting: Option<i64>,
    pub paused_since: Option<String>,
    pub due_at: Option<String>,
    pub expires_at: Option<String>,
    pub prerequisites: Vec<PrerequisiteView>,
    pub key: Option<String>,
    pub held_by: Vec<String>,
    pub actors: Vec<String>,
    pub held_actors: Vec<HeldActor>,
    pub owner: Option<String>,
}

/// Lines of a job's log, oldest first, and the cursor to continue with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobLog {
    pub lines: Vec<LogLineView>,
    pub cursor: String,
}

/// One line that a script has printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLineView {
    pub cursor: String,
    pub at: String,
    pub level: String,
    pub text: String,
}

/// The output of a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlayResult {
    pub output: String,
}

/// A job that another one waits for; `status` is null if its record is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrerequisiteView {
    pub job_id: String,
    pub status: Option<JobStatus>,
}

/// The job is on its queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub success: bool,
}

/// What a job waits for, or why it does not wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    NotStarted,
    Delayed,
    Repeated,
    Late,
    Prerequisites,
    InLine,
    Paused,
    NoActor,
    ActorsSilent,
    ActorsUnavailable,
    Expired,
    Queued,
    NotQueued,
    Claimed,
    Running,
    Stopping,
    Ended,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// What to do about ticks at which no supervisor ran: nothing, one job for all of them, or one job for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    Skip,
    Once,
    All,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// What to do if the job of the last tick has not ended yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    Skip,
    Allow,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// How many jobs were stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueuePurged {
    pub stopped: i64,
}

/// A schedule; `next_at` is its next tick, in the past if it is late, and null while it is paused. `in_words` says
/// when it ticks. `last_status` is that of the last job that it created; null before the first, and once that one
/// is past its retention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleView {
    pub name: String,
    pub job: BTreeMap<String, Value>,
    pub cron: Option<String>,
    pub interval_s: Option<f64>,
    pub tz: String,
    pub overlap: Overlap,
    pub missed: Missed,
    pub in_words: String,
    pub next_at: Option<String>,
    pub paused: bool,
    pub last_job_id: Option<String>,
    pub last_status: Option<String>,
}

/// The optional parameters of `create_schedule`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateScheduleOptions {
    /// Five fields, or six with the seconds first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Seconds between ticks, instead of cron.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<f64>,
    /// Time zone of cron, by its IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// skip or allow, while the last job runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// skip, once or all, for ticks missed while no supervisor ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
}
